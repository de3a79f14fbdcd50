"""Guards over the code: what may not be called where, and which names a file may not have."""

import ast
import subprocess

from tests.house.tree import ORDER, ROOT, calls, modules, name_of

FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "core", "services", "misc", "shared", "base", "lib"}


WRITING = {"save", "create", "bulk_create", "update_or_create", "get_or_create", "bulk_update", "atomic", "delete"}


# Django looks for a database's connection under this name.
NAMED_BY_DJANGO = {"aidadmin/sqlite3/base.py"}


def test_no_module_is_a_junk_drawer():
    bad = [name_of(path) for path in modules() if path.stem in FORBIDDEN_NAMES or path.parent.name in FORBIDDEN_NAMES]
    assert set(bad) <= NAMED_BY_DJANGO


def test_pages_write_nothing_themselves():
    pages = [path for path in modules() if "views" in path.parts or path.stem in ("views", "public_views")]
    bad = [f"{name_of(path)}:{line} {name}()" for path in pages for line, name in calls(path) if name in WRITING]
    assert not bad


def test_no_amount_passes_through_a_floating_point_number():
    paths = [*modules("subsidies"), ROOT / "documents" / "amounts.py"]
    bad = [
        f"{name_of(path)}:{line}" for path in paths if path.exists() for line, name in calls(path) if name == "float"
    ]
    assert not bad


# Questions to the machine's clock. With an argument (`timezone.localdate(moment)`) they only convert.
CLOCKS = {"date.today", "datetime.now", "datetime.utcnow", "timezone.now", "timezone.localdate", "timezone.localtime"}
# Where the machine's own time is meant, and why.
MACHINE_TIME = {
    "accounts/clock.py": "the one place that asks",
    "documents/signing.py": "certificates and signatures hold in the real world, not on the demo's day",
    "students/list_versions.py": "leases between workers run by the machine",
    "accounts/audit_checks.py": "leases between workers run by the machine",
    "subsidies/concerns.py": "leases between workers run by the machine",
    "subsidies/payout_sheets.py": "leases between workers run by the machine",
}


def test_the_day_comes_from_our_clock():
    """Everybody asks `accounts.clock`, or the demo's day would be forgotten here and there."""
    bad = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and not node.args
                and ".".join(ast.unparse(node.func).split(".")[-2:]) in CLOCKS
            ):
                bad.append(f"{name_of(path)}:{node.lineno} {ast.unparse(node)}")
    assert [place for place in bad if place.split(":")[0] not in MACHINE_TIME] == []


def test_every_public_function_says_its_types():
    bad = []
    for path in modules():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and not _typed(node):
                bad.append(f"{name_of(path)}:{node.lineno} {node.name}")
    assert not bad


def _typed(node: ast.FunctionDef) -> bool:
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return node.returns is not None and all(argument.annotation is not None for argument in arguments)


def test_every_module_says_what_it_is_about():
    silent = [
        name_of(path)
        for path in modules()
        if (text := path.read_text(encoding="utf-8")).strip() and ast.get_docstring(ast.parse(text)) is None
    ]
    assert not silent


def test_nothing_of_others_is_copied_into_the_tree():
    """Scripts, sheets and fonts of others come with their packages; ours are few and named aid*."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if listing.returncode != 0:  # an unpacked archive without history
        return
    endings = (".js", ".css", ".woff", ".woff2", ".ttf", ".otf", ".ttc", ".map")
    present = [line for line in listing.stdout.splitlines() if line.endswith(endings)]
    # What we print has its own sheet beside its template.
    foreign = [line for line in present if not line.startswith(("static/aid", "templates/"))]
    assert not foreign
    assert not [line for line in present if line.endswith(endings[2:])]


def test_top_level_holds_only_what_the_house_names():
    rooms = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    known = {*ORDER, "templates", "static", "tests", "docs", "deploy", "benchmarks", "var"}
    assert rooms - known - {"__pycache__"} == set()


def test_the_services_run_leaves_out_what_has_no_database(request):
    """If every test bore the mark, the second half of a whole run would be the first once more."""
    marked = [item for item in request.session.items if item.get_closest_marker("services")]
    house = [item for item in request.session.items if item.nodeid.startswith("tests/house/test_code.py")]
    assert house
    assert not set(house) & set(marked)
