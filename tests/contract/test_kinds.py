"""“Files and photos”: how the kind is detected, the limits, and the result of each kind."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.contract.conftest import ProcessPending
from tests.contract.responses import assert_problem
from tests.contract.uploads import FOUR_READINGS, form_file, gzipped_form_file, invoice
from tests.files.samples import photo

pytestmark = pytest.mark.django_db

MB = 1024 * 1024
TWENTY = "\n".join(["nothing"] * 19)


def upload_file(api_client: APIClient, data: bytes | str, name: str, **fields: Any) -> Any:
    return api_client.post(
        "/api/files/", {"file": form_file(data, name), **fields}, format="multipart"
    )


def upload_and_process_file(
    api_client: APIClient, process_pending: ProcessPending, data: bytes | str, name: str
) -> dict[str, Any]:
    response = upload_file(api_client, data, name)
    assert response.status_code == 201, response.content
    process_pending()
    file: dict[str, Any] = api_client.get(f"/api/files/{response.json()['id']}/").json()
    assert file["status"] == "SUCCESS", file["error"]
    return file


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (photo(), "a.jpg", "photo"),
        (photo(), "a.JPEG", "photo"),
        (photo(kind="PNG"), "a.png", "photo"),
        (photo(kind="WEBP"), "a.WebP", "photo"),
        (invoice(), "a.PDF", "document"),
        ("Hello", "a.txt", "text"),
        ("# Hello", "a.Md", "text"),
        ("a,b\n1,2\n", "a.csv", "text"),
        (FOUR_READINGS, "a.csv", "temperatures"),
        (FOUR_READINGS, "a.txt", "temperatures"),
        (FOUR_READINGS, "a.md", "text"),
        (TWENTY + "\n" + FOUR_READINGS, "a.csv", "temperatures"),
        (TWENTY + "\nnothing\n" + FOUR_READINGS, "a.csv", "text"),
    ],
)
def test_the_kind_is_detected_from_the_bytes_and_the_extension(
    data: bytes | str, name: str, kind: str, api_client: APIClient
) -> None:
    response = upload_file(api_client, data, name)
    assert response.status_code == 201
    assert response.json()["kind"] == kind


def test_an_archive_of_readings_is_temperatures(api_client: APIClient) -> None:
    form = {"file": gzipped_form_file(FOUR_READINGS)}
    assert api_client.post("/api/files/", form, format="multipart").json()["kind"] == "temperatures"


def test_the_field_kind_overrides_the_detected_kind(api_client: APIClient) -> None:
    assert (
        upload_file(api_client, "nothing", "a.csv", kind="temperatures").json()["kind"]
        == "temperatures"
    )
    assert upload_file(api_client, FOUR_READINGS, "a.csv", kind="text").json()["kind"] == "text"


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (photo(), "a.png", None),
        (photo(kind="PNG"), "a.jpg", None),
        (photo(), "a.pdf", None),
        (photo(), "a.txt", None),
        (invoice(), "a.jpg", None),
        ("Hello", "a.jpg", None),
        ("Hello", "a.pdf", None),
        (bytes(range(256)), "a.txt", None),
        (b"PK\x03\x04" + bytes(60), "a.zip", None),
        ("Hello", "a.exe", None),
        ("Hello", "no ending", None),
        ("Hello", ".txt", None),
        ("Hello", "a.txt", "photo"),
        (photo(), "a.jpg", "text"),
        ("Hello", "a.md", "temperatures"),
    ],
)
def test_a_file_whose_bytes_extension_and_kind_disagree_is_rejected_by_name(
    data: bytes | str, name: str, kind: str | None, api_client: APIClient
) -> None:
    problem = assert_problem(
        upload_file(api_client, data, name, **({"kind": kind} if kind else {})), 400
    )
    assert problem["errors"].keys() == {"file"}
    assert name in problem["detail"]
    form = {"files": [form_file(data, name)]}
    if kind is None:
        problem = assert_problem(api_client.post("/api/upload/", form, format="multipart"), 400)
        assert [error["name"] for error in problem["errors"]] == [name]
        assert name in problem["errors"][0]["error"]


def test_an_unknown_kind_is_400(api_client: APIClient) -> None:
    problem = assert_problem(upload_file(api_client, "Hello", "a.txt", kind="film"), 400)
    assert problem["errors"].keys() == {"kind"}


@pytest.mark.parametrize("kinds_first", [True, False])
def test_the_files_of_a_batch_have_the_kinds_of_its_form_in_their_order(
    api_client: APIClient, kinds_first: bool
) -> None:
    names = ["a.csv", "b.csv", "c.csv"]
    kinds = {"kind": ["tally", "", "text"]}
    files = {
        "images": [form_file(photo(), "p.jpg")],
        "files": [form_file(FOUR_READINGS, name) for name in names],
    }
    form = {**kinds, **files} if kinds_first else {**files, **kinds}
    response = api_client.post("/api/upload/", form, format="multipart")
    assert response.status_code == 202
    assert {
        file["name"]: api_client.get(f"/api/files/{file['file_id']}/").json()["kind"]
        for file in response.json()["files"]
    } == {"a.csv": "tally", "b.csv": "temperatures", "c.csv": "text", "p.jpg": "photo"}


def test_a_batch_gives_the_kind_of_each_csv_without_one(api_client: APIClient) -> None:
    def send(*names: str, **fields: Any) -> Any:
        form = {**fields, "files": [form_file("Length\n4.2\n", name) for name in names]}
        return api_client.post("/api/upload/", form, format="multipart")

    sent = send("a.csv", "b.TXT", "c.CSV", "d.csv", csv_kind="tally", kind=["text"])
    assert sent.status_code == 202
    assert send("e.csv", csv_kind="").status_code == 202
    assert {
        file["name"]: file["kind"] for file in api_client.get("/api/files/").json()["results"]
    } == {"a.csv": "text", "b.TXT": "text", "c.CSV": "tally", "d.csv": "tally", "e.csv": "text"}
    assert_problem(send("f.csv", csv_kind="photo"), 400)


def test_a_kind_that_a_file_of_a_batch_cannot_be_rejects_that_file(api_client: APIClient) -> None:
    form = {"kind": ["photo", ""], "files": [form_file("Hello", "a.txt"), form_file("Hi", "b.txt")]}
    response = api_client.post("/api/upload/", form, format="multipart")
    assert response.status_code == 202
    sentence = (
        "“a.txt” is not accepted: its name ends in “.txt”, which is not a file of kind photo."
    )
    assert response.json()["errors"] == [{"name": "a.txt", "error": sentence}]
    form = {"kind": "film", "files": form_file("Hello", "a.txt")}
    response = api_client.post("/api/upload/", form, format="multipart")
    assert response.status_code == 400
    sentence = sentence.replace("kind photo", "kind film")
    assert response.json()["errors"] == [{"name": "a.txt", "error": sentence}]


# --- Limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("data", "name"), [(photo(), "a.jpg"), (invoice(), "a.pdf")])
def test_photos_and_pdfs_have_at_most_5_mb(data: bytes, name: str, api_client: APIClient) -> None:
    largest = data + bytes(5 * MB - len(data))
    assert upload_file(api_client, largest, name).status_code == 201
    problem = assert_problem(upload_file(api_client, largest + b"\0", name), 413)
    assert name in problem["detail"]
    form = {"images": [form_file(largest + b"\0", name), form_file(data, "small-" + name)]}
    response = api_client.post("/api/upload/", form, format="multipart")
    assert response.status_code == 202
    assert [error["name"] for error in response.json()["errors"]] == [name]


def test_a_setting_limits_the_size_of_other_kinds(api_client: APIClient, settings: Any) -> None:
    settings.TIMBA_MAX_UPLOAD_BYTES = 2048
    assert upload_file(api_client, "x" * 2048, "a.txt").status_code == 201
    assert_problem(upload_file(api_client, "x" * 2049, "a.txt"), 413)
    form = {"file": form_file(FOUR_READINGS * 20)}
    assert_problem(api_client.post("/upload/", form, format="multipart"), 413)


def test_more_than_5_mb_of_text_is_accepted(api_client: APIClient) -> None:
    assert upload_file(api_client, "x" * (6 * MB), "a.txt").status_code == 201


def test_an_empty_file_is_rejected_by_name(api_client: APIClient) -> None:
    assert "a.txt" in assert_problem(upload_file(api_client, "", "a.txt"), 400)["detail"]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("a.txt", "a.txt"),
        ("../../etc/a.txt", "a.txt"),
        ("C:\\Users\\marta\\a.txt", "a.txt"),
        (" a .txt", " a .txt"),
        ("Ķēde 木材 🌲.txt", "Ķēde 木材 🌲.txt"),
        ("&lt;b&gt;<i>'a'.txt", "&lt;b&gt;<i>'a'.txt"),
        ("a%20b.txt", "a%20b.txt"),
        ("e\u0301.txt", "e\u0301.txt"),
        ("x" * 251 + ".txt", "x" * 251 + ".txt"),
        ("木" * 251 + ".txt", "木" * 251 + ".txt"),
    ],
)
def test_a_name_is_its_last_path_component_and_kept_exactly(
    name: str, kept: str, api_client: APIClient
) -> None:
    # Django's test client would sanitize the name.
    disposition = f'form-data; name="file"; filename="{name}"'.replace("\\", "\\\\")
    body = f"--b\r\nContent-Disposition: {disposition}\r\n\r\nHello\r\n--b--\r\n".encode()
    response = api_client.generic(
        "POST", "/api/files/", body, content_type="multipart/form-data; boundary=b"
    )
    assert response.status_code == 201, response.content
    assert response.json()["name"] == kept


@pytest.mark.parametrize("name", ["x" * 252 + ".txt", "a\tb.txt", "a\x7f.txt", "a\x85.txt"])
def test_a_name_that_is_too_long_or_has_control_characters_is_rejected(
    name: str, api_client: APIClient
) -> None:
    body = (
        f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"'
        "\r\n\r\nHello\r\n--b--\r\n"
    ).encode()
    response = api_client.generic(
        "POST", "/api/files/", body, content_type="multipart/form-data; boundary=b"
    )
    assert_problem(response, 400)


# --- Results -------------------------------------------------------------------------------------

COMMON_FIELDS = ["id", "name", "execution_time", "random_number"]
KIND_FIELDS = {
    "photo": [
        *("width", "height", "format", "taken_at", "camera"),
        *("has_gps", "latitude", "longitude", "phash"),
        *("linked_by", "similar"),
    ],
    "document": ["pages", "title", "author", "created_at", "text_chars"],
    "text": ["encoding", "lines", "words", "chars", "preview"],
}


@pytest.mark.parametrize(
    ("data", "name"), [(photo(), "a.jpg"), (invoice(), "a.pdf"), ("Hello", "a.txt")]
)
def test_every_result_has_the_common_fields_and_then_those_of_its_kind(
    data: bytes | str, name: str, api_client: APIClient, process_pending: ProcessPending
) -> None:
    file = upload_and_process_file(api_client, process_pending, data, name)
    result = file["result"]
    assert list(result) == COMMON_FIELDS + KIND_FIELDS[file["kind"]]
    assert (result["id"], result["name"]) == (file["id"], name)
    assert isinstance(result["execution_time"], float)
    assert result["execution_time"] >= 0
    assert type(result["random_number"]) is int
    assert 1 <= result["random_number"] <= 1000


def test_the_random_number_is_drawn_once(
    api_client: APIClient, process_pending: ProcessPending
) -> None:
    response = upload_file(api_client, "nonsense", "a.csv", kind="temperatures").json()
    process_pending()
    url = f"/api/files/{response['id']}/"
    drawn = api_client.get(url).json()["result"]["random_number"]
    api_client.post(f"{url}retry/")
    process_pending()
    assert api_client.get(url).json()["result"]["random_number"] == drawn


def test_a_photos_result(api_client: APIClient, process_pending: ProcessPending) -> None:
    exif = {
        0x010F: "Canon",
        0x0110: "EOS 7",
        0x8769: {0x9003: "2026:01:02 03:04:05"},
        0x8825: {1: "N", 2: (56.0, 57.0, 0.0), 3: "E", 4: (24.0, 6.0, 0.0)},
    }
    result = upload_and_process_file(api_client, process_pending, photo(exif=exif), "a.jpg")[
        "result"
    ]
    expected = {
        "width": 64,
        "height": 48,
        "format": "JPEG",
        "taken_at": "2026-01-02T03:04:05",
        "camera": "Canon EOS 7",
        "has_gps": True,
        "latitude": 56.95,
        "longitude": 24.1,
    }
    assert {name: result[name] for name in expected} == expected
    plain = upload_and_process_file(api_client, process_pending, photo(kind="PNG"), "b.png")[
        "result"
    ]
    assert [plain[name] for name in ("format", "taken_at", "camera")] == ["PNG", None, None]
    assert [plain[name] for name in ("has_gps", "latitude", "longitude")] == [False, None, None]


def test_a_documents_result(api_client: APIClient, process_pending: ProcessPending) -> None:
    result = upload_and_process_file(api_client, process_pending, invoice(), "a.pdf")["result"]
    assert [result[name] for name in KIND_FIELDS["document"]] == [
        1, "Invoice", "Marta", "2026-01-02T03:04:05Z", 9,
    ]  # fmt: skip


def test_a_texts_result(api_client: APIClient, process_pending: ProcessPending) -> None:
    result = upload_and_process_file(api_client, process_pending, "Rīga ir\nskaista", "a.txt")[
        "result"
    ]
    assert [result[name] for name in KIND_FIELDS["text"]] == ["utf-8", 2, 3, 15, "Rīga ir\nskaista"]
