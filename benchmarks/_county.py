"""A county of 100,000 invented pupils, written straight into the tables: what the pages are opened on.

Nothing here walks the road of a real case; the rows only look as they would at the end of one.
"""

import datetime as dt
import os
import random
from dataclasses import dataclass
from decimal import Decimal

from django.db import connection, transaction

from accounts import audit, clock
from accounts.models import Appointment, Unit, User
from documents.models import IssuedDocument
from publicity import reference as publicity_reference
from publicity.models import Notice, NoticeLine
from students import enrolment, fictitious, names, privacy
from students import reference as students_reference
from students.models import BankAccount, Category, Circumstance, Enrolment, Pupil, School, SchoolClass, Term
from subsidies import reference as subsidies_reference
from subsidies.models import Application, PaymentBatch, PaymentLine, PayoutSheet, Programme, Round, Standard
from subsidies.states import State

# A smaller county while one works on a page: BENCH_CLASSES=5 ./aid bench register_pages
SCHOOLS, CLASSES, PUPILS = 40, int(os.environ.get("BENCH_CLASSES", "50")), 50
_SURNAMES = "王李张刘陈杨黄赵周吴徐孙马胡朱郭何罗高林单曾解区"
_GIVEN = "小明红军丽华强伟芳娜敏静秀英杰涛超勇艳辉刚波玉兰桂平志建文国海燕梅琴霞雪佳怡欣然子涵浩宇轩梓晨思雨嘉诚"
_BATCH = 2000


@dataclass
class County:
    unit: Unit
    schools: list[Unit]
    classes: list[Unit]  # of all schools, by path
    people: dict[str, User]
    term: Term
    pupil: Pupil  # one in the middle of the county


