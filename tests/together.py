"""Several people at the same moment: each deed in a thread, and so on a database connection, of its own."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from django.db import connections

from tests.waiting import SECONDS


def at_once(*deeds: Callable[[], object]) -> list[object]:
    """Do all of them in threads that start together; what each returned or raised, in order."""
    start = threading.Barrier(len(deeds))

    def begin(deed: Callable[[], object]) -> Callable[[], object]:
        def run() -> object:
            start.wait(SECONDS)
            return deed()

        return run

    return [outcome() for outcome in [meanwhile(begin(deed)) for deed in deeds]]


def meanwhile(deed: Callable[[], object]) -> Callable[[], object]:
    """Begin the deed in a thread. Calling what comes back waits for its end: what it returned or raised."""

    def run() -> object:
        try:
            return deed()
        finally:
            connections.close_all()

    with_one_thread = ThreadPoolExecutor(1)
    future: Future[object] = with_one_thread.submit(run)
    with_one_thread.shutdown(wait=False)
    return lambda: future.exception(SECONDS) or future.result()
