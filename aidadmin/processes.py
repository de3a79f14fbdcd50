"""Keeping the parts of one installation running: web, worker, clock and queue, as children of one process.

Knows nothing of Django or of aid. Linux ties the children to us in the kernel (PR_SET_PDEATHSIG), so that even
`kill -9` of the supervisor leaves no process behind; where that call does not exist, a clean stop still ends all.
"""

import contextlib
import ctypes
import hashlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WATCHED = (*_ENDING, signal.SIGCHLD)

# A part that dies again and again this soon after its start will not get well by itself.
QUICK_DEATH_SECONDS = 15
QUICK_DEATHS_ALLOWED = 5
LONGEST_PAUSE_SECONDS = 8.0

# The kernel's limit for the path of a unix socket is 108 bytes, the closing zero included.
_SOCKET_PATH_LIMIT = 100
_URL_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-")


def die_with_parent() -> None:
    """Ask the kernel to kill this process when the process that started it is gone."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    except (OSError, AttributeError):  # not Linux
        return


def queue_socket(data: Path) -> Path:
    """Where the embedded queue of this data directory listens.

    Beside the data; but a long path does not fit into a socket address and a broker URL cannot carry every
    character, so such a directory gets a short one of its own, always the same.
    """
    path = data / "run" / "queue.sock"
    if len(os.fsencode(path)) <= _SOCKET_PATH_LIMIT and set(str(path)) <= _URL_SAFE:
        return path
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"aid-{os.getuid()}-{digest}" / "queue.sock"


@dataclass(frozen=True)
class Part:
    """One child process: how it is called on the screen, how it starts, how long it may take to end (seconds)."""

    title: str
    command: Sequence[str]
    grace: float = 5.0
    errors_in: str = "上面的报错"  # where its own words on a failure are
    ends_last: bool = False  # others speak to it until they are gone


@dataclass
class _Child:
    part: Part
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    start_again_at: float = 0.0
    quick_deaths: int = field(default=0)


class Stopped(Exception):
    """A signal asked us to end."""


class Supervisor:
    """Starts parts, restarts those that die, ends all of them together.

    Use as a context manager: whatever happens inside, no child outlives the block.
    """

    def __init__(self, *, env: Mapping[str, str], cwd: Path, say: Callable[[str], None]) -> None:
        self._env, self._cwd = dict(env), cwd
        self._tell = say
        self._children: list[_Child] = []

    def __enter__(self) -> "Supervisor":
        # Blocked and waited for instead of handled: no signal can fall between two lines.
        self._mask_before = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
        return self

    def __exit__(self, *_: object) -> None:
        self._end_all()
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask_before)

    def start(self, part: Part) -> None:
        child = _Child(part)
        self._children.append(child)
        self._launch(child)

    def run_to_end(self, part: Part) -> int:
        """Run one part that ends by itself (preparing the data); its exit status. Raises Stopped."""
        child = _Child(part)
        self._launch(child)
        self._children.append(child)
        assert child.process is not None
        try:
            while child.process.poll() is None:
                self._wait(1.0)
            return child.process.returncode
        finally:
            if child.process.poll() is not None:
                self._children.remove(child)

    def wait_until(self, ready: Callable[[], bool], *, seconds: float) -> bool:
        """Watch over the children until `ready()`; False when the time is over or a part was given up."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if ready():
                return True
            if not self._look_after():
                return False
            self._wait(0.1)
        return False

    def watch(self) -> None:
        """Keep everything running. Returns when a part was given up; raises Stopped on a signal."""
        while self._look_after():
            self._wait(1.0)

    def _say(self, text: str) -> None:
        with contextlib.suppress(OSError):  # the terminal may be what has gone; the children still have to be ended
            self._tell(text)

    def _look_after(self) -> bool:
        """Notice deaths, start again what is due; False when a part cannot be kept alive."""
        now = time.monotonic()
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                if not self._mourn(child, now):
                    return False
            elif child.process is None and now >= child.start_again_at:
                self._launch(child)
        return True

    def _mourn(self, child: _Child, now: float) -> bool:
        assert child.process is not None
        status, lived = child.process.returncode, now - child.started
        _kill_group(child.process)  # what it may have left behind
        child.process = None
        child.quick_deaths = child.quick_deaths + 1 if lived < QUICK_DEATH_SECONDS else 0
        cause = f"被信号 {-status} 结束" if status < 0 else f"退出码 {status}"
        if child.quick_deaths >= QUICK_DEATHS_ALLOWED:
            tries = f"{child.part.title}连续 {child.quick_deaths} 次启动后很快退出（{cause}）"
            self._say(f"{tries}，不再重试。请看{child.part.errors_in}。")
            return False
        pause = min(0.5 * 2**child.quick_deaths, LONGEST_PAUSE_SECONDS)
        child.start_again_at = now + pause
        self._say(f"{child.part.title}意外停止（{cause}），{pause:g} 秒后重新启动。")
        return True

    def _launch(self, child: _Child) -> None:
        parent = os.getpid()

        def in_child() -> None:
            die_with_parent()
            if os.getppid() != parent:  # it died before the kernel knew
                os._exit(1)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())

        # A session of its own: Ctrl-C reaches only us, and we end the children in order.
        # preexec_fn is safe here: this process has one thread.
        child.process = subprocess.Popen(  # noqa: S603 - our own commands
            child.part.command,
            env=self._env,
            cwd=self._cwd,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=in_child,
        )
        child.started = time.monotonic()

    def _wait(self, seconds: float) -> None:
        """Sleep until a child ends or the time is over. Raises Stopped when we are asked to end."""
        got = signal.sigtimedwait(_WATCHED, seconds)
        if got is not None and got.si_signo in _ENDING:
            raise Stopped

    def _end_all(self) -> None:
        """Ask all to end at once, wait for each, kill what stays; those that the others need come after them."""
        for last in (False, True):
            running = [child for child in self._children if child.process is not None and child.part.ends_last == last]
            for child in running:
                assert child.process is not None
                child.process.terminate()
            for child in running:
                assert child.process is not None
                if not self._gone_within(child.process, child.part.grace):
                    self._say(f"{child.part.title}没有按时结束，强行结束。")
                _kill_group(child.process)
                child.process.wait()
        self._children.clear()

    def _gone_within(self, process: "subprocess.Popen[bytes]", seconds: float) -> bool:
        """Wait for one child; a second Ctrl-C cuts the wait short."""
        end = time.monotonic() + seconds
        while process.poll() is None:
            left = end - time.monotonic()
            if left <= 0:
                return False
            try:
                self._wait(min(left, 1.0))
            except Stopped:
                return False
        return True


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
