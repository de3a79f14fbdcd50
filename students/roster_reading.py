"""A workbook as rows of pupils; and those rows kept, sealed, so that a large file is read once and not at every step.

Reading depends on nothing but the file, the day, what the county said about its headers, and what a short form
of a grade (三, 2024级) means for the unit in the term.
"""

import contextlib
import datetime as dt
import hashlib
import itertools
import json
import marshal
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from django.core.exceptions import ValidationError

from accounts.models import Unit
from documents import filestore, vault
from documents.workbooks import COUNTY_BOUNDS, ROSTER_BOUNDS, Bounds, Workbook, open_workbook

from . import columns, grades, roster_rows
from .columns import BY_KEY, Layout
from .models import HeaderMeaning, School, SchoolClass, Term
from .progress import SILENT, Reporter
from .roster_rows import Findings, RosterRow

_VERSION = 4  # raised when the readers change what they make of a file
_STEP = 1000
FOLDER = "readings"


class TooManyRows(Exception):
    """More rows than the caller has time for."""


@dataclass
class Reading:
    """All pupils of a workbook, those with errors too, and what is to be said of them so far."""

    sheets: list[str] = field(default_factory=list)
    places: list[dict[str, int]] = field(default_factory=list)  # of each sheet: column's key → index of the cell
    rows: list[RosterRow] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    question: dict[str, Any] = field(default_factory=dict)  # how the columns were understood; see students.columns


def bounds_of(unit: Unit) -> Bounds:
    return ROSTER_BOUNDS if unit.parent_id else COUNTY_BOUNDS


def meanings_in(unit: Unit) -> dict[str, str]:
    """What people of the unit's county have said about headers."""
    county = int(unit.path.split("/", 1)[0])
    return dict(HeaderMeaning.objects.filter(county=county).values_list("header", "column"))


def short_forms_in(unit: Unit, term: Term) -> dict[str, grades.Grade]:
    """What 三, 3 and 2024级 mean as a grade in the unit's rosters of the term; see `grades.short_forms`."""
    taught = [
        set(stages)
        for stages in School.objects.filter(unit__path__startswith=unit.path).values_list("stages", flat=True)
    ]
    classes = SchoolClass.objects.filter(unit__path__startswith=unit.path, stage="junior", grade="六年级")
    # Where junior school begins with 六年级 (五四学制), its first grade is not 七年级.
    return {} if classes.exists() else grades.short_forms(set().union(*taught), int(term.key[:4]))


def read(
    content: bytes,
    *,
    unit: Unit,
    on: dt.date,
    meanings: Mapping[str, str],
    short: Mapping[str, grades.Grade],
    progress: Reporter = SILENT,
    most_rows: int | None = None,
) -> Reading:
    """The rows of the workbook. Raises ValidationError, one sentence, for a file that is not a roster at all;
    columns.MappingNeeded when a person has to say which column is which; TooManyRows beyond `most_rows`.
    """
    progress.phase("读取文件")
    with open_workbook(content, bounds_of(unit)) as book:
        reading = Reading()
        layouts = _layouts(book, unit, meanings, short, reading)
        reading.question = columns.question(layouts, every=True)
        for sheet, layout in enumerate(layouts):
            _note_meanings(layout, meanings, reading.findings, sheet)
            if layout.class_said:
                told = f"没有“班级”列，按工作表的名称或标题，全部学生都读作“{layout.class_said}”。"
                reading.findings.note(sheet, told)
            source = book.rows(layout.sheet_index)
            for row in roster_rows.read_rows(layout, source, reading.findings, sheet=sheet, on=on):
                reading.rows.append(row)
                if len(reading.rows) % _STEP == 0:
                    progress.step(len(reading.rows))
                if most_rows is not None and len(reading.rows) > most_rows:
                    raise TooManyRows
    if not reading.rows:
        raise ValidationError("表头下面没有任何学生。请检查名册是否选对；什么都没有保存。")
    return reading


