"""清查 of a county of 100,000 pupils: the first screening, one that finds nothing new, and one school's own."""

import datetime as dt
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

from django.db import connection

from accounts import clock
from students import enrolment as register
from students.models import (
    Circumstance,
    Enrolment,
    ListEntry,
    ListMatch,
    ListProfile,
    ListSource,
    ListVersion,
    Pupil,
)
from subsidies import concerns
from subsidies.models import Application, Concern, ProgrammeExclusion, StageAges
from subsidies.states import State

from . import _county

GOAL_SECONDS, GOAL_MEGABYTES = 60, 200
_BATCH = 2000


def main() -> None:
    county = _county.build()
    _bring_about(county)
    told = {"pupils": Pupil, "circumstances": Circumstance, "applications": Application, "list entries": ListEntry}
    print(
        "   " + ", ".join(f"{kind.objects.count():,} {name}" for name, kind in told.items()) + f", {connection.vendor}"
    )
    clerk = county.people["clerk"]
    first, worked, growth = _measure(lambda: concerns.find(county.unit, county.term, by=clerk))
    found = {kind.value: Concern.objects.filter(kind=kind).count() for kind in Concern.Kind}
    print(f"   first screening    {first:6.1f} s ({worked:.1f} s of processor), memory +{growth:.0f} MB")
    print(f"   found {sum(found.values()):,}: {found}")
    again, worked, growth = _measure(lambda: concerns.find(county.unit, county.term, by=clerk))
    print(f"   nothing changed    {again:6.1f} s ({worked:.1f} s of processor), memory +{growth:.0f} MB, "
          f"{again / first:.2f} of the first")  # fmt: skip
    school, worked, _ = _measure(lambda: concerns.find(county.schools[0], county.term, by=clerk))
    print(f"   one school of {len(county.schools):<5}{school:6.1f} s ({worked:.1f} s of processor)")
    kept = first < GOAL_SECONDS and growth < GOAL_MEGABYTES
    print(f"   goal {GOAL_SECONDS} s and {GOAL_MEGABYTES} MB: {'kept' if kept else 'MISSED'}")


def _measure(deed: Callable[[], object]) -> tuple[float, float, float]:
    """Seconds, seconds of processor, and by how many MB the process grew at most while it ran."""
    before, peak, is_over = _resident(), [0.0], threading.Event()

    def watch() -> None:
        while not is_over.wait(0.1):
            peak[0] = max(peak[0], _resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    began, worked = time.perf_counter(), time.process_time()
    deed()
    seconds, worked = time.perf_counter() - began, time.process_time() - worked
    is_over.set()
    watcher.join()
    return seconds, worked, max(peak[0] - before, 0.0)


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1024 / 1024


def _bring_about(county: _county.County) -> None:
    """Make the county's rows such that every kind of concern occurs, about as often as in a real county."""
    chance = random.Random(3)
    _freeze()
    # The county's pupils are of any age in any class, and all filed twice: neither is what is measured.
    StageAges.objects.update(min_age=3, max_age=20)
    ProgrammeExclusion.objects.all().delete()
    pupils = list(Enrolment.objects.filter(term=county.term).order_by("pk").values_list("pupil_id", flat=True))
    chance.shuffle(pupils)
    share = len(pupils) // 500  # 200 of each in the full county
    Pupil.objects.filter(pk__in=pupils[:share]).update(birth_date=dt.date(2001, 1, 1))
    filed = list(Application.objects.order_by("pk").values_list("pupil_id", flat=True).distinct()[: 2 * share])
    for one, other in zip(filed[:share], filed[share:], strict=True):
        name, born = Pupil.objects.values_list("name", "birth_date").get(pk=one)
        Pupil.objects.filter(pk=other).update(name=name, birth_date=born)
    held = list(Circumstance.objects.order_by("pk").values_list("pk", flat=True)[: 2 * share])
    for keys, day in ((held[:share], dt.date(2026, 12, 1)), (held[share:], clock.today() - dt.timedelta(days=1))):
        Circumstance.objects.filter(pk__in=keys).update(valid_from=dt.date(2025, 9, 1), valid_to=day)
    _households(county, pupils[: len(pupils) // 5])


def _freeze() -> None:
    """The facts of every application as submitting would have frozen them; one in four is taken away again."""
    dropped = list(Application.objects.filter(state=State.DRAFT).order_by("pk").values_list("pk", flat=True))
    Application.objects.filter(pk__in=dropped[::2]).update(state=State.WITHDRAWN)
    for start in range(0, Application.objects.count(), _BATCH):
        rows = list(Application.objects.select_related("enrolment", "programme").order_by("pk")[start : start + _BATCH])
        facts = register.facts_of([row.enrolment for row in rows], on=clock.today())
        for row in rows:
            # The county's second round is the kindergarten's; here it is as if its cases were the kindergarten's too.
            stage = {"stage": row.programme.stages[0]} if len(row.programme.stages) == 1 else {}
            row.facts = facts[row.enrolment_id] | stage
        Application.objects.bulk_update(rows, ["facts"], batch_size=200)


def _households(county: _county.County, pupils: list) -> None:
    source = ListSource.objects.create(county=county.unit, name="民政局（测量）", rank=901)
    profile = ListProfile.objects.create(county=county.unit, code="bench", name="农村低保（测量）", source=source)
    version = ListVersion.objects.create(
        profile=profile, as_of=dt.date(2026, 9, 1), file_name="名单.xls", file_sha256="0" * 64, state="taken",
        read_at=clock.now(), read_by=county.people["clerk"], taken_at=clock.now(), taken_by=county.people["clerk"],
    )  # fmt: skip
    entries = [
        ListEntry(version=version, sheet="1", row=n, name="某", household=f"h{n - (n % 5 == 4)}")
        for n in range(len(pupils))
    ]
    made = ListEntry.objects.bulk_create(entries, batch_size=_BATCH)
    ListMatch.objects.bulk_create(
        [
            ListMatch(entry=entry, version=version, pupil_id=pupil, state="by_id")
            for entry, pupil in zip(made, pupils, strict=True)
        ],
        batch_size=_BATCH,
    )
