"""Uploads are streamed into the store; files that are not accepted leave no object."""

from __future__ import annotations

import base64
import errno
import io
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser
from django.test import RequestFactory
from django.urls import resolve
from django.utils import timezone
from orjson import loads
from pytest_django.fixtures import Settings
from rest_framework.response import Response
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.conftest import MakeUser
from tests.contract.responses import assert_problem
from timba.accounts.models import User
from timba.accounts.tokens import issue_tokens
from timba.api import uploads
from timba.api.batches import BatchView
from timba.api.files import TemperatureUploadView
from timba.api.multipart import CUT_OFF
from timba.errors import DiskFull
from timba.files.disk import TOO_LARGE_FOR_DISK
from timba.files.models import File
from timba.files.receiving import Upload

# HTTP alone: the contract suite proves these endpoints on every database.
pytestmark = [pytest.mark.django_db, pytest.mark.only_on("sqlite")]

BOUNDARY = "larch"
Objects = Callable[[], set[str]]


class Endless(io.RawIOBase):
    """An endless body that begins with a form, and counts the bytes that are read."""

    def __init__(self, form: bytes) -> None:
        self._form = form
        self.given = 0

    def read(self, size: int = -1) -> bytes:
        piece = self._form[self.given : self.given + size].ljust(size, b"\0")
        self.given += size
        return piece


@pytest.fixture
def store_folder(settings: Settings, tmp_path: Path) -> Path:
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
    """Return a function that lists all objects of the store, finished or not."""
    return lambda: {path.name for path in store_folder.rglob("*") if path.is_file()}


@pytest.fixture
def api_client(make_user: MakeUser) -> APIClient:
    return api_client_of(make_user())


def part(content: bytes, name: str = "a.txt", *, field: str = "files", headers: str = "") -> bytes:
    disposition = f'Content-Disposition: form-data; name="{field}"; filename="{name}"\r\n{headers}'
    return f"--{BOUNDARY}\r\n{disposition}\r\n".encode() + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()
NO_FILE = "file: No file was sent: send it as “file” in a multipart form."


def send(api_client: APIClient, body: bytes, url: str = "/api/upload/", **headers: str) -> Response:
    content_type = f"multipart/form-data; boundary={BOUNDARY}"
    response: Response = api_client.generic("POST", url, body, content_type=content_type, **headers)
    return response


def send_endless(user: User, body: Endless, url: str, *, length: int) -> Any:
    request = RequestFactory().generic(
        "POST",
        url,
        CONTENT_TYPE=f"multipart/form-data; boundary={BOUNDARY}",
        CONTENT_LENGTH=str(length),
        HTTP_AUTHORIZATION=f"Bearer {issue_tokens(user=user).access}",
        **{"wsgi.input": body},
    )
    return resolve(url).func(request)


def test_files_are_stored_unchanged(api_client: APIClient, objects: Objects) -> None:
    content = os.urandom(100) + b"\r\n--not-the-boundary\r\n" + b"\r\n" * 3
    photo = b"\xff\xd8\xff" + content
    response = send(api_client, part(photo, "a.jpg") + part(b"larch\n" * 500_000) + END)
    assert response.status_code == 202
    assert {file.size for file in File.unscoped.all()} == {len(photo), 3_000_000}
    assert len(objects()) == 2


def test_base64_part_is_decoded(api_client: APIClient) -> None:
    encoded = base64.encodebytes(b"larch\n" * 100_000)
    body = part(encoded, headers="Content-Transfer-Encoding: base64\r\n") + END
    assert send(api_client, body).status_code == 202
    assert File.unscoped.get().size == 600_000


