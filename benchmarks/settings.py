"""The installation's settings over a temporary data directory, otherwise as a county runs them."""

import atexit
import os
import secrets
import shutil
import tempfile

_data = tempfile.mkdtemp(prefix="aid-bench-")
atexit.register(shutil.rmtree, _data, ignore_errors=True)
for name in [name for name in os.environ if name.startswith("AID_")]:
    del os.environ[name]
os.environ["AID_DATA"] = _data
os.environ["AID_SECRET_KEY"] = secrets.token_hex(32)
os.environ.pop("DATABASE_URL", None)
if _database := os.environ.get("BENCH_DATABASE_URL"):  # of a server that a benchmark started for itself
    os.environ["DATABASE_URL"] = _database
os.environ["CELERY_BROKER_URL"] = "memory://"

from aidadmin.settings import *  # noqa: E402, F403
from aidadmin.settings import MIDDLEWARE  # noqa: E402

ALLOWED_HOSTS = ["testserver"]
MIDDLEWARE = [name for name in MIDDLEWARE if not name.startswith("whitenoise")]  # nothing is collected here
