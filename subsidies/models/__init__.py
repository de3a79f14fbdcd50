"""Programmes and standards, rounds, applications, review meetings, payment, concerns."""

from .applications import Application, DutyHolder, StepTaken
from .concerns import Concern
from .payments import PaymentBatch, PaymentLine, PayoutSheet
from .programmes import AcceptedCategory, ProcessRule, Programme, Standard
from .reviews import Decision, Meeting, MeetingMember
from .rounds import Round

__all__ = [
    "AcceptedCategory",
    "Application",
    "Concern",
    "Decision",
    "DutyHolder",
    "Meeting",
    "MeetingMember",
    "PaymentBatch",
    "PaymentLine",
    "PayoutSheet",
    "ProcessRule",
    "Programme",
    "Round",
    "Standard",
    "StepTaken",
]
