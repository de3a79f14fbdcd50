"""Numbers of persons: sealed, masked, found by index, and shown one at a time with an audit row."""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import AuditRow
from documents import vault
from students import bank_accounts, privacy, rosters
from students.models import BankAccount, Pupil
from tests.cast import Cast
from tests.students.workbooks import pupil, workbook


@pytest.fixture
def child(cast: Cast) -> Pupil:
    content = workbook(pupil(1))
    rosters.import_roster(content, unit=cast.school_a, term=cast.term, by=cast.officer_a, dry_run=False)
    return Pupil.objects.get()


# --- masks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mask", "text", "masked"),
    [
        (privacy.mask_id, "539900201403050073", "5399**********0073"),
        (privacy.mask_id, "G539900201403050073", "G539***********0073"),
        (privacy.mask_id, "E1234567", "******67"),
        (privacy.mask_id, "", ""),
        (privacy.mask_card, "6299000000000000051", "**** 0051"),
        (privacy.mask_phone, "13812345678", "138****5678"),
        (privacy.mask_phone, "0871-63601234", "0871-****1234"),
        (privacy.mask_name, "张小明", "张**"),
        (privacy.mask_name, "", ""),
    ],
)
def test_masks(mask: object, text: str, masked: str) -> None:
    assert mask(text) == masked  # type: ignore[operator]


@given(st.text("0123456789X", min_size=1, max_size=25))
def test_mask_never_shows_a_whole_number(number: str) -> None:
    for mask in (privacy.mask_id, privacy.mask_card, privacy.mask_phone):
        assert sum(character.isalnum() for character in mask(number)) <= 8
    assert privacy.mask_id(number) != number


# --- sealing -----------------------------------------------------------------------------------------


def test_set_fills_sealed_masked_and_index_and_saves_nothing(cast: Cast) -> None:
    fresh = Pupil(county=cast.county, name="张三", sex="male")
    privacy.set_id(fresh, "539900201403050073")
    privacy.set_roll(fresh, "")
    assert "539900201403050073" not in fresh.id_sealed
    assert fresh.id_masked == "5399**********0073"
    assert (fresh.roll_sealed, fresh.roll_index) == ("", "")
    assert not Pupil.objects.exists()


def test_sealed_number_copied_to_another_pupil_cannot_be_read(cast: Cast, child: Pupil) -> None:
    thief = Pupil.objects.create(
        county=cast.county, name="李四", sex="male", id_sealed=child.id_sealed, id_index="x", id_masked=""
    )
    with pytest.raises(vault.VaultError):
        privacy._unseal(thief, "id")


def test_find_by_id_written_in_any_way(cast: Cast, child: Pupil) -> None:
    number = pupil(1)["身份证件号"]
    assert privacy.find_by_id(cast.county, f" G{number.lower()} ") == child
    assert privacy.find_by_id(cast.county, pupil(2)["身份证件号"]) is None


# --- showing one -------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["officer_a", "clerk"])
@pytest.mark.parametrize(
    ("field", "column"), [("id", "身份证件号"), ("roll", "全国学籍号"), ("phone", "联系电话"), ("account", "银行账号")]
)
def test_reveal_gives_the_number_and_leaves_one_audit_row(
    cast: Cast, child: Pupil, who: str, field: str, column: str
) -> None:
    record = child if field != "account" else BankAccount.objects.get()
    note = f"家长持{child.name}的存折核对，尾号 {pupil(1)['银行账号']}"
    number = privacy.reveal(record, field, by=getattr(cast, who), purpose="check_papers", note=note)
    assert number == pupil(1)[column]
    row = AuditRow.objects.get(action="identity.reveal")
    assert (row.username, row.detail["field"], row.detail["purpose"]) == (who, field, "check_papers")
    assert number not in repr(row.detail)
    assert child.name not in row.detail["note"]


@pytest.mark.parametrize("who", ["teacher_a1", "principal_a", "head", "inspector", "officer_b", "admin"])
def test_reveal_is_refused_to_everybody_else_and_leaves_no_row(cast: Cast, child: Pupil, who: str) -> None:
    with pytest.raises(PermissionDenied):
        privacy.reveal(child, "id", by=getattr(cast, who), purpose="check_papers", note="核对")
    assert not AuditRow.objects.filter(action="identity.reveal").exists()


@pytest.mark.parametrize(("purpose", "note"), [("", "核对"), ("curiosity", "核对"), ("check_papers", "  ")])
def test_reveal_wants_a_purpose_from_the_list_and_words(cast: Cast, child: Pupil, purpose: str, note: str) -> None:
    with pytest.raises(ValidationError, match="用途"):
        privacy.reveal(child, "id", by=cast.officer_a, purpose=purpose, note=note)


def test_reveal_of_a_number_that_is_not_there_says_so(cast: Cast, child: Pupil) -> None:
    Pupil.objects.update(phone_sealed="", phone_masked="")
    child.refresh_from_db()
    with pytest.raises(ValidationError, match="还没有登记联系电话"):
        privacy.reveal(child, "phone", by=cast.officer_a, purpose="check_papers", note="核对")
    assert bank_accounts.current(child) is not None
