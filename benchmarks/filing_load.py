"""300 class teachers file their classes in the same five minutes: real HTTP against a whole installation.

Web, worker, clock and queue run as `./aid demo` starts them; the teachers are 300 visitors of one other process on
the same machine, who sign in, open their class, tick twenty pupils (what was typed is saved every few seconds, as the
desk does it) and hand in. Every answer is measured by itself, a page that an answer leads to also together with it.
Afterwards every application that a page said was handed in is looked up in the database. Goal: no error, none lost,
95 of 100 answers under 500 ms. `./aid bench --services filing_load` measures the same on PostgreSQL;
BENCH_TEACHERS and BENCH_SECONDS make it smaller while one works on it.
"""

import asyncio
import json
import os
import random
import re
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.browser.installation import Installation, running

from ._filing_county import PASSWORD, TEACHERS

SECONDS = int(os.environ.get("BENCH_SECONDS", "300"))  # from the first sign-in to the last hand-in, as planned
TICKED, GOAL_MS = 20, 500
_TYPING = (0.4, 2.6)  # seconds between two rows
_BETWEEN = 2.5  # seconds between two sendings of the desk, as in static/aid_desk.js
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
_DESK = re.compile(r'href="(/rounds/[0-9a-f-]+/classes?/\d+/[^"]*)"')
_ROW = re.compile(r'name="seen_([0-9a-f-]+)" value="([^"]*)"')
_BASE = re.compile(r'data-class-desk="([^"]+)"')
_HANDED_IN = re.compile(r"已提交 (\d+) 名学生的申请")


@dataclass
class Heard:
    """What came back, of all visitors."""

    milliseconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # by kind of request
    together: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # an answer with its page
    rows_saved: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    handed_in: int = 0
    bytes_sent: int = 0


class Fault(Exception):
    """An answer that a teacher would have to call somebody about."""


class Teacher:
    """One visitor with cookies of their own."""

    def __init__(self, number: int, address: str, heard: Heard, link: aiohttp.ClientSession) -> None:
        self.number, self.address, self.heard, self.link = number, address, heard, link
        self.luck = random.Random(number)

    async def ask(self, kind: str, path: str, *, leads_to: str = "", **sent: object) -> str:
        """The text of the answer; of one that leads to another page, of that page."""
        began = time.perf_counter()
        method = "POST" if "data" in sent else "GET"
        address = self.address + path
        async with self.link.request(method, address, allow_redirects=False, **sent) as answer:  # type: ignore[arg-type]
            text = await answer.text()
        self.heard.milliseconds[kind].append((time.perf_counter() - began) * 1000)
        self.heard.bytes_sent += len(text.encode())
        if leads_to and answer.status == 302:
            text = await self.ask(leads_to, answer.headers["Location"])
            self.heard.together[f"{kind}, {leads_to}"].append((time.perf_counter() - began) * 1000)
            return text
        if answer.status != 200:
            raise Fault(f"{kind}: {answer.status}")
        return text

    async def work(self, begins: float) -> None:
        await asyncio.sleep(begins)
        try:
            await self.file()
        except (Fault, aiohttp.ClientError, TimeoutError) as fault:
            self.heard.faults[str(fault) or type(fault).__name__] += 1

    async def file(self) -> None:
        page = await self.ask("sign-in page", "/login/")
        said = {"username": f"teacher{self.number}", "password": PASSWORD, "csrfmiddlewaretoken": _one(_TOKEN, page)}
        home = await self.ask("sign in", "/login/", leads_to="first page", data=said, headers=self.from_here("/login/"))
        desk = _one(_DESK, home)
        page = await self.ask("class page", desk)
        base, token, rows = _one(_BASE, page), _one(_TOKEN, page), _ROW.findall(page)
        if len(rows) < TICKED:
            raise Fault(f"class page: only {len(rows)} pupils to file for")
        typed: dict[str, str] = {}
        seen = dict(rows)
        waiting: list[str] = []

        async def save() -> None:
            some = list(waiting)
            waiting.clear()
            form = [("csrfmiddlewaretoken", token)] + [each for key in some for each in _row(key, typed, seen)]
            kept = await self.ask("rows saved", f"{base}rows/", data=form, headers=self.from_here(desk))
            for key, said in json.loads(kept)["rows"].items():
                if said["status"] != 200:
                    raise Fault(f"row: {said['said']}")
                seen[key] = said["seen"]
                self.heard.rows_saved += 1

        saving: asyncio.Task[None] | None = None
        last = -_BETWEEN
        for key, _ in rows[:TICKED]:
            await asyncio.sleep(self.luck.uniform(*_TYPING))
            typed[key] = self.luck.choice(("父亲患病，家庭收入低", "父母务农，收入不稳定", "家中三人上学，开支较大"))
            waiting.append(key)
            now = time.perf_counter()
            if now - last >= _BETWEEN and (saving is None or saving.done()):
                if saving:
                    await saving  # what went wrong is said
                last, saving = now, asyncio.create_task(save())
        if saving:
            await saving
        if waiting:
            await save()
        form = [("csrfmiddlewaretoken", token), ("submit", "1")]
        form += [each for key in typed for each in _row(key, typed, seen)]
        form += [(f"seen_{key}", seen[key]) for key, _ in rows[TICKED:]]
        page = await self.ask("hand in", desk, leads_to="class page again", data=form, headers=self.from_here(desk))
        self.heard.handed_in += int(_one(_HANDED_IN, page))

    def from_here(self, path: str) -> dict[str, str]:
        return {"Referer": self.address + path}


