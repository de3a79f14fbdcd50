"""One command in the foreground: parts are kept alive, and however it ends, no process stays behind."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from aidadmin.processes import queue_socket
from tests.house.tree import ROOT
from tests.services import free_port
from tests.waiting import SECONDS, until

pytestmark = pytest.mark.slow

# A supervisor over the parts given as arguments, each a Python program; what it says is its output.
SUPERVISOR = """
import os, sys
from pathlib import Path
from aidadmin import processes
processes.QUICK_DEATHS_ALLOWED = 3
with processes.Supervisor(env=os.environ, cwd=Path.cwd(), say=lambda text: print(text, flush=True)) as supervisor:
    try:
        for title, program in zip("甲乙丙", sys.argv[1:]):
            grace = 1 if "SIGTERM" in program else 300  # only who ignores it is to be killed
            supervisor.start(processes.Part(title, [sys.executable, "-c", program], grace=grace))
        print("started", flush=True)
        supervisor.watch()
        print("gave up", flush=True)
    except processes.Stopped:
        print("stopped", flush=True)
"""
# What a process ignores can be read from outside: by this one it says that it is as the test wants it.
READY = signal.SIGUSR1
# A part with a process of its own, as gunicorn and Celery have.
WITH_CHILD = """
import os, signal, time
from aidadmin.processes import die_with_parent
if os.fork() == 0:
    die_with_parent()
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
time.sleep(600)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
time.sleep(600)
"""
DOOMED = "raise SystemExit(7)"


@pytest.fixture
def supervise() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    started: list[subprocess.Popen[str]] = []

    def start(*programs: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISOR, *programs], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout.readline() == "started\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def children(process: "subprocess.Popen[str]", *, deep: bool = True) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=deep)


def family(process: "subprocess.Popen[str]", *, of_at_least: int) -> list[psutil.Process]:
    until(lambda: sum(is_ready(member) for member in children(process)) >= of_at_least)
    return children(process)


def gone(processes: list[psutil.Process]) -> bool:
    return not any(lives(process) for process in processes)


def lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def is_ready(process: psutil.Process) -> bool:
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return False
    return bool(int(re.search(r"SigIgn:\s*([0-9a-f]+)", status)[1], 16) >> (READY - 1) & 1)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_every_process(supervise, how):
    process = supervise(WITH_CHILD, WITH_CHILD)
    relatives = family(process, of_at_least=4)
    process.send_signal(how)
    assert process.wait(SECONDS) == 0
    assert process.stdout.read() == "stopped\n"
    until(lambda: gone(relatives))


def test_killing_the_supervisor_leaves_no_process(supervise):
    process = supervise(WITH_CHILD, WITH_CHILD)
    relatives = family(process, of_at_least=4)
    process.kill()
    until(lambda: gone(relatives))


def test_a_killed_part_is_started_again_without_what_it_left_behind(supervise):
    process = supervise(WITH_CHILD)
    old = family(process, of_at_least=2)
    children(process, deep=False)[0].kill()
    until(lambda: gone(old))
    new = family(process, of_at_least=2)
    assert not {part.pid for part in old} & {part.pid for part in new}
    assert "甲意外停止（被信号 9 结束）" in process.stdout.readline()


def test_a_part_that_will_not_end_is_killed(supervise):
    process = supervise(STUBBORN)
    relatives = family(process, of_at_least=1)
    process.terminate()
    assert process.wait(SECONDS) == 0
    assert "甲没有按时结束" in process.stdout.read()
    until(lambda: gone(relatives))


def test_a_part_that_keeps_dying_is_given_up_and_the_others_end(supervise):
    process = supervise(WITH_CHILD, DOOMED)
    relatives = children(process)
    assert process.wait(SECONDS) == 0
    said = process.stdout.read()
    assert said.count("乙意外停止（退出码 7）") == 2
    assert "乙连续 3 次启动后很快退出" in said
    assert said.endswith("gave up\n")
    until(lambda: gone(relatives))


# --- where the queue listens ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["x" * 120, "资助", "two words", "a%20b"])
def test_a_data_directory_that_no_socket_address_can_hold_gets_a_short_one(tmp_path, name):
    short = queue_socket(tmp_path / name)
    assert len(os.fsencode(short)) < 100
    assert short != queue_socket(tmp_path / (name + "x"))
    assert short == queue_socket(tmp_path / name)


def test_an_ordinary_data_directory_holds_its_own_socket():
    assert queue_socket(Path("/var/lib/aid")) == Path("/var/lib/aid/run/queue.sock")


# --- the whole of it ------------------------------------------------------------------------------


def serve(data: Path, port: int, output: Path) -> "subprocess.Popen[str]":
    env = {key: value for key, value in os.environ.items() if not key.startswith(("AID_", "DJANGO_", "PYTHON"))}
    if env.get("CELERY_BROKER_URL", "").startswith("memory"):
        del env["CELERY_BROKER_URL"]  # the tests' own default: here the real one is meant
    command = [sys.executable, str(ROOT / "manage.py"), "serve", "--port", str(port)]
    with output.open("ab") as file:
        return subprocess.Popen(command, env={**env, "AID_DATA": str(data)}, stdout=file, stderr=file, cwd="/")


def ask(port: int, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as problem:
        with problem:
            return problem.code, problem.read()
    except OSError:
        return 0, b""


@pytest.mark.services
def test_an_installation_from_nothing_to_ctrl_c(tmp_path):
    """First start, readiness, refusals, a killed part, a clean end, and the second start on the same data."""
    data, port, output = tmp_path / "data", free_port(), tmp_path / "output"
    process = serve(data, port, output)
    try:
        until(lambda: ask(port, "/readyz")[0] == 200)
        assert json.loads(ask(port, "/readyz")[1])["status"] == "ok"
        assert [path for path in (data, data / "keys", data / "run") if path.stat().st_mode & 0o077] == []

        second = serve(data, free_port(), tmp_path / "second")
        third = serve(tmp_path / "elsewhere", port, tmp_path / "third")
        assert second.wait(SECONDS) == 1
        assert f"数据目录 {data} 正在使用中（进程号 {process.pid}" in (tmp_path / "second").read_text()

        assert third.wait(SECONDS) == 1
        assert "已被别的程序占用" in (tmp_path / "third").read_text()
        assert not (tmp_path / "elsewhere" / "keys").exists()

        web = next(part for part in children(process, deep=False) if "gunicorn" in part.cmdline())
        web.kill()
        until(lambda: "网页服务意外停止" in output.read_text())
        until(lambda: ask(port, "/healthz")[0] == 200)

        relatives = children(process)
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0, output.read_text()
        until(lambda: gone(relatives))

        collected = (data / "static.stamp").stat().st_mtime_ns
        process = serve(data, port, output)
        until(lambda: ask(port, "/healthz")[0] == 200)
        assert (data / "static.stamp").stat().st_mtime_ns == collected  # nothing was collected again
        assert output.read_text().count("已生成密钥") == 1
    finally:
        process.terminate()
        process.wait(SECONDS)
