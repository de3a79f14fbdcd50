"""The picture in docs/architecture.md is the code's own."""

import re

import grimp
from django.conf import settings

DOCUMENT = settings.BASE_DIR / "docs" / "architecture.md"


def test_architecture_picture_matches_the_imports() -> None:
    drawn = set(re.findall(r"^  (\w+) --> (\w+)$", DOCUMENT.read_text(), re.MULTILINE))
    graph = grimp.build_graph(*settings.HOUSE)
    real = {
        (module.split(".")[0], known.split(".")[0])
        for module in graph.modules
        for known in graph.find_modules_directly_imported_by(module)
    }
    assert drawn == {(one, other) for one, other in real if one != other}


def test_architecture_names_files_that_exist() -> None:
    for package, files in re.findall(r"^\| `(\w+)/` \|.*\| ([^|]*) \|$", DOCUMENT.read_text(), re.MULTILINE):
        for name in re.findall(r"`(\w+\.py)`", files):
            assert (settings.BASE_DIR / package / name).exists(), f"{package}/{name}"
