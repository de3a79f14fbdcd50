"""Files that go with a roster: the template to fill in, and the list of what was found in one."""

from typing import Any

from documents import xlsx

from .models import RosterImport


def template() -> bytes:
    """An empty roster with the right headers, text columns, drop-downs, notes and a sample row."""
    raise NotImplementedError


def findings_sheet(roster: RosterImport, findings: list[dict[str, Any]]) -> bytes:
    """What was found, row by row, to hand to whoever keeps the original file."""
    raise NotImplementedError
