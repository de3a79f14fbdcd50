"""A roster into the register: what good rows bring, and that the check foretells exactly what the import does."""

import datetime as dt
from collections import Counter

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import audit
from accounts.models import AuditRow, Unit
from documents.models import Upload
from students import bank_accounts, fictitious, privacy, rosters
from students.models import BankAccount, Circumstance, Enrolment, Pupil, RosterImport, SchoolClass, Term
from tests.cast import Cast
from tests.students.workbooks import HEADERS, pupil, upload, workbook
from tests.together import at_once


def check(cast: Cast, *rows: dict, **options: object) -> RosterImport:
    return rosters.check_roster(
        upload(workbook(*rows, **options)), unit=cast.school_a, term=cast.term, by=cast.officer_a
    )


def bring_in(cast: Cast, *rows: dict, **options: object) -> RosterImport:
    return rosters.apply_roster(check(cast, *rows, **options), by=cast.officer_a)


def counts(roster: RosterImport) -> tuple[int, int, int, int]:
    return roster.rows_new, roster.rows_changed, roster.rows_same, roster.rows_refused


def said(roster: RosterImport) -> list[tuple]:
    columns = ("level", "sheet", "row", "column", "column_number", "who", "value", "message", "remedy", "elsewhere")
    return list(roster.findings.values_list(*columns))


def everything() -> Counter:
    models = (Pupil, Enrolment, BankAccount, Circumstance, Unit, SchoolClass)
    return Counter({model.__name__: model.objects.count() for model in models})


def test_good_row_becomes_pupil_enrolment_class_and_account(cast: Cast) -> None:
    applied = bring_in(cast, pupil(1, 班级="（3）班", 就读方式="走读"))
    assert (applied.state, counts(applied), said(applied)) == ("applied", (1, 0, 0, 0), [])
    child = Pupil.objects.get()
    place = child.enrolments.get()
    account = child.accounts.get()
    assert (child.name, child.sex, child.birth_date) == ("陈乙一", "male", dt.date(2014, 3, 5))
    assert (place.school, place.school_class.name, place.boarding) == (cast.school_a, "七年级3班", "day")
    assert place.school_class.school_class.stage == "junior"
    assert (account.holder, account.relation) == ("陈大乙", "father")
    assert bank_accounts.current(child) == account


def test_full_numbers_are_not_in_the_tables(cast: Cast) -> None:
    bring_in(cast, pupil(1))
    row = pupil(1)
    secrets = [row["身份证件号"], row["银行账号"], row["联系电话"]]
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608
            stored = repr(cursor.fetchall())
            assert not [secret for secret in secrets if secret in stored], table


def test_check_leaves_the_register_unchanged_and_foretells_the_import(cast: Cast) -> None:
    wrong = pupil(3, 班级=None)
    before = everything()
    checked = check(cast, pupil(1, 班级="9班"), pupil(2), wrong)
    assert everything() == before
    foretold = (counts(checked), said(checked))
    applied = rosters.apply_roster(checked, by=cast.officer_a)
    assert (counts(applied), said(applied)) == foretold
    assert counts(applied) == (2, 0, 0, 1)


def test_same_file_again_changes_nothing(cast: Cast) -> None:
    rows = [pupil(serial) for serial in range(1, 6)]
    bring_in(cast, *rows)
    before, audit_rows = everything(), AuditRow.objects.filter(action__startswith="pupil.").count()
    again = bring_in(cast, *rows)
    assert counts(again) == (0, 0, 5, 0)
    assert everything() == before
    assert AuditRow.objects.filter(action__startswith="pupil.").count() == audit_rows


def test_changed_row_changes_only_what_changed(cast: Cast) -> None:
    bring_in(cast, pupil(1), pupil(2))
    again = bring_in(cast, pupil(1, 班级="2班", 联系电话=fictitious.phone_number(77)), pupil(2))
    assert counts(again) == (0, 1, 1, 0)
    row = AuditRow.objects.get(action="pupil.change")
    assert row.detail == {"fields": ["phone"]}
    assert AuditRow.objects.get(action="pupil.status_change").detail["change"] == "调班"
    assert (
        Pupil.objects.get(phone_masked=privacy.mask_phone(fictitious.phone_number(77))).enrolments.get().school_class
        == cast.class_a2
    )


def test_empty_cell_does_not_wipe_what_is_on_record(cast: Cast) -> None:
    bring_in(cast, pupil(1))
    bare = pupil(
        1, 全国学籍号=None, 监护人姓名=None, 联系电话=None, 开户银行=None, 银行账号=None, 户名=None, 户主与学生关系=None
    )
    again = bring_in(cast, bare)
    assert counts(again) == (0, 0, 1, 0)
    child = Pupil.objects.get()
    assert (child.guardian_name, child.phone_masked[:3]) == ("陈大乙", "154")
    assert bank_accounts.current(child) is not None


