"""Tables whose rows are evidence: the database itself refuses to change or delete them.

Used by migrations, so that not only this program but any SQL of its database user is refused.
"""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_SQLITE = """
CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, '{table} rows are written once'); END
"""
_POSTGRES_FUNCTION = """
CREATE OR REPLACE FUNCTION aid_refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% rows are written once', TG_TABLE_NAME; END $$
"""
_POSTGRES = """
CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}
FOR EACH ROW EXECUTE FUNCTION aid_refuse_change()
"""


def written_once(*tables: str) -> migrations.RunPython:
    """The migration operation that lays the triggers on the tables."""
    return migrations.RunPython(
        lambda apps, editor: lay(editor, *tables), lambda apps, editor: lift(editor, *tables), elidable=False
    )


def lay(editor: BaseDatabaseSchemaEditor, *tables: str) -> None:
    """Refuse UPDATE and DELETE on the tables from now on."""
    postgres = editor.connection.vendor == "postgresql"
    if postgres:
        editor.execute(_POSTGRES_FUNCTION, params=None)  # its % is not ours to fill
    for table, verb in ((t, v) for t in tables for v in ("update", "delete")):
        editor.execute((_POSTGRES if postgres else _SQLITE).format(table=table, verb=verb))


def lift(editor: BaseDatabaseSchemaEditor, *tables: str) -> None:
    """Take the triggers away: undoing a migration, or emptying a test database."""
    for table, verb in ((t, v) for t in tables for v in ("update", "delete")):
        on = f" ON {table}" if editor.connection.vendor == "postgresql" else ""
        editor.execute(f"DROP TRIGGER IF EXISTS {table}_no_{verb}{on}")