def _one(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    if not found:
        raise Fault(f"nothing like {pattern.pattern} on the page")
    return found[1]


def _row(key: str, typed: dict[str, str], seen: dict[str, str]) -> list[tuple[str, str]]:
    """One ticked row as the page sends it."""
    return [("apply", key), (f"seen_{key}", seen[key]), (f"tier_{key}", ""), (f"reason_{key}", typed[key])]


async def _visit(address: str, heard: Heard) -> None:
    longest = TICKED * sum(_TYPING) / 2 + 5
    luck = random.Random(1)
    limit = aiohttp.ClientTimeout(total=60)
    async with asyncio.TaskGroup() as group:
        for number in range(TEACHERS):
            begins = luck.uniform(0, max(SECONDS - longest, 1))
            group.create_task(_one_visit(number, address, heard, begins, limit))


async def _one_visit(number: int, address: str, heard: Heard, begins: float, limit: aiohttp.ClientTimeout) -> None:
    async with aiohttp.ClientSession(timeout=limit, cookie_jar=aiohttp.CookieJar(unsafe=True)) as link:
        await Teacher(number, address, heard, link).work(begins)


def report(heard: Heard, installation: Installation, seconds: float) -> None:
    every = sorted(each for kind in heard.milliseconds.values() for each in kind)
    for kind, taken in heard.milliseconds.items():
        print(f"   {kind:<28}{len(taken):>6} × {_line(sorted(taken))}")
    print(f"   {'all answers':<28}{len(every):>6} × {_line(every)}")
    for kind, taken in heard.together.items():
        print(f"   {kind:<28}{len(taken):>6} × {_line(sorted(taken))}")
    (stands,) = installation.ask("SELECT COUNT(*) FROM subsidies_application WHERE state = 'submitted'")[0]
    kind = "SQLite" if installation.is_sqlite else "PostgreSQL"
    print(f"   {kind}: {TEACHERS} teachers in {seconds:.0f} s; {len(every) / seconds:.0f} requests a second")
    print(f"   pages said {heard.handed_in} were handed in, the database holds {stands}; wanted {TEACHERS * TICKED}")
    print(f"   rows saved while typing: {heard.rows_saved}")
    print(f"   faults: {dict(heard.faults) or 'none'}; errors in the log: {len(installation.errors_logged)}")
    over = every[int(len(every) * 0.95)] / GOAL_MS
    print(f"   95 of 100 answers within {over * GOAL_MS:.0f} ms: {over:.2f}× the goal of {GOAL_MS} ms")


def _line(taken: list[float]) -> str:
    at = [taken[min(int(len(taken) * part), len(taken) - 1)] for part in (0.5, 0.95, 0.99)]
    return "median {:6.0f} ms, 95 % {:6.0f}, 99 % {:6.0f}, slowest {:6.0f}".format(*at, taken[-1])


def main() -> None:
    heard = Heard()
    # The installation is started as from a shell: with the server of --services, without the settings of benchmarks.
    if server := os.environ.get("BENCH_DATABASE_URL"):
        os.environ["DATABASE_URL"] = server
    with (
        tempfile.TemporaryDirectory(prefix="aid-load-") as place,
        running(Path(place) / "load", filled_by="benchmarks._filing_county") as installation,
    ):
        began = time.perf_counter()
        asyncio.run(_visit(installation.address, heard))
        report(heard, installation, time.perf_counter() - began)
