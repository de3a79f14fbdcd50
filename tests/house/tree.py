"""The project's own files, as the house tests read them."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# In the order of house.md: each may know only those before it.
ORDER = ["accounts", "documents", "students", "subsidies", "publicity", "archives", "aidadmin"]


def modules(*packages: str) -> Iterator[Path]:
    """Our Python files, migrations left out."""
    for package in packages or ORDER:
        yield from (path for path in sorted((ROOT / package).rglob("*.py")) if "migrations" not in path.parts)


def files(folder: str, *patterns: str) -> Iterator[Path]:
    for pattern in patterns:
        yield from sorted((ROOT / folder).rglob(pattern))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def calls(path: Path) -> Iterator[tuple[int, str]]:
    """Line and last name of everything called in a module: `a.b.save(…)` gives "save"."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = node.func
            if any(word.arg == "commit" and getattr(word.value, "value", None) is False for word in node.keywords):
                continue  # a form's save(commit=False) writes nothing
            yield node.lineno, called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
