"""The launcher `./aid`: its decisions, with stand-ins for the machine's programs; nothing is installed here."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.house.tree import ROOT

PRETEND_PYTHON = '#!/bin/sh\n[ "$1" = -c ] && exit 0\nprintf "%s\\n" "ran:" "$@"\n'


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine with every package there and the environment made: `aid` has nothing to do but to run."""
    tree, bin_ = tmp_path / "a tree", tmp_path / "bin"
    (tree / ".venv" / "bin").mkdir(parents=True)
    bin_.mkdir()
    shutil.copy(ROOT / "aid", tree / "aid")
    for lock in ("requirements.lock", "requirements-test.lock"):
        (tree / lock).write_text(f"{lock}==1\n")
        with (tree / lock).open() as content:
            stamp = subprocess.run(["cksum"], stdin=content, capture_output=True, text=True, check=True).stdout
        (tree / ".venv" / f"{lock}.installed").write_text(stamp)
    _program(tree / ".venv" / "bin" / "python", PRETEND_PYTHON)
    _program(bin_ / "dpkg-query", "#!/bin/sh\necho installed\n")
    _program(bin_ / "id", "#!/bin/sh\necho 1000\n")
    _program(bin_ / "sudo", "#!/bin/sh\nexit 1\n")
    _program(bin_ / "apt-get", f"#!/bin/sh\necho called >> '{tmp_path}/apt-called'\nexit 1\n")
    return tmp_path


