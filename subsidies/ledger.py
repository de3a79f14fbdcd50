"""家庭经济困难学生认定台账: who is recognised in a school year, by class and school, on screen and as a workbook."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, QuerySet

from accounts import access, audit
from accounts.models import Unit, User
from accounts.redaction import redact
from accounts.roles import Permission
from accounts.templatetags.aid import cn_date
from documents import amounts, xlsx
from students import privacy
from students.models import Enrolment
from students.table_writing import pieces
from students.term_keys import is_autumn, term_label

from . import recognitions
from .models import Application, Decision, Meeting, Recognition

MOST_ROWS = 20_000  # of one school; more is no school
_CHUNK = 500
_COLUMNS = (
    xlsx.Column("序号", 6, "count"),
    xlsx.Column("年级", 9),
    xlsx.Column("班级", 14),
    xlsx.Column("姓名", 12),
    xlsx.Column("性别", 6, centred=True),
    xlsx.Column("身份证号", 22),
    xlsx.Column("学籍号", 23),
    xlsx.Column("困难类别及来源", 32),
    xlsx.Column("认定等级", 11, centred=True),
    xlsx.Column("认定日期", 15, centred=True),
    xlsx.Column("复核", 24),
    xlsx.Column("就读", 7, centred=True),
    xlsx.Column("申请项目和金额（元/学期）", 34),
    xlsx.Column("本学年金额（元）", 12, "amount"),
    xlsx.Column("班级评议意见", 26),
    xlsx.Column("学校评审意见", 26),
    xlsx.Column("备注", 16),
)
_AMOUNT = next(place for place, column in enumerate(_COLUMNS) if column.kind == "amount")


@dataclass(frozen=True)
class Row:
    """One pupil of the ledger."""

    recognition: Recognition
    first: Recognition  # the version that recognised the pupil
    place: Enrolment | None
    cases: tuple[Application, ...]
    class_opinion: str
    school_opinion: str

    @property
    def kinds(self) -> str:
        """农村低保（系统比对）、残疾学生（学校自采集）."""
        return "、".join(f"{each['name']}（{each['source_label']}）" for each in self.recognition.grounds)

    @property
    def recheck(self) -> str:
        """复核不变 2027年3月5日; "" while nobody looked again."""
        row = self.recognition
        return "" if row.kind == Recognition.Kind.RECOGNISED else f"{row.get_kind_display()} {cn_date(row.decided_on)}"

    @property
    def aids(self) -> str:
        """义务教育家庭经济困难学生生活补助 625.00（2026年秋季学期）；…"""
        told = [
            (case.programme.name, case.amount, term_label(case.term.key))
            for case in self.cases
            if case.amount is not None
        ]
        return "；".join(f"{name} {amounts.yuan(amount)}（{term}）" for name, amount, term in told)

    @property
    def total(self) -> Decimal | None:
        """What the pupil's cases of the school year come to; None while none has an amount."""
        known = [case.amount for case in self.cases if case.amount is not None]
        return sum(known, Decimal(0)) if known else None


def visible(user: User, year: str) -> QuerySet[Recognition]:
    """What counts in the year, of the classes the person may look at."""
    return recognitions.newest(recognitions.visible_to(user).filter(school_year=year))


def years(user: User) -> list[str]:
    """The school years in which anybody in the person's reach is recognised, the newest first."""
    rows = recognitions.visible_to(user).order_by("-school_year").values_list("school_year", flat=True)
    return list(rows.distinct())


def schools(user: User, year: str) -> list[dict]:
    """By school (school, school__name): how many count, how many of them ended, in path order."""
    rows = visible(user, year).order_by("school__path").values("school", "school__name", "kind", "term__key")
    found: dict[int, dict] = {}
    for row in rows.annotate(n=Count("*")):
        held = found.setdefault(
            row["school"], {"pk": row["school"], "name": row["school__name"], "standing": 0, "rechecked": 0, "ended": 0}
        )
        held["ended" if row["kind"] == Recognition.Kind.ENDED else "standing"] += row["n"]
        is_recheck = row["kind"] in (Recognition.Kind.KEPT, Recognition.Kind.CHANGED)
        if is_recheck and not is_autumn(row["term__key"]):
            held["rechecked"] += row["n"]
    return list(found.values())


def rows_of(found: Iterable[Recognition]) -> list[Row]:
    """The rows of these recognitions (with pupil), in their order. A constant number of queries for a few hundred."""
    return [row for chunk in pieces(found, _CHUNK) for row in _rows_of(chunk)]


