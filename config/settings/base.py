"""What every environment shares; dev, test and prod say what differs."""

from datetime import timedelta
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import environ
from csp.constants import NONE, SELF

BASE_DIR = Path(__file__).resolve().parent.parent.parent

env = environ.Env()

# Third-party modules are installed packages that name their app under this entry point; nothing here names them.
MODULE_ENTRY_POINTS = "platform_modules"
THIRD_PARTY_MODULES = sorted({entry.value for entry in entry_points(group=MODULE_ENTRY_POINTS)})

INSTALLED_APPS = [
    "config.apps.SwitchyardAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "knox",
    "csp",
    "simple_history",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "django_q",
    "django_countries",
    "phonenumber_field",
    "platforms",
    "modules",
    "customers",
    "cms",
    "analytics",
    "messaging",
    "monitoring",
    "dev_tools",
    *THIRD_PARTY_MODULES,
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "platforms.middleware.PermissionsPolicyMiddleware",
    "platforms.middleware.RequestIdMiddleware",
    "platforms.middleware.RefuseNulMiddleware",
    "platforms.sizes.SizeMiddleware",
    "platforms.middleware.BusyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "platforms.login.middleware.SecondFactorMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "config" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


# How long PostgreSQL works for one statement of a request, waits for one lock, and bears a transaction in which nothing
# happens; 0: for ever. What manage.py runs is not cut off, as it says no here.
DATABASE_TIMEOUTS_SECONDS = {
    "statement_timeout": env.int("DATABASE_STATEMENT_TIMEOUT", default=30),
    "lock_timeout": env.int("DATABASE_LOCK_TIMEOUT", default=10),
    "idle_in_transaction_session_timeout": env.int("DATABASE_IDLE_TIMEOUT", default=60),
}
DATABASE_TIMEOUTS = env.bool("DATABASE_TIMEOUTS", default=True)
# A row by its key costs little more than the next one, as on any disk without moving parts. PostgreSQL's own guess is
# that it costs four times as much, by which it reads a million customers to find a thousand.
_PLANNER = "-c random_page_cost=1.1"


def database(url: str) -> dict[str, Any]:
    """Return Django's settings for one database URL, with the options that make SQLite safe under several workers.

    On PostgreSQL no request may hold up others for long (DATABASE_TIMEOUTS). On SQLite IMMEDIATE takes the write lock
    when a transaction starts, so that what a transaction read cannot change under it; WAL lets readers go on meanwhile.
    """
    settings = env.db_url_config(url)
    if settings["ENGINE"] == "django.db.backends.sqlite3":
        settings["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        }
    else:
        settings["CONN_MAX_AGE"] = 60
        settings["CONN_HEALTH_CHECKS"] = True
        if DATABASE_TIMEOUTS:
            limits = [f"-c {name}={seconds}s" for name, seconds in DATABASE_TIMEOUTS_SECONDS.items()]
            options = settings.setdefault("OPTIONS", {})
            # What the URL itself says comes last, and so counts.
            options["options"] = " ".join([*limits, _PLANNER, options.get("options", "")]).strip()
    return settings


DATABASES = {"default": database(env.str("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}"))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# What is counted (attempts to log in) is counted once for all processes and machines: in the database that they share.
# The table is that of platforms.CacheEntry, so `migrate` makes it. What has expired is only cleared once there are
# MAX_ENTRIES; every write counts them.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache",
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    }
}

AUTH_USER_MODEL = "platforms.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

# Staff log in with allauth (docs/adr/0008-staff-login.md). Nobody signs up, and nothing is sent by e-mail.
STAFF_SECOND_FACTOR_REQUIRED = env.bool("STAFF_SECOND_FACTOR_REQUIRED", default=False)
ACCOUNT_ADAPTER = "platforms.login.adapters.StaffAccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True
# The login page is for starting again, also for who is in the middle of it.
ACCOUNT_AUTHENTICATED_LOGIN_REDIRECTS = False
ACCOUNT_RATE_LIMITS = {
    # Failures, of a password or of a code: five in five minutes from one address, and five on one account.
    "login_failed": "5/5m/ip,5/5m/key",
    # Attempts that succeed, too.
    "login": "30/m/ip",
    "reauthenticate": "10/m/user",
}
ALLAUTH_TRUSTED_PROXY_COUNT = 0
MFA_ADAPTER = "platforms.login.adapters.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
# A passkey asks for finger, face or PIN: only so it is two factors in one.
MFA_WEBAUTHN_USER_VERIFICATION = "required"
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_TOTP_ISSUER = "Switchyard"
# A code counts one step before and after its half minute: clocks differ.
MFA_TOTP_TOLERANCE = 1

# The demo plants logins whose password everybody knows: said yes to where nothing is real.
DEMO_ALLOWED = False

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
FORMAT_MODULE_PATH = ["config.formats"]

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "config" / "static"]

# The change itself holds who and when: simple-history's index by date alone would only cost.
SIMPLE_HISTORY_DATE_INDEX = False

