"""`./aid test [--services] [arguments of pytest]`: the whole suite on both cores, or what the arguments name.

Without --services: SQLite and no queue server but the embedded one, as on a single machine.
With it: on a PostgreSQL and a Redis that are started here and stopped afterwards, every test that has to do with a
database or a queue (the mark `services`), but for those about looks alone (`screen`); the others would only be run a
second time.
"""

import contextlib
import os
import signal
import subprocess
import sys

from tests import services

IN_PARALLEL = ["-n", "2", "--dist", "loadfile"]


def main(arguments: list[str]) -> int:
    with contextlib.ExitStack() as stack:
        env = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "CELERY_BROKER_URL")}
        if "--services" in arguments:
            arguments.remove("--services")
            env["DATABASE_URL"] = stack.enter_context(services.postgresql())
            env["CELERY_BROKER_URL"] = stack.enter_context(services.redis_server())
            arguments = ["-m", "services and not screen", *arguments]  # another -m in the arguments counts instead
        if not _named(arguments):
            arguments = [*IN_PARALLEL, *arguments]
        return subprocess.run([sys.executable, "-m", "pytest", *arguments], env=env).returncode


def _named(arguments: list[str]) -> bool:
    """Whether a few tests, or the number of processes, were asked for: two processes cost more than they save."""
    return any(word.endswith(".py") or ".py::" in word or word.startswith(("-n", "--pdb")) for word in arguments)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped then, too
    try:
        sys.exit(main(sys.argv[1:]))
    except RuntimeError as problem:
        sys.exit(f"aid test: {problem}")
