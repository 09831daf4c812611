"""“Files and photos”: what is accepted as which kind, the limits, each kind's result."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image
from rest_framework.test import APIClient

from tests.contract.answers import assert_problem
from tests.contract.conftest import Work
from tests.contract.uploads import FOUR, pdf, photo, sent, zipped

pytestmark = pytest.mark.django_db

MB = 1024 * 1024
TWENTY = "\n".join(["nothing"] * 19)


def add(program: APIClient, data: bytes | str, name: str, **fields: Any) -> Any:
    return program.post("/api/files/", {"file": sent(data, name), **fields}, format="multipart")


def processed(program: APIClient, work: Work, data: bytes | str, name: str) -> dict[str, Any]:
    answer = add(program, data, name)
    assert answer.status_code == 201, answer.content
    work()
    file: dict[str, Any] = program.get(f"/api/files/{answer.json()['id']}/").json()
    assert file["status"] == "SUCCESS", file["error"]
    return file


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (photo(), "a.jpg", "photo"),
        (photo(), "a.JPEG", "photo"),
        (photo("PNG"), "a.png", "photo"),
        (photo("WEBP"), "a.WebP", "photo"),
        (pdf(), "a.PDF", "document"),
        ("Hello", "a.txt", "text"),
        ("# Hello", "a.Md", "text"),
        ("a,b\n1,2\n", "a.csv", "text"),
        (FOUR, "a.csv", "temperatures"),
        (FOUR, "a.txt", "temperatures"),
        (FOUR, "a.md", "text"),
        (TWENTY + "\n" + FOUR, "a.csv", "temperatures"),
        (TWENTY + "\nnothing\n" + FOUR, "a.csv", "text"),
    ],
)
def test_the_bytes_and_the_ending_say_the_kind(
    data: bytes | str, name: str, kind: str, program: APIClient
) -> None:
    answer = add(program, data, name)
    assert answer.status_code == 201
    assert answer.json()["kind"] == kind


def test_an_archive_of_readings_is_temperatures(program: APIClient) -> None:
    form = {"file": zipped(FOUR)}
    assert program.post("/api/files/", form, format="multipart").json()["kind"] == "temperatures"


def test_kind_may_say_so(program: APIClient) -> None:
    assert add(program, "nothing", "a.csv", kind="temperatures").json()["kind"] == "temperatures"
    assert add(program, FOUR, "a.csv", kind="text").json()["kind"] == "text"


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (photo(), "a.png", None),
        (photo("PNG"), "a.jpg", None),
        (photo(), "a.pdf", None),
        (photo(), "a.txt", None),
        (pdf(), "a.jpg", None),
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
def test_what_does_not_agree_is_refused_by_name(
    data: bytes | str, name: str, kind: str | None, program: APIClient
) -> None:
    said = assert_problem(add(program, data, name, **({"kind": kind} if kind else {})), 400)
    assert said["errors"].keys() == {"file"}
    assert name in said["detail"]
    form = {"files": [sent(data, name)]}
    if kind is None:
        said = assert_problem(program.post("/api/upload/", form, format="multipart"), 400)
        assert [error["name"] for error in said["errors"]] == [name]
        assert name in said["errors"][0]["error"]


def test_an_unknown_word_for_a_kind_is_400(program: APIClient) -> None:
    said = assert_problem(add(program, "Hello", "a.txt", kind="film"), 400)
    assert said["errors"].keys() == {"kind"}


# --- Limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("data", "name"), [(photo(), "a.jpg"), (pdf(), "a.pdf")])
def test_photos_and_pdfs_have_at_most_5_mb(data: bytes, name: str, program: APIClient) -> None:
    largest = data + bytes(5 * MB - len(data))
    assert add(program, largest, name).status_code == 201
    said = assert_problem(add(program, largest + b"\0", name), 413)
    assert name in said["detail"]
    form = {"images": [sent(largest + b"\0", name), sent(data, "small-" + name)]}
    answer = program.post("/api/upload/", form, format="multipart")
    assert answer.status_code == 202
    assert [error["name"] for error in answer.json()["errors"]] == [name]


def test_other_kinds_have_at_most_what_the_operator_says(program: APIClient, settings: Any) -> None:
    settings.TIMBA_MAX_UPLOAD_BYTES = 2048
    assert add(program, "x" * 2048, "a.txt").status_code == 201
    assert_problem(add(program, "x" * 2049, "a.txt"), 413)
    form = {"file": sent(FOUR * 20)}
    assert_problem(program.post("/upload/", form, format="multipart"), 413)


def test_more_than_5_mb_of_text_is_fine(program: APIClient) -> None:
    assert add(program, "x" * (6 * MB), "a.txt").status_code == 201


def test_an_empty_file_is_refused_by_name(program: APIClient) -> None:
    assert "a.txt" in assert_problem(add(program, "", "a.txt"), 400)["detail"]


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
    name: str, kept: str, program: APIClient
) -> None:
    # Django's own form encoder would clean the name first.
    disposition = f'form-data; name="file"; filename="{name}"'.replace("\\", "\\\\")
    body = f"--b\r\nContent-Disposition: {disposition}\r\n\r\nHello\r\n--b--\r\n".encode()
    answer = program.generic(
        "POST", "/api/files/", body, content_type="multipart/form-data; boundary=b"
    )
    assert answer.status_code == 201, answer.content
    assert answer.json()["name"] == kept


@pytest.mark.parametrize("name", ["x" * 252 + ".txt", "a\tb.txt", "a\x7f.txt", "a\x85.txt"])
def test_a_name_that_is_too_long_or_has_control_characters_is_refused(
    name: str, program: APIClient
) -> None:
    body = (
        f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"'
        "\r\n\r\nHello\r\n--b--\r\n"
    ).encode()
    answer = program.generic(
        "POST", "/api/files/", body, content_type="multipart/form-data; boundary=b"
    )
    assert_problem(answer, 400)


# --- Results -------------------------------------------------------------------------------------

BEGINNING = ["id", "name", "execution_time", "random_number"]
AFTER = {
    "photo": ["width", "height", "format", "taken_at", "camera", "has_gps", "phash"],
    "document": ["pages", "title", "author", "created_at", "text_chars"],
    "text": ["encoding", "lines", "words", "chars", "preview"],
}


@pytest.mark.parametrize(
    ("data", "name"), [(photo(), "a.jpg"), (pdf(), "a.pdf"), ("Hello", "a.txt")]
)
def test_every_result_starts_alike_and_goes_on_by_its_kind(
    data: bytes | str, name: str, program: APIClient, work: Work
) -> None:
    file = processed(program, work, data, name)
    result = file["result"]
    assert list(result) == BEGINNING + AFTER[file["kind"]]
    assert (result["id"], result["name"]) == (file["id"], name)
    assert isinstance(result["execution_time"], float)
    assert result["execution_time"] >= 0
    assert type(result["random_number"]) is int
    assert 1 <= result["random_number"] <= 1000


def test_the_random_number_is_drawn_once(program: APIClient, work: Work) -> None:
    answer = add(program, "nonsense", "a.csv", kind="temperatures").json()
    work()
    url = f"/api/files/{answer['id']}/"
    drawn = program.get(url).json()["result"]["random_number"]
    program.post(f"{url}retry/")
    work()
    assert program.get(url).json()["result"]["random_number"] == drawn


def test_a_photos_facts(program: APIClient, work: Work) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Canon", "EOS 7"
    exif.get_ifd(0x8769)[0x9003] = "2026:01:02 03:04:05"
    exif.get_ifd(0x8825)[1] = "N"
    result = processed(program, work, photo(exif=exif), "a.jpg")["result"]
    expected = {
        "width": 64,
        "height": 48,
        "format": "JPEG",
        "taken_at": "2026-01-02T03:04:05Z",
        "camera": "Canon EOS 7",
        "has_gps": True,
    }
    assert {name: result[name] for name in expected} == expected
    plain = processed(program, work, photo("PNG"), "b.png")["result"]
    assert [plain[name] for name in ("format", "taken_at", "camera")] == ["PNG", None, None]
    assert plain["has_gps"] is False


def test_a_documents_facts(program: APIClient, work: Work) -> None:
    result = processed(program, work, pdf(), "a.pdf")["result"]
    assert [result[name] for name in AFTER["document"]] == [
        1, "Invoice", "Marta", "2026-01-02T03:04:05Z", 9,
    ]  # fmt: skip


def test_a_texts_facts(program: APIClient, work: Work) -> None:
    result = processed(program, work, "Rīga ir\nskaista", "a.txt")["result"]
    assert [result[name] for name in AFTER["text"]] == ["utf-8", 2, 3, 15, "Rīga ir\nskaista"]
