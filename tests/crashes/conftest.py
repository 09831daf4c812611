"""New installations, each with a copy of a migrated SQLite database and an empty store."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection
from pytest_django import DjangoDbBlocker
from pytest_django.fixtures import Settings

pytest.register_assert_rewrite("tests.crashes.invariants")
from tests.crashes.installation import Installation  # noqa: E402
from tests.factories import UserFactory  # noqa: E402
from tests.servers import S3Server  # noqa: E402
from timba.accounts.tokens import issue_tokens  # noqa: E402
from timba.config.env import parse_storage_url  # noqa: E402
from timba.failpoints import arm  # noqa: E402
from timba.files.s3 import S3Storage  # noqa: E402
from timba.files.sandbox import close_sandbox  # noqa: E402
from timba.files.storage import LocalStorage  # noqa: E402

Store = LocalStorage | S3Storage
Install = Callable[[Store], Installation]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker) -> Path:
    """Return the folder of a migrated database with one user, its token, and no responses."""
    folder = tmp_path_factory.mktemp("template")
    connection.close()
    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock():
        patch.setitem(connection.settings_dict, "NAME", str(folder / "timba.sqlite3"))
        call_command("migrate", verbosity=0)
        (folder / "token").write_text(issue_tokens(user=UserFactory()).access)
        (folder / "responses").touch()
        connection.close()
    return folder


@pytest.fixture
def install(
    template: Path,
    tmp_path: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Install]:
    """Return a function that makes this process work on a new installation."""

    def install(store: Store) -> Installation:
        connection.close()
        folder = settings.TIMBA_DATA_DIR = tmp_path / uuid.uuid4().hex
        shutil.copytree(template, folder)
        monkeypatch.setitem(connection.settings_dict, "NAME", str(folder / "timba.sqlite3"))
        monkeypatch.setattr(default_storage, "_wrapped", store)
        if isinstance(store, S3Storage):
            store.bucket = folder.name
            store.client.create_bucket(Bucket=store.bucket)
        else:
            store.location = folder / "files"
        return Installation(folder, store)

    close_sandbox()
    connection.close()
    with django_db_blocker.unblock():
        yield install
        arm("")
        connection.close()


@pytest.fixture(scope="session")
def s3(versitygw: S3Server) -> S3Storage:
    return S3Storage(**parse_storage_url(versitygw.storage_url("unused")))