@pytest.mark.parametrize("lost", [1, 4, len(END) - 2, len(END), len(END) + 3, 60, 120])
def test_truncated_form_is_rejected_as_a_whole(
    api_client: APIClient, objects: Objects, lost: int
) -> None:
    """Files received completely are rejected too: the client sends the form again."""
    body = part(b"larch\n") + part(b"alder\n", "b.txt") + END.rstrip()
    response = send(api_client, body[:-lost], HTTP_IDEMPOTENCY_KEY="once")
    assert (response.status_code, response.json()["detail"]) == (400, CUT_OFF)
    assert not File.unscoped.exists()
    assert objects() == set()
    assert send(api_client, body, HTTP_IDEMPOTENCY_KEY="once").status_code == 202


def test_broken_connection_is_a_truncated_form(make_user: MakeUser, objects: Objects) -> None:
    body = part(b"larch\n") + part(b"alder\n", "b.txt") + END

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() >= 100:
                raise OSError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
            return super().read(100)

    request = RequestFactory().generic(
        "POST",
        "/api/upload/",
        body,
        content_type=f"multipart/form-data; boundary={BOUNDARY}",
        HTTP_AUTHORIZATION=f"Bearer {issue_tokens(user=make_user()).access}",
        **{"wsgi.input": Broken(body)},
    )
    assert BatchView.as_view()(request).status_code == 400
    assert not File.unscoped.exists()
    assert objects() == set()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form at all",
        b"--larch--",
        part(b"!", headers="Content-Transfer-Encoding: base64\r\n") + END,
        b"--larch\r\nContent-Disposition: form-data\r\n\r\nx\r\n" + END,
    ],
)
def test_malformed_form_is_400(api_client: APIClient, objects: Objects, body: bytes) -> None:
    assert send(api_client, body).status_code == 400
    assert not File.unscoped.exists()
    assert objects() == set()


def test_rejected_file_does_not_affect_its_batch(api_client: APIClient, objects: Objects) -> None:
    body = b"".join(
        [
            part(b"larch\n", "good.txt"),
            part(b"", "empty.txt"),
            part(b"MZ", "setup.exe"),
            part(bytes(6 * 1024**2), "large.jpg"),
            part(b"x", "control\x7f.txt"),
            part(b"alder\n", "also good.txt"),
            part(b"oak\n", "elsewhere.txt", field="attachments"),
            part(b"oak\n", "no photo.txt", field="images"),
        ]
    )
    response = send(api_client, body + END)
    assert response.status_code == 202
    sent = response.json()
    assert [file["name"] for file in sent["files"]] == ["good.txt", "also good.txt"]
    assert {error["name"]: error["error"] for error in sent["errors"]} == {
        "empty.txt": "“empty.txt” is empty.",
        "setup.exe": "“setup.exe” is not accepted: files ending in “.exe” cannot be read here.",
        "large.jpg": "“large.jpg” is too large: a file like this may have 5 MB.",
        "control\ufffd.txt": "“control\ufffd.txt” has control characters in its name. Rename it.",
        "elsewhere.txt": (
            "“elsewhere.txt” came under the field “attachments”: send it as images or files."
        ),
        "no photo.txt": (
            "“no photo.txt” is not an image: jpg, png, webp and pdf are. Send it as files."
        ),
    }
    assert File.unscoped.count() == 2
    assert len(objects()) == 2


def test_batch_holds_at_most_a_hundred_files(api_client: APIClient, objects: Objects) -> None:
    files = [part(b"larch %d\n" % number, f"{number}.txt") for number in range(101)]
    response = send(api_client, b"".join(files) + END)
    assert (response.status_code, File.unscoped.count(), objects()) == (400, 0, set())
    assert response.json()["detail"] == "101 files are too many: send at most 100."
    response = send(api_client, b"".join(files[:100]) + END)
    assert (response.status_code, File.unscoped.count(), len(objects())) == (202, 100, 100)


