"""Programmes and standards, rounds, applications, review meetings, payment, concerns."""

from .applications import Application, DutyHolder, StepTaken
from .changes import ChangeEffect, ChangeRule, FollowUp
from .concerns import Concern, ConcernReason, Screening, Settlement, StageAges
from .payments import PaymentBatch, PaymentLine, PayoutSheet
from .programmes import AcceptedCategory, ProcessRule, Programme, ProgrammeExclusion, Standard
from .reviews import Decision, Meeting, MeetingMember
from .rounds import Round

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
    "Meeting",
    "MeetingMember",
    "PaymentBatch",
    "PaymentLine",
    "PayoutSheet",
    "ProcessRule",
    "Programme",
    "ProgrammeExclusion",
    "Round",
    "Screening",
    "Settlement",
    "StageAges",
    "Standard",
    "StepTaken",
]
