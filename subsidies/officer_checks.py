"""逐班核对: the aid officer looks at each case of a class against evidence and comparison, before the meeting."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q

from accounts import access, audit, clock
from accounts.models import Unit, User
from accounts.roles import Permission
from students import enrolment as register
from students.models import ChangeReport, Circumstance, Recheck
from students.table_writing import pieces

from . import class_facts, places, workflow
from .models import Application, Concern, Decision, Meeting, OfficerCheck, Round, StepTaken
from .states import ENDED_WITHOUT_AID, Duty, Place, State, Step

_CHUNK = 500
# What of the frozen facts is compared with the register of today.
_COMPARED = (
    ("name", "姓名"),
    ("boarding_label", "就读方式"),
    ("schooling_label", "就读类型"),
    ("standing_label", "学籍状态"),
)


@dataclass(frozen=True)
class Ground:
    """A kind of hardship the case was handed in with: how it is known, what shows it, whether it still stands."""

    name: str
    is_matched: bool
    source: str  # 系统比对, 学校自采集
    evidence: str
    flags: str  # 享受政策：是
    circumstance: UUID | None  # in force today; None: it has ended since
    has_file: bool


@dataclass
class Sheet:
    """All the officer looks at, of one case."""

    application: Application
    grounds: list[Ground] = field(default_factory=list)
    came: list[str] = field(default_factory=list)  # kinds that were recorded since it was handed in
    changed: list[tuple[str, str, str]] = field(default_factory=list)  # (what, then, today)
    concerns: list[Concern] = field(default_factory=list)
    rechecks: int = 0
    reported: list[tuple[str, str]] = field(default_factory=list)  # (kind, note): seen by the teacher, not recorded
    siblings: int = 0
    siblings_filed: int = 0
    heard: Decision | None = None  # what the class said
    before: Application | None = None  # of the same programme, the last term it was had in
    is_outside: bool = False
    check: OfficerCheck | None = None

    @property
    def unshown(self) -> list[str]:
        """Kinds the school itself collected that no paper and no words show."""
        return [g.name for g in self.grounds if not g.is_matched and not g.has_file and not g.evidence]

    @property
    def ended(self) -> list[str]:
        """Kinds it was handed in with that stand no longer."""
        return [g.name for g in self.grounds if g.circumstance is None]

    @property
    def is_odd(self) -> bool:
        """Whether there is something to look at twice."""
        beside = self.concerns or self.rechecks or self.reported
        return bool(beside or self.changed or self.came or self.unshown or self.ended)


@dataclass(frozen=True)
class Found:
    """What the officer says of one case."""

    application: Application
    finding: str  # OfficerCheck.Finding value
    note: str = ""


@dataclass(frozen=True)
class Progress:
    """How far a class is looked at."""

    unit: Unit
    name: str
    waiting: int
    in_order: int
    doubtful: int

    @property
    def left(self) -> int:
        return self.waiting - self.in_order - self.doubtful


def awaiting(round_: Round, unit: Unit) -> list[Application]:
    """Cases of the class or school that wait for the school's review, in class order."""
    rows = Application.objects.filter(
        round=round_, state=State.CLASS_REVIEWED, school_class__path__startswith=unit.path
    ).select_related("pupil", "school_class", "enrolment")
    return list(rows.order_by("school_class__path", "pupil__name", "pk"))


def newest(cases: Iterable[Application]) -> dict[UUID, OfficerCheck]:
    """The newest check of each case since it came to the school's review; none for who was not looked at."""
    keys = [case.pk for case in cases]
    found: dict[UUID, OfficerCheck] = {}
    for chunk in pieces(keys, _CHUNK):
        # Being put on the reserve moves nothing: the case came when it came from elsewhere.
        came = StepTaken.objects.filter(application__in=chunk, target=State.CLASS_REVIEWED).exclude(source=F("target"))
        since = dict(came.order_by("pk").values_list("application_id", "at"))
        for check in OfficerCheck.objects.filter(application__in=chunk).select_related("by").order_by("pk"):
            if check.application_id in since and check.at >= since[check.application_id]:
                found[check.application_id] = check
    return found


def progress(cases: Sequence[Application]) -> list[Progress]:
    """Class by class, in their order, how many were looked at."""
    checks = newest(cases)
    by_class: dict[Unit, list[Application]] = defaultdict(list)
    for case in cases:
        by_class[case.school_class].append(case)
    kinds = OfficerCheck.Finding
    return [
        Progress(
            unit,
            rows[0].class_name,
            len(rows),
            *(sum(row.pk in checks and checks[row.pk].finding == kind for row in rows) for kind in kinds),
        )
        for unit, rows in by_class.items()
    ]