def build() -> County:
    students_reference.load()
    subsidies_reference.load()
    publicity_reference.load()
    chance = random.Random(20260901)
    with transaction.atomic():
        county = Unit.objects.create(level="county", name="云岭县")
        schools, classes = _units(county)
        people = _people(county, schools[0], classes[0])
        autumn, spring = Term.objects.get(key="2026-2027-1"), Term.objects.get(key="2025-2026-2")
        pupils = _pupils(county, len(classes) * PUPILS, chance)
        places = [_places(pupils, classes, term) for term in (spring, autumn)][1]
        accounts = _accounts(pupils, people["officer"])
        _circumstances(pupils, people["officer"], chance)
        cases = _applications(county, autumn, places, people["teacher"], chance)
        _notices(cases, people["officer"])
        _batches(cases, accounts, people["clerk"])
        _trail(pupils, schools, people["officer"])
    if connection.vendor == "postgresql":  # as its autovacuum does by itself; SQLite plans without
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
    return County(county, schools, classes, people, autumn, pupils[len(pupils) // 2])


def _units(county: Unit) -> tuple[list[Unit], list[Unit]]:
    schools, classes = [], []
    for number in range(1, SCHOOLS + 1):
        school = Unit.objects.create(level="school", name=f"云岭县第{number}学校", parent=county)
        School.objects.create(unit=school, code=f"53539{number:05d}", stages=["primary", "junior"])
        schools.append(school)
        for label in range(1, CLASSES + 1):
            grade, stage = [("三年级", "primary"), ("七年级", "junior"), ("八年级", "junior")][label % 3]
            unit = Unit.objects.create(level="class", name=f"{grade}{label}班", parent=school)
            SchoolClass.objects.create(unit=unit, stage=stage, grade=grade)
            classes.append(unit)
    return schools, classes


def _people(county: Unit, school: Unit, school_class: Unit) -> dict[str, User]:
    posts = {
        "clerk": ("county_clerk", county),
        "head": ("county_head", county),
        "admin": ("system_admin", county),
        "officer": ("aid_officer", school),
        "teacher": ("class_teacher", school_class),
    }
    people = {}
    for username, (role, unit) in posts.items():
        people[username] = User.objects.create_user(username, name=f"测试{username}", must_change_password=False)
        Appointment.objects.create(user=people[username], role=role, unit=unit, starts_on=dt.date(2026, 9, 1))
    return people


def _pupils(county: Unit, count: int, chance: random.Random) -> list[Pupil]:
    rows = []
    for serial in range(count):
        name = chance.choice(_SURNAMES) + "".join(chance.choices(_GIVEN, k=chance.choice((1, 2, 2, 2))))
        born = dt.date(2010, 1, 1) + dt.timedelta(days=serial % 3000)
        number = fictitious.id_number(serial // 3000, born=born, sex="male")
        pupil = Pupil(county=county, name=name, initials=names.initials(name), sex="male", birth_date=born)
        pupil.guardian_name, pupil.guardian_relation = f"{name[0]}建国", "父亲"
        privacy.set_id(pupil, number)
        privacy.set_roll(pupil, fictitious.roll_number(number))
        rows.append(pupil)
    Pupil.objects.bulk_create(rows, batch_size=_BATCH)
    return rows


def _places(pupils: list[Pupil], classes: list[Unit], term: Term) -> list[Enrolment]:
    rows = [
        enrolment.begin(
            pupil,
            term=term,
            school_class=classes[position // PUPILS].school_class,
            boarding="boarding" if position % 3 else "day",
        )
        for position, pupil in enumerate(pupils)
    ]
    Enrolment.objects.bulk_create(rows, batch_size=_BATCH)
    return rows


def _accounts(pupils: list[Pupil], by: User) -> dict[object, BankAccount]:
    """Nine in ten have one; every hundredth shares the one of the pupil before."""
    rows = []
    for serial, pupil in enumerate(pupils):
        if serial % 10 == 9:
            continue
        holder = pupil.guardian_name
        account = BankAccount(pupil=pupil, bank="云岭县农村信用合作联社", holder=holder, relation="father")
        account.starts_on, account.recorded_by = dt.date(2026, 9, 1), by
        if serial % 4:
            account.verified_on, account.verified_by = dt.date(2026, 9, 10), by
        privacy.set_account(account, fictitious.card_number(serial - (serial % 100 == 51)))
        rows.append(account)
    BankAccount.objects.bulk_create(rows, batch_size=_BATCH)
    return {account.pupil_id: account for account in rows}


def _circumstances(pupils: list[Pupil], by: User, chance: random.Random) -> None:
    kinds = list(Category.objects.filter(code__in=["dibao_rural", "tekun", "disability_severe", "orphan"]))
    kinds = kinds or list(Category.objects.filter(valid_to__isnull=True)[:4])
    rows = [
        Circumstance(
            pupil=pupil,
            category=chance.choice(kinds),
            source="matched",
            evidence="民政部门比对",
            valid_from=dt.date(2026, 9, 1),
            recorded_by=by,
        )
        for pupil in pupils[::5]
    ]
    Circumstance.objects.bulk_create(rows, batch_size=_BATCH)


_STATES = [State.DRAFT, State.SUBMITTED, State.CLASS_REVIEWED, State.SCHOOL_REVIEWED, State.CLEARED]
_STATES += [State.REPORTED, State.VERIFIED, State.APPROVED, State.IN_BATCH, State.IN_BATCH, State.PAID, State.PAID]


def _applications(
    county: Unit, term: Term, places: list[Enrolment], by: User, chance: random.Random
) -> list[Application]:
    """Two rounds of 20,000 each (in the full county)."""
    standards = {row.programme_id: row for row in Standard.objects.select_related("programme").order_by("pk")}
    rows = []
    for programme in Programme.objects.filter(pk__in=standards)[:2]:
        opened = Round.objects.create(
            programme=programme,
            term=term,
            unit=county,
            opens_on=clock.today(),
            closes_on=clock.today() + dt.timedelta(days=30),
            opened_at=clock.now(),
            opened_by=by,
        )
        for place in places[::5]:
            rows.append(
                Application(
                    round=opened,
                    programme=programme,
                    term=term,
                    pupil_id=place.pupil_id,
                    enrolment=place,
                    school_id=place.school_id,
                    school_class_id=place.school_class_id,
                    state=chance.choice(_STATES),
                    reason="家庭收入低",
                    facts={"name": place.pupil.name, "class_name": place.class_name, "categories": []},
                    amount=Decimal("750.00"),
                    explanation="按标准",
                    standard=standards[programme.pk],
                    filed_at=clock.now(),
                    filed_by=by,
                    changed_at=clock.now(),
                )
            )
    Application.objects.bulk_create(rows, batch_size=_BATCH)
    return rows


def _document(kind: str, unit_id: int, serial: int) -> IssuedDocument:
    return IssuedDocument(kind=kind, number=f"测量〔2026〕{kind}{serial}号", unit_id=unit_id)


def _notices(cases: list[Application], by: User) -> None:
    """One notice for each school and round, closed but for the last few."""
    lists: dict[tuple, list[Application]] = {}
    for case in cases:
        lists.setdefault((case.round_id, case.school_id), []).append(case)
    documents = [_document("notice", school, n) for n, (_, school) in enumerate(lists)]
    IssuedDocument.objects.bulk_create(documents)
    notices = []
    for serial, ((round_id, school), document) in enumerate(zip(lists, documents, strict=True)):
        notice = Notice(round_id=round_id, school_id=school, title=f"第{serial}号公示", body="正文", document=document)
        notice.phone, notice.contact, notice.place = "0870-2123456", "学校资助办", "校门口"
        notice.shows_amount, notice.counted_days, notice.digest = True, [], "0" * 64
        notice.published_on, notice.ends_on = dt.date(2026, 10, 1), dt.date(2026, 10, 15)
        notice.published_at, notice.published_by = clock.now(), by
        if serial > 3:
            notice.state, notice.closed_at, notice.closed_by = "closed", clock.now(), by
        notices.append(notice)
    Notice.objects.bulk_create(notices)
    NoticeLine.objects.bulk_create(
        [
            NoticeLine(notice=notice, application=case, position=n, name=case.facts["name"], grade="七年级")
            for notice, listed in zip(notices, lists.values(), strict=True)
            for n, case in enumerate(listed, start=1)
        ],
        batch_size=_BATCH,
    )


def _batches(cases: list[Application], accounts: dict[object, BankAccount], by: User) -> None:
    """One batch of each round, one sheet for each school."""
    lists: dict[tuple, list[Application]] = {}
    for case in cases:
        if case.state in (State.IN_BATCH, State.PAID) and case.pupil_id in accounts:
            lists.setdefault((case.round_id, case.school_id), []).append(case)
    batches = {}
    for round_id, _ in lists:
        if round_id not in batches:
            batches[round_id] = PaymentBatch(
                number=f"2026秋-{len(batches) + 1:02d}", round_id=round_id, made_at=clock.now(), made_by=by
            )
    PaymentBatch.objects.bulk_create(batches.values())
    documents = [_document("payout_sheet", school, n) for n, (_, school) in enumerate(lists)]
    IssuedDocument.objects.bulk_create(documents)
    sheets = [
        PayoutSheet(batch=batches[round_id], school_id=school, document=document, state="ready", made_by=by)
        for (round_id, school), document in zip(lists, documents, strict=True)
    ]
    PayoutSheet.objects.bulk_create(sheets)
    PaymentLine.objects.bulk_create(
        [
            PaymentLine(
                sheet=sheet,
                application=case,
                account=accounts[case.pupil_id],
                position=n,
                amount=Decimal("750.00"),
                snapshot={"name": case.facts["name"]},
            )
            for sheet, listed in zip(sheets, lists.values(), strict=True)
            for n, case in enumerate(listed, start=1)
        ],
        batch_size=_BATCH,
    )


def _trail(pupils: list[Pupil], schools: list[Unit], by: User) -> None:
    """Two rows of the audit trail for each pupil."""
    size = len(pupils) // SCHOOLS
    for number, school in enumerate(schools):
        own = pupils[number * size : (number + 1) * size]
        for action in ("pupil.enrol", "pupil.change"):
            audit.record_all([audit.Entry(action, p, school, {"fields": ["name"]}) for p in own], by=by)
