"""Workbooks for tests: made, bent, read back, and sent through LibreOffice."""

import io
import os
import subprocess
import tempfile
import zipfile
from pathlib import Path

from openpyxl import Workbook

from documents import workbooks

NS = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
SHEET = "xl/worksheets/sheet1.xml"
_FILTERS = {
    "xlsx": "xlsx:Calc MS Excel 2007 XML",
    "xls": "xls:MS Excel 97",
    "fods": "fods:OpenDocument Spreadsheet Flat XML",
    # every sheet, UTF-8, as shown
    "csv": "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1",
}


def save(book: Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def book(*rows, title: str = "名册") -> Workbook:
    made = Workbook()
    made.active.title = title
    for row in rows:
        made.active.append(row)
    return made


def replace(content: bytes, compression: int = zipfile.ZIP_DEFLATED, **parts: bytes | None) -> bytes:
    """The package with some parts exchanged or added; None leaves one out."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", compression) as new:
        for name in {**dict.fromkeys(old.namelist()), **parts}:
            if name not in parts:
                new.writestr(name, old.read(name))
            elif (part := parts[name]) is not None:
                new.writestr(name, part)
    return out.getvalue()


def part(content: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        return package.read(name)


def with_rows(xml: str) -> bytes:
    """A workbook whose first sheet holds this <sheetData>."""
    sheet = f"<worksheet {NS}><sheetData>{xml}</sheetData></worksheet>".encode()
    return replace(save(book(["x"])), **{SHEET: sheet})


def rows(content: bytes, bounds: workbooks.Bounds = workbooks.ROSTER_BOUNDS, sheet: int = 0) -> dict[int, list]:
    """The rows of one sheet, by number, without empty cells at their ends."""
    with workbooks.open_workbook(content, bounds) as opened:
        return {number: _trimmed(values) for number, values in opened.rows(sheet)}


def _trimmed(values: list) -> list:
    while values and values[-1] is None:
        values = values[:-1]
    return values


def through_libreoffice(to: str, **files: bytes) -> dict[str, bytes]:
    """Each file (name_extension=content) opened by LibreOffice and saved in another format; by the new file's name.

    A CSV comes as one file per sheet: name-sheet.csv.
    """
    with tempfile.TemporaryDirectory() as directory:
        here, out = Path(directory), Path(directory) / "out"
        sources = []
        for name, content in files.items():
            stem, _, extension = name.rpartition("_")
            sources.append(here / f"{stem}.{extension}")
            sources[-1].write_bytes(content)
        command = ["soffice", f"-env:UserInstallation={(here / 'profile').as_uri()}", "--headless", "--norestore"]
        command += ["--convert-to", _FILTERS[to], "--outdir", str(out), *map(str, sources)]
        # No network, no display, no settings of whoever runs the tests.
        environment = {"PATH": os.environ["PATH"], "HOME": directory, "LANG": "C.UTF-8"}
        subprocess.run(command, check=True, capture_output=True, timeout=600, env=environment)
        return {path.name: path.read_bytes() for path in out.iterdir()}
