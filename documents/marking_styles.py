"""The styles part of somebody else's workbook: a few styles added at its end, all else left as it stands."""

import re
from dataclasses import dataclass, field
from typing import Literal
from xml.parsers import expat

from .xlsx_package import damaged, refuse_doctype

Level = Literal["error", "warning"]

# Not quite the red and yellow everybody uses: a file marked before is known by exactly these.
COLOURS: dict[Level, str] = {"error": "FFFFC9CE", "warning": "FFFFE9A6"}
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
# The elements of a style sheet stand in this order; those we add to, with what must be there before ours.
_ORDER = (
    "numFmts", "fonts", "fills", "borders", "cellStyleXfs", "cellXfs", "cellStyles", "dxfs", "tableStyles", "colors",
    "extLst",
)  # fmt: skip
_FIRST: dict[str, tuple[str, ...]] = {
    "fonts": ('<{p}font><{p}sz val="11"/><{p}name val="宋体"/></{p}font>',),
    "fills": tuple(
        f'<{{p}}fill><{{p}}patternFill patternType="{pattern}"/></{{p}}fill>' for pattern in ("none", "gray125")
    ),
    "borders": ("<{p}border><{p}left/><{p}right/><{p}top/><{p}bottom/><{p}diagonal/></{p}border>",),
    "cellXfs": ('<{p}xf numFmtId="0" fontId="0" fillId="0" borderId="0"/>',),
}
EMPTY = (
    f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<styleSheet xmlns="{_MAIN}">'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
).encode()


@dataclass
class _Container:
    """One list in the style sheet, by its place in the bytes; `children` are the bytes of each."""

    start: int
    end: int = 0  # behind its closing tag
    children: list[bytes] = field(default_factory=list)
    added: bool = False


class Styles:
    """Read once, added to, written once. Raises WorkbookRefused for what is no style sheet."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._containers: dict[str, _Container] = {}
        self._insert_at: dict[str, int] = {}  # element → where it begins
        self._prefix = ""
        self._closing = 0
        self._read()
        self._fills: dict[Level, int] = {}
        self._painted: dict[tuple[int, Level], int] = {}
        for name in _FIRST:
            self._make_sure_of(name)
        self._take_colours_away()

    def _read(self) -> None:
        parser = expat.ParserCreate()
        path: list[str] = []
        starts: list[int] = []

        def start(name: str, attributes: dict[str, str]) -> None:
            local, at = name.rpartition(":")[2], parser.CurrentByteIndex
            if not path:
                self._prefix = name.removesuffix(local)
            elif len(path) == 1:
                self._insert_at.setdefault(local, at)
                if local in _FIRST:
                    self._containers[local] = _Container(at)
            path.append(local)
            starts.append(at)

        def end(name: str) -> None:
            path.pop()
            begin, at = starts.pop(), parser.CurrentByteIndex
            behind = end_of_tag(self._data, begin)
            if self._data[behind - 2 : behind] != b"/>":
                behind = end_of_tag(self._data, at)
            if not path:
                self._closing = at
            elif len(path) == 1 and (container := self._containers.get(name.rpartition(":")[2])):
                container.end = behind
            elif len(path) == 2 and path[1] in self._containers:
                self._containers[path[1]].children.append(self._data[begin:behind])

        parser.StartElementHandler, parser.EndElementHandler = start, end
        parser.StartDoctypeDeclHandler = refuse_doctype
        try:
            parser.Parse(self._data, True)
        except (expat.ExpatError, ValueError) as error:
            raise damaged() from error
        if path or not self._closing or self._data[self._closing : self._closing + 2] != b"</":
            raise damaged()

    def _make_sure_of(self, name: str) -> None:
        """A list that is missing or empty is made, with the entries that everybody counts on."""
        container = self._containers.get(name)
        if container is None:
            later = [self._insert_at[n] for n in _ORDER[_ORDER.index(name) + 1 :] if n in self._insert_at]
            at = min(later, default=self._closing)
            container = self._containers[name] = _Container(at, at)
        if not container.children:
            for first in _FIRST[name]:
                self.add(name, first)

    def _take_colours_away(self) -> None:
        """What was marked in an earlier round stands there unmarked."""
        ours = {
            str(index)
            for index, fill in enumerate(self._containers["fills"].children)
            if any(colour.encode() in fill for colour in COLOURS.values())
        }
        formats = self._containers["cellXfs"]
        for index, xf in enumerate(formats.children):
            if ours & set(re.findall(r'\bfillId="(\d+)"', _tag(xf).decode("utf-8", "replace"))):
                formats.children[index] = _with(xf, fillId="0", applyFill="0")
                formats.added = True

    def add(self, container: str, xml: str) -> int:
        """Append an entry ("{p}" stands for the prefix of the elements); its index."""
        found = self._containers[container]
        found.children.append(xml.replace("{p}", self._prefix).encode())
        found.added = True
        return len(found.children) - 1

    def painted(self, style: int, level: Level) -> int:
        """The style with the colour of the level behind it."""
        if (style, level) not in self._painted:
            if level not in self._fills:
                colour = f'<{{p}}fgColor rgb="{COLOURS[level]}"/><{{p}}bgColor indexed="64"/>'
                solid = f'<{{p}}fill><{{p}}patternFill patternType="solid">{colour}</{{p}}patternFill></{{p}}fill>'
                self._fills[level] = self.add("fills", solid)
            formats = self._containers["cellXfs"]
            xf = formats.children[style if style < len(formats.children) else 0]
            formats.children.append(_with(xf, fillId=str(self._fills[level]), applyFill="1"))
            formats.added = True
            self._painted[style, level] = len(formats.children) - 1
        return self._painted[style, level]

    def written(self) -> bytes:
        """The part with everything that was added."""
        pieces, done = [], 0
        for name in sorted(self._containers, key=lambda n: (self._containers[n].start, _ORDER.index(n))):
            container = self._containers[name]
            if container.added:
                tag = f"{self._prefix}{name}"
                pieces += [self._data[done : container.start], f'<{tag} count="{len(container.children)}">'.encode()]
                pieces += [*container.children, f"</{tag}>".encode()]
                done = container.end
        return b"".join([*pieces, self._data[done:]])


def end_of_tag(data: bytes, start: int) -> int:
    """Behind the tag that begins at `start`."""
    return data.index(b">", start) + 1


def _tag(element: bytes) -> bytes:
    """The opening tag of an element."""
    return element[: end_of_tag(element, 0)]


def _with(element: bytes, **attributes: str) -> bytes:
    """The element with these attributes set in its opening tag."""
    tag = _tag(element)
    rest = element[len(tag) :]
    for name, value in attributes.items():
        tag = re.sub(rb'\s%s="[^"]*"' % name.encode(), b"", tag)
        tag = re.sub(rb"\s*(/?>)$", rb' %s="%s"\1' % (name.encode(), value.encode()), tag)
    return tag + rest
