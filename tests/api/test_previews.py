"""The endpoint of previews: its parameters, headers, conditions and costs."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from PIL import Image
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.factories import ClientFactory
from tests.files.samples import pdf, photo
from timba.accounts.models import User
from timba.files import previews
from timba.files.models import Derivative, File
from timba.files.processing import process_file
from timba.files.receiving import Upload, accept_files
from timba.files.sandbox import close_sandbox
from timba.files.services import delete_file
from timba.files.storage import store

pytestmark = [pytest.mark.django_db, pytest.mark.only_on("sqlite")]


@pytest.fixture(autouse=True, scope="module")
def _close_sandbox() -> Iterator[None]:
    yield
    close_sandbox()


@pytest.fixture
def owner(make_user: Callable[..., User]) -> User:
    return make_user()


@pytest.fixture
def api_client(owner: User) -> APIClient:
    return api_client_of(owner)


@pytest.fixture
def settle(owner: User) -> Callable[..., File]:
    """Return a function that uploads and processes a file."""

    def send(content: bytes, name: str) -> File:
        upload = Upload(name=name)
        upload.write(content)
        upload.finish()
        upload.identify()
        assert owner.client is not None
        [accepted] = accept_files(actor=owner, client=owner.client, uploads=[upload])
        assert process_file(accepted.file.pk)
        return File.unscoped.get(pk=accepted.file.pk)

    return send


@pytest.fixture
def file(settle: Callable[..., File]) -> File:
    return settle(photo((1600, 1200)), "load.jpg")


@pytest.fixture
def document(settle: Callable[..., File]) -> File:
    return settle(pdf(3, text="Forty logs"), "permit.pdf")


def url(file: File, query: str = "") -> str:
    return f"/api/files/{file.pk}/preview/{query}"


@pytest.mark.parametrize(
    ("query", "size"),
    [("?size=256", (256, 192)), ("?size=1024&page=1", (1024, 768)), ("", (1024, 768))],
)
def test_a_preview_is_a_webp_of_the_size(
    api_client: APIClient, file: File, query: str, size: tuple[int, int]
) -> None:
    response = api_client.get(url(file, query))
    assert response.status_code == 200
    image = Image.open(io.BytesIO(response.content))
    assert (image.format, image.size) == ("WEBP", size)
    assert response["Content-Type"] == "image/webp"
    assert response["Content-Disposition"] == "inline"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert response["Cache-Control"] == "private, no-cache"
    assert response["ETag"] == f'"{file.run}-1-{max(size)}"'


def test_the_file_names_its_preview(api_client: APIClient, file: File) -> None:
    body = api_client.get(f"/api/files/{file.pk}/").json()
    assert body["preview_url"] == f"/api/files/{file.pk}/preview/"
    assert api_client.get(body["preview_url"]).status_code == 200


def test_a_known_etag_gives_304_without_a_look_at_the_object(
    api_client: APIClient, file: File, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    api_client.get(url(file))
    Derivative.objects.all().delete()
    with django_assert_num_queries(1):
        response = api_client.get(url(file), headers={"If-None-Match": f'"{file.run}-1-1024"'})
    assert (response.status_code, response.content) == (304, b"")
    assert response["ETag"] == f'"{file.run}-1-1024"'
    other = api_client.get(url(file), headers={"If-None-Match": f'"{file.run}-1-256"'})
    assert other.status_code == 404


def test_a_preview_takes_two_queries(
    api_client: APIClient, file: File, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    api_client.get(url(file))
    with django_assert_num_queries(2):
        assert api_client.get(url(file)).status_code == 200


@pytest.mark.parametrize(
    ("query", "field", "sentence"),
    [
        ("?size=512", "size", "Give 256 or 1024."),
        ("?size=", "size", "Give 256 or 1024."),
        ("?size=0256", "size", "Give 256 or 1024."),
        ("?page=0", "page", "Give the number of a page, from 1."),
        ("?page=-1", "page", "Give the number of a page, from 1."),
        ("?page=", "page", "Give the number of a page, from 1."),
        ("?page=x", "page", "Give the number of a page, from 1."),
        ("?page=٣", "page", "Give the number of a page, from 1."),
        (f"?page={'9' * 5000}", "page", "Give the number of a page, from 1."),
        ("?pages=1", "pages", "There is no such parameter, only page, size."),
    ],
)
def test_invalid_parameters_are_400(
    api_client: APIClient, file: File, query: str, field: str, sentence: str
) -> None:
    response = api_client.get(url(file, query))
    assert (response.status_code, response.json()["errors"]) == (400, {field: [sentence]})


def test_what_has_no_preview_is_404(
    api_client: APIClient, settle: Callable[..., File], file: File
) -> None:
    text = settle(b"Seal 88414 intact.\n", "note.txt")
    damaged = settle(photo((400, 300))[:-400], "cut.jpg")
    File.unscoped.filter(pk=file.pk).update(has_preview=False)
    for one in (text, damaged, file):
        response = api_client.get(url(one))
        assert response.status_code == 404
        assert response.json()["detail"] == "There is no preview of this file, or not yet."
        assert api_client.get(f"/api/files/{one.pk}/").json()["preview_url"] is None


def test_a_lost_object_is_404_until_it_is_made_again(api_client: APIClient, file: File) -> None:
    store().delete(Derivative.objects.get(file=file, role="preview_256").storage_key)
    assert api_client.get(url(file, "?size=256")).status_code == 404
    assert api_client.get(url(file)).status_code == 200


def test_a_strangers_file_and_a_deleted_one_are_the_same_404(
    api_client: APIClient, owner: User, file: File, make_user: Callable[..., User]
) -> None:
    stranger = api_client_of(make_user(client=ClientFactory()))
    foreign = stranger.get(url(file))
    absent = stranger.get("/api/files/00000000-0000-4000-8000-000000000000/preview/")
    assert foreign.status_code == absent.status_code == 404
    assert foreign.json() == absent.json()
    delete_file(actor=owner, file=file)
    assert api_client.get(url(file)).json() == absent.json()
    assert APIClient().get(url(file)).status_code == 401


# --- Pages of PDFs -------------------------------------------------------------------------------


def test_a_page_is_drawn_once_and_then_read(api_client: APIClient, document: File) -> None:
    first = api_client.get(url(document, "?page=2&size=256"))
    assert first.status_code == 200
    assert Image.open(io.BytesIO(first.content)).size == (198, 256)
    assert first["ETag"] == f'"{document.run}-2-256"'
    row = Derivative.objects.get(file=document, role="page_2_256")
    assert (row.run, row.is_current, row.size) == (document.run, True, len(first.content))
    with CaptureQueriesContext(connection) as queries:
        again = api_client.get(url(document, "?page=2&size=256"))
    assert again.content == first.content
    assert not [query for query in queries.captured_queries if query["sql"][:6] != "SELECT"]


def test_drawing_changes_nothing_else(api_client: APIClient, document: File) -> None:
    before = api_client.get(f"/api/files/{document.pk}/").json()
    events = api_client.get("/api/events/").json()["events"]
    assert api_client.get(url(document, "?page=3")).status_code == 200
    assert api_client.get(f"/api/files/{document.pk}/").json() == before
    assert api_client.get("/api/events/").json()["events"] == events


@pytest.mark.parametrize("page", [4, 999_999_999])
def test_a_page_beyond_the_end_is_404(api_client: APIClient, document: File, page: int) -> None:
    response = api_client.get(url(document, f"?page={page}"))
    assert response.status_code == 404
    assert response.json()["detail"] == "The file has no such page, or it cannot be drawn."


def test_a_photo_has_one_page(api_client: APIClient, file: File) -> None:
    assert api_client.get(url(file, "?page=2")).status_code == 404


def test_while_too_many_pages_are_drawn_others_are_told_to_try_again(
    api_client: APIClient, document: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "WAIT_SECONDS", 0.01)
    kept = api_client.get(url(document, "?page=2")).content
    for _ in range(previews.MAX_DRAWINGS):
        assert previews._slots.acquire(timeout=1)
    try:
        response = api_client.get(url(document, "?page=3"))
        assert (response.status_code, response["Retry-After"]) == (503, "5")
        assert json.loads(response.content)["detail"] == previews.BUSY
        # What is kept needs no drawing.
        assert api_client.get(url(document, "?page=2")).content == kept
        assert api_client.get(url(document)).status_code == 200
    finally:
        for _ in range(previews.MAX_DRAWINGS):
            previews._slots.release()
    assert api_client.get(url(document, "?page=3")).status_code == 200
