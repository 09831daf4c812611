"""The settings of the test suite: the embedded defaults, in a temporary folder.

On servers named by the environment, each test process uses its own database, cache and bucket.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

# One folder per test process, created before the settings read TIMBA_DATA_DIR.
_folder = Path(tempfile.mkdtemp(prefix="timba-test-"))
os.environ.update(
    {
        "TIMBA_DATA_DIR": str(_folder),
        "TIMBA_SECRET_KEY": "a secret that only tests use, long enough for every check",
        "TIMBA_JWT_KEY": "a signing key that only tests use, long enough for every check",
    }
)

from timba.config.settings.base import *  # noqa: E402, F403

if DATABASES["default"]["ENGINE"] == "timba.db.sqlite":  # noqa: F405
    DATABASES["default"]["TEST"] = {"NAME": str(_folder / "test.sqlite3")}  # noqa: F405
TIMBA_CHECK_TRANSACTIONS = True
# Tests of `/metrics` say who may read them.
TIMBA_METRICS_ALLOW = []
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {  # noqa: F405
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
}

_number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
if "CACHE_URL" in os.environ:  # in Redis, the named database and the following ones
    _redis, _, _first = CACHES["default"]["LOCATION"].rpartition("/")  # noqa: F405
    CACHES["default"]["LOCATION"] = f"{_redis}/{int(_first) + _number}"  # noqa: F405
else:
    CACHES["default"] = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}  # noqa: F405
if "STORAGE_URL" in os.environ:
    STORAGES["default"]["OPTIONS"]["bucket"] += f"-{_number}-{os.getpid()}"  # noqa: F405

ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
# Static files are served from the source folders of their apps.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
