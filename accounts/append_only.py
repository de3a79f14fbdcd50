"""Tables whose rows are evidence: the database itself refuses to change or delete them.

Used by migrations, so that not only this program but any SQL of its database user is refused.
"""

from collections.abc import Mapping

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_SQLITE = """
CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table} {unless}
BEGIN SELECT RAISE(ABORT, '{table} rows are written once'); END
"""
_POSTGRES_FUNCTION = """
CREATE OR REPLACE FUNCTION aid_refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% rows are written once', TG_TABLE_NAME; END $$
"""
_POSTGRES = """
CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}
FOR EACH ROW EXECUTE FUNCTION {function}()
"""
_POSTGRES_UNLESS = """
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF {condition} THEN RETURN OLD; END IF; RAISE EXCEPTION '% rows are written once', TG_TABLE_NAME; END $$
"""

# Tables whose rows may go under a condition over OLD: what is evidence only from some moment on.
_DELETABLE: dict[str, str] = {}


def written_once(*tables: str, deletable: Mapping[str, str] | None = None) -> migrations.RunPython:
    """The migration operation that lays the triggers on the tables.

    `deletable` gives some of them a condition (SQL over OLD, true or false but never null) under which a row may
    be deleted after all.
    """
    _DELETABLE.update(deletable or {})
    return migrations.RunPython(
        lambda apps, editor: lay(editor, *tables), lambda apps, editor: lift(editor, *tables), elidable=False
    )


def lay(editor: BaseDatabaseSchemaEditor, *tables: str) -> None:
    """Refuse UPDATE and DELETE on the tables from now on."""
    postgres = editor.connection.vendor == "postgresql"
    if postgres:
        editor.execute(_POSTGRES_FUNCTION, params=None)  # its % is not ours to fill
    for table, verb in ((t, v) for t in tables for v in ("update", "delete")):
        condition = _DELETABLE.get(table, "") if verb == "delete" else ""
        function = "aid_refuse_change"
        if postgres and condition:
            function = f"aid_refuse_delete_{table}"
            editor.execute(_POSTGRES_UNLESS.format(function=function, condition=condition), params=None)
        unless = f"WHEN NOT ({condition})" if condition else ""
        trigger = (_POSTGRES if postgres else _SQLITE).format(table=table, verb=verb, function=function, unless=unless)
        editor.execute(trigger, params=None)


def lift(editor: BaseDatabaseSchemaEditor, *tables: str) -> None:
    """Take the triggers away: undoing a migration, or emptying a test database."""
    for table, verb in ((t, v) for t in tables for v in ("update", "delete")):
        on = f" ON {table}" if editor.connection.vendor == "postgresql" else ""
        editor.execute(f"DROP TRIGGER IF EXISTS {table}_no_{verb}{on}")
