"""How tests wait for another process or thread: for a state, never for a time."""

import time
from collections.abc import Callable

SECONDS = 300  # far away, and only for a test that hangs


def until(true: Callable[[], object], *, otherwise: Callable[[], object] = str, every: float = 0.05) -> None:
    """Wait for it; `otherwise` is what the failure tells when it never comes."""
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end, otherwise()
        time.sleep(every)
