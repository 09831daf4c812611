"""Fixtures that receive, store and process files of one client, in a store per test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models import F
from django.utils import timezone
from pytest_django.fixtures import Settings

from timba.accounts.models import User
from timba.files.models import Derivative, File
from timba.files.processing import process_file
from timba.files.receiving import Upload, accept_files
from timba.files.registry import processors, sniffers
from timba.files.sandbox import close_sandbox

FinishUpload = Callable[..., Upload]
Receive = Callable[..., File]
UseProcessors = Callable[..., None]
Objects = Callable[[], set[str]]


@pytest.fixture(autouse=True)
def store_folder(settings: Settings, tmp_path: Path) -> Path:
    """Use a separate store for each test; return its folder."""
    folder = tmp_path / "store"
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "timba.files.storage.LocalStorage",
            "OPTIONS": {"location": folder},
        },
    }
    return folder


@pytest.fixture
def objects(store_folder: Path) -> Objects:
    """Return a function that lists all objects in the store, complete or not."""
    return lambda: {
        str(path.relative_to(store_folder)) for path in store_folder.rglob("*") if path.is_file()
    }


@pytest.fixture
def owner(make_user: Callable[..., User]) -> User:
    """Return the owner of a sawmill."""
    return make_user()


@pytest.fixture
def finish_upload() -> FinishUpload:
    """Return a function that uploads bytes durably, without accepting them as a file."""

    def bring(data: bytes | str = "larch\n", *, name: str = "note.txt") -> Upload:
        upload = Upload(name=name)
        upload.write(data.encode() if isinstance(data, str) else data)
        upload.finish()
        return upload

    return bring


@pytest.fixture
def receive(owner: User, finish_upload: FinishUpload) -> Receive:
    """Return a function that uploads a file, which then waits to be processed."""

    def send(
        data: bytes | str = "larch\n", *, name: str = "note.txt", kind: str | None = None
    ) -> File:
        received = finish_upload(data, name=name)
        received.identify(kind=kind)
        assert owner.client is not None
        (accepted,) = accept_files(actor=owner, client=owner.client, uploads=[received])
        return accepted.file

    return send


@pytest.fixture
def settle(receive: Receive) -> Receive:
    """Return a function that uploads a file and processes it."""

    def send(
        data: bytes | str = "larch\n", *, name: str = "note.txt", kind: str | None = None
    ) -> File:
        file = receive(data, name=name, kind=kind)
        assert process_file(file.pk)
        file.refresh_from_db()
        return file

    return send


@pytest.fixture(autouse=True, scope="module")
def _close_sandbox() -> Iterator[None]:
    yield
    close_sandbox()


@pytest.fixture
def use_processors(settings: Settings) -> Iterator[UseProcessors]:
    """Return a function that lets a test use these processors only.

    The fewer there are, the sooner a sandbox child starts.
    """

    def use(*names: str) -> None:
        settings.FILE_PROCESSORS = list(names)
        forget_processors()

    yield use
    forget_processors()


def forget_processors() -> None:
    """Let the next file be read by the processors that the settings then name."""
    close_sandbox()
    processors.cache_clear()
    sniffers.cache_clear()


def expire_lease(file: File) -> None:
    """Let a claimed file's lease expire."""
    File.unscoped.filter(pk=file.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def let_an_hour_pass() -> None:
    """Let the time pass after which uploads and unfinished runs count as abandoned."""
    passed = timedelta(hours=1)
    File.unscoped.update(touched_at=F("touched_at") - passed)
    Derivative.objects.update(created_at=F("created_at") - passed)
