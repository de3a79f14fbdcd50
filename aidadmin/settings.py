"""Settings, read from the environment; every default is the embedded single-machine installation.

What a county may change (amounts, categories, notice lengths, deadlines, review bodies) is not here:
those are dated rows in the database.
"""

from pathlib import Path

import environ
from celery.schedules import crontab
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from .processes import queue_socket

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent

# --- Where this installation lives ------------------------------------------------------------
# Everything that is not code: database, keys, files, sockets. Kept out of the code tree's history.
DATA_DIR = Path(env("AID_DATA", default=str(BASE_DIR / "var"))).resolve()
KEY_DIR = Path(env("AID_KEYS", default=str(DATA_DIR / "keys"))).resolve()
FILE_DIR = DATA_DIR / "files"

# The demo county shows a clock that can be moved on, accounts with known passwords, and invented pupils.
DEMO = env.bool("AID_DEMO", default=False)
DEBUG = env.bool("AID_DEBUG", default=False)


def _secret_key() -> str:
    """The signing key of sessions: from the environment, or the file that `manage.py setup` makes."""
    key_file = KEY_DIR / "django-secret"
    key = env("AID_SECRET_KEY", default="") or (key_file.read_text().strip() if key_file.exists() else "")
    if key:
        return key
    # Commands that make the key, or only start others that read it, must be able to run before it is there.
    import sys

    if sys.argv[1:] and sys.argv[1] in {"setup", "demo", "serve", "collectstatic", "makemigrations", "help", "--help"}:
        return "only-until-setup-has-made-the-key"
    raise ImproperlyConfigured(
        f"No secret key: {key_file} does not exist and AID_SECRET_KEY is not set. "
        "Run `./aid setup` once to make the keys, or point AID_DATA / AID_KEYS at an existing installation."
    )


SECRET_KEY = _secret_key()
ALLOWED_HOSTS = env.list("AID_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("AID_ORIGINS", default=[])
# The address printed in QR codes; must be reachable for whoever holds the paper.
PUBLIC_URL = env("AID_PUBLIC_URL", default="http://127.0.0.1:8000").rstrip("/")

# --- Apps, in the order in which they may know each other ---------------------------------------
HOUSE = ["accounts", "documents", "students", "subsidies", "publicity", "archives", "aidadmin"]
INSTALLED_APPS = [
    *HOUSE,
    "axes",
    "csp",
    "django_htmx",
    "django_tables2",
    "js_lib_bootstrap5",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.forms",  # Django's widget templates, found after our own in templates/django/forms/
]

MIDDLEWARE = [
    "accounts.middleware.RequestOriginMiddleware",
    "accounts.middleware.RefusalMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "accounts.middleware.FreshPasswordMiddleware",
    "accounts.middleware.PrivatePagesMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "aidadmin.urls"
WSGI_APPLICATION = "aidadmin.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "aidadmin.navigation.navigation",
            ],
            "builtins": ["accounts.templatetags.aid"],
        },
    }
]
FORM_RENDERER = "accounts.forms.FieldRenderer"

# --- Database: SQLite unless DATABASE_URL names another -----------------------------------------
DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'aid.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["ENGINE"] = "aidadmin.sqlite3"
    # Measured: without IMMEDIATE, transactions that read and then write fail at once under load.
    # FULL, not NORMAL: the records are public money, and a power cut must not take the last commit.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA cache_size=-32000;",
    }
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 60
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    # A county's tables lie in memory; PostgreSQL supposes a turning disc, and reads whole tables to spare it. And it
    # compiles whatever looks costly, which takes longer than the question itself on tables of this size.
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault("options", "-c random_page_cost=1.1 -c jit=off")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Sign-in --------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = [
    "accounts.passwords.Argon2Hasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "accounts.passwords.LengthValidator", "OPTIONS": {"min_length": 10}},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("username", "name")},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
# One school is one address on the network: never lock by address alone.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "accounts/login_locked.html"
AXES_VERBOSE = False
AXES_ENABLE_ADMIN = False
# The default would write user names tried into the log.
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address"]

# Messages name pupils: they wait in the database, not in a cookie.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SESSION_COOKIE_AGE = 8 * 3600
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_HTTPONLY = True
# Plain http only where the address itself is: the demo and an intranet before its certificate is there.
SECURE_TRANSPORT = env.bool("AID_HTTPS", default=PUBLIC_URL.startswith("https://"))
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_TRANSPORT
if SECURE_TRANSPORT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 30 * 24 * 3600
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "aidadmin.errors.csrf_failure"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}
SILENCED_SYSTEM_CHECKS: list[str] = []