def _rows_of(found: list[Recognition]) -> list[Row]:
    if not found:
        return []
    year, pupils = found[0].school_year, [row.pupil_id for row in found]
    versions = Recognition.objects.filter(pupil__in=pupils, school_year=year, kind=Recognition.Kind.RECOGNISED)
    firsts = {row.pupil_id: row for row in versions.order_by("version")}
    enrolled = Enrolment.objects.filter(pupil__in=pupils, term__in={row.term_id for row in found})
    places = {(row.pupil_id, row.term_id, row.school_class_id): row for row in enrolled}
    cases = recognitions.standing_cases(pupils, year)
    opinions = _opinions([case.pk for rows in cases.values() for case in rows])
    told = []
    for row in found:
        own = tuple(cases.get(row.pupil_id, ()))
        # The spring's case has no opinion until its meeting: so long the autumn's stands.
        said = {
            level: words for case in own for level in Meeting.Level.values if (words := opinions.get((case.pk, level)))
        }
        told.append(
            Row(
                row,
                firsts.get(row.pupil_id, row),
                places.get((row.pupil_id, row.term_id, row.school_class_id)),
                own,
                said.get(Meeting.Level.CLASS, ""),
                said.get(Meeting.Level.SCHOOL, ""),
            )
        )
    return told


def _opinions(cases: list[UUID]) -> dict[tuple[UUID, str], str]:
    found: dict[tuple[UUID, str], str] = {}
    for chunk in pieces(cases, _CHUNK):
        rows = Decision.objects.filter(application__in=chunk).order_by("pk")
        for key, level, verdict, opinion in rows.values_list("application_id", "meeting__level", "verdict", "opinion"):
            found[(key, level)] = opinion or str(Decision.Verdict(verdict).label)
    return found


# --- the workbook ---------------------------------------------------------------------------------


def masked_sheet(school: Unit, year: str, *, school_class: Unit | None, by: User) -> bytes:
    """The ledger of the school, or of one class, with numbers masked; leaves an audit row."""
    found = _found(school, year, school_class, by)
    audit.record("ledger.export", school, by=by, unit=school_class or school, year=year, persons=len(found))
    return _workbook(school, year, school_class, found, {})


def full_sheet(school: Unit, year: str, *, school_class: Unit | None, purpose: str, note: str, by: User) -> bytes:
    """The same with whole ID numbers of the pupils who are at the school now; leaves an audit row with the purpose.

    PermissionDenied without REVEAL_IDENTITY over the school; ValidationError without a purpose, or what for.
    """
    access.require(by, Permission.REVEAL_IDENTITY, school)
    if purpose not in privacy.PURPOSES or not note.strip():
        raise ValidationError("导出完整号码要选择用途，并写明为什么事使用；用途会记入操作记录。")
    found = _found(school, year, school_class, by)
    words = note.strip()
    for row in found:
        words = words.replace(row.pupil.name, "（学生）")
    with transaction.atomic():
        numbers = privacy.id_numbers([row.pupil for row in found], school=school)
        audit.record(
            "ledger.export_full",
            school,
            by=by,
            unit=school_class or school,
            year=year,
            persons=len(numbers),
            purpose=purpose,
            note=redact(words)[:200],
        )
    return _workbook(school, year, school_class, found, numbers)


def _found(school: Unit, year: str, school_class: Unit | None, by: User) -> list[Recognition]:
    rows = visible(by, year).filter(school=school)
    if school_class is not None:
        rows = rows.filter(school_class=school_class)
    return list(rows.select_related("pupil").order_by("school_class__path", "pupil__name", "pk")[:MOST_ROWS])


def _workbook(
    school: Unit, year: str, school_class: Unit | None, found: list[Recognition], numbers: dict[UUID, str]
) -> bytes:
    rows = rows_of(found)
    total = sum((row.total for row in rows if row.total is not None), Decimal(0))
    ended = sum(not row.recognition.is_in_force for row in rows)
    of_class = f"　　班级：{rows[0].place.class_name}" if school_class and rows and rows[0].place else ""
    above = [
        f"学校：{school.name}{of_class}　　学年：{recognitions.year_words(year)}",
        f"共 {len(rows)} 人，其中 {ended} 人的认定已经终止。" + ("" if numbers else "身份证号、学籍号只显示首尾。"),
    ]
    below = ["填表人：　　　　　　审核人：　　　　　　校长（签字）：　　　　　　学校（公章）　　　　年　　月　　日"]
    plan = xlsx.WorksheetPlan(
        "认定台账",
        _COLUMNS,
        [_cells(number, row, numbers) for number, row in enumerate(rows, start=1)],
        title="家庭经济困难学生认定台账",
        above=above,
        totals=["合计", *[""] * (_AMOUNT - 1), total, *[""] * (len(_COLUMNS) - _AMOUNT - 1)],
        below=below,
        frozen_columns=4,
    )
    return xlsx.write([plan])


def _cells(number: int, row: Row, numbers: dict[UUID, str]) -> list[xlsx.Content]:
    pupil, place = row.recognition.pupil, row.place
    return [
        number,
        place.grade if place else "",
        place.class_name if place else "",
        pupil.name,
        pupil.get_sex_display(),
        numbers.get(pupil.pk, pupil.id_masked),
        pupil.roll_masked,
        row.kinds,
        row.recognition.tier_words,
        cn_date(row.first.decided_on),
        row.recheck,
        place.get_boarding_display() if place else "",
        row.aids,
        row.total,
        row.class_opinion,
        row.school_opinion,
        "" if row.recognition.is_in_force else "已终止",
    ]