# Background work: a task may take so long; it is tried so often, first after so many seconds, then after twice as many.
TASK_TIMEOUT_SECONDS = env.int("TASK_TIMEOUT_SECONDS", default=300)
TASK_ATTEMPTS = env.int("TASK_ATTEMPTS", default=8)
TASK_BACKOFF_SECONDS = env.int("TASK_BACKOFF_SECONDS", default=30)
# For how many days finished tasks and delivered events can be looked at.
WORK_KEPT_DAYS = env.int("WORK_KEPT_DAYS", default=30)
# The queue carries hints; what is to be done, and whether it was, stands in modules.TaskRun and modules.Delivery. So a
# message is never kept for its failure, and its result is not kept at all.
Q_CLUSTER = {
    "name": "switchyard",
    "label": "Queue",
    "orm": "default",
    "workers": env.int("TASK_WORKERS", default=2),
    # A sweep may begin a task late in its own time.
    "timeout": TASK_TIMEOUT_SECONDS + 60,
    "retry": TASK_TIMEOUT_SECONDS + 120,
    "ack_failures": True,
    "save_limit": -1,
    # After an outage a schedule runs once, not once for every time that it missed.
    "catch_up": False,
    "poll": 0.5,
    # There is none of this name: the workers would write how they are to a cache twice a second, for nobody.
    "cache": "none",
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "platforms.api.authentication.ApiTokenAuthentication",
        "platforms.api.authentication.AdminSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["platforms.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_THROTTLE_CLASSES": ["platforms.api.throttling.ClientThrottle"],
    "DEFAULT_FILTER_BACKENDS": [],
    "DEFAULT_PAGINATION_CLASS": "platforms.api.pagination.Cursor",
    "DEFAULT_SCHEMA_CLASS": "platforms.api.openapi.Schema",
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
DRF_STANDARDIZED_ERRORS = {
    "EXCEPTION_HANDLER_CLASS": "platforms.api.errors.ExceptionHandler",
    "EXCEPTION_FORMATTER_CLASS": "platforms.api.errors.ExceptionFormatter",
    # In DEBUG too: the one error shape, everywhere.
    "ENABLE_IN_DEBUG_FOR_UNHANDLED_EXCEPTIONS": True,
}
# How often one may ask: a token, or a user with a session; an address without credentials, one with bad ones, one that
# asks the public API.
THROTTLE_RATES = {
    "client": env.str("THROTTLE_CLIENT", default="600/min"),
    "anonymous": env.str("THROTTLE_ANONYMOUS", default="60/min"),
    "bad_credentials": env.str("THROTTLE_BAD_CREDENTIALS", default="20/min"),
    "public": env.str("THROTTLE_PUBLIC", default="60/min"),
}
# How many proxies of ours a request comes through, each of which appends to X-Forwarded-For what it saw.
TRUSTED_PROXIES = 0

KNOX_TOKEN_MODEL = "platforms.ApiToken"
# Our token stands in for knox's own, whose migrations would make its unused table all the same.
MIGRATION_MODULES = {"knox": None}
REST_KNOX = {"AUTH_HEADER_PREFIX": "Bearer", "TOKEN_TTL": timedelta(days=90), "TOKEN_PREFIX": "swy_"}

SPECTACULAR_SETTINGS = {
    "TITLE": "Switchyard",
    "VERSION": "1",
    "DESCRIPTION": "Which modules are on for which platform, how each is configured, who changed what, when and why.",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    # Of two words `action`, each with choices of its own.
    "ENUM_NAME_OVERRIDES": {
        "ConsentActionEnum": "customers.models.ConsentRecord.Action",
        "ImportMatchEnum": "customers.models.Match",
        "SegmentMatchEnum": "customers.models.Segment.Match",
    },
    "POSTPROCESSING_HOOKS": ["drf_standardized_errors.openapi_hooks.postprocess_schema_enums"],
}

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

# Admin forms carry a page of fields, never a file: what is larger is refused before it is read.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

DEFAULT_EXCEPTION_REPORTER_FILTER = "platforms.error_reports.DiscreetFilter"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "request_id": {"()": "platforms.middleware.RequestIdFilter"},
        "require_debug_false": {"()": "django.utils.log.RequireDebugFalse"},
    },
    "formatters": {"line": {"format": "{asctime} {levelname} {name} [{request_id}] {message}", "style": "{"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request_id"]},
        "mail_admins": {
            "class": "django.utils.log.AdminEmailHandler",
            "level": "ERROR",
            "filters": ["require_debug_false"],
        },
        "nowhere": {"class": "logging.NullHandler"},
    },
    "loggers": {
        # Without Django's own handler for the console: the root's says each line, once.
        "django": {"handlers": ["mail_admins"], "level": "INFO"},
        # What runserver says of a request, our middleware says too, with the request's number.
        "django.server": {"handlers": ["nowhere"], "propagate": False},
        # Of the queue only what is amiss: what was done and what was not, `modules` says.
        "django-q": {"level": "WARNING"},
    },
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
}
