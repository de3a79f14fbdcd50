"""The cast: a county with two schools, and the roads its cases walk.

Everybody holds the appointment their name says. Cases reach a state by the real verbs, each step by the
person whose turn it is, so that no test holds an impossible case.
"""

import contextlib
import datetime as dt
import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import time_machine

from accounts import clock
from accounts.models import Appointment, Unit, User
from publicity import notices
from students import changes, circumstances, enrolment, fictitious, names, privacy
from students import reference as students_reference
from students.models import BankAccount, Category, Enrolment, Pupil, School, SchoolClass, Term
from subsidies import applications, payments, payout_sheets, reviews, rounds, workflow
from subsidies import changes as case_changes
from subsidies import reference as subsidies_reference
from subsidies.declaration_answers import Answers, Member
from subsidies.models import Application, Decision, Meeting, PaymentBatch, Programme, Round
from subsidies.states import State, Step
from tests.made_once import made_once

TODAY = dt.date(2026, 10, 12)  # a Monday in the autumn term, after the holiday
PASSWORD = "kan-bu-jian-de-mima-7"


@dataclass
class Cast:
    county: Unit
    school_a: Unit  # 初中
    school_b: Unit  # 小学
    class_a1: Unit
    class_a2: Unit
    class_b1: Unit
    term: Term
    people: dict[str, User] = field(default_factory=dict)
    pupils: int = 0  # enrolled so far: their numbers are the same in every test, whatever ran before it

    def __getattr__(self, name: str) -> User:
        try:
            return self.__dict__["people"][name]
        except KeyError:
            raise AttributeError(name) from None


@made_once
def gather() -> Cast:
    """The county, its two schools, three classes, and everybody who works there."""
    students_reference.load()
    subsidies_reference.load()
    county = Unit.objects.create(level="county", name="云岭县")
    school_a = _school(county, "云岭县第一初级中学", "5353990001", ["junior"])
    school_b = _school(county, "云岭县城关小学", "5353990002", ["primary"])
    cast = Cast(
        county,
        school_a,
        school_b,
        _class(school_a, "七年级1班", "junior", "七年级"),
        _class(school_a, "七年级2班", "junior", "七年级"),
        _class(school_b, "三年级1班", "primary", "三年级"),
        Term.objects.get(key="2026-2027-1"),
    )
    for username, name, role, unit in (
        ("clerk", "沈经办", "county_clerk", county),
        ("clerk2", "罗经办", "county_clerk", county),
        ("head", "高主任", "county_head", county),
        ("inspector", "严督查", "inspector", county),
        ("admin", "管理员", "system_admin", county),
        ("officer_a", "陈专干", "aid_officer", school_a),
        ("grade_head_a", "曹组长", "grade_head", school_a),
        ("principal_a", "周校长", "principal", school_a),
        ("teacher_a1", "李老师", "class_teacher", cast.class_a1),
        ("teacher_a2", "王老师", "class_teacher", cast.class_a2),
        ("officer_b", "杨专干", "aid_officer", school_b),
        ("grade_head_b", "田组长", "grade_head", school_b),
        ("principal_b", "赵校长", "principal", school_b),
        ("teacher_b1", "马老师", "class_teacher", cast.class_b1),
    ):
        cast.people[username] = person(username, name, role, unit)
    return cast


@contextlib.contextmanager
def that_morning() -> Iterator[Cast]:
    """The block lies in the morning of the cast's day, by every clock: the county was made at nine, now it is 9:30."""
    with time_machine.travel(f"{TODAY.isoformat()}T09:00:00+08:00", tick=True):
        county = gather()
    with time_machine.travel(f"{TODAY.isoformat()}T09:30:00+08:00", tick=True):
        yield county


def person(username: str, name: str, role: str, unit: Unit) -> User:
    user = User.objects.create_user(username, name=name, password=PASSWORD, must_change_password=False)
    Appointment.objects.create(user=user, role=role, unit=unit, starts_on=dt.date(2026, 9, 1))
    return user


def appoint(user: User, role: str, unit: Unit) -> None:
    """A second appointment, as in a small school where one person has two chairs."""
    Appointment.objects.create(user=user, role=role, unit=unit, starts_on=dt.date(2026, 9, 1))
    user.appointments_in_force = None


