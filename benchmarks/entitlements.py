"""Entitlements of 1,000,000 pupils × 6 programmes with 200 rows of standards, beside reading the same pupils' rows.

One core, one pass, rows read from the database in pieces; processor seconds. Goal: under 60 s, and memory that does
not grow with the pupils. `--rows` is the number of pupils. Nothing is kept but the totals. Some pupils are reckoned
once more by `entitlement` itself, and the amounts held against each other.
"""

import datetime as dt
import os
import random
import resource
import time
from collections.abc import Iterator
from decimal import Decimal
from uuid import UUID

from students.term_keys import term_label
from subsidies.entitlement import Condition, Facts, Ground, Hardship, ProgrammeRules, StandardRule, entitlement
from subsidies.reckoner import Kind, Reckoner

PUPILS, PROGRAMMES, STANDARDS, GOAL = 1_000_000, 6, 200, 60
TERM, ON = "2026-2027-1", dt.date(2026, 10, 12)
GRADES = {
    "preschool": ("小班", "中班", "大班"),
    "primary": ("一年级", "二年级", "三年级", "四年级", "五年级", "六年级"),
    "junior": ("七年级", "八年级", "九年级"),
    "senior": ("高一", "高二", "高三"),
    "vocational": ("中职一年级", "中职二年级", "中职三年级"),
}
KINDS = ("tekun", "orphan", "at_risk", "dibao_rural", "dibao_urban", "disabled", "martyr", "dibao_margin")
HOME = tuple(f"530{prefecture}{county:02}" for prefecture in (1, 3) for county in range(2, 12))
ELSEWHERE = tuple(f"{province}{county:04}" for province in range(41, 54) for county in range(101, 141))
MAJORS = ("agricultural", "arts", "opera", "other")
BOARDING, REGISTRATIONS, OWNERSHIPS = ("boarding", "day", "half"), ("rural", "urban", ""), ("public", "private")
_AT_ONCE = 10_000
_CHECKED = 2_000  # pupils whose amounts are reckoned alone, too
_LONG_AGO = dt.date(2020, 1, 1)
_COLUMNS = {
    "stage": "stage", "grade": "grade", "boarding": "boarding", "schooling": "schooling",
    "registration": "pupil__registration", "region": "pupil__region", "ownership": "school__school__ownership",
    "major": "school_class__school_class__major",
}  # fmt: skip
_FACTS = tuple(_COLUMNS)


def rules() -> list[ProgrammeRules]:
    """Programmes whose rows ask for stage, grade, boarding, registration, region, major … and kinds: 200 in all."""
    return [_programme(number, random.Random(number)) for number in range(PROGRAMMES)]


def _programme(number: int, chance: random.Random) -> ProgrammeRules:
    count = STANDARDS // PROGRAMMES + (number < STANDARDS % PROGRAMMES)
    ways = [("",), BOARDING[:2]][number % 2]
    grounds = [Ground(code, way, "2020-2021-1", "") for code in KINDS for way in ways if chance.random() < 0.8]
    return ProgrammeRules(
        f"补助{number}", tuple(GRADES), tuple(_row(key, chance) for key in range(1, count + 1)), tuple(grounds),
        recipients="all" if number == 0 else "listed", unit=("term", "year", "month")[number % 3], highest_wins=True,
    )  # fmt: skip


def _row(key: int, chance: random.Random) -> StandardRule:
    stage = list(GRADES)[key % len(GRADES)]
    asked: dict[str, list[str]] = {"stage": [stage]}
    for fact, values, share in (
        ("boarding", BOARDING, 0.8), ("registration", REGISTRATIONS[:2], 0.3), ("grade", GRADES[stage], 0.2),
        ("region", (*HOME, *ELSEWHERE), 0.2), ("ownership", OWNERSHIPS, 0.1), ("schooling", ("special",), 0.1),
        ("major", MAJORS, 0.5 if stage == "vocational" else 0.0),
    ):  # fmt: skip
        if chance.random() < share:
            asked[fact] = chance.sample(values, k=min(len(values), 1 + chance.randrange(3)))
    kinds = [frozenset(chance.sample(KINDS, k=3)) if chance.random() < share else frozenset() for share in (0.5, 0.1)]
    return StandardRule(
        key, Decimal(250) + 5 * key, f"文件{key}", "2020-2021-1",
        conditions=tuple(Condition(fact, frozenset(values)) for fact, values in asked.items()),
        any_of=kinds[0], none_of=kinds[1], periods=Decimal(5) if key % 3 else Decimal(1),
    )  # fmt: skip


