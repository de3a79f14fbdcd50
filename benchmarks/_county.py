"""A county of 100,000 invented pupils, written straight into the tables: what the pages are opened on.

Nothing here walks the road of a real case; the rows only look as they would at the end of one.
"""

import datetime as dt
import os
import random
import uuid
from dataclasses import dataclass
from decimal import Decimal

from django.db import connection, transaction

from accounts import audit, clock
from accounts.models import Appointment, AuditHead, AuditRow, Unit, User
from documents.models import IssuedDocument
from publicity.models import Notice, NoticeLine
from students import enrolment, fictitious, names, privacy
from students import reference as students_reference
from students.models import BankAccount, Category, Circumstance, Enrolment, Pupil, School, SchoolClass, Term
from students.table_writing import by_column, insert
from subsidies import reference as subsidies_reference
from subsidies.models import Application, PaymentBatch, PaymentLine, PayoutSheet, Programme, Round, Standard
from subsidies.states import State

# A smaller county while one works on a page: BENCH_CLASSES=5 ./aid bench register_pages
SCHOOLS, CLASSES, PUPILS = 40, int(os.environ.get("BENCH_CLASSES", "50")), 50
_SURNAMES = "王李张刘陈杨黄赵周吴徐孙马胡朱郭何罗高林单曾解区"
_GIVEN = "小明红军丽华强伟芳娜敏静秀英杰涛超勇艳辉刚波玉兰桂平志建文国海燕梅琴霞雪佳怡欣然子涵浩宇轩梓晨思雨嘉诚"


@dataclass
class County:
    unit: Unit
    schools: list[Unit]
    classes: list[Unit]  # of all schools, by path
    people: dict[str, User]
    term: Term
    pupil: Pupil  # one in the middle of the county


@dataclass(frozen=True, slots=True)
class _Child:
    key: uuid.UUID
    name: str

    @property
    def guardian(self) -> str:
        return f"{self.name[0]}建国"


@dataclass(frozen=True, slots=True)
class _Place:
    key: uuid.UUID
    child: _Child
    unit: Unit  # the class


@dataclass(frozen=True, slots=True)
class _Case:
    key: uuid.UUID
    round_id: uuid.UUID
    place: _Place
    state: State


