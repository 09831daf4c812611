"""A sawmill whose files really are received, stored and processed, in a store of its own."""

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

Take = Callable[..., Upload]
Receive = Callable[..., File]
Objects = Callable[[], set[str]]


@pytest.fixture(autouse=True)
def store_folder(settings: Settings, tmp_path: Path) -> Path:
    """Keep each test's objects in a folder of their own."""
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
    """Return what lists everything in the store, finished or not."""
    return lambda: {
        str(path.relative_to(store_folder)) for path in store_folder.rglob("*") if path.is_file()
    }


@pytest.fixture
def owner(make_user: Callable[..., User]) -> User:
    """Return the owner of a sawmill."""
    return make_user()


@pytest.fixture
def take() -> Take:
    """Return a way to bring bytes in: they are durable, and nobody has accepted them yet."""

    def bring(data: bytes | str = "larch\n", *, name: str = "note.txt") -> Upload:
        upload = Upload(name=name)
        upload.write(data.encode() if isinstance(data, str) else data)
        upload.finish()
        return upload

    return bring


@pytest.fixture
def receive(owner: User, take: Take) -> Receive:
    """Return a way to send a file in: it waits to be processed."""

    def send(
        data: bytes | str = "larch\n", *, name: str = "note.txt", kind: str | None = None
    ) -> File:
        received = take(data, name=name)
        received.identify(kind=kind)
        assert owner.client is not None
        (accepted,) = accept_files(actor=owner, client=owner.client, uploads=[received])
        return accepted.file

    return send


@pytest.fixture
def settle(receive: Receive) -> Receive:
    """Return a way to send a file in and have it processed."""

    def send(
        data: bytes | str = "larch\n", *, name: str = "note.txt", kind: str | None = None
    ) -> File:
        file = receive(data, name=name, kind=kind)
        assert process_file(file.pk)
        file.refresh_from_db()
        return file

    return send


@pytest.fixture
def hostile(settings: Settings) -> Iterator[None]:
    """Have texts read, in the sandbox, by what does to it whatever the text says."""
    read_by(settings, "tests.files.hostile.PROCESSOR")
    yield
    _forget_processors()


def read_by(settings: Settings, *names: str) -> None:
    """Have files read by these processors; the fewer, the sooner a child of the sandbox begins."""
    settings.FILE_PROCESSORS = list(names)
    _forget_processors()


def _forget_processors() -> None:
    close_sandbox()
    processors.cache_clear()
    sniffers.cache_clear()


def lose_worker(file: File) -> None:
    """Let the time pass after which a claim counts as lost."""
    File.unscoped.filter(pk=file.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def let_an_hour_pass() -> None:
    """Let the time pass after which nothing comes any more of what was cut off."""
    passed = timedelta(hours=1)
    File.unscoped.update(touched_at=F("touched_at") - passed)
    Derivative.objects.update(created_at=F("created_at") - passed)