@pytest.mark.parametrize("url", ["/api/files/", "/upload/"])
def test_single_file_endpoint_accepts_one_file(
    api_client: APIClient, objects: Objects, url: str
) -> None:
    readings = b"7,21.5,2026-01-01T00:00:00Z\n"
    two = part(readings, "a.csv", field="file") + part(readings, "b.csv", field="file") + END
    for body, sentence in (
        (two, "file: Send one file at a time here."),
        (
            part(readings, "a.csv", field="files") + END,
            "file: “a.csv” came under “files”: the form names no file field `file`.",
        ),
        (
            b'--larch\r\nContent-Disposition: form-data; name="file"\r\n\r\n7,1\r\n' + END,
            "file: The field `file` came without a file name: send it as a file.",
        ),
        (part(b"", "", field="file") + END, NO_FILE),
        (part(readings, "", field="file") + END, "file: A file has no name."),
        (END, NO_FILE),
        (b"", NO_FILE),
        (part(b"", "a.csv", field="file") + END, "file: “a.csv” is empty."),
    ):
        response = send(api_client, body, url)
        assert (response.status_code, response.json()["detail"]) == (400, sentence)
        assert not File.unscoped.exists()
        assert objects() == set()
    assert send(api_client, part(readings, "a.csv", field="file") + END, url).status_code == 201


