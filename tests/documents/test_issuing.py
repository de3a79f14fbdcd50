"""Numbers, codes, files: each paper once, whole, and never changed."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import segno
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from accounts.models import AuditRow
from documents import issuing, sheets, signing
from documents.models import IssuedDocument
from documents.vault import VaultError

from .conftest import FACTS

pytestmark = pytest.mark.django_db
KIND = IssuedDocument.Kind


def test_numbers_follow_one_another_by_kind_and_year(school, time_machine):
    time_machine.move_to("2026-12-31T23:59:00+08:00")
    numbers = [issuing.reserve(kind, unit=school).number for kind in (KIND.NOTICE, KIND.NOTICE, KIND.DOSSIER)]
    time_machine.move_to("2027-01-01T00:01:00+08:00")
    numbers.append(issuing.reserve(KIND.NOTICE, unit=school).number)
    assert numbers == ["公示〔2026〕1号", "公示〔2026〕2号", "档案〔2026〕1号", "公示〔2027〕1号"]


def test_a_rolled_back_reservation_leaves_no_gap(school):
    with transaction.atomic():
        issuing.reserve(KIND.NOTICE, unit=school)
        transaction.set_rollback(True)
    assert issuing.reserve(KIND.NOTICE, unit=school).number.endswith("〕1号")


@pytest.mark.django_db(transaction=True)
def test_many_at_once_get_a_number_each(school):
    def take(_):
        try:
            return issuing.reserve(KIND.NOTICE, unit=school).number
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        numbers = list(pool.map(take, range(12)))
    assert len(set(numbers)) == 12


def test_an_issued_paper_is_signed_and_hashed(issued, officer):
    assert issued.state == "issued"
    assert (issued.issued_by, issued.pdf_pages, issued.facts) == (officer, 1, FACTS)
    assert signing.check(issuing.read_pdf(issued)).valid
    assert issuing.read_xlsx(issued).startswith(b"PK")


def test_issuing_again_with_the_same_content_changes_nothing(issued, officer, make_plan):
    before = (IssuedDocument.objects.values().get(), AuditRow.objects.count(), issuing.read_pdf(issued))
    plan = make_plan(number=issued.number, document=issued)
    pdf, xlsx = sheets.signing_copy_pdf(plan), sheets.signing_copy_xlsx(plan)
    issuing.fulfil(issued, pdf=pdf, xlsx=xlsx, facts=FACTS, by=officer)
    assert (IssuedDocument.objects.values().get(), AuditRow.objects.count(), issuing.read_pdf(issued)) == before


def test_issuing_again_with_other_content_is_refused(issued, officer, make_plan):
    plan = make_plan(4, number=issued.number, document=issued)
    pdf, xlsx = sheets.signing_copy_pdf(plan), sheets.signing_copy_xlsx(plan)
    same = issuing.read_pdf(issued)
    for change in ({"pdf": pdf}, {"xlsx": xlsx}, {"xlsx": None}, {"facts": [["人数", "4 人"]]}):
        content = {"pdf": same, "xlsx": issuing.read_xlsx(issued), "facts": FACTS, **change}
        with pytest.raises(issuing.AlreadyIssued, match="已经签发"):
            issuing.fulfil(issued, by=officer, **content)
    assert issuing.read_pdf(issued) == same


def test_a_crash_after_the_files_and_before_the_row_leaves_it_reserved(reserved, officer, make_plan, monkeypatch):
    plan = make_plan(number=reserved.number, document=reserved)
    pdf = sheets.signing_copy_pdf(plan)
    from accounts import audit

    def crash(*args, **kwargs):
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(audit, "record", crash)
        with pytest.raises(RuntimeError):
            issuing.fulfil(reserved, pdf=pdf, xlsx=None, facts=FACTS, by=officer)
    reserved.refresh_from_db()
    assert reserved.state == "reserved"
    issuing.fulfil(reserved, pdf=pdf, xlsx=None, facts=FACTS, by=officer)
    assert signing.check(issuing.read_pdf(reserved)).valid


def test_facts_with_a_number_of_a_person_are_refused(reserved, officer):
    with pytest.raises(ValueError, match="number of a person"):
        issuing.fulfil(reserved, pdf=b"", xlsx=None, facts=[["学生", "530102201501011234"]], by=officer)


def test_one_paper_takes_the_place_of_another(issued, school, officer, make_plan):
    new = issuing.reserve(KIND.PAYOUT_SHEET, unit=school)
    with pytest.raises(ValidationError, match="已签发"):
        issuing.supersede(issued, new, by=officer)
    pdf = sheets.signing_copy_pdf(make_plan(number=new.number, document=new))
    issuing.fulfil(new, pdf=pdf, xlsx=None, facts=FACTS, by=officer)
    issuing.supersede(issued, new, by=officer)
    assert (issued.state, issued.superseded_by) == ("superseded", new)
    with pytest.raises(ValidationError, match="已签发"):
        issuing.supersede(issued, new, by=officer)


def test_a_paper_cannot_take_its_own_place(issued, officer):
    with pytest.raises(ValidationError, match="已签发"):
        issuing.supersede(issued, issued, by=officer)


def test_a_stored_file_exchanged_for_another_is_noticed(issued):
    from documents import filestore

    filestore.put(issued.pdf_name, b"%PDF another")
    with pytest.raises(VaultError, match="校验值不符"):
        issuing.read_pdf(issued)


def test_a_paper_without_a_workbook_says_so(reserved):
    with pytest.raises(FileNotFoundError):
        issuing.read_xlsx(reserved)


def test_files_are_served_under_their_number(issued):
    assert "%E5%8F%91%E6%94%BE" in issuing.serve(issued)["Content-Disposition"]
    assert issuing.serve(issued, "xlsx", inline=True)["Content-Disposition"].startswith("attachment")
    assert issuing.serve(issued, inline=True)["Content-Disposition"].startswith("inline")


def test_the_qr_code_holds_the_address_and_nothing_else(reserved, settings):
    settings.PUBLIC_URL = "https://zizhu.example.gov.cn"
    assert issuing.verify_url(reserved) == f"https://zizhu.example.gov.cn/verify/{reserved.code}/"
    assert segno.make(issuing.verify_url(reserved), error="m", micro=False).svg_inline(
        border=0, omitsize=True
    ) == issuing.qr_svg(reserved)