def sheets(round_: Round, cases: Sequence[Application]) -> list[Sheet]:
    """What is known of each case, from the papers, the lists and the class's meeting. A constant number of queries."""
    keys, pupils = [case.pk for case in cases], [case.pupil_id for case in cases]
    found = {case.pk: Sheet(case) for case in cases}
    now = register.facts_of([case.enrolment for case in cases], on=clock.today())
    held = _circumstances(pupils)
    beside = class_facts.beside(round_, [case.enrolment for case in cases])
    concerns: dict[UUID, list[Concern]] = defaultdict(list)
    for concern in Concern.objects.filter(term=round_.term, pupil__in=pupils, state=Concern.State.OPEN, about=None):
        concerns[concern.pupil_id].append(concern)
    rechecks: dict[UUID, int] = defaultdict(int)
    for pupil in Recheck.objects.filter(pupil__in=pupils, state=Recheck.State.OPEN).values_list("pupil_id", flat=True):
        rechecks[pupil] += 1
    reported: dict[UUID, list[tuple[str, str]]] = defaultdict(list)
    reports = ChangeReport.objects.filter(enrolment__pupil__in=pupils, state=ChangeReport.State.OPEN)
    for report in reports.select_related("enrolment"):
        reported[report.enrolment.pupil_id].append((report.get_kind_display(), report.note))
    decisions = Decision.objects.filter(application__in=keys, meeting__level=Meeting.Level.CLASS)
    heard = {row.application_id: row for row in decisions.select_related("meeting").order_by("pk")}
    earlier = Application.objects.filter(
        pupil__in=pupils, programme=round_.programme_id, term__starts_on__lt=round_.term.starts_on
    ).exclude(state__in=[*ENDED_WITHOUT_AID, State.DRAFT])
    before = {row.pupil_id: row for row in earlier.select_related("term").order_by("term__starts_on")}
    codes, checks = places.outside_codes(round_.programme, round_.term), newest(cases)
    for sheet in found.values():
        case = sheet.application
        today = now[case.enrolment_id]
        sheet.grounds = [_ground(each, held.get(case.pupil_id, {})) for each in case.facts.get("categories", ())]
        then = {each["code"] for each in case.facts.get("categories", ())}
        sheet.came = [each["name"] for each in today["categories"] if each["code"] not in then]
        sheet.changed = [
            (word, case.facts[fact], today[fact])
            for fact, word in _COMPARED
            if case.facts.get(fact) and today.get(fact) and case.facts[fact] != today[fact]
        ]
        sheet.concerns, sheet.rechecks = concerns[case.pupil_id], rechecks[case.pupil_id]
        sheet.reported = reported[case.pupil_id]
        sheet.siblings = beside[case.pupil_id].siblings
        sheet.siblings_filed = beside[case.pupil_id].siblings_filed
        sheet.heard, sheet.before = heard.get(case.pk), before.get(case.pupil_id)
        sheet.is_outside = places.place_for(case.facts, codes) == Place.OUTSIDE
        sheet.check = checks.get(case.pk)
    return list(found.values())


def _circumstances(pupils: Sequence[UUID]) -> dict[UUID, dict[str, Circumstance]]:
    """What is in force today, by pupil and code."""
    today = clock.today()
    rows = Circumstance.objects.filter(
        Q(valid_to__isnull=True) | Q(valid_to__gte=today), pupil__in=pupils, valid_from__lte=today
    )
    found: dict[UUID, dict[str, Circumstance]] = defaultdict(dict)
    for row in rows.select_related("category"):
        found[row.pupil_id][row.category.code] = row
    return found


def _ground(frozen: dict, held: dict[str, Circumstance]) -> Ground:
    row = held.get(frozen["code"])
    return Ground(
        frozen["name"],
        frozen["source"] == Circumstance.Source.MATCHED,
        frozen["source_label"],
        frozen.get("evidence", ""),
        "，".join(f"{name}：{value}" for name, value in (frozen.get("flags") or {}).items()),
        row.pk if row else None,
        bool(row and row.evidence_file_id),
    )


def record(round_: Round, unit: Unit, findings: Iterable[Found], *, by: User) -> int:
    """Keep what the officer found of cases of the class; how many. The school's review is their duty from then on.

    Raises ValidationError when nothing is said, a doubt does not say why, or a case waits no longer; PermissionDenied
    when the person decided another step of one, or teaches the class.
    """
    access.require(by, Permission.HOLD_SCHOOL_REVIEW, unit)
    said = list(findings)
    if not said:
        raise ValidationError("还没有对任何申请作出核对结果，请至少选择一份。")
    if silent := [each for each in said if each.finding != OfficerCheck.Finding.IN_ORDER and not each.note.strip()]:
        names = "、".join(each.application.pupil.name for each in silent[:5])
        raise ValidationError(f"有疑问的要写明疑在哪里，请补写：{names}。")
    with transaction.atomic():
        cases = workflow.lock(each.application.pk for each in said)
        gone = [case for case in cases if case.state != State.CLASS_REVIEWED or case.round_id != round_.pk]
        if gone or any(not case.school_class.path.startswith(unit.path) for case in cases):
            raise ValidationError("名单刚刚有变化，没有保存。请刷新页面，核对名单后再保存。")
        workflow.take_duty(cases, Duty.SCHOOL_REVIEW, by=by)
        at = clock.now()
        OfficerCheck.objects.bulk_create(
            [
                OfficerCheck(
                    application_id=each.application.pk, finding=each.finding, note=each.note.strip(), at=at, by=by
                )
                for each in said
            ],
            batch_size=_CHUNK,
        )
        doubtful = sum(each.finding == OfficerCheck.Finding.DOUBTFUL for each in said)
        audit.record("officer_check.record", round_, by=by, unit=unit, checked=len(said), doubtful=doubtful)
    return len(said)


def record_what_goes(round_: Round, unit: Unit, findings: Iterable[Found], *, by: User) -> tuple[int, dict[UUID, str]]:
    """As `record`, but a case that waits no longer, or is closed to the person, stops no other: how many were kept,
    and by key why others were not."""
    said = list(findings)
    refused = workflow.obstacles({each.application.pk: Step.PASS_SCHOOL for each in said}, by=by)
    going = [each for each in said if each.application.pk not in refused]
    return (record(round_, unit, going, by=by) if going else 0), refused
