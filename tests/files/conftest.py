"""Fixtures that receive, store and process files of one client, in a store per test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from timba.accounts.models import User
from timba.files import processing
from timba.files.models import File
from timba.files.processing import process_file
from timba.files.processors.base import Processor
from timba.files.receiving import Accepted, Upload, accept_files
from timba.files.registry import processors, sniffers
from timba.files.sandbox import close_sandbox

FinishUpload = Callable[..., Upload]
Receive = Callable[..., File]
UseReader = Callable[..., None]
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


def accept(actor: User, *uploads: Upload, kind: str | None = None) -> list[Accepted]:
    """Accept finished uploads as files of the actor's client."""
    assert actor.client is not None
    for upload in uploads:
        upload.identify(kind=kind)
    return accept_files(actor=actor, client=actor.client, uploads=uploads)


@pytest.fixture
def receive(owner: User, finish_upload: FinishUpload) -> Receive:
    """Return a function that uploads a file, which then waits to be processed."""

    def send(
        data: bytes | str = "larch\n", *, name: str = "note.txt", kind: str | None = None
    ) -> File:
        [accepted] = accept(owner, finish_upload(data, name=name), kind=kind)
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


@pytest.fixture
def use_reader(monkeypatch: pytest.MonkeyPatch) -> UseReader:
    """Return a function that makes the worker read texts with a function of the test."""

    def use(read: Callable[[Any], dict[str, Any]], **options: Any) -> None:
        processor = Processor(kind="text", read=read, sandboxed=False, **options)
        installed = {**processing.processors(), "text": processor}
        monkeypatch.setattr(processing, "processors", lambda: installed)

    return use


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
