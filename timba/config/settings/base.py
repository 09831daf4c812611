"""The settings: apps, servers and limits, all from environment variables (see README's table)."""

from __future__ import annotations

import logging
import sys
from datetime import timedelta
from importlib.util import find_spec
from typing import Any

from corsheaders.defaults import default_headers
from csp.constants import NONE, SELF
from whitenoise.compress import Compressor

from timba import __version__
from timba.config.env import (
    DATA_DIR,
    IS_DATA_DIR_NAMED,
    env,
    get_int,
    get_list,
    get_networks,
    get_or_create_key,
    get_public_url,
    get_str,
    get_tls_files,
    parse_storage_url,
    with_timeouts,
)
from timba.config.logs import logging_config
from timba.config.private_files import make_private, private_paths
from timba.config.unfold_settings import UNFOLD_SETTINGS
from timba.db.connections import build_database_settings
from timba.failpoints import arm

# --- Installation --------------------------------------------------------------------------------

DEBUG = env.bool("TIMBA_DEBUG", default=False)
SECRET_KEY = get_or_create_key("TIMBA_SECRET_KEY", "secret_key")
TIMBA_JWT_KEY = get_or_create_key("TIMBA_JWT_KEY", "jwt_key")
# By variable, the file of each key that only this machine has.
TIMBA_KEY_FILES = {
    variable: DATA_DIR / file
    for variable, file in (("TIMBA_SECRET_KEY", "secret_key"), ("TIMBA_JWT_KEY", "jwt_key"))
    if not get_str(variable)
}
TIMBA_DATA_DIR = DATA_DIR
TIMBA_DATA_DIR_IS_NAMED = IS_DATA_DIR_NAMED

TIMBA_HOST = get_str("TIMBA_HOST", "127.0.0.1")
TIMBA_PORT = get_int("TIMBA_PORT", default=8000, minimum=1, maximum=65_535)
TIMBA_TLS_CERT, TIMBA_TLS_KEY = get_tls_files()
_url = get_public_url(TIMBA_HOST, TIMBA_PORT, tls=bool(TIMBA_TLS_CERT))
TIMBA_URL = _url.geturl()
ALLOWED_HOSTS = sorted(
    {
        _url.hostname or "",
        TIMBA_HOST,
        "localhost",
        "127.0.0.1",
        "[::1]",
    }
    | set(get_list("TIMBA_ALLOWED_HOSTS"))
)
CSRF_TRUSTED_ORIGINS = [f"{_url.scheme}://{_url.netloc}"]
TIMBA_TRUSTED_PROXIES = get_networks("TIMBA_TRUSTED_PROXIES")
TIMBA_METRICS_ALLOW = get_networks("TIMBA_METRICS_ALLOW", default="127.0.0.0/8,::1")
TIMBA_SERVE_ONLY = get_list("TIMBA_SERVE_ONLY")
TIMBA_WEB_WORKERS = get_int("TIMBA_WEB_WORKERS", default=1, minimum=1, maximum=64)
TIMBA_WEB_THREADS = get_int("TIMBA_WEB_THREADS", default=16, minimum=4, maximum=512)
TIMBA_DRAIN_SECONDS = get_int("TIMBA_DRAIN_SECONDS", default=5, minimum=0, maximum=3_600)
TIMBA_WORKER_THREADS = get_int("TIMBA_WORKER_THREADS", default=2, minimum=1, maximum=64)
TIMBA_FAILPOINT = arm(get_str("TIMBA_FAILPOINT"))  # for tests only

# --- Applications --------------------------------------------------------------------------------

INSTALLED_APPS = [
    # Each before the app whose templates or commands it overrides. The admin site is
    # `web.admin.site`.
    "timba.config",
    "timba.runtime",
    "timba.demo",
    "timba.web",
    "timba.accounts",
    "unfold.apps.BasicAppConfig",
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "axes",
    "corsheaders",
    "csp",
    "django_htmx",
    "django_structlog",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "timba.events",
    "timba.places",
    "timba.consignments",
    "timba.files",
    "timba.tallies",
    "timba.temperatures",
    "timba.notes",
    "timba.api",
]
if find_spec("django_extensions"):
    # A development package: `manage.py show_urls` and others.
    INSTALLED_APPS.append("django_extensions")