def build() -> County:
    students_reference.load()
    subsidies_reference.load()
    chance = random.Random(20260901)
    with transaction.atomic():
        county = Unit.objects.create(level="county", name="云岭县")
        schools, classes = _units(county)
        people = _people(county, schools[0], classes[0])
        autumn, spring = Term.objects.get(key="2026-2027-1"), Term.objects.get(key="2025-2026-2")
        children = _pupils(county, len(classes) * PUPILS, chance)
        places = [_places(children, classes, term) for term in (spring, autumn)][1]
        accounts = _accounts(children, people["officer"])
        _circumstances(children, people["officer"], chance)
        cases = _applications(county, autumn, places, people["teacher"], chance)
        _notices(cases, people["officer"])
        _batches(cases, accounts, people["clerk"])
        _trail(children, schools, people["officer"])
    settle()
    middle = Pupil.objects.get(pk=children[len(children) // 2].key)
    return County(county, schools, classes, people, autumn, middle)


def settle() -> None:
    """What PostgreSQL's autovacuum does by itself after so many rows; SQLite plans without."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")


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


def _pupils(county: Unit, count: int, chance: random.Random) -> list[_Child]:
    born = [dt.date(2010, 1, 1) + dt.timedelta(days=serial % 3000) for serial in range(count)]
    numbers = [fictitious.id_number(serial // 3000, born=day, sex="male") for serial, day in enumerate(born)]
    rolls = [fictitious.roll_number(number) for number in numbers]
    letters = {each: names.initials(each) for each in _SURNAMES + _GIVEN}
    children, initials = [], []
    for _ in range(count):
        surname, given = chance.choice(_SURNAMES), chance.choices(_GIVEN, k=chance.choice((1, 2, 2, 2)))
        children.append(_Child(uuid.uuid4(), surname + "".join(given)))
        initials.append(letters[surname] + "".join(letters[each] for each in given))
    keys = [str(child.key) for child in children]
    columns = {
        "id": [child.key for child in children],
        "name": [child.name for child in children],
        "initials": initials,
        "birth_date": born,
        "guardian_name": [child.guardian for child in children],
        "id_sealed": privacy.seal_column("id", numbers, keys),
        "id_index": privacy.id_indexes(numbers),
        "id_masked": list(map(privacy.mask_id, numbers)),
        "roll_sealed": privacy.seal_column("roll", rolls, keys),
        "roll_index": privacy.roll_indexes(rolls),
        "roll_masked": list(map(privacy.mask_id, rolls)),
    }
    insert(Pupil, columns, same={"county_id": county.pk, "sex": "male", "guardian_relation": "父亲"})
    return children


_OF_CLASS = ("school_id", "school_class_id", "path", "class_name", "grade", "stage", "starts_on", "standing")


def _places(children: list[_Child], classes: list[Unit], term: Term) -> list[_Place]:
    places, rows = [], []
    for position, unit in enumerate(classes):
        first = enrolment.begin(Pupil(), term=term, school_class=unit.school_class, boarding="day")
        of_class = tuple(getattr(first, name) for name in _OF_CLASS)
        for serial in range(position * PUPILS, (position + 1) * PUPILS):
            place = _Place(uuid.uuid4(), children[serial], unit)
            places.append(place)
            rows.append((place.key, place.child.key, "boarding" if serial % 3 else "day", *of_class))
    insert(Enrolment, by_column(("id", "pupil_id", "boarding", *_OF_CLASS), rows), same={"term_id": term.pk})
    return places


def _accounts(children: list[_Child], by: User) -> dict[uuid.UUID, uuid.UUID]:
    """Nine in ten have one; every hundredth shares the one of the pupil before. Pupil → account."""
    owners = [(serial, child) for serial, child in enumerate(children) if serial % 10 != 9]
    numbers = [fictitious.card_number(serial - (serial % 100 == 51)) for serial, _ in owners]
    keys = [uuid.uuid4() for _ in owners]
    is_verified = [bool(serial % 4) for serial, _ in owners]
    columns = {
        "id": keys,
        "pupil_id": [child.key for _, child in owners],
        "holder": [child.guardian for _, child in owners],
        "number_sealed": privacy.seal_column("account", numbers, list(map(str, keys))),
        "number_index": privacy.account_indexes(numbers),
        "number_masked": list(map(privacy.mask_card, numbers)),
        "verified_on": [dt.date(2026, 9, 10) if each else None for each in is_verified],
        "verified_by_id": [by.pk if each else None for each in is_verified],
    }
    shared = {"bank": "云岭县农村信用合作联社", "relation": "father", "starts_on": dt.date(2026, 9, 1)}
    insert(BankAccount, columns, same={**shared, "recorded_by_id": by.pk})
    return {child.key: key for (_, child), key in zip(owners, keys, strict=True)}


def _circumstances(children: list[_Child], by: User, chance: random.Random) -> None:
    kinds = list(Category.objects.filter(code__in=["dibao_rural", "tekun", "disability_severe", "orphan"]))
    kinds = kinds or list(Category.objects.filter(valid_to__isnull=True)[:4])
    rows = [(uuid.uuid4(), child.key, chance.choice(kinds).pk) for child in children[::5]]
    shared = {"source": "matched", "evidence": "民政部门比对", "valid_from": dt.date(2026, 9, 1)}
    insert(Circumstance, by_column(("id", "pupil_id", "category_id"), rows), same={**shared, "recorded_by_id": by.pk})


_STATES = [State.DRAFT, State.SUBMITTED, State.CLASS_REVIEWED, State.SCHOOL_REVIEWED, State.CLEARED]
_STATES += [State.REPORTED, State.VERIFIED, State.APPROVED, State.IN_BATCH, State.IN_BATCH, State.PAID, State.PAID]
_OF_CASE = ("id", "pupil_id", "enrolment_id", "school_id", "school_class_id", "state", "facts")


def _applications(county: Unit, term: Term, places: list[_Place], by: User, chance: random.Random) -> list[_Case]:
    """Two rounds of 20,000 each (in the full county)."""
    standards = {row.programme_id: row for row in Standard.objects.select_related("programme").order_by("pk")}
    cases = []
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
        own = [_Case(uuid.uuid4(), opened.pk, place, chance.choice(_STATES)) for place in places[::5]]
        rows = [
            (
                case.key,
                case.place.child.key,
                case.place.key,
                case.place.unit.parent_id,
                case.place.unit.pk,
                case.state,
                {"name": case.place.child.name, "class_name": case.place.unit.name, "categories": []},
            )
            for case in own
        ]
        shared = {"round_id": opened.pk, "programme_id": programme.pk, "term_id": term.pk, "filed_by_id": by.pk}
        shared |= {"reason": "家庭收入低", "amount": Decimal("750.00"), "explanation": "按标准"}
        shared |= {"standard_id": standards[programme.pk].pk, "filed_at": clock.now(), "changed_at": clock.now()}
        insert(Application, by_column(_OF_CASE, rows), same=shared)
        cases += own
    return cases


def _by_school(cases: list[_Case]) -> dict[tuple[uuid.UUID, int], list[_Case]]:
    """Of each round and school."""
    lists: dict[tuple[uuid.UUID, int], list[_Case]] = {}
    for case in cases:
        lists.setdefault((case.round_id, case.place.unit.parent_id or 0), []).append(case)
    return lists


def _document(kind: str, unit_id: int, serial: int) -> IssuedDocument:
    return IssuedDocument(kind=kind, number=f"测量〔2026〕{kind}{serial}号", unit_id=unit_id)


def _notices(cases: list[_Case], by: User) -> None:
    """One notice for each school and round, closed but for the last few."""
    lists = _by_school(cases)
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
    lines = [
        (notice.pk, case.key, n, case.place.child.name)
        for notice, listed in zip(notices, lists.values(), strict=True)
        for n, case in enumerate(listed, start=1)
    ]
    insert(NoticeLine, by_column(("notice_id", "application_id", "position", "name"), lines), same={"grade": "七年级"})


def _batches(cases: list[_Case], accounts: dict[uuid.UUID, uuid.UUID], by: User) -> None:
    """One batch of each round, one sheet for each school."""
    paid = (State.IN_BATCH, State.PAID)
    lists = _by_school([case for case in cases if case.state in paid and case.place.child.key in accounts])
    batches = {}
    for round_id, _ in lists:
        if round_id not in batches:
            number = f"2026秋-{len(batches) + 1:02d}"
            batches[round_id] = PaymentBatch(number=number, round_id=round_id, made_at=clock.now(), made_by=by)
    PaymentBatch.objects.bulk_create(batches.values())
    documents = [_document("payout_sheet", school, n) for n, (_, school) in enumerate(lists)]
    IssuedDocument.objects.bulk_create(documents)
    sheets = [
        PayoutSheet(batch=batches[round_id], school_id=school, document=document, state="ready", made_by=by)
        for (round_id, school), document in zip(lists, documents, strict=True)
    ]
    PayoutSheet.objects.bulk_create(sheets)
    lines = [
        (uuid.uuid4(), sheet.pk, case.key, accounts[case.place.child.key], n, {"name": case.place.child.name})
        for sheet, listed in zip(sheets, lists.values(), strict=True)
        for n, case in enumerate(listed, start=1)
    ]
    columns = ("id", "sheet_id", "application_id", "account_id", "position", "snapshot")
    insert(PaymentLine, by_column(columns, lines), same={"amount": Decimal("750.00")})


def _trail(children: list[_Child], schools: list[Unit], by: User) -> None:
    """Two rows of the audit trail for each pupil, chained as `audit.record` chains them."""
    head, _ = AuditHead.objects.get_or_create(pk=1)
    size = len(children) // len(schools)
    row = AuditRow(at=clock.now(), username=by.username, person=by.name, detail={"fields": ["name"]})
    rows = []
    for serial, child in enumerate(children * 2):
        row.number, row.action = head.number + 1, "pupil.enrol" if serial < len(children) else "pupil.change"
        row.subject, row.unit_path = f"students.pupil:{child.key}", schools[serial % len(children) // size].path
        row.digest = head.digest = audit.digest_of(row, head.digest)
        head.number = row.number
        rows.append((row.number, row.action, row.subject, row.unit_path, row.digest))
    shared = {"at": row.at, "username": row.username, "person": row.person, "detail": row.detail}
    insert(AuditRow, by_column(("number", "action", "subject", "unit_path", "digest"), rows), same=shared)
    head.save()
