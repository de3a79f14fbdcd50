"""评审和公示规则: how a programme's list is reviewed and shown, from a term on; and what a new rule finds under way."""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, Q

from accounts import access, audit, clock
from accounts.models import Unit, User
from accounts.roles import Permission
from students.models import Term

from .meeting_words import KINDS, METHODS, SCHOOL, rule_words
from .models import Meeting, ProcessRule, Programme, Round
from .policy_words import VALUES
from .states import ON_ANY_NOTICE

# What a rule says; two rules with the same are one.
FACTS = (
    "class_review_members",
    "class_method",
    "class_pass_mark",
    "school_review_members",
    "school_method",
    "school_pass_mark",
    "attendance_percent",
    "seats",
    "class_notice_days",
    "notice_days",
    "notice_day_kind",
    "notice_shows_amount",
)


def words(rule: ProcessRule) -> str:
    """班级评议不少于5人，学校评审不少于10人，公示5个工作日，公示金额."""
    in_class = f"班级公示{rule.class_notice_days}个{rule.get_notice_day_kind_display()}，"
    return (
        f"班级评议不少于{rule.class_review_members}人，学校评审不少于{rule.school_review_members}人，"
        f"{in_class if rule.class_notice_days else ''}"
        f"公示{rule.notice_days}个{rule.get_notice_day_kind_display()}，"
        f"{'公示金额' if rule.notice_shows_amount else '不公示金额'}"
        f"{''.join(f'；{sentence}' for sentence in rule_words(rule))}"
    )


@dataclass(frozen=True)
class UnderWay:
    """A round that has begun to be reviewed when a rule for its term is recorded."""

    round: Round
    meetings: int
    on_notice: int  # pupils

    @property
    def sentence(self) -> str:
        held = f"{self.round.term}（{self.round.unit}）已经开过 {self.meetings} 次评议会"
        return held + (f"，{self.on_notice} 名学生正在公示。" if self.on_notice else "。")


def under_way(rule: ProcessRule) -> list[UnderWay]:
    """The rounds of the terms the rule would count in that have begun to be reviewed."""
    rows = Round.objects.filter(programme=rule.programme_id, term__key__gte=rule.first_term)
    later = rule.programme.process_rules.filter(first_term__gt=rule.first_term).order_by("first_term").first()
    if later:
        rows = rows.filter(term__key__lt=later.first_term)
    held = Meeting.objects.filter(round__in=rows).order_by().values("round").annotate(n=Count("*"))
    meetings: dict[UUID, int] = {each["round"]: each["n"] for each in held}
    shown = Q(applications__state__in=[*ON_ANY_NOTICE])
    begun = rows.filter(pk__in=meetings).select_related("term", "unit", "programme")
    counted = begun.annotate(on_notice=Count("applications", filter=shown)).order_by("term__key", "unit__path")
    return [UnderWay(each, meetings[each.pk], each.on_notice) for each in counted]


def seen_of(rows: list[UnderWay]) -> str:
    """SHA-256 over what is under way: what a person was shown is what is decided on. "" where there is nothing."""
    said = "\n".join(f"{each.round.pk} {each.meetings} {each.on_notice}" for each in rows)
    return hashlib.sha256(said.encode()).hexdigest() if rows else ""


def check_rule(rule: ProcessRule) -> list[UnderWay]:
    """What of running terms the rule would meet half-way; the caller shows it before the rule is recorded.

    Raises ValidationError for a rule that makes no sense, says nothing new, or reaches back into a term that is
    over and was reviewed by another rule.
    """
    rule.clean_fields(exclude=["programme", "recorded_by"])
    if not rule.class_review_members or not rule.school_review_members:
        raise ValidationError("评议和评审小组至少要有 1 人。")
    _check_meetings(rule)
    same = rule.programme.process_rules.filter(first_term__lte=rule.first_term).order_by("-first_term").first()
    if same and all(getattr(same, fact) == getattr(rule, fact) for fact in FACTS) and same.source == rule.source:
        raise ValidationError("这个学期执行的就是这样的规则，不用再登记。")
    found, today = under_way(rule), clock.today()
    if over := [each for each in found if each.round.term.ends_on < today]:
        terms = "、".join(dict.fromkeys(str(each.round.term) for each in over))
        now = Term.objects.filter(ends_on__gte=today).order_by("key").first()
        instead = f"，请从{now}或以后的学期起登记" if now else ""
        raise ValidationError({"first_term": f"{terms}已经结束，当时是按原来的规则评审和公示的，不能改{instead}。"})
    return found


def _check_meetings(rule: ProcessRule) -> None:
    """Raise ValidationError for a way of deciding or a group that no meeting could have."""
    for level, method, mark in (
        ("班级评议", rule.class_method, rule.class_pass_mark),
        ("学校评审", rule.school_method, rule.school_pass_mark),
    ):
        if mark > 100:
            raise ValidationError(f"{level}的通过线最多是 100。")
        if mark and method not in (ProcessRule.Method.VOTES, ProcessRule.Method.SCORES):
            raise ValidationError(
                f"{level}以{METHODS[method]}方式进行，没有通过线；请把通过线改为 0，或改用投票、打分。"
            )
    if rule.attendance_percent > 100:
        raise ValidationError("到会率最多是 100%。")
    for where, seats in rule.seats.items():
        group = "学校评审小组" if where == SCHOOL else f"{VALUES['stage'].get(where, where)}的班级评议小组"
        if (where != SCHOOL and where not in rule.programme.stages) or not set(seats) <= set(KINDS):
            raise ValidationError(f"{rule.programme}没有“{where}”的评议小组，请刷新页面后重新填写。")
        if KINDS.keys() == {kind for kind, fewest in seats.items() if not fewest}:
            raise ValidationError(f"{group}的各类人员都写了“不参加”，就没有人可以评议了。")


def record_rule(rule: ProcessRule, *, seen: str, county: Unit, by: User) -> ProcessRule:
    """The rule counts from its term on, until the next one; a rule of that very term is put right.

    `seen` is `seen_of` what the person was shown of rounds under way. Notices that hang keep their days, meetings
    held stay held. Raises ValidationError as `check_rule`, and when more is under way than was seen.
    """
    access.require(by, Permission.EDIT_STANDARDS, county)
    rule.recorded_by, rule.recorded_at = by, clock.now()
    with transaction.atomic():
        rule.programme = Programme.objects.select_for_update().get(pk=rule.programme_id)
        found = check_rule(rule)
        if seen_of(found) != seen:
            raise ValidationError("有批次刚刚开始评审或公示，还没有登记。请核对下面的情况，再登记。")
        same = rule.programme.process_rules.filter(first_term__lte=rule.first_term).order_by("-first_term").first()
        is_correction = same is not None and same.first_term == rule.first_term
        if same is not None and is_correction:
            rule.pk, rule._state.adding = same.pk, False
        rule.full_clean()
        rule.save()
        audit.record(
            "process_rule.correct" if is_correction else "process_rule.add",
            rule,
            by=by,
            unit=county,
            programme=rule.programme.code,
            first_term=rule.first_term,
            was=f"{words(same)}（{same.source}）" if same else "",
            new=words(rule),
            basis=rule.source,
            under_way=len(found),
        )
    return rule
