"""The database settings that follow from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from timba.db.connections import build_database_settings


def test_a_database_file_with_a_relative_path_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    parsed = {"ENGINE": "django.db.backends.sqlite3", "NAME": "data/timba.sqlite3"}
    with pytest.raises(ImproperlyConfigured) as error:
        build_database_settings(parsed)
    assert str(error.value) == (
        "DATABASE_URL names the SQLite file data/timba.sqlite3, which depends on the folder in "
        f"which a command is run. Give the whole path: sqlite:///{tmp_path}/data/timba.sqlite3"
    )
