"""Programmes and standards, rounds, applications, review meetings, payment, concerns."""

from .applications import Application, DutyHolder, Kinship, Reckoning, StepTaken
from .attendance import AttendanceRule, ServedDays
from .changes import ChangeEffect, ChangeRule, FollowUp
from .concerns import Concern, ConcernReason, Screening, Settlement, StageAges
from .declarations import Declaration, FormRule, SignedForm
from .officer_checks import OfficerCheck
from .packs import PackRow
from .payments import PaymentBatch, PaymentLine, PayoutSheet
from .programmes import AcceptedCategory, ProcessRule, Programme, ProgrammeExclusion, Standard
from .quotas import OutsideQuota, Quota, QuotaPercentage, QuotaVersion
from .receipts import Receipt
from .recognitions import CheckRule, Recognition, TierWording
from .reviews import Decision, Meeting, MeetingMember, MinutesPaper, SignedMinutes
from .rounds import DeadlineRule, Round, RoundDeadline
from .shares import FundShare, LineShare, SheetSplit

__all__ = [
    "AcceptedCategory",
    "Application",
    "AttendanceRule",
    "ChangeEffect",
    "ChangeRule",
    "CheckRule",
    "Concern",
    "ConcernReason",
    "DeadlineRule",
    "Decision",
    "Declaration",
    "DutyHolder",
    "FollowUp",
    "FormRule",
    "FundShare",
    "Kinship",
    "LineShare",
    "Meeting",
    "MeetingMember",
    "MinutesPaper",
    "OfficerCheck",
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
    "Receipt",
    "Reckoning",
    "Recognition",
    "Round",
    "RoundDeadline",
    "Screening",
    "ServedDays",
    "Settlement",
    "SheetSplit",
    "SignedForm",
    "SignedMinutes",
    "StageAges",
    "Standard",
    "StepTaken",
    "TierWording",
]
