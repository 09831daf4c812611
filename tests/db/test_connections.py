"""The database settings that follow from the environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from timba.db.connections import build_database_settings

_TELL = (
    "from timba.config.settings.base import DATABASES as found;"
    "print(found['default']['OPTIONS']['pool']['max_size'])"
)


@pytest.mark.parametrize(
    ("web", "worker", "connections"), [("16", "2", 20), ("4", "8", 14), ("16", "64", 70)]
)
def test_every_thread_of_a_process_finds_a_connection_in_its_pool(
    tmp_path: Path, web: str, worker: str, connections: int
) -> None:
    """The embedded worker has one thread more than files at once, and a sweeper beside them."""
    told = subprocess.run(
        [sys.executable, "-c", _TELL],
        env={
            **os.environ,
            "DATABASE_URL": "postgres://timba@127.0.0.1/timba",
            "TIMBA_DATA_DIR": str(tmp_path),
            "TIMBA_WEB_THREADS": web,
            "TIMBA_WORKER_THREADS": worker,
        },
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert int(told.stdout) == connections


def test_a_database_file_with_a_relative_path_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    parsed = {"ENGINE": "django.db.backends.sqlite3", "NAME": "data/timba.sqlite3"}
    with pytest.raises(ImproperlyConfigured) as error:
        build_database_settings(parsed, pool_size=4)
    assert str(error.value) == (
        "DATABASE_URL names the SQLite file data/timba.sqlite3, which depends on the folder in "
        f"which a command is run. Give the whole path: sqlite:///{tmp_path}/data/timba.sqlite3"
    )