def _program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def run(machine: Path, *arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """Start `aid` from elsewhere, with hardly any environment."""
    return subprocess.run(
        [str(machine / "a tree" / "aid"), *arguments],
        env={"PATH": f"{machine / 'bin'}:{os.defpath}:/usr/bin:/bin", **env},
        cwd="/",
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
    )


def ran(result: "subprocess.CompletedProcess[str]") -> list[str]:
    return result.stdout.splitlines()[1:]


def test_the_script_has_no_syntax_error():
    subprocess.run(["sh", "-n", str(ROOT / "aid")], check=True)


def test_arguments_reach_manage_py_unchanged(machine):
    result = run(machine, "demo", "--data", "a b", "")
    assert ran(result) == [str(machine / "a tree" / "manage.py"), "demo", "--data", "a b", ""]
    assert result.stderr == ""


def test_tests_and_benchmarks_have_their_own_programs(machine):
    assert ran(run(machine, "test", "-k", "a or b")) == ["-m", "tests", "-k", "a or b"]
    assert ran(run(machine, "bench", "sheets")) == ["-m", "benchmarks", "sheets"]


def test_missing_packages_stop_with_the_line_to_run(machine):
    _program(machine / "bin" / "dpkg-query", '#!/bin/sh\ncase "$*" in *pango-1*) exit 1;; *) echo installed;; esac\n')
    result = run(machine, "help")
    assert result.returncode == 1
    assert "apt-get install -y --no-install-recommends libpango-1.0-0'" in result.stderr
    assert result.stdout == ""
    assert not (machine / "apt-called").exists()


def test_a_removed_package_counts_as_missing(machine):
    _program(machine / "bin" / "dpkg-query", "#!/bin/sh\necho config-files\n")
    assert "fonts-noto-cjk" in run(machine, "help").stderr


def test_only_the_services_mode_asks_for_the_servers(machine):
    _program(machine / "bin" / "dpkg-query", "#!/bin/sh\nexit 1\n")
    assert "postgresql" not in run(machine, "test").stderr
    assert "postgresql redis-server" in run(machine, "test", "--services").stderr
    assert "chromium" not in run(machine, "demo").stderr


def test_root_installs_and_says_so_when_that_fails(machine):
    _program(machine / "bin" / "dpkg-query", "#!/bin/sh\nexit 1\n")
    _program(machine / "bin" / "id", "#!/bin/sh\necho 0\n")
    result = run(machine, "help")
    assert result.returncode == 1
    assert (machine / "apt-called").exists()
    assert "没有装好" in result.stderr


def test_the_check_of_packages_can_be_left_out(machine):
    _program(machine / "bin" / "dpkg-query", "#!/bin/sh\nexit 1\n")
    assert run(machine, "help", AID_SKIP_SYSTEM="1").returncode == 0


def test_too_old_a_python_is_named(machine):
    (machine / "a tree" / ".venv" / "requirements.lock.installed").unlink()
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        _program(machine / "bin" / name, "#!/bin/sh\nexit 1\n")
    result = run(machine, "help")
    assert result.returncode == 1
    assert "Python" in result.stderr


@pytest.mark.parametrize("damage", ["no stamp", "other lock", "no interpreter"])
def test_an_environment_that_does_not_fit_is_made_again(machine, damage):
    """How it is made is recorded by a stand-in for python3; a stamp is written only after everything was installed."""
    tree, log = machine / "a tree", machine / "python-called"
    stamp = tree / ".venv" / "requirements.lock.installed"
    if damage == "no stamp":
        for path in (tree / ".venv").glob("*.installed"):
            path.unlink()
    elif damage == "other lock":
        (tree / "requirements.lock").write_text("newer==2\n")
    else:
        (tree / ".venv" / "bin" / "python").unlink()
    make = f'mkdir -p "$4/bin"; cp "{machine}/bin/venv-python" "$4/bin/python"'
    record = f'echo "$@" >> "{log}"'
    _program(machine / "bin" / "venv-python", f"#!/bin/sh\n{record}\nexit 0\n")
    _program(machine / "bin" / "python3", f'#!/bin/sh\n{record}\n[ "$3" = venv ] && {{ {make}; }}\nexit 0\n')
    if damage == "other lock":
        _program(tree / ".venv" / "bin" / "python", f"#!/bin/sh\n{record}\nexit 0\n")
    result = run(machine, "help")
    assert result.returncode == 0, result.stderr
    assert "install --quiet --require-hashes" in log.read_text()
    assert ("-m venv" in log.read_text()) == (damage != "other lock")  # a sound one is brought up to date in place
    assert stamp.exists()
    before = log.read_text().count("install --quiet")
    run(machine, "help")
    assert log.read_text().count("install --quiet") == before  # and the next start installs nothing


def test_an_installation_that_breaks_off_leaves_no_stamp(machine):
    tree = machine / "a tree"
    (tree / "requirements.lock").write_text("newer==2\n")
    _program(tree / ".venv" / "bin" / "python", '#!/bin/sh\ncase "$*" in *"pip"*install*) exit 1;; esac\nexit 0\n')
    result = run(machine, "help")
    assert result.returncode == 1
    assert "依赖没有装全" in result.stderr
    assert list((tree / ".venv").glob("*.installed")) == []


# --- the locks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-test.lock"])
def test_a_lock_pins_everything_with_hashes_and_names_no_host(name):
    text = (ROOT / name).read_text()
    assert "://" not in text
    assert "index-url" not in text
    pins = [block for block in text.replace("\\\n", " ").splitlines() if "==" in block and not block.startswith("#")]
    assert len(pins) > 40
    assert all("--hash=sha256:" in pin for pin in pins)


def test_the_test_lock_holds_the_runtime_lock_version_for_version():
    runtime, test = (_pins(name) for name in ("requirements.lock", "requirements-test.lock"))
    assert {name: version for name, version in test.items() if name in runtime} == runtime


def test_every_direct_dependency_is_locked_and_has_its_reason():
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    direct = [line for line in lines if line.startswith('    "') and ">=" in line.split("#")[0]]
    assert len(direct) > 30
    assert [line for line in direct if "#" not in line] == []
    named = {line.split('"')[1].split(">=")[0].split("[")[0] for line in direct}
    assert named - set(_pins("requirements-test.lock")) == set()


def _pins(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text().splitlines()
    pairs = (line.split(" ")[0].split("==") for line in lines if "==" in line and not line.startswith((" ", "#")))
    return {package.split("[")[0]: version for package, version in pairs}