def test_forbidden_upload_is_rejected_before_its_body_is_read(
    make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def receive(*_: Any, **__: Any) -> None:
        pytest.fail("a byte was taken in")

    monkeypatch.setattr(uploads, "Upload", receive)
    body = part(b"larch\n") + END
    assert send(api_client_of(make_user(role="viewer")), body).status_code == 403
    assert send(APIClient(), body).status_code == 401
    lapsed = make_user()
    lapsed.client.subscription.current_period_end = timezone.now()
    lapsed.client.subscription.save()
    assert send(api_client_of(lapsed), body).status_code == 402


@pytest.mark.parametrize(
    ("url", "name", "kind", "status", "sentence"),
    [
        (
            "/api/files/",
            "a.exe",
            "",
            400,
            "file: “a.exe” is not accepted: files ending in “.exe” cannot be read here.",
        ),
        (
            "/api/files/",
            "a.jpg",
            "tally",
            400,
            (
                "file: “a.jpg” is not accepted: its name ends in “.jpg”, "
                "which is not a file of kind tally."
            ),
        ),
        (
            "/upload/",
            "a.pdf",
            "",
            400,
            (
                "file: “a.pdf” is not accepted: its name ends in “.pdf”, "
                "which is not a file of kind temperatures."
            ),
        ),
        ("/api/files/", "a.jpg", "", 413, "“a.jpg” is too large: a file like this may have 5 MB."),
        ("/upload/", "a.csv", "", 413, "“a.csv” is too large: a file like this may have 10 GB."),
    ],
)
def test_invalid_name_or_length_is_rejected_before_the_bytes_are_read(
    make_user: MakeUser, url: str, name: str, kind: str, status: int, sentence: str
) -> None:
    form = part(b"", name, field="file")
    if kind:
        form = (
            f'--larch\r\nContent-Disposition: form-data; name="kind"\r\n\r\n{kind}\r\n'.encode()
            + form
        )
    body = Endless(form)
    response = send_endless(make_user(), body, url, length=11 * 1024**3)
    assert (response.status_code, loads(response.content)["detail"]) == (status, sentence)
    assert body.given <= 64 * 1024
    assert not File.unscoped.exists()


@pytest.mark.parametrize(
    ("length", "quota", "shown"), [(3 * 1024**2, 1024**2, "1 MB"), (1024**2, 64 * 1024, "64 kB")]
)
def test_a_file_beyond_the_quota_is_rejected_before_all_its_bytes_are_read(
    make_user: MakeUser, objects: Objects, length: int, quota: int, shown: str
) -> None:
    """By the length of the form, or once its bytes exceed the quota: the rest may be fields."""
    user = make_user()
    user.client.subscription.quota_bytes = quota
    user.client.subscription.save()
    body = Endless(part(b"larch", "a.md", field="file").removesuffix(b"\r\n"))
    response = send_endless(user, body, "/api/files/", length=length)
    assert response.status_code == 402
    assert loads(response.content)["detail"].startswith(f"“a.md” does not fit: {shown} of ")
    assert body.given < 512 * 1024
    assert objects() == set()


def test_a_file_that_does_not_fit_on_the_disk_is_rejected_before_its_bytes_are_read(
    make_user: MakeUser, settings: Settings
) -> None:
    settings.TIMBA_MAX_UPLOAD_BYTES = 1024**5
    body = Endless(part(b"larch", "a.md", field="file").removesuffix(b"\r\n"))
    response = send_endless(make_user(), body, "/api/files/", length=1024**5)
    assert response.status_code == 503
    assert loads(response.content)["detail"] == TOO_LARGE_FOR_DISK
    assert body.given <= 64 * 1024
    assert not File.unscoped.exists()


def test_binary_bytes_are_rejected_early_where_text_is_expected(
    make_user: MakeUser,
) -> None:
    body = Endless(part(b"MZ", "a.exe", field="file").removesuffix(b"\r\n"))
    request = RequestFactory().generic(
        "POST",
        "/upload/",
        CONTENT_TYPE=f"multipart/form-data; boundary={BOUNDARY}",
        CONTENT_LENGTH=str(2 * 1024**3),
        HTTP_AUTHORIZATION=f"Bearer {issue_tokens(user=make_user()).access}",
        **{"wsgi.input": body},
    )
    response = TemperatureUploadView.as_view()(request)
    assert (response.status_code, loads(response.content)["detail"]) == (
        400,
        (
            "file: “a.exe” is not accepted: its name ends in “.exe”, "
            "but its bytes are of no kind that can be read here."
        ),
    )
    assert body.given <= 1024**2
    assert not File.unscoped.exists()


def test_rejected_file_of_a_batch_is_read_and_discarded(
    api_client: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    class Noted(Upload):
        def __init__(self, *, name: str, **options: Any) -> None:
            begun.append(name)
            super().__init__(name=name, **options)

    monkeypatch.setattr(uploads, "Upload", Noted)
    body = part(bytes(3 << 20), "a.exe") + part(b"MZ", "b.csv", field="images") + part(b"larch\n")
    response = send(api_client, body + END)
    assert response.status_code == 202
    assert [file["name"] for file in response.json()["files"]] == begun == ["a.txt"]


def test_batch_without_file_names_is_rejected_with_that_reason(api_client: APIClient) -> None:
    body = b'--larch\r\nContent-Disposition: form-data; name="images"\r\n\r\nx\r\n' + END
    response = send(api_client, body)
    sentence = "The field `images` came without a file name: send it as a file."
    assert (response.status_code, response.json()["detail"]) == (400, sentence)
    assert response.json()["errors"] == [{"name": "", "error": sentence}]


def test_field_in_the_wrong_encoding_is_rejected(
    api_client: APIClient,
) -> None:
    field = '--larch\r\nContent-Disposition: form-data; name="kind"\r\n{}\r\nGröße\r\n'
    file = part(b"larch\n", field="file") + END
    response = send(api_client, field.format("").encode("latin-1") + file, "/api/files/")
    assert response.json()["detail"] == "The text of “kind” is not in UTF-8."
    payload = field.format("Content-Type: text/plain; charset=ISO-8859-1\r\n").encode("latin-1")
    response = send(api_client, payload + file, "/api/files/")
    assert response.json()["detail"] == 'kind: "Größe" is not a valid choice.'


def test_page_of_a_user_who_signed_out_writes_nothing_for_the_next_one(
    make_user: MakeUser,
) -> None:
    first, second = make_user(), make_user(username="second")
    browser = Browser()
    browser.force_login(second)
    form = {"file": SimpleUploadedFile("a.txt", b"Larch")}
    headers = {"Timba-User": str(first.pk)}
    problem = assert_problem(browser.post("/api/files/", form, headers=headers), 401)
    assert problem["detail"] == "Another user has signed in since this page was opened."
    assert not File.unscoped.exists()
    form = {"file": SimpleUploadedFile("a.txt", b"Larch")}
    headers = {"Timba-User": str(second.pk)}
    assert browser.post("/api/files/", form, headers=headers).status_code == 201


def test_form_may_hold_the_csrf_token(make_user: MakeUser) -> None:
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(make_user())
    token = browser.get("/api/", headers={"accept": "text/html"}).context["csrf_token"]
    field = '--larch\r\nContent-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n{}\r\n'
    content_type = f"multipart/form-data; boundary={BOUNDARY}"
    for sent, status in ((str(token), 202), ("x" * 64, 403)):
        body = field.format(sent).encode() + part(b"larch\n", "%22A%22.txt") + END
        response = browser.generic("POST", "/api/upload/", body, content_type=content_type)
        assert response.status_code == status
    assert File.unscoped.get().name == "%22A%22.txt"


@pytest.mark.parametrize("url", ["/api/upload/", "/api/files/", "/upload/"])
def test_full_disk_is_503_and_leaves_no_object(
    api_client: APIClient, objects: Objects, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    def disk_is_full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    field = "files" if url == "/api/upload/" else "file"
    body = part(b"7,21.5,2026-01-01T00:00:00Z\n", "a.csv", field=field) + END
    assert send(api_client, part(b"MZ", "a.exe") + END).status_code == 400  # makes the folders
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", disk_is_full)
        response = send(api_client, body, url)
    assert (response.status_code, response.json()["detail"]) == (503, str(DiskFull()))
    assert response["Retry-After"] == "60"
    # Without fsync nothing can be erased for good either: its row names what is left.
    assert {key[:8] for key in objects()} <= {
        key.split("/")[1][:8] for key in File.unscoped.values_list("storage_key", flat=True)
    }
    assert not File.unscoped.exclude(status="RECEIVING").exists()
    accepted = 202 if url == "/api/upload/" else 201
    assert send(api_client, body, url).status_code == accepted


def test_sweeper_spares_files_of_an_upload_in_progress(
    api_client: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[set[Any]] = []
    monkeypatch.setattr(uploads, "_TOUCH_SECONDS", 0.0)
    monkeypatch.setattr(uploads, "touch_uploads", lambda file_ids: kept.append(set(file_ids)))
    send(api_client, part(b"larch\n") + part(b"alder\n") + part(b"oak\n") + END)
    everything = set(File.unscoped.values_list("pk", flat=True))
    assert [len(ids) for ids in kept] == [1, 2, 3]
    assert kept[-1] == everything


def test_names_are_stored_exactly_without_folders(api_client: APIClient) -> None:
    names = {
        "C:\\load\\Größe &amp; Länge.txt": "Größe &amp; Länge.txt",
        "/tmp/../etc/дуб 🌲\u202e.txt": "дуб 🌲\u202e.txt",
        "&quot;larch&quot;.txt": "&quot;larch&quot;.txt",
    }
    for sent, kept in names.items():
        response = send(api_client, part(sent.encode(), sent) + END)
        assert [file["name"] for file in response.json()["files"]] == [kept]


def test_upload_is_never_whole_in_memory(make_user: MakeUser) -> None:
    piece = b"larch alder oak\n" * 65_536
    head, tail = part(b"")[:-2], b"\r\n" + END

    class Body(io.RawIOBase):
        def __init__(self) -> None:
            self._pieces = iter([head, *[piece] * 64, tail])
            self._left = b""

        def read(self, size: int = -1) -> bytes:
            while len(self._left) < size and (more := next(self._pieces, b"")):
                self._left += more
            data, self._left = self._left[:size], self._left[size:]
            return data

    request = RequestFactory().generic(
        "POST",
        "/api/upload/",
        HTTP_AUTHORIZATION=f"Bearer {issue_tokens(user=make_user()).access}",
        CONTENT_TYPE=f"multipart/form-data; boundary={BOUNDARY}",
        CONTENT_LENGTH=str(len(head) + 64 * len(piece) + len(tail)),
        **{"wsgi.input": Body()},
    )
    tracemalloc.start()
    try:
        assert BatchView.as_view()(request).status_code == 202
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert File.unscoped.get().size == 64 * len(piece)
    assert peak < 16 * 1024**2


def test_kind_may_follow_a_file_without_a_known_extension(make_user: MakeUser) -> None:
    readings = SimpleUploadedFile("yard.log", b"41,-3.20,2026-11-20T06:00:00Z\n")
    form = {"file": readings, "kind": "temperatures"}
    assert (
        api_client_of(make_user()).post("/api/files/", form, format="multipart").status_code == 201
    )


@pytest.mark.parametrize("path", ["/upload/", "/api/files/"])
@pytest.mark.parametrize(
    ("fields", "read_as"),
    [
        ({"city_id": "41"}, {"city_id": 41}),
        ({"city_id": " 2147483647 "}, {"city_id": 2147483647}),
        ({"city_id": "41", "read_as": '{"unit": "F"}'}, {"unit": "F", "city_id": 41}),
        ({"city_id": "41", "read_as": '{"city_id": 41}'}, {"city_id": 41}),
        ({"city_id": "", "read_as": ""}, None),
    ],
)
def test_the_city_of_a_temperature_file_is_an_answer_of_its_uploader(
    make_user: MakeUser, path: str, fields: dict[str, str], read_as: Any
) -> None:
    user = make_user()
    form = {"file": readings(), "kind": "temperatures", **fields}
    assert api_client_of(user).post(path, form, format="multipart").status_code == 201
    file = File.unscoped.get()
    assert (file.read_as, file.answered_by) == (read_as, user if read_as else None)


@pytest.mark.parametrize("path", ["/upload/", "/api/files/"])
@pytest.mark.parametrize(
    ("fields", "name", "sentence"),
    [
        *[
            ({"city_id": text}, "city_id", "city_id is a whole number from 1 to 2147483647.")
            for text in ("0", "-1", "+7", "7.0", "2147483648", "seven", "٧", "1 2", "0" * 11)
        ],
        (
            {"city_id": "7", "read_as": '{"city_id": 8}'},
            "city_id",
            "city_id is 7, but read_as names city 8. Leave one of them out.",
        ),
        (
            {"city_id": "7", "read_as": "[]"},
            "read_as",
            "“read_as” is an object such as {“dates”: “day-first”}.",
        ),
    ],
)
def test_a_wrong_city_is_400_and_leaves_no_object(
    api_client: APIClient,
    objects: Objects,
    path: str,
    fields: dict[str, str],
    name: str,
    sentence: str,
) -> None:
    form = {"file": readings(), "kind": "temperatures", **fields}
    response = api_client.post(path, form, format="multipart")
    assert (response.status_code, response.json()["errors"]) == (400, {name: [sentence]})
    assert objects() == set()


def test_only_temperature_files_have_a_city(api_client: APIClient, objects: Objects) -> None:
    form = {"file": SimpleUploadedFile("note.txt", b"larch\n"), "city_id": "7"}
    response = api_client.post("/api/files/", form, format="multipart")
    sentence = "city_id is for temperature files; leave it out for a file of kind text."
    assert (response.status_code, response.json()["errors"]) == (400, {"city_id": [sentence]})
    assert objects() == set()


@pytest.mark.parametrize("path", ["/upload/", "/api/files/"])
def test_the_same_key_with_another_city_is_409(api_client: APIClient, path: str) -> None:
    def send(city_id: str) -> Any:
        form = {"file": readings(), "kind": "temperatures", "city_id": city_id}
        return api_client.post(path, form, format="multipart", headers={"Idempotency-Key": "yard"})

    assert [send(city_id).status_code for city_id in ("7", "7", "8")] == [201, 201, 409]


def readings() -> SimpleUploadedFile:
    return SimpleUploadedFile("yard.csv", b"temperature;time\n1,5;2026-01-31 08:00\n")
