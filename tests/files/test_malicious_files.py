"""Malicious files: each ends with its reason at every entrance and in every processor."""

from __future__ import annotations

import logging
import resource
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.contract.tus import Tus
from tests.files.conftest import Objects, Receive
from tests.files.malicious_files import MALICIOUS_FILES, QUICK, SLOW, refusal_at_upload
from tests.files.samples import MaliciousFile, MemorySource, photo
from tests.servers import record_connections
from timba.accounts.models import User
from timba.consignments.models import Consignment, Log
from timba.consignments.services import open_consignment
from timba.files import sandbox
from timba.files.kinds import DOCUMENT, PHOTO, TALLY
from timba.files.models import Derivative, File
from timba.files.processing import process_file
from timba.files.processors.photo import read_photo
from timba.files.resumable import parts
from timba.files.sandbox import run_in_sandbox
from timba.files.sandbox_child import MEMORY_BYTES

pytestmark = [pytest.mark.django_db, pytest.mark.only_on("sqlite")]
# Kinds that are read in the sandbox; the others are text, which the worker reads.
SANDBOXED = (PHOTO, DOCUMENT, TALLY)
READINGS = "/upload/"


def cases(names: Iterable[str], *marks: pytest.MarkDecorator) -> list[Any]:
    return [
        pytest.param(name, kind, id=f"{name}, {kind}", marks=marks)
        for name in names
        for kind in MALICIOUS_FILES[name].outcomes
    ]


@pytest.fixture
def data_folder(settings: Settings, tmp_path: Path) -> Path:
    """Return the folder of the worker's temporary files."""
    folder = tmp_path / "data"
    folder.mkdir()
    settings.TIMBA_DATA_DIR = folder
    return folder


@pytest.fixture
def consignment(owner: User) -> Consignment:
    assert owner.client is not None
    return open_consignment(actor=owner, client=owner.client, name="Lorry 7", type="hardwood")


@pytest.mark.parametrize(("name", "kind"), [*cases(QUICK), *cases(sorted(SLOW), pytest.mark.slow)])
def test_a_malicious_file_ends_with_its_reason_and_leaves_nothing(
    name: str,
    kind: str,
    receive: Receive,
    consignment: Consignment,
    objects: Objects,
    data_folder: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    malicious = MALICIOUS_FILES[name]
    file = receive(malicious.build(), name=malicious.name, kind=kind)
    File.unscoped.filter(pk=file.pk).update(consignment=consignment)
    connections = record_connections(monkeypatch)
    assert process_file(file.pk)
    file.refresh_from_db()
    outcome = malicious.outcomes[kind]
    if isinstance(outcome, str):
        assert (file.status, file.error) == (File.Status.FAILURE, outcome)
        assert not Log.unscoped.exists()
    else:
        assert (file.status, file.error) == (File.Status.SUCCESS, "")
        assert {key: file.result[key] for key in outcome} == outcome
    derived = Derivative.objects.values_list("storage_key", flat=True)
    assert objects() <= {file.storage_key, *derived}
    assert list(data_folder.iterdir()) == []
    assert connections == []
    assert [r.msg for r in caplog.records if r.levelno >= logging.ERROR] == []


def test_a_reader_has_at_most_768_megabytes() -> None:
    run_in_sandbox(read_photo, MemorySource(photo()))
    child = sandbox._local.child
    limits = (MEMORY_BYTES, MEMORY_BYTES)
    assert resource.prlimit(child.process.pid, resource.RLIMIT_AS) == limits
    assert MEMORY_BYTES == 768 * 1024**2


# --- Entrances -----------------------------------------------------------------------------------


def sentence(file: MaliciousFile, refusal: str) -> str:
    return f"“{file.name}” is not accepted: {refusal}"


@pytest.fixture(scope="module")
def contents() -> dict[str, bytes]:
    """Return the bytes of the files that take no seconds to build."""
    return {name: MALICIOUS_FILES[name].build() for name in QUICK}


@pytest.fixture
def api_client(owner: User) -> APIClient:
    return api_client_of(owner)


@pytest.mark.parametrize("url", ["/api/files/", READINGS])
def test_the_entrances_of_one_file_take_it_or_say_why_not(
    url: str, api_client: APIClient, contents: dict[str, bytes]
) -> None:
    answers: dict[str, Any] = {}
    expected: dict[str, Any] = {}
    for name, content in contents.items():
        file = MALICIOUS_FILES[name]
        refusal = refusal_at_upload(file) if url == READINGS else file.refusal
        expected[name] = (400, [sentence(file, refusal)]) if refusal else (201, None)
        form = {"file": SimpleUploadedFile(file.name, content)}
        response = api_client.post(url, form, format="multipart")
        errors = response.json().get("errors", {})
        # The same bytes count as readings once.
        status = 201 if response.json().get("duplicate") else response.status_code
        answers[name] = (status, errors.get("file"))
    assert answers == expected


def test_resumable_uploads_take_them_or_say_why_not(
    api_client: APIClient, contents: dict[str, bytes], data_folder: Path
) -> None:
    tus = Tus(api_client)
    answers: dict[str, Any] = {}
    expected: dict[str, Any] = {}
    for name, content in contents.items():
        file = MALICIOUS_FILES[name]
        expected[name] = (400, [sentence(file, file.refusal)]) if file.refusal else (201, None)
        response = tus.create(len(content), content, filename=file.name)
        errors = response.json().get("errors", {})
        answers[name] = (response.status_code, errors.get("file"))
        assert ("Timba-File-Id" in response) == (response.status_code == 201)
    assert answers == expected
    assert list(parts.files_in_folder()) == []


def test_in_a_batch_they_do_no_harm_to_others(
    api_client: APIClient, contents: dict[str, bytes]
) -> None:
    names = list(contents)
    for start in range(0, len(names), 97):
        files = [(MALICIOUS_FILES[name], contents[name]) for name in names[start : start + 97]]
        middle = len(files) // 2
        sent = [
            ("good 1.txt", b"larch"),
            *((file.name, content) for file, content in files[:middle]),
            ("good 2.txt", b"alder"),
            *((file.name, content) for file, content in files[middle:]),
            ("good 3.jpg", photo()),
        ]
        form = {"files": [SimpleUploadedFile(*each) for each in sent]}
        answer = api_client.post("/api/upload/", form, format="multipart").json()
        taken = [file.name for file, _ in files if not file.refusal]
        names_taken = sorted(["good 1.txt", "good 2.txt", "good 3.jpg", *taken])
        assert sorted(each["name"] for each in answer["files"]) == names_taken
        assert answer["errors"] == [
            {"name": file.name, "error": sentence(file, file.refusal)}
            for file, _ in files
            if file.refusal
        ]
