"""What is missing from the papers of one case, and which of its days are out of order. Pure rules.

They are what audits of school files find (申请人不一致、没有意见、没有证明、日期倒置). What a finding does to the
report is the county's dated rule (`checks`).
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from django.db import models


class Check(models.TextChoices):
    """What is looked at, in the order of the papers."""

    NAME = "name", "申请人姓名前后一致"
    FORM = "form", "有认定申请表"
    FORM_SCAN = "form_scan", "认定申请表有签字扫描件"
    FORM_DATE = "form_date", "家长签字不晚于班级评议"
    RECEIPT = "receipt", "有家长回执"
    REASON = "reason", "写明申请理由"
    PROOF = "proof", "自采集的困难类别有证明"
    PROOF_SCAN = "proof_scan", "自采集的困难类别有证明扫描件"
    CLASS_OPINION = "class_opinion", "班级评议写明意见"
    SCHOOL_OPINION = "school_opinion", "学校评审写明意见"
    MINUTES = "minutes", "评议评审有签字页或照片"
    RECOGNITION = "recognition", "有有效的困难认定"
    RECHECK = "recheck", "春季学期已复核认定"
    DATES = "dates", "各环节日期先后一致"
    ACCOUNT = "account", "登记了收款账户"


class Where(models.TextChoices):
    """The page on which a finding is mended."""

    APPLICATION = "application", "申请页"
    PUPIL = "pupil", "学生页"
    FORM = "form", "认定申请表"
    CLASS_MEETING = "class_meeting", "班级评议记录"
    SCHOOL_MEETING = "school_meeting", "学校评审记录"
    RECHECK = "recheck", "认定复核"


@dataclass(frozen=True)
class Sitting:
    """The meeting that passed the case: its day, what it wrote of the case, whether a page or picture is there."""

    held_on: dt.date
    opinion: str
    has_picture: bool


@dataclass(frozen=True)
class Papers:
    """All that is looked at, of one case. A day that is None has not come, or left no row."""

    name_then: str  # as submitted
    name_now: str  # as the register has it
    reason: str = ""
    needs_form: bool = False
    has_form: bool = False
    has_form_scan: bool = False
    form_signed_on: dt.date | None = None
    has_receipt: bool = False
    unproven: tuple[str, ...] = ()  # kinds found by the school itself that need a proof and name none
    unscanned: tuple[str, ...] = ()  # … and have no scan of it
    has_account: bool = False
    submitted_on: dt.date | None = None
    class_review: Sitting | None = None
    school_review: Sitting | None = None
    confirmed_on: dt.date | None = None
    published_on: dt.date | None = None
    cleared_on: dt.date | None = None
    is_recognised: bool = False
    recognition_ended: bool = False
    is_rechecked: bool | None = None  # None: not in a spring term


@dataclass(frozen=True)
class Finding:
    check: Check
    words: str  # a full sentence: what is missing and what to do
    where: Where


def look(papers: Papers) -> list[Finding]:
    """What is found, in the order of the papers."""
    found = [*_application(papers), *_reviews(papers), *_recognition(papers), *_dates(papers)]
    if not papers.has_account:
        found.append(Finding(Check.ACCOUNT, "没有登记收款账户，请在学生页登记，否则不能发放。", Where.PUPIL))
    order = list(Check)
    return sorted(found, key=lambda each: order.index(each.check))


def _application(papers: Papers) -> Iterator[Finding]:
    if papers.name_then != papers.name_now:
        words = f"申请时姓名为“{papers.name_then}”，名册现在是“{papers.name_now}”；请核对后更正名册或退回重新提交。"
        yield Finding(Check.NAME, words, Where.PUPIL)
    if papers.needs_form and not papers.has_form:
        yield Finding(Check.FORM, "没有填写认定申请表，请在学生页填写。", Where.FORM)
    elif papers.needs_form and not papers.has_form_scan:
        yield Finding(Check.FORM_SCAN, "认定申请表没有家长签字的扫描件，请拍照上传。", Where.FORM)
    signed, heard = papers.form_signed_on, papers.class_review and papers.class_review.held_on
    if signed and heard and signed > heard:
        words = f"家长在 {signed:%Y-%m-%d} 才签字，晚于班级评议（{heard:%Y-%m-%d}），请核对签字日期。"
        yield Finding(Check.FORM_DATE, words, Where.FORM)
    if not papers.has_receipt:
        yield Finding(Check.RECEIPT, "没有登记家长“申请”的回执，请班主任补登记。", Where.APPLICATION)
    if not papers.reason.strip():
        yield Finding(Check.REASON, "没有写申请理由；需要补写的，请退回班主任补正。", Where.APPLICATION)
    if papers.unproven:
        kinds = "、".join(papers.unproven)
        yield Finding(Check.PROOF, f"{kinds}由学校自采集，没有写明证明，请在学生页补登记。", Where.PUPIL)
    if papers.unscanned:
        kinds = "、".join(papers.unscanned)
        yield Finding(Check.PROOF_SCAN, f"{kinds}由学校自采集，没有证明扫描件，请在学生页补传。", Where.PUPIL)


def _reviews(papers: Papers) -> Iterator[Finding]:
    sittings = (
        (papers.class_review, "班级评议", Check.CLASS_OPINION, Where.CLASS_MEETING),
        (papers.school_review, "学校评审", Check.SCHOOL_OPINION, Where.SCHOOL_MEETING),
    )
    for sitting, name, opinion, where in sittings:
        if sitting is None:
            yield Finding(Check.DATES, f"没有{name}通过的记录，请退回重新办理。", Where.APPLICATION)
            continue
        if not sitting.opinion.strip():
            yield Finding(opinion, f"{name}没有写对这名学生的意见；需要补写的，请退回重新评议。", where)
        if not sitting.has_picture:
            yield Finding(Check.MINUTES, f"{name}记录没有签字页或照片，请在会议记录页补传。", where)


def _recognition(papers: Papers) -> Iterator[Finding]:
    if papers.recognition_ended:
        words = "本学年的困难认定已在复核中终止；仍需资助的，请退回补正，重新评议、评审，由校长重新确认。"
        yield Finding(Check.RECOGNITION, words, Where.PUPIL)
    elif papers.confirmed_on and not papers.is_recognised:  # before the principal's word there is none
        yield Finding(Check.RECOGNITION, "本学年没有困难认定记录，请退回学校重新评审、确认。", Where.PUPIL)
    elif papers.is_rechecked is False:
        yield Finding(Check.RECHECK, "春季学期还没有复核困难认定，请在“认定复核”页办理。", Where.RECHECK)


def _dates(papers: Papers) -> Iterator[Finding]:
    """The days of the road, each not before the one before it."""
    road = [
        ("提交申请", papers.submitted_on),
        ("班级评议", papers.class_review.held_on if papers.class_review else None),
        ("学校评审", papers.school_review.held_on if papers.school_review else None),
        ("校长确认", papers.confirmed_on),
        ("发布公示", papers.published_on),
        ("公示结束", papers.cleared_on),
    ]
    known = [(name, day) for name, day in road if day is not None]
    for (before, first), (after, second) in pairwise(known):
        if second < first:
            words = (
                f"{after}日期（{second:%Y-%m-%d}）早于{before}日期（{first:%Y-%m-%d}），请核对；"
                f"登记有误的，退回重新办理。"
            )
            yield Finding(Check.DATES, words, Where.APPLICATION)
