"""Programmes and standards, rounds, applications, review meetings, payment, concerns."""

from .applications import Application, DutyHolder, Reckoning, StepTaken
from .attendance import AttendanceRule, ServedDays
from .changes import ChangeEffect, ChangeRule, FollowUp
from .concerns import Concern, ConcernReason, Screening, Settlement, StageAges
from .packs import PackRow
from .payments import PaymentBatch, PaymentLine, PayoutSheet
from .programmes import AcceptedCategory, ProcessRule, Programme, ProgrammeExclusion, Standard
from .quotas import OutsideQuota, Quota, QuotaPercentage, QuotaVersion
from .reviews import Decision, Meeting, MeetingMember
from .rounds import DeadlineRule, Round, RoundDeadline
from .shares import FundShare, LineShare, SheetSplit

__all__ = [
    "AcceptedCategory",
    "Application",
    "AttendanceRule",
    "ChangeEffect",
    "ChangeRule",
    "Concern",
    "ConcernReason",
    "DeadlineRule",
    "Decision",
    "DutyHolder",
    "FollowUp",
    "FundShare",
    "LineShare",
    "Meeting",
    "MeetingMember",
    "OutsideQuota",
    "PackRow",
    "PaymentBatch",
    "PaymentLine",
    "PayoutSheet",
    "ProcessRule",
    "Programme",
    "ProgrammeExclusion",
    "Quota",
    "QuotaPercentage",
    "QuotaVersion",
    "Reckoning",
    "Round",
    "RoundDeadline",
    "Screening",
    "ServedDays",
    "Settlement",
    "SheetSplit",
    "StageAges",
    "Standard",
    "StepTaken",
]
