"""The register, by what it is about: who is where, rosters, comparison lists, changes, roll-overs."""

from .changes import ChangeConfirmation, StatusChange
from .lists import ListEntry, ListMatch, ListProfile, ListSource, ListVersion, Recheck
from .register import (
    OPEN_STANDINGS,
    BankAccount,
    Boarding,
    Category,
    Circumstance,
    Enrolment,
    Pupil,
    School,
    SchoolClass,
    StaffAccount,
    Stage,
    Standing,
    Term,
)
from .rollovers import RollOver
from .rosters import RosterImport

__all__ = [
    "OPEN_STANDINGS",
    "BankAccount",
    "Boarding",
    "Category",
    "ChangeConfirmation",
    "Circumstance",
    "Enrolment",
    "ListEntry",
    "ListMatch",
    "ListProfile",
    "ListSource",
    "ListVersion",
    "Pupil",
    "Recheck",
    "RollOver",
    "RosterImport",
    "School",
    "SchoolClass",
    "StaffAccount",
    "Stage",
    "Standing",
    "StatusChange",
    "Term",
]
