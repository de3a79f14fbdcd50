"""The register, by what it is about: who is where, rosters, comparison lists, changes, roll-overs."""

from .calendar import CalendarYear, SpecialDay
from .changes import ChangeConfirmation, ChangeReport, ConfirmationRule, StatusChange
from .lists import ListEntry, ListMatch, ListProfile, ListSource, ListVersion, Recheck
from .register import (
    OPEN_STANDINGS,
    BankAccount,
    Boarding,
    Category,
    Circumstance,
    Enrolment,
    IdCorrection,
    Major,
    Pupil,
    School,
    SchoolClass,
    Schooling,
    StaffAccount,
    Stage,
    Standing,
    Term,
)
from .rollovers import RollOver
from .rosters import HeaderMeaning, RosterFinding, RosterImport

__all__ = [
    "OPEN_STANDINGS",
    "BankAccount",
    "Boarding",
    "CalendarYear",
    "Category",
    "ChangeConfirmation",
    "ChangeReport",
    "Circumstance",
    "ConfirmationRule",
    "Enrolment",
    "HeaderMeaning",
    "IdCorrection",
    "ListEntry",
    "ListMatch",
    "ListProfile",
    "ListSource",
    "ListVersion",
    "Major",
    "Pupil",
    "Recheck",
    "RollOver",
    "RosterFinding",
    "RosterImport",
    "School",
    "SchoolClass",
    "Schooling",
    "SpecialDay",
    "StaffAccount",
    "Stage",
    "Standing",
    "StatusChange",
    "Term",
]