MIDDLEWARE = [
    "timba.config.middleware.MetricsMiddleware",
    "timba.config.middleware.RequestIdMiddleware",
    "timba.config.middleware.HealthHostMiddleware",
    "timba.config.middleware.CacheHeadersMiddleware",
    "timba.config.middleware.ChunkedBodyMiddleware",
    "timba.config.middleware.HeaderValidationMiddleware",
    "timba.config.middleware.ForwardedHeadersMiddleware",
    "timba.config.quick_middleware.RequestLogMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "timba.config.quick_middleware.CorsMiddleware",
    "timba.config.quick_middleware.CSPMiddleware",
    "timba.config.quick_middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    # Before the CSRF check, which reads the form.
    "timba.config.middleware.LoginBeforeBodyMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "timba.config.quick_middleware.AuthenticationMiddleware",
    "timba.config.quick_middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "timba.config.quick_middleware.HtmxMiddleware",
    "timba.config.middleware.DomainErrorMiddleware",
]
ROOT_URLCONF = "timba.config.urls"
WSGI_APPLICATION = "timba.config.wsgi.application"
APPEND_SLASH = False  # a route matches with and without it: see timba.urls

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
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

# --- Servers -------------------------------------------------------------------------------------

DATABASES = {
    "default": build_database_settings(
        env.db_url("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'timba.sqlite3'}"),
    )
}
for _path in private_paths(DATA_DIR, DATABASES["default"]):
    make_private(_path)  # earlier versions did not restrict it
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SERIALIZATION_MODULES = {"json": "timba.db.exact_json"}
# Slow operations raise an error inside a transaction, to find such mistakes during development.
TIMBA_CHECK_TRANSACTIONS = DEBUG

CACHES = {"default": with_timeouts(env.cache_url("CACHE_URL", default="dbcache://cache_table"))}

KAFKA_BOOTSTRAP_SERVERS = get_str("KAFKA_BOOTSTRAP_SERVERS")
TIMBA_EVENT_PUBLISHER = "timba.events.publishers.KafkaPublisher" if KAFKA_BOOTSTRAP_SERVERS else ""
TIMBA_EVENT_DAYS = get_int("TIMBA_EVENT_DAYS", default=0, minimum=0, maximum=36_500)

BROKER_URL = get_str("BROKER_URL")
CELERY_BROKER_URL = BROKER_URL or None
CELERY_TASK_DEFAULT_QUEUE = "fast"
CELERY_TASK_ACKS_LATE = False  # a lost file is recovered by the lease in its row, not by the broker
CELERY_TASK_IGNORE_RESULT = True
# Children keep their connection to the database; otherwise Celery closes it before each task.
CELERY_DB_REUSE_MAX = sys.maxsize
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_PUBLISH_RETRY = False  # the sweeper is the retry
CELERY_TASK_TIME_LIMIT = 12 * 3600
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_DISABLE_PREFETCH = True
CELERY_WORKER_MAX_TASKS_PER_CHILD = 200
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # keep trying for ever
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    # A message is sent once and fails within two seconds: an upload does not wait for the broker.
    "max_retries": 0,
    "socket_connect_timeout": 1,
    "socket_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 25,
    "global_keyprefix": "timba:",
}
# The schedule has one fixed entry, which beat keeps in memory, without a file or a table.
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "timba.files.tasks.sweep", "schedule": timedelta(seconds=10)},
}

# Called by every sweep, to delete expired rows.
PURGES = [
    "timba.accounts.purging.purge_expired",
    "timba.api.idempotency.purge_expired",
    "timba.files.resumable.purging.purge_expired",
    "timba.consignments.trash.purge_expired",
]

# --- Consignments --------------------------------------------------------------------------------

