"""Every list page on a county of 100,000 pupils: queries, milliseconds by the clock and of the processor.

Each list is opened by every role that may: its first page, and for the widest role and a school's officer one in the
middle, the last one, and every filter; for the widest also every order it offers. Through Django's own test client,
in one process, after a first time that is not counted: once, and where that took half of the goal, five times, of
which the median counts. Goal: 150 ms. `./aid bench --services register_pages` measures the same on PostgreSQL.
"""

import logging
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext, setup_test_environment, teardown_test_environment
from django.urls import reverse
from django_tables2 import Table

from . import _county, _desks

OPENED, GOAL_MS = 5, 150
ROLES = ("clerk", "head", "admin", "officer", "teacher")
LISTS = (
    *("home", "pupils", "roster_imports", "rollovers", "changes", "change_confirmations", "lists", "list_proposals"),
    *("rechecks", "staff_accounts", "rounds", "applications", "concerns", "concern_schools", "concern_reasons"),
    *("follow_ups", "change_rules", "notices", "batches", "dossiers", "schools", "programmes", "terms", "calendar"),
    *("list_sources", "audit", "people", "roles"),
)


@dataclass(frozen=True)
class Page:
    who: str
    name: str  # of the address
    args: tuple[object, ...] = ()
    query: str = ""
    typed: str = ""  # sent first, as from the search box of the page

    def __str__(self) -> str:
        looked_for = f" “{self.typed}”" if self.typed else ""
        return f"{self.who}: {self.name}{' ?' + self.query if self.query else ''}{looked_for}"

    @property
    def address(self) -> str:
        return reverse(self.name, args=self.args) + (f"?{self.query}" if self.query else "")


@dataclass(frozen=True)
class Measured:
    page: Page
    milliseconds: float
    processor: float
    queries: int
    status: int


def main() -> None:
    began = time.perf_counter()
    county = _county.build()
    size, took = len(county.classes) * _county.PUPILS, time.perf_counter() - began
    _desks.lay(county)
    total = time.perf_counter() - began
    print(f"   {connection.vendor}: {size:,} pupils written in {took:.0f} s, their desks in {total - took:.0f} s")
    report([measure(page, county) for page in pages(county)])


# --- which pages ---------------------------------------------------------------------------------------


def pages(county: _county.County) -> list[Page]:
    logging.getLogger("django.request").setLevel(logging.ERROR)  # pages that are not for a role answer 403
    setup_test_environment()  # so that an answer tells what its template was given
    try:
        return list(dict.fromkeys(_pages(county)))
    finally:
        teardown_test_environment()


def _pages(county: _county.County) -> Iterator[Page]:
    for name, args in _lists(county):
        is_widest = True
        for who in ROLES:
            page = Page(who, name, args)
            answer = _client(page, county).get(page.address)
            if answer.status_code == 200:
                yield page
                if is_widest or who == "officer":
                    yield from _variants(page, answer.context, is_widest=is_widest)
                is_widest = False
    yield from _typed(county)


def _lists(county: _county.County) -> Iterator[tuple[str, tuple[object, ...]]]:
    """The lists of the navigation, and those that belong to one thing: the widest of each."""
    from publicity.models import Notice
    from students.models import ListProfile, ListVersion, RollOver, RosterImport
    from subsidies.models import PaymentBatch, PayoutSheet, Round

    yield from ((name, ()) for name in LISTS)
    yield "roster_import", (RosterImport.objects.get(unit=county.unit).pk,)
    listed = ListVersion.objects.order_by("profile", "-as_of").values_list("pk", "profile")[0]
    yield "list_version", listed[:1]
    yield "list_differences", listed[1:]
    yield "list_profile_edit", (ListProfile.objects.values_list("pk", flat=True)[0],)
    first = county.schools[0].pk
    round_ = Round.objects.order_by("pk").values_list("pk", flat=True)[0]
    yield "round", (round_,)
    yield "class_file", (round_, county.classes[0].pk)
    for desk in ("class_review", "school_review", "school_report", "school_verify", "school_approve"):
        yield desk, (round_, county.classes[0].pk if desk == "class_review" else first)
    yield "notice", (Notice.objects.filter(school=first).values_list("pk", flat=True)[0],)
    yield "batch", (PaymentBatch.objects.values_list("pk", flat=True)[0],)
    yield "batch_make", (round_,)
    yield "sheet", (PayoutSheet.objects.filter(school=first).values_list("pk", flat=True)[0],)
    yield "rollover", (RollOver.objects.filter(school=first).values_list("pk", flat=True)[0],)
    yield "class_changes", (county.classes[0].pk,)


