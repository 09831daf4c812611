"""docs/architecture.md lists the functions on the path of an upload and of a log, in order."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from pytest_django import DjangoCaptureOnCommitCallbacks

from tests.clients import api_client_of
from tests.conftest import MakeUser
from timba.consignments.services import open_consignment
from timba.files.processing import process_file

ROOT = Path(__file__).parents[1]
PACKAGE = f"{ROOT / 'timba'}/"
STEP = re.compile(r"^\d+\. `([\w/]+\.py)` `([\w.]+)`", re.MULTILINE)

pytestmark = [pytest.mark.django_db, pytest.mark.only_on("sqlite")]


def documented(section: str) -> list[tuple[str, str]]:
    """Return the (module, function) pairs of the numbered list in a section."""
    text = (ROOT / "docs/architecture.md").read_text()
    return STEP.findall(text.split(f"## {section}\n", maxsplit=1)[1].split("\n## ")[0])


def called(act: Callable[[], Any]) -> list[tuple[str, str]]:
    """Return the functions of Timba that are called, in order."""
    calls = []

    def record(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            module = frame.f_code.co_filename.removeprefix(PACKAGE)
            calls.append((module, frame.f_code.co_qualname))

    sys.setprofile(record)
    try:
        act()
    finally:
        sys.setprofile(None)
    return calls


def first_missing(steps: list[tuple[str, str]], calls: list[tuple[str, str]]) -> Any:
    """Return the first step that was not called after the steps before it."""
    remaining: Iterator[tuple[str, str]] = iter(calls)
    return next((step for step in steps if step not in remaining), None)


def test_an_upload_takes_the_documented_path(
    make_user: MakeUser,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    api_client = api_client_of(make_user())

    def upload() -> None:
        file = SimpleUploadedFile("yard.csv", b"7,21.5,2026-01-01T00:00:00Z\n")
        with django_capture_on_commit_callbacks(execute=True):
            response = api_client.post("/upload/", {"file": file}, format="multipart")
        assert response.status_code == 201
        assert process_file(response.json()["file_id"])

    steps = documented("The path of an upload")
    assert len(steps) > 20
    assert first_missing(steps, called(upload)) is None


def test_a_log_takes_the_documented_path(make_user: MakeUser) -> None:
    user = make_user()
    load = open_consignment(actor=user, client=user.client, name="Lorry 7", type="hardwood")
    api_client = api_client_of(user)

    def add() -> None:
        body = {"consignment_id": load.pk, "length": 4, "breadth": 30, "height": 31}
        assert api_client.put("/timba/log", body).status_code == 201

    steps = documented("The path of a log")
    assert len(steps) > 10
    assert first_missing(steps, called(add)) is None
