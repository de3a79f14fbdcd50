"""A refusal says what to do next: of the reviews and the re-check, sentence by sentence."""

import ast
from pathlib import Path

import pytest

import subsidies

MODULES = (
    "reviews", "minutes", "review_groups", "school_desk", "ranking", "officer_checks", "recognitions", "completeness"
)  # fmt: skip
_REFUSALS = {"ValidationError", "PermissionDenied", "StaleState", "Finding"}


def sentences(module: str) -> list[str]:
    """The words of each refusal, and of each finding, that stand in the source."""
    tree = ast.parse((Path(subsidies.__file__).parent / f"{module}.py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = [call for call in calls if getattr(call.func, "attr", getattr(call.func, "id", "")) in _REFUSALS]
    # What is gathered first and raised as a list, or made into a finding by a name.
    named += [call for call in calls if ast.unparse(call.func) == "found.append"]
    assigned = [node for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    words = [node for node in assigned if ast.unparse(node.targets[0]) == "words"]
    said = []
    for node in [*named, *words]:
        parts = [c.value for c in ast.walk(node) if isinstance(c, ast.Constant) and isinstance(c.value, str)]
        names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        text = "".join(parts)
        if "。" in text and "_ASK" not in names:  # _ASK asks
            said.append(text)
    return said


@pytest.mark.parametrize("module", MODULES)
def test_each_refusal_says_what_to_do_next(module: str) -> None:
    assert [said for said in sentences(module) if "请" not in said.replace("申请", "")] == []


def test_the_sentences_are_found() -> None:
    assert len([said for module in MODULES for said in sentences(module)]) > 50
