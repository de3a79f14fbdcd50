"""The installation's own settings over a data directory that is made for this run and gone after it.

`DATABASE_URL` and `CELERY_BROKER_URL` are honoured (`./aid test --services`); nothing else of the operator's is.
"""

import atexit
import os
import secrets
import shutil
import tempfile
import warnings
from pathlib import Path

for name in [name for name in os.environ if name.startswith("AID_")]:
    del os.environ[name]
# Each test process (xdist runs several) has its own; never the data of a county, whatever the shell says.
_data = Path(tempfile.mkdtemp(prefix="aid-test-"))
_owner = os.getpid()
os.environ["AID_DATA"] = str(_data)
os.environ["AID_SECRET_KEY"] = "tests-only-" + secrets.token_hex(16)


@atexit.register
def _remove_data() -> None:
    if os.getpid() == _owner:  # not in a forked child
        shutil.rmtree(_data, ignore_errors=True)


# The embedded queue is not running in most tests: messages go nowhere, tests call the tasks they are about.
# The `worker` fixture starts a real queue and a real worker.
os.environ.setdefault("CELERY_BROKER_URL", "memory://")

from aidadmin.settings import *  # noqa: E402, F403
from aidadmin.settings import DATABASES, MIDDLEWARE, STATIC_ROOT  # noqa: E402

SQLITE = DATABASES["default"]["ENGINE"].endswith("sqlite3")
if SQLITE:
    # A file, as in an installation: in memory all threads would share one connection and no lock would be met.
    DATABASES["default"]["TEST"] = {"NAME": str(_data / "test.sqlite3")}
    # A crash of the machine during a test loses nothing.
    DATABASES["default"]["OPTIONS"]["init_command"] = "PRAGMA journal_mode=WAL;PRAGMA synchronous=OFF;"
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 0

# Argon2 is slow on purpose; tests sign in hundreds of times.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
AXES_ENABLED = True
STATIC_ROOT.mkdir(parents=True)
MIDDLEWARE = [name for name in MIDDLEWARE if not name.startswith("whitenoise")]  # nothing is collected in tests

# Playwright's own event loop runs in the test's thread; Django would refuse the database there.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
warnings.filterwarnings("default", category=DeprecationWarning, module="celery|kombu|billiard")