def _variants(page: Page, context: Any, *, is_widest: bool) -> Iterator[Page]:
    """The same list further on, narrowed by each of its filters, and for the widest role in each order."""
    table = context.get("table")
    table = table if isinstance(table, Table) else None  # the pager's template calls a page so
    cut = table.page if table is not None else context.get("page")
    if cut is not None and cut.paginator.num_pages > 1:
        for number in sorted({cut.paginator.num_pages // 2, cut.paginator.num_pages}):
            yield replace(page, query=f"page={number}")
    for column in table.columns if table is not None and is_widest else ():
        if column.orderable:
            yield replace(page, query=f"sort={column.name}")
            yield replace(page, query=f"sort=-{column.name}")
    narrowed = context.get("filter")
    for name, field in narrowed.fields.items() if narrowed is not None else ():
        for value in _values(field):
            yield replace(page, query=urlencode({name: value}))


def _values(field: forms.Field) -> list[object]:
    """What may be chosen in a filter: each of a few words, one record in the middle of many."""
    if isinstance(field, forms.ModelChoiceField):
        keys = list(field.queryset.values_list("pk", flat=True))
        return keys if len(keys) <= 4 else [keys[len(keys) // 2]]
    if isinstance(field, forms.ChoiceField):
        known = [value for value, _ in field.choices if value]
        return known if len(known) <= 10 else known[:: len(known) // 4]
    return []


def _typed(county: _county.County) -> Iterator[Page]:
    """Filters that depend on another, and everything that is typed."""
    from documents import vault
    from students.models import Category

    school, found = county.schools[20].pk, county.pupil
    school_class = county.classes[-1]
    kind = Category.objects.get(code="dibao_rural", valid_to=None).pk
    for account in ("none", "unverified", "shared"):
        yield Page("clerk", "pupils", query=f"school={school}&account={account}")
    yield Page("clerk", "pupils", query=f"school={school}&category={kind}")
    yield Page("clerk", "pupils", query=f"category={kind}&page=50")
    yield Page("clerk", "pupils", query=f"category={kind}&boarding=day&standing=present")
    yield Page("clerk", "pupils", query=f"boarding=day&page={len(county.classes) // 3}")
    yield Page("clerk", "pupils", query=f"school={school_class.parent_id}&school_class={school_class.pk}")
    yield Page("clerk", "pupils", query=f"school={school}&sort=name&page=30")
    yield Page("clerk", "applications", query=f"unit={school}&state=submitted")
    yield Page("clerk", "change_confirmations", query=f"school={school}")
    yield Page("clerk", "notices", query="q=" + "公示")
    for query in ("person=测试", "since=2026-01-01&until=2036-12-31", "action=pupil.enrol&page=150"):
        yield Page("head", "audit", query=query)
    for query in ("q=教师1", "q=第7学校", "role=class_teacher&state=active"):
        yield Page("admin", "people", query=query)
    number = vault.unseal(found.id_sealed, place="students.pupil.id", key=str(found.pk))
    looked_for = ("王", "小", found.name, found.initials, found.initials[:1], found.id_masked[-4:], number)
    for who in ("clerk", "officer", "teacher"):
        for text in (*looked_for, f"G{number}", "七年级1班", "查无此人"):
            yield Page(who, "pupil_find", typed=text)
    for text in ("小", found.name):
        yield Page("clerk", "dossiers", typed=text)


# --- measuring -----------------------------------------------------------------------------------------


def _client(page: Page, county: _county.County) -> Client:
    client = Client()
    client.force_login(county.people[page.who], backend="django.contrib.auth.backends.ModelBackend")
    return client


def measure(page: Page, county: _county.County) -> Measured:
    client, address = _client(page, county), page.address
    if page.typed:
        client.post(address, {"q": page.typed})
    with CaptureQueriesContext(connection) as caught:
        status = client.get(address).status_code
    queries = len(caught.captured_queries)  # now: the next request empties the log
    times, worked = [], []
    while not times or (len(times) < OPENED and max(times) > GOAL_MS / 2):
        began, before = time.perf_counter(), time.process_time()
        client.get(address)
        times.append((time.perf_counter() - began) * 1000)
        worked.append((time.process_time() - before) * 1000)
    if sys.stdout.isatty():
        print(f"\r   {page!s:90.90}", end="\r", flush=True)
    return Measured(page, statistics.median(times), statistics.median(worked), queries, status)


def report(measured: list[Measured]) -> None:
    """The table, slowest first; the last line is the verdict."""
    print(f"   {'ms':>7} {'processor':>9} {'queries':>7}  page")
    for row in sorted(measured, key=lambda row: -row.milliseconds):
        odd = f"  ← answered {row.status}" if row.status != 200 else ""
        mark = f"  ← over {GOAL_MS} ms" if row.milliseconds > GOAL_MS else odd
        print(f"   {row.milliseconds:7.1f} {row.processor:9.1f} {row.queries:7}  {row.page}{mark}")
    late = sum(row.milliseconds > GOAL_MS for row in measured)
    busy = sum(row.processor > GOAL_MS for row in measured)
    print(f"   {connection.vendor}: {len(measured)} pages, {late} over {GOAL_MS} ms ({busy} by processor)", flush=True)