def fill(count: int) -> None:
    """A county of so many pupils in 40 schools, two in five in hardship of one kind, some of two."""
    from accounts.models import Unit, User
    from students import reference
    from students.models import Category, Circumstance, Enrolment, Pupil, School, SchoolClass, Term
    from students.table_writing import by_column, insert

    chance = random.Random(count)
    reference.load()
    by = User.objects.create_user("clerk", name="沈经办", must_change_password=False)
    county = Unit.objects.create(level="county", name="云岭县")
    term = Term.objects.order_by("key").first()
    places = []
    for number in range(40):
        school = Unit.objects.create(level="school", name=f"云岭县第{number + 1}学校", parent=county)
        ownership = OWNERSHIPS[number % 8 == 0]
        School.objects.create(unit=school, code=f"53539900{number:02}", stages=list(GRADES), ownership=ownership)
        for stage, grades in GRADES.items():
            for grade in grades:
                unit = Unit.objects.create(level="class", name=f"{grade}1班", parent=school)
                major = MAJORS[number % 4] if stage == "vocational" else ""
                SchoolClass.objects.create(unit=unit, stage=stage, grade=grade, major=major)
                places.append((school.pk, unit.pk, unit.path, unit.name, grade, stage))
    kinds = list(Category.objects.filter(code__in=KINDS, valid_to=None).values_list("pk", flat=True))
    for start in range(0, count, _AT_ONCE):
        serials = range(start, min(start + _AT_ONCE, count))
        pupils, enrolled, held = [], [], []
        for n in serials:
            key = UUID(int=n + 1)
            region = chance.choice(ELSEWHERE) if n % 8 == 0 else HOME[0] if n % 8 < 6 else chance.choice(HOME)
            pupils.append((key, f"学生{n}", f"{n:064}", chance.choice(REGISTRATIONS), region))
            way = chance.choices(BOARDING, (40, 50, 10))[0]
            schooling = "special" if n % 97 == 0 else "ordinary"
            enrolled.append((UUID(int=count + n + 1), key, way, schooling, *chance.choice(places)))
            drawn = chance.sample(kinds, k=2) if n % 50 == 0 else [chance.choice(kinds)] if n % 5 < 2 else []
            held += [(UUID(int=(2 + at) * count + n + 1), key, kind) for at, kind in enumerate(drawn)]
        insert(
            Pupil, by_column(("id", "name", "id_index", "registration", "region"), pupils),
            same={"county_id": county.pk, "sex": "male"},
        )  # fmt: skip
        names = (
            "id", "pupil_id", "boarding", "schooling", "school_id", "school_class_id", "path", "class_name", "grade",
            "stage",
        )  # fmt: skip
        insert(Enrolment, by_column(names, enrolled), same={"term_id": term.pk, "starts_on": term.starts_on})
        insert(
            Circumstance, by_column(("id", "pupil_id", "category_id"), held),
            same={"source": "matched", "valid_from": _LONG_AGO, "recorded_by_id": by.pk},
        )  # fmt: skip


def pupils() -> Iterator[tuple[tuple[str, ...], tuple[Kind, ...]]]:
    """Every pupil's facts and kinds of hardship in force, read side by side in the order of the pupils' keys."""
    from students.models import Category, Circumstance, Enrolment

    codes: dict[int, Kind] = {key: (code, ()) for key, code in Category.objects.values_list("pk", "code")}
    places = Enrolment.objects.filter(standing="present").order_by("pupil_id")
    held = Circumstance.objects.filter(valid_from__lte=ON, valid_to=None).order_by("pupil_id")
    kinds = held.values_list("pupil_id", "category_id").iterator(chunk_size=_AT_ONCE)
    key, category = next(kinds, (None, 0))
    for row in places.values_list(*_COLUMNS.values(), "pupil_id").iterator(chunk_size=_AT_ONCE):
        found: tuple[Kind, ...] = ()
        while key == row[-1]:
            found += (codes[category],)
            key, category = next(kinds, (None, 0))
        yield row, found


def alone(rules: ProgrammeRules, values: tuple[str, ...], kinds: tuple[Kind, ...]) -> Decimal | None:
    """What one pupil gets, without any short cut."""
    held = tuple(Hardship(code, code, "", _LONG_AGO, None, "", flags) for code, flags in kinds)
    facts = Facts(**dict(zip(_FACTS, values, strict=False)), tier="", hardships=held)
    return entitlement(facts, rules, term=TERM, term_name=term_label(TERM), on=ON).amount


def main() -> None:
    from django.db import transaction

    count = int(os.environ.get("BENCH_ROWS", PUPILS))
    began = time.perf_counter()
    with transaction.atomic():
        fill(count)
    print(f"   filled in {time.perf_counter() - began:.1f} s", flush=True)
    began, read = time.process_time(), 0
    for _ in pupils():
        read += 1
    reading = time.process_time() - began
    assert read == count, f"{read} of {count} pupils"

    programmes = rules()
    assert sum(len(each.standards) for each in programmes) == STANDARDS
    reckoners = [Reckoner(each, facts=_FACTS, term=TERM, on=ON) for each in programmes]
    held_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, entitled, total = time.process_time(), 0, Decimal(0)
    for values, kinds in pupils():
        for reckoner in reckoners:
            amount = reckoner.amount(values, kinds)
            if amount is not None:
                entitled += 1
                total += amount
    reckoning = time.process_time() - began
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held_before
    cases = sum(each.cases for each in reckoners)
    print(
        f"   {count:,} pupils × {PROGRAMMES} programmes, {STANDARDS} standards: {entitled:,} amounts, {total:,.2f} yuan"
    )
    print(f"   reading the rows alone   {reading:7.2f} s")
    print(f"   reading and reckoning    {reckoning:7.2f} s   (goal: under {GOAL} s for {PUPILS:,})")
    print(f"   kinds of case {cases:,}; memory +{more / 1024:.1f} MB over the pass")

    step, checked = max(1, count // _CHECKED), 0
    for at, (values, kinds) in enumerate(pupils()):
        if at % step == 0:
            for each, reckoner in zip(programmes, reckoners, strict=True):
                assert reckoner.amount(values, kinds) == alone(each, values, kinds), f"{values} {kinds}"
            checked += 1
    print(f"   the same for {checked:,} of them, each reckoned alone")
