"""gunicorn's settings, read by `-c python:aidadmin.webserver`; the address comes from the command line."""

import contextlib
import gc

from django.core.exceptions import ImproperlyConfigured

from .processes import die_with_parent

workers = 2
worker_class = "gthread"
# While one waits for the pen or the disk, others are answered.
threads = 4
# Longer than somebody pauses between two rows of a form that saves as it is typed: each row of a slow line on a new
# connection would cost a second. A waiting connection holds no thread.
keepalive = 30  # seconds
# Load the code once and share it; an error in it then ends the start with its message, not worker by worker.
preload_app = True
# A roster of 5,000 rows is read within a request; nothing should take longer.
timeout = 120
graceful_timeout = 10
# Whatever memory a paper or a roster left behind goes with the process; a new one takes a second of a core to begin,
# so not in the middle of every busy hour.
max_requests = 20_000
max_requests_jitter = 5_000
# Heartbeat files in memory: a slow disk must not look like a hung worker.
worker_tmp_dir = "/dev/shm"  # noqa: S108 - gunicorn makes its own unlinked file there
loglevel = "warning"
# Its default place is the home directory, which a service has none of.
control_socket_disable = True


def pre_fork(server: object, worker: object) -> None:
    from documents import fonts

    # Which characters can be printed is asked of every word typed: read once, for all workers. (Where no font is
    # installed yet, the papers say so.)
    with contextlib.suppress(ImproperlyConfigured):
        fonts.printable()
    # What was loaded lives as long as the process: never looked through again for garbage, and shared between workers.
    gc.collect()
    gc.freeze()


def post_fork(server: object, worker: object) -> None:
    die_with_parent()
