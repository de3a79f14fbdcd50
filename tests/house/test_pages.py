"""Guards over templates and static files: nothing from elsewhere, nothing inline, nothing missing."""

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.template.loader import get_template

from aidadmin.navigation import DOORS
from tests.house.tree import ROOT, files, name_of

TEMPLATES = list(files("templates", "*.html", "*.svg"))
# Printed papers are set by WeasyPrint, not by a browser: no security policy, their style may stand in them.
PAGES = [path for path in TEMPLATES if "print" not in path.parts]
STYLED = [*TEMPLATES, *files("static", "*.css", "*.js", "*.svg"), *files("templates", "*.css")]

# src="http…", href="//…", url(http…), @import "…": what a browser would fetch from another machine.
ELSEWHERE = re.compile(
    r"""(?:\b(?:src|href|srcset|action|data)\s*=\s*["']?|url\(\s*["']?|@import\s+["']?)(?:https?:)?//"""
)
INLINE_SCRIPT = re.compile(r"<script\b(?![^>]*\bsrc=)|\son[a-z]+\s*=\s*[\"']|javascript:", re.IGNORECASE)
INLINE_STYLE = re.compile(r"<style\b|\sstyle\s*=\s*[\"']", re.IGNORECASE)


def found(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    return [
        f"{name_of(path)}:{number} {line.strip()[:80]}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]


def test_nothing_is_loaded_from_elsewhere():
    assert found(ELSEWHERE, STYLED) == []


def test_pages_hold_no_inline_script():
    assert found(INLINE_SCRIPT, PAGES) == []


def test_pages_hold_no_inline_style():
    assert found(INLINE_STYLE, PAGES) == []


def test_every_static_file_that_a_page_names_exists():
    named = re.compile(r"""\{%\s*static\s+["']([^"']+)["']""")
    missing = [
        f"{name_of(path)}: {name}"
        for path in TEMPLATES
        for name in named.findall(path.read_text(encoding="utf-8"))
        if finders.find(name) is None
    ]
    assert not missing


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_template_can_be_read(path: Path):
    get_template(path.relative_to(ROOT / "templates").as_posix())


def test_forms_that_change_something_carry_the_token():
    post = re.compile(r"<form\b[^>]*method=[\"']?post", re.IGNORECASE)
    bad = []
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        if len(post.findall(text)) > text.count("csrf_token"):
            bad.append(name_of(path))
    assert not bad


def test_pages_that_stand_alone_extend_the_base():
    alone = [
        name_of(path)
        for path in PAGES
        if path.suffix == ".html"
        and not path.name.startswith("_")
        and "django" not in path.parts
        and not path.name.endswith("base.html")
        and path.name != "500.html"  # it must not need the database the base asks
        and "{% extends" not in path.read_text(encoding="utf-8")
    ]
    assert not alone


def test_every_door_of_the_navigation_has_its_picture():
    drawn = set(re.findall(r'<symbol id="(\w+)"', (ROOT / "static/icons/set.svg").read_text(encoding="utf-8")))
    assert {name for _, _, name, _ in DOORS} - drawn == set()