# Called when a consignment or a log is deleted or restored, to unlink and link the rows of other
# apps.
CONSIGNMENT_DELETION_HOOKS = [
    "timba.files.consignment_links.DELETION_HOOK",
    "timba.notes.services.DELETION_HOOK",
]

# --- Cities --------------------------------------------------------------------------------------

# Called in the transaction that changes the name of a city, to invalidate what is cached with it.
CITY_NAME_HOOKS = ["timba.temperatures.services.renew_data_version"]

# --- Files ---------------------------------------------------------------------------------------

_storage_url = get_str("STORAGE_URL")
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "timba.files.s3.S3Storage", "OPTIONS": parse_storage_url(_storage_url)}
    if _storage_url
    else {
        "BACKEND": "timba.files.storage.LocalStorage",
        "OPTIONS": {"location": DATA_DIR / "files"},
    },
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
FILE_PROCESSORS = [
    "timba.files.processors.document.PROCESSOR",
    "timba.files.photos.PROCESSOR",
    "timba.tallies.processor.PROCESSOR",
    "timba.files.processors.text.PROCESSOR",
    "timba.temperatures.processor.PROCESSOR",
]
TIMBA_MAX_UPLOAD_BYTES = get_int(
    "TIMBA_MAX_UPLOAD_BYTES", default=10 * 1024**3, minimum=1024, maximum=1024**5
)
# None for a share of each disk: see timba.files.disk.
TIMBA_MIN_FREE_BYTES = (
    get_int("TIMBA_MIN_FREE_BYTES", default=0, minimum=0, maximum=1024**5)
    if get_str("TIMBA_MIN_FREE_BYTES")
    else None
)
# Of deleted files and consignments.
TIMBA_TRASH_DAYS = get_int("TIMBA_TRASH_DAYS", default=7, minimum=0, maximum=3_650)
# Tesseract's codes; without any, English where its data is installed: see timba.files.ocr.
TIMBA_OCR_LANGUAGES = get_list("TIMBA_OCR_LANGUAGES")
TIMBA_LEASE_SECONDS = get_int("TIMBA_LEASE_SECONDS", default=30, minimum=1, maximum=3_600)

FILE_UPLOAD_PERMISSIONS = 0o600
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024**2
# The views that accept files set their own handler.
FILE_UPLOAD_HANDLERS = ["timba.web.upload_targets.RefuseFiles"]
# More than the limit of a batch, so that a batch that is too large gets Timba's own error.
DATA_UPLOAD_MAX_NUMBER_FILES = 1000
# More than the files that are selected at once, so that too many get Timba's own sentence.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

# --- The lake: see timba.temperatures.lake.catalog -----------------------------------------------

# By default, where the database and the objects are.
TIMBA_LAKE_CATALOG = get_str("TIMBA_LAKE_CATALOG")
TIMBA_LAKE_WAREHOUSE = get_str("TIMBA_LAKE_WAREHOUSE")

# --- People --------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "timba.accounts.sign_in.MemberBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ["username", "name"]},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/consignments/"
LOGOUT_REDIRECT_URL = "/login/"
TIMBA_ADMIN_PASSWORD = get_str("TIMBA_ADMIN_PASSWORD")
TIMBA_OPEN_SIGNUP = env.bool("TIMBA_OPEN_SIGNUP", default=False)
TIMBA_ACCESS_LIFETIME = timedelta(minutes=15)
TIMBA_REFRESH_LIFETIME = timedelta(days=7)

AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "timba.config.middleware.rate_limit_address"
AXES_HANDLER = "axes.handlers.database.AxesDatabaseHandler"
AXES_ENABLE_ACCESS_FAILURE_LOG = False
AXES_DISABLE_ACCESS_LOG = True

