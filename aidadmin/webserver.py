"""gunicorn's settings, read by `-c python:aidadmin.webserver`; the address comes from the command line."""

from .processes import die_with_parent

workers = 2
worker_class = "gthread"
threads = 2
# Longer than somebody pauses between two rows of a form that saves as it is typed: each row of a slow line on a new
# connection would cost a second. A waiting connection holds no thread.
keepalive = 30  # seconds
# Load the code once and share it; an error in it then ends the start with its message, not worker by worker.
preload_app = True
# A roster of 5,000 rows is read within a request; nothing should take longer.
timeout = 120
graceful_timeout = 10
max_requests = 5000
max_requests_jitter = 500
# Heartbeat files in memory: a slow disk must not look like a hung worker.
worker_tmp_dir = "/dev/shm"  # noqa: S108 - gunicorn makes its own unlinked file there
loglevel = "warning"
# Its default place is the home directory, which a service has none of.
control_socket_disable = True


def post_fork(server: object, worker: object) -> None:
    die_with_parent()