def enrol(
    cast: Cast,
    school_class: Unit,
    *,
    name: str = "张小明",
    boarding: str = "boarding",
    kinds: tuple[str, ...] = ("dibao_rural",),
    account: bool = True,
) -> Enrolment:
    """A pupil on the class's roster this term, with hardship of the kinds and (usually) an account."""
    cast.pupils += 1
    serial = cast.pupils
    number = fictitious.id_number(serial, born=dt.date(2013, 5, 6), sex="male")
    pupil = Pupil(county=cast.county, name=name, sex="male", birth_date=dt.date(2013, 5, 6), ethnicity="汉族")
    pupil.initials = names.initials(name)
    pupil.guardian_name, pupil.guardian_relation = "张建国", "父亲"
    privacy.set_id(pupil, number)
    privacy.set_roll(pupil, fictitious.roll_number(number))
    pupil.save()
    place = enrolment.begin(pupil, term=cast.term, school_class=school_class.school_class, boarding=boarding)
    place.save()
    officer = cast.officer_a if cast.school_a.contains(school_class) else cast.officer_b
    for kind in kinds:
        circumstances.add(
            pupil,
            category=Category.objects.get(code=kind),
            source="matched",
            valid_from=dt.date(2025, 9, 1),
            evidence="民政部门比对",
            by=officer,
        )
    if account:
        card = BankAccount(
            pupil=pupil,
            bank="云岭县农村信用合作联社",
            holder="张建国",
            relation="father",
            starts_on=TODAY,
            recorded_by=officer,
        )
        privacy.set_account(card, fictitious.card_number(serial))
        card.save()
    return place


def answers(**told: Any) -> Answers:
    """What a family says on its form: father away at work, a grandmother at home."""
    father = Member(name="张建国", relation="父亲", presence="away", age=41, occupation="务工", income=24_000)
    grandmother = Member(name="罗秀兰", relation="祖母", age=70, occupation="务农", income=1_200, health="minor")
    said: dict[str, Any] = {
        "household": 3,
        "members": (father, grandmother),
        "studying": 1,
        "supported": 1,
        "address": "云岭县白石镇三家村",
        "weakness": "祖母年迈，不能下地。",
        "reason": "父亲一人务工，负担不起住校生活费。",
    }
    return Answers(**{**said, **told})


def open_round(cast: Cast, programme: str = "living-aid") -> Round:
    return rounds.open_round(
        programme=Programme.objects.get(code=programme),
        term=cast.term,
        unit=cast.county,
        opens_on=clock.today(),
        closes_on=clock.today() + dt.timedelta(days=30),
        by=cast.clerk,
    )


def submitted(cast: Cast, round_: Round, *enrolments: Enrolment) -> list[Application]:
    """Applications filed and submitted by the class teachers."""
    filed = []
    for school_class, rows in itertools.groupby(enrolments, key=lambda e: e.school_class):
        teacher = teacher_of(cast, school_class)
        wishes = [applications.Wish(row, reason="家庭收入低") for row in rows]
        drafts = applications.save_drafts(round_, school_class, wishes, by=teacher)
        applications.submit(drafts, by=teacher)
        filed += drafts
    return refreshed(filed)


def teacher_of(cast: Cast, school_class: Unit) -> User:
    known = {cast.class_a1: cast.teacher_a1, cast.class_a2: cast.teacher_a2, cast.class_b1: cast.teacher_b1}
    return known.get(school_class) or User.objects.get(appointments__unit=school_class)


def officer_of(cast: Cast, school: Unit) -> User:
    return cast.officer_a if school == cast.school_a else cast.officer_b


def grade_head_of(cast: Cast, school: Unit) -> User:
    return cast.grade_head_a if school == cast.school_a else cast.grade_head_b


def principal_of(cast: Cast, school: Unit) -> User:
    return cast.principal_a if school == cast.school_a else cast.principal_b


def minutes(held_on: dt.date | None = None, members: int = 10) -> reviews.Minutes:
    return reviews.Minutes(
        held_on=held_on or clock.today(),
        place="会议室",
        chair="主持人",
        members=[reviews.Member(f"成员{n}", "教师代表") for n in range(members)],
        text="学习政策，逐一评议，表决通过。",
    )


def member_fields(*names: str, kind: str = "teacher", capacity: str = "教师代表") -> dict[str, str | int]:
    """What the page of a meeting is sent of its members: the ones named, or ten."""
    listed = names or tuple(f"成员{n}" for n in range(10))
    said: dict[str, str | int] = {"count": len(listed)}
    for number, name in enumerate(listed, start=1):
        said |= {f"name_{number}": name, f"kind_{number}": kind, f"capacity_{number}": capacity}
    return said


def agree(rows: list[Application], level: str, unit: Unit, *, by: User) -> Meeting:
    verdicts = [reviews.Verdict(row, Decision.Verdict.AGREE, votes_for=10, votes_against=0) for row in rows]
    return reviews.hold(round_=rows[0].round, unit=unit, level=level, minutes=minutes(), verdicts=verdicts, by=by)