# --- HTTP ----------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "timba.api.authentication.BearerAuthentication",
        "timba.api.authentication.BrowserAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["timba.api.http.StrictJSONParser"],
    # For what DRF itself answers, such as OPTIONS: views return a JSONResponse.
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "timba.api.http.IgnoreAcceptNegotiation",
    "DEFAULT_SCHEMA_CLASS": "timba.api.openapi.TimbaSchema",
    "EXCEPTION_HANDLER": "timba.api.problems.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "COERCE_DECIMAL_TO_STRING": False,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Timba",
    "DESCRIPTION": (
        "The system of record for timber companies. A client is such a company: its users see "
        "only what belongs to it, while staff, who run this installation, see all clients. A "
        "consignment is a lorry load of logs, which are tree trunks; a tally is their list.\n\n"
        "Sign in with `POST /api/token/` and send `Authorization: Bearer <access>`. Times are "
        "ISO 8601 in UTC, decimals are JSON numbers. Errors are problem details (RFC 9457). Lists "
        "have pages: follow `next` until it is null. The `/timba/…` endpoints are for callers of "
        "the original API; new programs use `/api/…`."
    ),
    "VERSION": __version__,
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "FileAction": "timba.files.bulk.ACTIONS",
        "FileKind": "timba.files.models.File.Kind",
        "TimberType": "timba.consignments.models.Consignment.Type",
        "SubscriptionPlan": "timba.accounts.models.Subscription.Plan",
        "SubscriptionStatus": "timba.accounts.subscriptions.STATUSES",
        "Permission": "timba.accounts.permissions.Permission.values",
    },
    "SCHEMA_PATH_PREFIX": "",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "timba.api.openapi.extract_components",
    ],
}
CORS_ALLOWED_ORIGINS = get_list("TIMBA_CORS_ORIGINS")
CORS_ALLOW_HEADERS = [
    *default_headers,
    "idempotency-key",
    "if-match",
    "if-none-match",
    "if-range",
    "range",
    "tus-resumable",
    "upload-checksum",
    "upload-length",
    "upload-metadata",
    "upload-offset",
    "x-http-method-override",
    "x-request-id",
]
CORS_EXPOSE_HEADERS = [
    "Content-Disposition",
    "Content-Range",
    "ETag",
    "Link",
    "Location",
    "Repr-Digest",
    "Retry-After",
    "Timba-File-Id",
    "Timba-Task-Id",
    "Tus-Checksum-Algorithm",
    "Tus-Extension",
    "Tus-Max-Size",
    "Tus-Resumable",
    "Tus-Version",
    "Upload-Expires",
    "Upload-Length",
    "Upload-Metadata",
    "Upload-Offset",
    "X-Request-ID",
]

SILENCED_SYSTEM_CHECKS = [
    # Views that sign users in call axes themselves, and respond with their own 429.
    "axes.W002",
    # HSTS cannot be revoked before it expires, so the operator enables it, for one host.
    "security.W004",
    "security.W005",
    "security.W021",
]

_https = _url.scheme == "https"
SECURE_SSL_REDIRECT = _https
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics/?$"]
# For this host only: Timba knows nothing about other hosts of the domain or preload lists.
SECURE_HSTS_SECONDS = get_int("TIMBA_HSTS_SECONDS", default=0, minimum=0, maximum=63_072_000)
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = _https
SESSION_COOKIE_NAME = "__Host-timba" if _https else "timba"
CSRF_COOKIE_SECURE = _https
CSRF_COOKIE_NAME = "__Host-csrftoken" if _https else "csrftoken"
CSRF_FAILURE_VIEW = "timba.config.error_views.csrf_failure"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
    }
}

UNFOLD = UNFOLD_SETTINGS

# --- Languages, times, logs ----------------------------------------------------------------------

LANGUAGE_CODE = "en"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = ["timba.web.formats"]
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
# Only developers load source maps, and compressing them takes longer than everything else.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = [*Compressor.SKIP_COMPRESS_EXTENSIONS, "map"]

LOGGING_CONFIG = "logging.config.dictConfig"
LOGGING = logging_config(pretty=DEBUG)
DJANGO_STRUCTLOG_USER_ID_FIELD = None
# Timba's own middleware has validated the header and determined the address.
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = True
IPWARE_META_PRECEDENCE_ORDER = ["REMOTE_ADDR"]
# A 4xx is an ordinary response.
DJANGO_STRUCTLOG_STATUS_4XX_LOG_LEVEL = logging.INFO
