"""Programmes and standards, rounds, applications, review meetings, payment, concerns."""

from .applications import Application, DutyHolder, StepTaken
from .changes import ChangeEffect, ChangeRule, FollowUp
from .concerns import Concern, ConcernReason, Screening, Settlement, StageAges
from .packs import PackRow
from .payments import PaymentBatch, PaymentLine, PayoutSheet
from .programmes import AcceptedCategory, ProcessRule, Programme, ProgrammeExclusion, Standard
from .quotas import OutsideQuota, Quota, QuotaVersion
from .reviews import Decision, Meeting, MeetingMember
from .rounds import Round
from .shares import FundShare, LineShare, SheetSplit

__all__ = [
    "AcceptedCategory",
    "Application",
    "ChangeEffect",
    "ChangeRule",
    "Concern",
    "ConcernReason",
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
    "QuotaVersion",
    "Round",
    "Screening",
    "Settlement",
    "SheetSplit",
    "StageAges",
    "Standard",
    "StepTaken",
]