def _layouts(
    book: Workbook,
    unit: Unit,
    meanings: Mapping[str, str],
    short: Mapping[str, grades.Grade],
    reading: Reading,
) -> list[Layout]:
    """The sheets that are read. Nothing is guessed: a sheet that means to be a roster is whole, or is asked about."""
    found, aside, hidden = [], [], []
    for index, sheet in enumerate(book.sheets):
        head = list(itertools.islice(book.rows(index), columns.HEADER_ROWS + columns.SAMPLE_ROWS + 1))
        if columns.is_our_summary(sheet, head):
            continue
        layout = columns.find_layout(
            sheet, index, head, meanings=meanings, needs_school=unit.parent_id is None, short=short
        )
        if sheet.hidden:
            # Whoever hid it may have meant to leave it out, or may not know of it. Lists of words are no matter.
            hidden += [sheet.name] if layout is not None and layout.is_roster and layout.samples else []
        elif layout is not None and meanings.get(columns.sheet_token(layout)) == "":
            # Somebody said so of another file perhaps, so this one is told.
            told = f"按以前的回答没有读取工作表“{sheet.name}”。如果其中有学生，请把工作表改名后重新上传。"
            reading.findings.add("note", None, None, "", told)
        elif layout is not None:
            found.append(layout)
        elif head:
            aside.append(sheet.name)
    rosters = [layout for layout in found if layout.is_roster or layout.is_whole]
    unsure = [layout for layout in rosters if not layout.is_whole]
    if unsure:
        raise columns.ask(unsure, or_without=len(rosters) > len(unsure))
    names_of_hidden = "、".join(f"“{name}”" for name in hidden)
    if not rosters:
        if hidden:
            sentence = f"名册在隐藏的工作表{names_of_hidden}里，隐藏的工作表不读取，什么都没有保存。"
            raise ValidationError(f"{sentence}请在 Excel 或 WPS 里右键点工作表标签，选“取消隐藏”，保存后再上传。")
        if not found:
            raise columns.no_header()
        raise columns.ask([min(found, key=lambda layout: len(layout.missing))])
    reading.sheets = [layout.sheet for layout in rosters]
    reading.places = [layout.places for layout in rosters]
    if hidden:
        told = f"隐藏的工作表{names_of_hidden}没有读取。其中的学生也要导入的，请取消隐藏，保存后重新上传。"
        reading.findings.add("note", None, None, "", told[:400])
    aside += [layout.sheet for layout in found if layout not in rosters]
    aside = [name for name in aside if name not in columns.SHEETS_OF_WORDS]
    if aside:
        names = "、".join(f"“{name}”" for name in aside)
        reading.findings.add(
            "note", None, None, "", f"没有读取这些工作表：{names}，里面没有姓名和身份证件号两列。"[:300]
        )
    return rosters


def _note_meanings(layout: Layout, meanings: Mapping[str, str], findings: Findings, sheet: int) -> None:
    said = [
        f"“{layout.headings[index].text}”作为“{BY_KEY[key].label}”"
        for key, index in layout.places.items()
        if meanings.get(layout.headings[index].token) == key
    ]
    if said:
        findings.note(sheet, f"按以前确认过的列名读取：{'，'.join(said)}。"[:400])


# --- kept ----------------------------------------------------------------------------------------------


def name_of(
    sha256: str, *, unit: Unit, on: dt.date, meanings: Mapping[str, str], short: Mapping[str, grades.Grade]
) -> str:
    """The name under which the reading of this file, for this unit, on this day, is kept."""
    forms = sorted((text, grade.name) for text, grade in short.items())
    said = json.dumps([_VERSION, sys.version, sha256, unit.pk, on.isoformat(), sorted(meanings.items()), forms])
    return f"{FOLDER}/{hashlib.sha256(said.encode()).hexdigest()}"


def keep(name: str, reading: Reading) -> None:
    """Keep the reading, sealed as the file itself is. It saves time and nothing else, so a full disk is no fault."""
    whole = (
        reading.sheets,
        reading.places,
        [tuple(row) for row in reading.rows],
        reading.findings.totals,
        reading.findings.kept,
        reading.findings.without_account,
        reading.question,
    )
    with contextlib.suppress(filestore.DiskFull):
        filestore.put(name, zlib.compress(marshal.dumps(whole), 1))


def kept(name: str) -> Reading | None:
    """The reading kept under the name; None when there is none that can be read."""
    try:
        sealed = filestore.get(name)
    except (FileNotFoundError, vault.VaultError, InvalidTag):
        return None
    sheets, places, rows, totals, entries, without_account, question = marshal.loads(zlib.decompress(sealed))  # noqa: S302 - sealed by us
    findings = Findings()
    findings.totals, findings.kept, findings.without_account = totals, entries, without_account
    return Reading(sheets, places, list(map(RosterRow._make, rows)), findings, question)