# --- Language, time, files ------------------------------------------------------------------------
LANGUAGE_CODE = "zh-hans"
TIME_ZONE = "Asia/Shanghai"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": FILE_DIR}},
    "staticfiles": {"BACKEND": "aidadmin.assets.AssetStorage"},
}
# Limits of what a browser may send. The whole-request bound is the upload gate's own (documents.uploads).
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000  # a class of 60 pupils with a dozen fields each, with room
FILE_UPLOAD_TEMP_DIR = None
UPLOAD_MAX_BYTES = 10 * 1024 * 1024
# Keeps no more than the limit, in memory or on disk, however large a file is sent.
FILE_UPLOAD_HANDLERS = ["documents.uploadlimit.BoundedUploadHandler"]

# --- Mail: reminders only, and only where a server is named -------------------------------------------
# EMAIL_URL as smtp+tls://user:password@mail.example.cn:587; without it nothing is ever sent.
MAIL_REMINDERS = bool(env("EMAIL_URL", default=""))
if MAIL_REMINDERS:
    vars().update(env.email_url("EMAIL_URL"))
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env("AID_MAIL_FROM", default="aidadmin@localhost")

# --- Printed papers -------------------------------------------------------------------------------
# A CA's key file in place of the county's own, with the file that holds its passphrase.
SIGNING_P12 = env("AID_SIGNING_P12", default="")
SIGNING_PASSPHRASE_FILE = env("AID_SIGNING_PASSPHRASE_FILE", default="")
# The office's own licensed fonts (仿宋_GB2312, rare characters); empty: only the system's.
FONT_DIR = env("AID_FONTS", default="")

DJANGO_TABLES2_TEMPLATE = "_table.html"

# --- Task queue -----------------------------------------------------------------------------------
CELERY_BROKER_URL = env("CELERY_BROKER_URL", default=f"redis+socket://{queue_socket(DATA_DIR)}")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 600
CELERY_TASK_SOFT_TIME_LIMIT = 540
CELERY_WORKER_MAX_TASKS_PER_CHILD = 100
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 600_000
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = TIME_ZONE
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Above the task time limit, or a long task would be started twice.
    "visibility_timeout": 900,
    "unacked_restore_throttle": 1,
}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# A worker that dies holds its sheet until the lease ends; then any other worker takes it.
SHEET_LEASE_SECONDS = env.int("AID_SHEET_LEASE_SECONDS", default=90)
# Rosters as they were sent in are kept so long after the import was settled; what they brought in stays.
ROSTER_FILE_DAYS = env.int("AID_ROSTER_FILE_DAYS", default=30)
SWEEP_SECONDS = env.int("AID_SWEEP_SECONDS", default=20)
CELERY_BEAT_SCHEDULE = {
    "sweep payout sheets": {"task": "subsidies.tasks.sweep_payout_sheets", "schedule": SWEEP_SECONDS},
    "sweep screenings": {"task": "subsidies.tasks.sweep_screenings", "schedule": SWEEP_SECONDS},
    "screen every county": {"task": "subsidies.tasks.screen_every_county", "schedule": crontab(hour=2, minute=30)},
    "sweep rosters": {"task": "students.tasks.sweep_rosters", "schedule": SWEEP_SECONDS},
    "sweep lists": {"task": "students.tasks.sweep_lists", "schedule": SWEEP_SECONDS},
    "sweep audit checks": {"task": "accounts.tasks.sweep_audit_checks", "schedule": SWEEP_SECONDS},
    "send reminders": {"task": "aidadmin.tasks.send_reminders", "schedule": crontab(hour="7-9", minute="*/20")},
    "sweep list files": {"task": "students.tasks.sweep_list_files", "schedule": 24 * 3600},
    "sweep roster files": {"task": "students.tasks.sweep_roster_files", "schedule": 24 * 3600},
    "sweep orphan files": {"task": "documents.tasks.sweep_orphan_files", "schedule": 24 * 3600},
}
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "run" / "beat")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "redact": {"()": "accounts.redaction.RedactingFilter"},
        "refusals": {"()": "accounts.redaction.RefusalFilter"},
    },
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "filters": ["refusals", "redact"], "formatter": "line"},
    },
    "root": {"handlers": ["console"], "level": env("AID_LOG_LEVEL", default="WARNING")},
}
