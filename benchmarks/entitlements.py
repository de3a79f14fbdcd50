"""Entitlements of 1,000,000 pupils × 6 programmes with 200 rows of standards, beside reading the same pupils' rows.

One core, one pass, rows read from the database in pieces; processor seconds. Goal: under 60 s, and memory that does
not grow with the pupils. `--rows` is the number of pupils. Nothing is kept but the totals.
"""

import datetime as dt
import itertools
import os
import resource
import time
from collections.abc import Iterator
from decimal import Decimal
from uuid import UUID

from subsidies.entitlement import Condition, Ground, ProgrammeRules, StandardRule
from subsidies.reckoner import Kind, Reckoner

PUPILS, PROGRAMMES, STANDARDS, GOAL = 1_000_000, 6, 200, 60
TERM, ON = "2026-2027-1", dt.date(2026, 10, 12)
STAGES = {"preschool": "小班", "primary": "三年级", "junior": "七年级", "senior": "高一", "vocational": "中职一年级"}
KINDS = ("tekun", "orphan", "at_risk", "dibao_rural", "dibao_urban", "disabled", "martyr", "dibao_margin")
REGIONS = tuple(f"5301{number:02}" for number in range(1, 20))
_AT_ONCE = 10_000
_LONG_AGO = dt.date(2020, 1, 1)
_COLUMNS = (
    "stage", "grade", "boarding", "schooling", "pupil__registration", "pupil__region", "school__school__ownership",
    "school_class__school_class__major",
)  # fmt: skip
_NAMES = ("stage", "grade", "boarding", "schooling", "registration", "region", "ownership", "major")


def rules() -> list[ProgrammeRules]:
    """Programmes whose rows differ by stage, boarding, kind, registration and region: 200 in all."""
    return [_programme(number) for number in range(PROGRAMMES)]


def _programme(number: int) -> ProgrammeRules:
    count = STANDARDS // PROGRAMMES + (number < STANDARDS % PROGRAMMES)
    cases = itertools.product(STAGES, ("boarding", "day"), ("rural", "urban", ""), KINDS)
    rows = [
        _row(key, case) for key, case in enumerate(itertools.islice(itertools.cycle(cases), number, number + count))
    ]
    grounds = tuple(Ground(code, "", "2020-2021-1", "") for code in KINDS)
    return ProgrammeRules(
        f"补助{number}", tuple(STAGES), tuple(rows), grounds, recipients="all" if number == 0 else "listed",
        unit=("term", "year", "month")[number % 3], highest_wins=True,
    )  # fmt: skip


def _row(key: int, case: tuple[str, ...]) -> StandardRule:
    stage, boarding, registration, kind = case
    asked = {"stage": stage, "boarding": boarding, "registration": registration}
    if key % 7 == 0:
        asked["region"] = REGIONS[key % len(REGIONS)]
    conditions = tuple(Condition(fact, frozenset({value})) for fact, value in asked.items() if value)
    return StandardRule(
        key + 1, Decimal(250) + key, f"文件{key}", "2020-2021-1", conditions=conditions,
        any_of=frozenset({kind}) if key % 2 else frozenset(), periods=Decimal(5) if key % 3 else Decimal(1),
    )  # fmt: skip


def fill(count: int) -> None:
    """A county of so many pupils, two in five in hardship of one kind, some of two."""
    from accounts.models import Unit, User
    from students import reference
    from students.models import Category, Circumstance, Enrolment, Pupil, School, SchoolClass, Term
    from students.table_writing import by_column, insert

    reference.load()
    by = User.objects.create_user("clerk", name="沈经办", must_change_password=False)
    county = Unit.objects.create(level="county", name="云岭县")
    school = Unit.objects.create(level="school", name="云岭县第一学校", parent=county)
    School.objects.create(unit=school, code="5353990001", stages=list(STAGES))
    term = Term.objects.order_by("key").first()
    classes = []
    for stage, grade in STAGES.items():
        unit = Unit.objects.create(level="class", name=f"{grade}1班", parent=school)
        classes.append(SchoolClass.objects.create(unit=unit, stage=stage, grade=grade))
    kinds = list(Category.objects.filter(code__in=KINDS, valid_to=None).values_list("pk", flat=True))
    for start in range(0, count, _AT_ONCE):
        serials = range(start, min(start + _AT_ONCE, count))
        pupils = [
            (UUID(int=n + 1), f"学生{n}", f"{n:064}", ("rural", "urban", "")[n % 3], REGIONS[n % 19]) for n in serials
        ]
        insert(
            Pupil, by_column(("id", "name", "id_index", "registration", "region"), pupils),
            same={"county_id": county.pk, "sex": "male"},
        )  # fmt: skip
        places = []
        for n in serials:
            at = classes[n // 7 % len(classes)]
            place = (school.pk, at.unit_id, at.unit.path, at.unit.name, at.grade, at.stage)
            places.append((UUID(int=count + n + 1), UUID(int=n + 1), ("boarding", "day")[n % 2], *place))
        names = ("id", "pupil_id", "boarding", "school_id", "school_class_id", "path", "class_name", "grade", "stage")
        insert(Enrolment, by_column(names, places), same={"term_id": term.pk, "starts_on": term.starts_on})
        held = [(UUID(int=2 * count + n + 1), UUID(int=n + 1), kinds[n % len(kinds)]) for n in serials if n % 5 < 2]
        held += [
            (UUID(int=3 * count + n + 1), UUID(int=n + 1), kinds[(n + 3) % len(kinds)]) for n in serials if n % 50 == 0
        ]
        insert(
            Circumstance, by_column(("id", "pupil_id", "category_id"), held),
            same={"source": "matched", "valid_from": _LONG_AGO, "recorded_by_id": by.pk},
        )  # fmt: skip


def pupils() -> Iterator[tuple[dict[str, str], list[Kind]]]:
    """Every pupil's facts and kinds of hardship in force, read side by side in the order of the pupils' keys."""
    from students.models import Category, Circumstance, Enrolment

    codes = dict(Category.objects.values_list("pk", "code"))
    places = Enrolment.objects.filter(standing="present").order_by("pupil_id").values_list("pupil_id", *_COLUMNS)
    held = Circumstance.objects.filter(valid_from__lte=ON, valid_to=None).order_by("pupil_id")
    kinds = held.values_list("pupil_id", "category_id").iterator(chunk_size=_AT_ONCE)
    key, category = next(kinds, (None, 0))
    for pupil, *said in places.iterator(chunk_size=_AT_ONCE):
        found: list[Kind] = []
        while key == pupil:
            found.append((codes[category], ()))
            key, category = next(kinds, (None, 0))
        yield dict(zip(_NAMES, said, strict=True)), found


def main() -> None:
    count = int(os.environ.get("BENCH_ROWS", PUPILS))
    fill(count)
    began, read = time.process_time(), 0
    for _ in pupils():
        read += 1
    reading = time.process_time() - began
    assert read == count, f"{read} of {count} pupils"

    programmes = rules()
    assert sum(len(each.standards) for each in programmes) == STANDARDS
    reckoners = [Reckoner(each, term=TERM, on=ON) for each in programmes]
    held_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, entitled, total = time.process_time(), 0, Decimal(0)
    for place, kinds in pupils():
        for reckoner in reckoners:
            amount = reckoner.amount(place, "", kinds)
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