def walk(cast: Cast, rows: list[Application], state: State) -> list[Application]:
    """Bring submitted applications of one school to the state, each step by the person whose turn it is.

    The clock is moved on past the notice where the road needs it (the test must run in `moving_clock`).
    """
    school = rows[0].school
    road = [
        (State.CLASS_REVIEWED, lambda: _class_reviews(cast, rows)),
        (State.SCHOOL_REVIEWED, lambda: agree(refreshed(rows), "school", school, by=officer_of(cast, school))),
        (State.CONFIRMED, lambda: workflow.advance_all(rows, Step.CONFIRM, by=principal_of(cast, school))),
        (State.ON_NOTICE, lambda: publish(cast, rows)),
        (State.CLEARED, lambda: close(cast, rows)),
        (State.REPORTED, lambda: workflow.advance_all(rows, Step.REPORT, by=officer_of(cast, school))),
        (State.VERIFIED, lambda: workflow.advance_all(rows, Step.VERIFY, by=cast.clerk)),
        (State.APPROVED, lambda: workflow.advance_all(rows, Step.APPROVE, by=cast.head)),
        (State.IN_BATCH, lambda: batch(cast, rows[0].round)),
        (State.PAID, lambda: pay(cast, rows)),
    ]
    for reached, take in road:
        take()
        if reached == state:
            break
    return refreshed(rows)


def _class_reviews(cast: Cast, rows: list[Application]) -> None:
    for school_class, some in itertools.groupby(refreshed(rows), key=lambda a: a.school_class):
        agree(list(some), "class", school_class, by=grade_head_of(cast, school_class.parent))


def publish(cast: Cast, rows: list[Application]):
    school = rows[0].school
    draft = notices.propose(rows[0].round, school)
    return notices.publish(rows[0].round, school, draft, by=officer_of(cast, school))


def close(cast: Cast, rows: list[Application]) -> None:
    """Let the notice's days pass, then close it."""
    notice = refreshed(rows)[0].notice_lines.get().notice
    clock.set_demo_day(notice.ends_on + dt.timedelta(days=1))
    notices.close(notice, by=officer_of(cast, rows[0].school))


def batch(cast: Cast, round_: Round) -> PaymentBatch:
    rows = Application.objects.filter(round=round_, state=State.APPROVED)
    total = sum(row.amount for row in rows)
    return payments.make_batch(round_, expected=len(rows), expected_total=total, by=cast.clerk)


def pay(cast: Cast, rows: list[Application]) -> None:
    """Make the sheets, sign them, record the payment."""
    sheet = rows[0].lines.get().sheet
    payout_sheets.produce(sheet.pk)
    payments.upload_signed_copy(sheet, scan(), by=officer_of(cast, sheet.school))
    sheet.refresh_from_db()
    payments.record_payment(sheet, paid_on=clock.today(), voucher="支付2026-001", by=cast.clerk2)


def scan(name: str = "签字表.pdf"):
    """A small real PDF, as a scanner makes it."""
    from django.core.files.uploadedfile import SimpleUploadedFile

    return SimpleUploadedFile(name, _scanned(), "application/pdf")


@functools.cache
def _scanned() -> bytes:
    from weasyprint import HTML

    return HTML(string="<p>signed</p>").write_pdf()


def change_boarding(place: Enrolment, boarding: str, *, by: User) -> Enrolment:
    """Record that the pupil boards, or no longer does, from today; the enrolment as it is then."""
    request = changes.Request(changes.Kind.BOARDING, pupil=place.pupil, on=clock.today(), boarding=boarding)
    case_changes.record(request, by=by, seen=case_changes.plan(request, by=by).digest)
    return Enrolment.objects.select_related("pupil", "school", "school_class").get(pk=place.pk)


def refreshed(rows: list[Application]) -> list[Application]:
    found = Application.objects.select_related("round__programme", "round__term", "school", "school_class", "pupil")
    by_key = found.in_bulk([row.pk for row in rows])
    return [by_key[row.pk] for row in rows]


def _school(county: Unit, name: str, code: str, stages: list[str]) -> Unit:
    unit = Unit.objects.create(level="school", name=name, parent=county)
    School.objects.create(
        unit=unit,
        code=code,
        stages=stages,
        notice_phone="0870-2123456",
        notice_contact="学校资助办",
        notice_place="校门口公示栏",
    )
    return unit


def _class(school: Unit, name: str, stage: str, grade: str) -> Unit:
    unit = Unit.objects.create(level="class", name=name, parent=school)
    SchoolClass.objects.create(unit=unit, stage=stage, grade=grade)
    return unit