def test_changed_account_ends_the_old_and_opens_a_new(cast: Cast) -> None:
    bring_in(cast, pupil(1))
    again = bring_in(cast, pupil(1, 银行账号=fictitious.card_number(99)))
    assert counts(again) == (0, 1, 0, 0)
    old, new = BankAccount.objects.get(ends_on__isnull=False), BankAccount.objects.get(ends_on=None)
    assert old.ends_on == new.starts_on == dt.date(2026, 10, 12)
    assert privacy.account_number(new) == fictitious.card_number(99)


def test_next_term_brings_the_known_pupil_a_new_enrolment(cast: Cast) -> None:
    bring_in(cast, pupil(1))
    spring = Term.objects.get(key="2026-2027-2")
    checked = rosters.check_roster(upload(workbook(pupil(1))), unit=cast.school_a, term=spring, by=cast.officer_a)
    assert counts(checked) == (1, 0, 0, 0)
    rosters.apply_roster(checked, by=cast.officer_a)
    assert Pupil.objects.count() == 1
    assert Enrolment.objects.count() == 2


def test_temporary_roll_number_is_replaced_by_the_formal_one(cast: Cast) -> None:
    temporary = fictitious.temporary_roll_number(1, born=dt.date(2014, 3, 5))
    bring_in(cast, pupil(1, 全国学籍号=temporary))
    again = bring_in(cast, pupil(1))
    assert counts(again) == (0, 1, 0, 0)
    assert [finding.level for finding in again.findings.all()] == ["warning", "change"]
    assert Pupil.objects.get().roll_index == privacy.roll_index(pupil(1)["全国学籍号"])


def test_classes_are_found_under_other_spellings(cast: Cast) -> None:
    before = Unit.objects.count()
    bring_in(cast, pupil(1, 班级="七（1）班"), pupil(2, 年级="初一", 班级="2"), pupil(3, 年级=None, 班级="七年级2班"))
    assert Unit.objects.count() == before


def test_categories_come_with_evidence_only(cast: Cast) -> None:
    headers = (*HEADERS, "困难类别", "证明名称和编号")
    row = pupil(1, 困难类别="农村低保、残疾学生", 证明名称和编号="低保证 2026-01；残疾证")
    applied = bring_in(cast, row, headers=headers)
    assert counts(applied) == (1, 0, 0, 0)
    assert {each.category.code for each in Circumstance.objects.all()} == {"dibao_rural", "disabled"}
    assert {each.source for each in Circumstance.objects.all()} == {"collected"}
    assert counts(bring_in(cast, row, headers=headers)) == (0, 0, 1, 0)


def test_categories_without_an_evidence_column_are_left_aside_and_named(cast: Cast) -> None:
    applied = bring_in(cast, pupil(1, 困难类别="农村低保"), headers=(*HEADERS, "困难类别"))
    assert counts(applied) == (1, 0, 0, 0)
    assert "困难类别" in applied.findings.first().message
    assert not Circumstance.objects.exists()


def test_six_hundred_rows_take_seconds_and_a_bounded_number_of_queries(cast: Cast) -> None:
    rows = [pupil(serial, 姓名="陈小明", 班级=f"{serial % 12 + 1}班") for serial in range(1, 601)]
    checked = check(cast, *rows)
    with CaptureQueriesContext(connection) as queries:
        applied = rosters.apply_roster(checked, by=cast.officer_a)
    assert counts(applied) == (600, 0, 0, 0)
    assert len(queries) < 150


# --- the verbs' refusals -----------------------------------------------------------------------------


def test_import_twice_is_refused_with_a_sentence(cast: Cast) -> None:
    checked = check(cast, pupil(1))
    rosters.apply_roster(checked, by=cast.officer_a)
    with pytest.raises(rosters.RosterAlreadySettled, match="已导入，不能再办一次"):
        rosters.apply_roster(checked, by=cast.officer_a)
    assert AuditRow.objects.filter(action="roster.apply").count() == 1


def test_discarded_roster_is_gone_and_cannot_be_imported(cast: Cast) -> None:
    checked = check(cast, pupil(1))
    rosters.discard_roster(checked, by=cast.officer_a)
    assert (checked.state, checked.file, said(checked)) == ("discarded", None, [])
    assert not Upload.objects.exists()
    with pytest.raises(rosters.RosterAlreadySettled, match="已放弃"):
        rosters.apply_roster(checked, by=cast.officer_a)


def test_roster_without_one_good_row_is_not_imported(cast: Cast) -> None:
    checked = check(cast, pupil(1, 班级=None))
    with pytest.raises(ValidationError, match="没有一行可以导入"):
        rosters.apply_roster(checked, by=cast.officer_a)
    checked.refresh_from_db()
    assert checked.state == "checked"


