"""Every list page on a county of 100,000 pupils, on SQLite and on PostgreSQL: queries and milliseconds, slowest first.

Each page is opened through Django's own test client, in one process, five times after a first one that is not
counted; the median counts. Goal: 150 ms.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse

OPENED, GOAL_MS = 5, 150


@dataclass(frozen=True)
class Page:
    who: str
    name: str  # of the address
    query: str = ""
    typed: str = ""  # looked for first, as in the search box
    args: tuple[object, ...] = ()

    def __str__(self) -> str:
        looked_for = f" “{self.typed}”" if self.typed else ""
        return f"{self.who}: {self.name}{' ?' + self.query if self.query else ''}{looked_for}"


@dataclass(frozen=True)
class Measured:
    page: Page
    milliseconds: float
    in_database: float
    queries: int
    status: int


def main() -> None:
    from benchmarks import _county

    began = time.perf_counter()
    county = _county.build()
    size = len(county.classes) * _county.PUPILS
    print(f"   {connection.vendor}: {size} pupils written in {time.perf_counter() - began:.0f} s", flush=True)
    _report([_measure(page, county) for page in _pages(county)])
    if connection.vendor == "sqlite" and not os.environ.get("BENCH_SQLITE_ONLY"):
        _again_on_postgresql()


def _again_on_postgresql() -> None:
    from tests.services import postgresql

    try:
        with postgresql() as url:
            environment = {**os.environ, "BENCH_DATABASE_URL": url}
            subprocess.run([sys.executable, "-m", "benchmarks", "register_pages"], env=environment, check=True)
    except RuntimeError as absent:
        print(f"   PostgreSQL: {absent}")


def _pages(county) -> Iterator[Page]:
    """Each list: first, middle and last page, every filter, every column that sorts, every kind of search."""
    school, school_class = county.schools[20], county.classes[-1]
    for who in ("clerk", "officer", "teacher"):
        for name in ("home", "pupils", "applications", "dossiers", "notices", "rounds", "schools"):
            yield Page(who, name)
    last = len(county.classes)
    for number in (2, last // 2, last):
        yield Page("clerk", "pupils", f"page={number}")
    for column in ("name", "school_class", "boarding"):
        yield Page("clerk", "pupils", f"sort={column}")
        yield Page("clerk", "pupils", f"sort=-{column}&page={last}")
        yield Page("officer", "pupils", f"sort={column}")
    yield Page("clerk", "pupils", f"school={school.pk}")
    yield Page("clerk", "pupils", f"school={school.pk}&sort=name&page=30")
    yield Page("clerk", "pupils", f"school={school_class.parent_id}&school_class={school_class.pk}")
    yield Page("clerk", "pupils", "boarding=day")
    yield Page("clerk", "pupils", "boarding=day&page=600")
    yield Page("clerk", "pupils", f"category={_category()}&school={school.pk}")
    yield Page("clerk", "pupils", f"category={_category()}")
    yield Page("clerk", "pupils", f"category={_category()}&page=90")
    for account in ("none", "unverified", "shared"):
        yield Page("clerk", "pupils", f"account={account}&school={school.pk}")
        yield Page("officer", "pupils", f"account={account}")
    found = county.pupil
    initials, tail = found.initials, found.id_masked[-4:]
    number = _number(found)
    for who in ("clerk", "officer", "teacher"):
        for typed in (
            "王",
            "小",
            found.name,
            initials,
            initials[:1],
            tail,
            number,
            f"G{number}",
            "七年级1班",
            "查无此人",
        ):
            yield Page(who, "pupil_find", typed=typed)
    for number in (2, 400, 800):
        yield Page("clerk", "applications", f"page={number}")
        yield Page("clerk", "dossiers", f"page={number}")
    for name in ("applications", "dossiers"):
        for column in ("pupil", "school", "school_class", "state", "amount"):
            yield Page("clerk", name, f"sort={column}")
            yield Page("clerk", name, f"sort=-{column}&page=700")
        yield Page("clerk", name, "state=submitted")
        yield Page("clerk", name, f"round={_round()}")
    for typed in ("小", found.name):
        yield Page("clerk", "dossiers", typed=typed)
    yield Page("clerk", "applications", f"unit={school.pk}")
    for name in ("batches", "roster_imports", "staff_accounts", "programmes", "calendar"):
        yield Page("clerk", name)
        yield Page("officer", name)
    for round_, batch, sheet, notice in [_keys()]:
        yield Page("clerk", "round", args=(round_,))
        yield Page("clerk", "round", f"school={school.pk}", args=(round_,))
        yield Page("officer", "round", args=(round_,))
        yield Page("clerk", "batch", args=(batch,))
        yield Page("clerk", "sheet", args=(sheet,))
        yield Page("clerk", "notice", args=(notice,))
        yield Page("clerk", "school_verify", args=(round_, school.pk))
    yield Page("head", "home")
    yield Page("head", "audit")
    yield Page("head", "audit", "page=1000")
    yield Page("head", "audit", "page=4000")
    yield Page("head", "audit", "action=pupil.enrol")
    yield Page("head", "audit", "person=测试")
    yield Page("head", "audit", "since=2026-01-01&until=2026-12-31")
    yield Page("admin", "home")
    yield Page("admin", "people")


def _category() -> int:
    from students.models import Circumstance

    return Circumstance.objects.values_list("category", flat=True).first()


def _round() -> object:
    from subsidies.models import Round

    return Round.objects.values_list("pk", flat=True).first()


def _keys() -> tuple[object, ...]:
    from publicity.models import Notice
    from subsidies.models import PaymentBatch, PayoutSheet

    return (_round(), *(m.objects.values_list("pk", flat=True).first() for m in (PaymentBatch, PayoutSheet, Notice)))


def _number(pupil) -> str:
    from documents import vault

    return vault.unseal(pupil.id_sealed, place="students.pupil.id", key=str(pupil.pk))


def _measure(page: Page, county) -> Measured | None:
    try:
        address = reverse(page.name, args=page.args)
    except NoReverseMatch:
        return None
    address += f"?{page.query}" if page.query else ""
    client = Client()
    client.force_login(county.people[page.who], backend="django.contrib.auth.backends.ModelBackend")
    if page.typed:
        client.post(address, {"q": page.typed})
    with CaptureQueriesContext(connection) as caught:
        status = client.get(address).status_code
    queries = caught.captured_queries  # now: the next request empties the log
    times = []
    for _ in range(OPENED):
        began = time.perf_counter()
        client.get(address)
        times.append((time.perf_counter() - began) * 1000)
    in_database = sum(float(query["time"]) for query in queries) * 1000
    return Measured(page, statistics.median(times), in_database, len(queries), status)


def _report(measured: list[Measured | None]) -> None:
    found = sorted((row for row in measured if row), key=lambda row: -row.milliseconds)
    print(f"   {'ms':>7} {'in db':>7} {'queries':>8}  page")
    for row in found:
        odd = f"  ← answered {row.status}" if row.status != 200 else ""
        print(f"   {row.milliseconds:7.1f} {row.in_database:7.1f} {row.queries:8}  {row.page}{odd}")
    late = sum(row.milliseconds > GOAL_MS for row in found)
    verdict = "kept" if not late else f"MISSED by {late}"
    print(f"   {connection.vendor}: {len(found)} pages, goal {GOAL_MS} ms: {verdict}", flush=True)


if __name__ == "__main__":
    main()
