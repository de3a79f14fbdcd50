"""The trail: written with the deed or not at all, never changed, and any change under its feet is found."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from accounts import audit, people
from accounts.models import AuditHead, AuditRow, User

pytestmark = pytest.mark.django_db


def write(count: int = 5) -> None:
    for number in range(count):
        audit.record("thing.done", f"thing:{number}", by=None, number=number)


def behind_the_back(sql: str, *values: object) -> None:
    """Somebody with the database's own password, who also knows how to take the triggers away."""
    with connection.cursor() as cursor:
        for verb in ("update", "delete"):
            on = " ON accounts_auditrow" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER IF EXISTS accounts_auditrow_no_{verb}{on}")
        cursor.execute(sql, values)


def test_chain_is_whole_after_ordinary_writing() -> None:
    write()
    assert audit.verify_chain() == audit.ChainReport(5, None)


def test_chain_of_nothing_is_whole() -> None:
    assert audit.verify_chain() == audit.ChainReport(0, None)


def test_changed_row_is_named() -> None:
    write()
    behind_the_back("UPDATE accounts_auditrow SET detail = %s WHERE number = 3", json.dumps({"number": 99}))
    assert audit.verify_chain().broken_at == 3


@pytest.mark.parametrize("column", ["username", "person", "origin", "action", "subject", "unit_path"])
def test_every_text_of_a_row_is_under_the_chain(column: str) -> None:
    write()
    behind_the_back(f"UPDATE accounts_auditrow SET {column} = 'x' WHERE number = 2")  # noqa: S608
    assert audit.verify_chain().broken_at == 2


def test_removed_row_is_named() -> None:
    write()
    behind_the_back("DELETE FROM accounts_auditrow WHERE number = 2")
    assert audit.verify_chain().broken_at == 2


def test_row_cut_from_the_end_is_missed() -> None:
    write()
    behind_the_back("DELETE FROM accounts_auditrow WHERE number = 5")
    assert audit.verify_chain().broken_at == 5


def test_inserted_row_is_named() -> None:
    write()
    behind_the_back(
        "INSERT INTO accounts_auditrow"
        " (number, at, username, person, origin, action, subject, unit_path, detail, digest)"
        " SELECT 6, at, username, person, origin, action, subject, unit_path, detail, digest"
        " FROM accounts_auditrow WHERE number = 5"
    )
    assert audit.verify_chain().broken_at == 6


def test_row_with_recomputed_digest_breaks_the_next() -> None:
    write()
    forged = AuditRow.objects.get(number=3)
    forged.action = "thing.undone"
    before = AuditRow.objects.get(number=2).digest
    digest = audit.digest_of(forged, before)
    behind_the_back("UPDATE accounts_auditrow SET action = %s, digest = %s WHERE number = 3", forged.action, digest)
    assert audit.verify_chain().broken_at == 4


@pytest.mark.parametrize("sql", ["UPDATE accounts_auditrow SET person = 'x'", "DELETE FROM accounts_auditrow"])
def test_database_itself_refuses_change(sql: str) -> None:
    write(1)
    with pytest.raises(DatabaseError, match="written once"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    assert audit.verify_chain() == audit.ChainReport(1, None)


def test_model_refuses_change() -> None:
    write(1)
    row = AuditRow.objects.get()
    for attempt in (row.save, row.delete, AuditRow.objects.all().delete, lambda: AuditRow.objects.update(person="x")):
        with pytest.raises(TypeError):
            attempt()


def test_verb_does_not_happen_when_the_trail_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    user, _ = people.open_account("wang.fang", "王芳", by=None)
    # The next number is taken already: the insert of the audit row fails in the database.
    AuditHead.objects.update(number=0)
    with pytest.raises(DatabaseError):
        people.disable(user, by=None)
    assert User.objects.get(pk=user.pk).is_active


def test_rolled_back_verb_leaves_no_row() -> None:
    with transaction.atomic():
        write(1)
        transaction.set_rollback(True)
    assert not AuditRow.objects.exists()


def test_many_rows_are_appended_in_order() -> None:
    audit.record_all([audit.Entry("thing.done", f"thing:{n}") for n in range(30)], by=None)
    assert list(AuditRow.objects.order_by("number").values_list("subject", flat=True))[:2] == ["thing:0", "thing:1"]
    assert audit.verify_chain() == audit.ChainReport(30, None)


def test_command_says_that_the_trail_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    write()
    call_command("verify_audit")
    assert "共 5 行" in capsys.readouterr().out


def test_command_names_the_first_broken_row_and_exits_with_1() -> None:
    write()
    behind_the_back("UPDATE accounts_auditrow SET person = 'x' WHERE number IN (3, 4)")
    with pytest.raises(CommandError, match="从第 3 行起不可信") as refused:
        call_command("verify_audit")
    assert refused.value.returncode == 1


# --- walked in parts, while others go on ----------------------------------------------------------


def test_rows_written_during_the_walk_are_no_part_of_it() -> None:
    write()
    end = audit.end_of_chain()
    stand = audit.walk_on(audit.Mark(), end, rows=2)
    write(3)
    assert stand == audit.Mark(2, AuditRow.objects.get(number=2).digest)
    assert audit.walk_on(stand, end, rows=100) == audit.ChainReport(5, None)


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 6, 100])
@pytest.mark.parametrize(
    ("sql", "broken_at"),
    [
        ("SELECT 1", None),
        ("UPDATE accounts_auditrow SET person = 'x' WHERE number = 1", 1),
        ("UPDATE accounts_auditrow SET person = 'x' WHERE number = 4", 4),
        ("DELETE FROM accounts_auditrow WHERE number = 3", 3),
        ("DELETE FROM accounts_auditrow WHERE number > 3", 4),
        ("DELETE FROM accounts_auditrow", 1),
        ("UPDATE accounts_audithead SET number = 4", 5),
        ("DELETE FROM accounts_audithead", 1),
    ],
)
def test_in_parts_of_any_size_the_same_row_is_named(rows: int, sql: str, broken_at: int | None) -> None:
    write()
    behind_the_back(sql)
    end, found = audit.end_of_chain(), audit.Mark()
    while isinstance(found, audit.Mark):
        found = audit.walk_on(found, end, rows=rows)
    assert found.broken_at == broken_at
    assert found == audit.verify_chain()