@pytest.mark.parametrize("who", ["officer_b", "principal_a", "teacher_a1", "inspector", "admin"])
def test_only_the_schools_own_officer_and_the_county_bring_rosters_in(cast: Cast, who: str) -> None:
    checked = check(cast, pupil(1))
    stranger = getattr(cast, who)
    with pytest.raises(PermissionDenied):
        rosters.check_roster(upload(workbook(pupil(2))), unit=cast.school_a, term=cast.term, by=stranger)
    with pytest.raises(PermissionDenied):
        rosters.apply_roster(checked, by=stranger)
    with pytest.raises(PermissionDenied):
        rosters.discard_roster(checked, by=stranger)
    assert RosterImport.objects.get().state == "checked"


def test_import_writes_one_row_for_the_roster_and_one_for_each_class(cast: Cast) -> None:
    bring_in(cast, pupil(1), pupil(2))
    actions = Counter(AuditRow.objects.values_list("action", flat=True))
    assert (actions["roster.check"], actions["roster.apply"], actions["class.enrol"]) == (1, 1, 1)
    text = repr(list(AuditRow.objects.values_list("subject", "detail")))
    assert not [value for value in pupil(1).values() if isinstance(value, str) and len(value) > 10 and value in text]
    assert "陈乙一" not in text


def test_failing_audit_undoes_the_import(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = check(cast, pupil(1))

    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("audit trail full")

    monkeypatch.setattr(rosters.audit, "record_all", fail)
    with pytest.raises(RuntimeError):
        rosters.apply_roster(checked, by=cast.officer_a)
    assert not Pupil.objects.exists()
    assert RosterImport.objects.get().state == "checked"


@pytest.mark.django_db(transaction=True)
def test_double_click_imports_once(transactional_db: None, cast: Cast) -> None:
    checked = check(cast, *[pupil(serial) for serial in range(1, 20)])

    def click() -> object:
        return rosters.apply_roster(RosterImport.objects.get(pk=checked.pk), by=cast.officer_a)

    outcomes = at_once(click, click)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["RosterAlreadySettled", "RosterImport"]
    assert Enrolment.objects.count() == 19


# --- any roster at all -------------------------------------------------------------------------------

odd_values = st.fixed_dictionaries(
    {},
    optional={
        "姓名": st.sampled_from(["陈甲", "陈?", None]),
        "身份证件号": st.sampled_from([pupil(1)["身份证件号"], pupil(2)["身份证件号"], "1.1E+17", None]),
        "全国学籍号": st.sampled_from([pupil(1)["全国学籍号"], pupil(3)["全国学籍号"], None]),
        "年级": st.sampled_from(["七年级", "八年级", "三年级", None]),
        "班级": st.sampled_from(["1班", "（2）班", "9班", None]),
        "就读方式": st.sampled_from(["寄宿", "走读", "其他"]),
        "监护人姓名": st.sampled_from(["王大", None]),
        "联系电话": st.sampled_from([fictitious.phone_number(7), None]),
        "银行账号": st.sampled_from([fictitious.card_number(1), fictitious.card_number(2), None]),
        "户主与学生关系": st.sampled_from(["母亲", "本人", None]),
        "困难类别": st.sampled_from(["农村低保", "没有这种", None]),
        "证明名称和编号": st.sampled_from(["低保证 1", None]),
    },
)
rosters_of_any_kind = st.lists(st.tuples(st.integers(1, 5), odd_values), min_size=1, max_size=6)


def told(outcome: rosters.Outcome) -> list[tuple]:
    return [(f.level, f.row, f.column, f.value, f.message, f.remedy) for f in outcome.findings]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(rosters_of_any_kind, rosters_of_any_kind)
def test_dry_run_foretells_the_run_and_a_second_run_changes_nothing(cast: Cast, first: list, second: list) -> None:
    headers = (*HEADERS, "困难类别", "证明名称和编号")
    where = {"unit": cast.school_a, "term": cast.term, "by": cast.officer_a}
    with transaction.atomic():
        for rows in (first, second):
            content = workbook(*[pupil(serial, **changes) for serial, changes in rows], headers=headers)
            before = everything()
            foretold = rosters.import_roster(content, **where, dry_run=True)
            assert everything() == before
            done = rosters.import_roster(content, **where, dry_run=False)
            assert (done.counts, told(done)) == (foretold.counts, told(foretold))
            assert done.total == done.accepted + done.refused == len(rows)
            if rows is first:  # of the second, a row may have waited for a number that another row gave up
                after, trail = everything(), audit.last_number()
                again = rosters.import_roster(content, **where, dry_run=False)
                assert (again.new, again.changed, again.same, again.refused) == (0, 0, done.accepted, done.refused)
                assert (everything(), audit.last_number()) == (after, trail)
        transaction.set_rollback(True)
