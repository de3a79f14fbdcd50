"""Fills an empty installation with 300 classes of fifty, a teacher for each, and a round that takes applications.

Run as a program, in the installation's own environment. Nobody has filed yet: that is what is measured.
"""

import datetime as dt
import os
import random
import sys
import uuid
from pathlib import Path

PASSWORD = "filing-bench-2026"
TEACHERS = int(os.environ.get("BENCH_TEACHERS", "300"))
CLASSES_OF_SCHOOL = 10
FIRST_DAY = dt.date(2026, 9, 14)


def fill() -> None:
    from django.contrib.auth.hashers import make_password
    from django.db import transaction

    from accounts import clock
    from accounts.models import Appointment, Unit, User
    from aidadmin import installation
    from students import reference as students_reference
    from students.models import Term
    from subsidies import reference as subsidies_reference
    from subsidies import rounds
    from subsidies.models import Programme

    from . import _county

    data = Path(os.environ["AID_DATA"])
    for marker in (installation.DEMO_BEGUN, installation.DEMO_COMPLETE):
        (data / marker).touch()  # the demo's clock, without the demo's pupils
    installation.prepare(out=sys.stdout)  # type: ignore[arg-type]
    clock.set_demo_day(FIRST_DAY)
    students_reference.load()
    subsidies_reference.load()
    _county.SCHOOLS, _county.CLASSES = -(-TEACHERS // CLASSES_OF_SCHOOL), min(TEACHERS, CLASSES_OF_SCHOOL)
    with transaction.atomic():
        county = Unit.objects.create(level="county", name="云岭县")
        schools, classes = _county._units(county)
        people = _county._people(county, schools[0], classes[0])
        taught = classes[:TEACHERS]
        told = make_password(PASSWORD)  # one for all: a hash for each would take longer than the measurement
        teachers = User.objects.bulk_create(
            User(username=f"teacher{n}", name=f"教师{n}", password=told, must_change_password=False)
            for n in range(len(taught))
        )
        Appointment.objects.bulk_create(
            Appointment(user=user, role="class_teacher", unit=unit, starts_on=dt.date(2026, 9, 1))
            for user, unit in zip(teachers, taught, strict=True)
        )
        children = _county._pupils(county, len(taught) * _county.PUPILS, random.Random(20260901))
        term = Term.objects.get(key="2026-2027-1")
        _county._places(children, taught, term)
        _hardship(children, people["officer"].pk)
        rounds.open_round(
            programme=Programme.objects.get(code="living-aid"),
            term=term,
            unit=county,
            opens_on=FIRST_DAY,
            closes_on=FIRST_DAY + dt.timedelta(days=30),
            by=people["clerk"],
        )
    _county.settle()


def _hardship(children: list, by: int) -> None:
    """Two pupils of five stand on the civil affairs' list, as in a poor county."""
    from students.models import Category, Circumstance
    from students.table_writing import by_column, insert

    (kind,) = Category.objects.filter(code="dibao_rural").order_by("pk")[:1]
    rows = [(uuid.uuid4(), child.key) for n, child in enumerate(children) if n % 5 < 2]
    shared = {
        "source": "matched",
        "evidence": "民政部门比对",
        "valid_from": dt.date(2026, 9, 1),
        "category_id": kind.pk,
    }
    insert(Circumstance, by_column(("id", "pupil_id"), rows), same={**shared, "recorded_by_id": by})  # type: ignore[attr-defined]


if __name__ == "__main__":
    os.environ.setdefault("AID_SECRET_KEY", "until-the-keys-are-made")
    import django

    django.setup()
    fill()
