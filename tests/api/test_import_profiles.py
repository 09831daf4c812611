"""Import profiles in the API, and answers and dry runs in forms and bodies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.factories import ClientFactory
from tests.files.conftest import forget_processors
from timba.accounts.models import Client, User
from timba.files.models import File, ImportProfile

pytestmark = [pytest.mark.django_db, pytest.mark.only_on("sqlite")]

METRES = {"units": {"length": "m"}}
YARDS = {"units": {"length": "yd"}}
UNKNOWN_UNIT = {"read_as": ["There is no unit “yd”."]}


@pytest.fixture(autouse=True)
def _tallies_ask(settings: Settings) -> Iterator[None]:
    others = [name for name in settings.FILE_PROCESSORS if "tallies" not in name]
    settings.FILE_PROCESSORS = [*others, "tests.files.asking.PROCESSOR"]
    forget_processors()
    yield
    forget_processors()


@pytest.fixture
def owner(make_user: Callable[..., User]) -> User:
    return make_user()


@pytest.fixture
def api_client(owner: User) -> APIClient:
    return api_client_of(owner)


def make_profile(client: Client | None, header: str = "Length", **values: Any) -> ImportProfile:
    return ImportProfile.unscoped.create(
        client=client, kind="tally", header=header, header_digest=header, read_as=METRES, **values
    )


def post_file(api_client: APIClient, url: str = "/api/files/", **fields: Any) -> Any:
    field = "files" if url == "/api/upload/" else "file"
    name = fields.pop("name", "board.csv")
    form = {field: SimpleUploadedFile(name, b"Barcode,Length\nB-1,4.2\n"), **fields}
    return api_client.post(url, form, format="multipart")


def errors_of(response: Any) -> dict[str, list[str]]:
    assert response.status_code == 400, response.content
    errors: dict[str, list[str]] = response.json()["errors"]
    return errors


# --- Import profiles -----------------------------------------------------------------------------


def test_profiles_are_listed_page_by_page(api_client: APIClient, owner: User) -> None:
    first, second = (make_profile(owner.client, header) for header in ("Length", "Länge"))
    make_profile(ClientFactory(), "Theirs")
    page = api_client.get("/api/import-profiles/?limit=1").json()
    assert [profile["header"] for profile in page["results"]] == ["Länge"]
    page = api_client.get(page["next"]).json()
    assert page["results"] == [
        {
            "id": first.pk,
            "kind": "tally",
            "header": "Length",
            "read_as": METRES,
            "used_count": 0,
            "last_used_at": None,
            "created_by": None,
        }
    ]
    assert page["next"] is None
    assert api_client.get(f"/api/import-profiles/{second.pk}/").json()["header"] == "Länge"


def test_staff_list_the_profiles_of_a_client(owner: User, staff: User) -> None:
    make_profile(owner.client)
    make_profile(ClientFactory(), "Theirs")
    url = f"/api/import-profiles/?client_id={owner.client_id}"
    listed = api_client_of(staff).get(url).json()["results"]
    assert [profile["header"] for profile in listed] == ["Length"]


def test_a_profile_is_changed_and_deleted(api_client: APIClient, owner: User) -> None:
    profile = make_profile(owner.client, created_by=owner)
    url = f"/api/import-profiles/{profile.pk}/"
    millimetres = {"units": {"length": "mm"}}
    response = api_client.patch(url, {"read_as": millimetres})
    assert (response.status_code, response.json()["read_as"]) == (200, millimetres)
    assert response.json()["created_by"] == owner.pk
    assert errors_of(api_client.patch(url, {"read_as": YARDS})) == UNKNOWN_UNIT
    assert errors_of(api_client.patch(url, {"read_as": None})).keys() == {"read_as"}
    assert api_client.get(url).json()["read_as"] == millimetres
    assert api_client.delete(url).status_code == 204
    assert api_client.get(url).status_code == 404


# --- Uploads -------------------------------------------------------------------------------------


def test_a_form_holds_answers_and_makes_a_dry_run(api_client: APIClient, owner: User) -> None:
    read_as = '{"units": {"length": "m"}}'
    response = post_file(api_client, kind="tally", dry_run="true", read_as=read_as)
    assert (response.status_code, response.json()["dry_run"]) == (201, True)
    file = File.unscoped.get()
    assert (file.dry_run, file.read_as, file.answered_by) == (True, METRES, owner)


@pytest.mark.parametrize("value", ["false", ""])
def test_a_form_says_that_it_is_no_dry_run(api_client: APIClient, value: str) -> None:
    response = post_file(api_client, kind="tally", dry_run=value, read_as="")
    assert (response.status_code, "dry_run" in response.json()) == (201, False)
    file = File.unscoped.get()
    assert (file.dry_run, file.read_as, file.answered_by) == (False, None, None)


@pytest.mark.parametrize("read_as", ["{", "[" * 100_000, "m"])
def test_answers_in_a_form_are_json(api_client: APIClient, read_as: str) -> None:
    errors = errors_of(post_file(api_client, kind="tally", read_as=read_as))
    assert errors == {"read_as": ["This is not the text of a JSON object."]}
    assert not File.unscoped.exists()


@pytest.mark.parametrize(
    ("url", "field", "sentence"),
    [
        ("/api/files/", "read_as", "Files of kind text ask no questions: leave this out."),
        ("/api/files/", "dry_run", "There are no dry runs of files of kind text, only of tallies."),
        (
            "/upload/",
            "dry_run",
            "There are no dry runs of files of kind temperatures, only of tallies.",
        ),
    ],
)
def test_other_kinds_take_neither(
    api_client: APIClient, url: str, field: str, sentence: str
) -> None:
    value = "{}" if field == "read_as" else "true"
    errors = errors_of(post_file(api_client, url, name="note.txt", **{field: value}))
    assert errors == {field: [sentence]}
    assert not File.unscoped.exists()


def test_answers_of_another_kind_are_rejected(api_client: APIClient) -> None:
    read_as = '{"units": {"length": "yd"}}'
    assert errors_of(post_file(api_client, kind="tally", read_as=read_as)) == UNKNOWN_UNIT


def test_a_dry_run_of_a_batch_is_one_of_its_tallies(
    api_client: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.files.asking.PROCESSOR.sniff", lambda _: True, raising=False)
    files = [SimpleUploadedFile("board.csv", b"Length\n"), SimpleUploadedFile("note.txt", b"Oak")]
    form = {"files": files, "dry_run": "true"}
    assert api_client.post("/api/upload/", form, format="multipart").status_code == 202
    assert set(File.unscoped.values_list("kind", "dry_run")) == {("tally", True), ("text", False)}


# --- Retries -------------------------------------------------------------------------------------


@pytest.fixture
def failed(api_client: APIClient) -> str:
    """Upload a tally that fails; return its URL."""
    file = post_file(api_client, kind="tally").json()
    File.unscoped.update(status="FAILURE")
    return f"/api/files/{file['id']}/"


def test_a_retry_takes_answers_and_a_dry_run(api_client: APIClient, failed: str) -> None:
    response = api_client.post(f"{failed}retry/", {"read_as": METRES, "dry_run": True})
    assert (response.status_code, response.json()["dry_run"]) == (202, True)
    assert File.unscoped.get().read_as == METRES


def test_a_retry_needs_no_answers(api_client: APIClient, failed: str) -> None:
    response = api_client.post(f"{failed}retry/", {})
    assert (response.status_code, "dry_run" in response.json()) == (202, False)
    assert File.unscoped.get().read_as is None


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"read_as": YARDS}, UNKNOWN_UNIT),
        ({"read_as": None}, {"read_as": ["This field may not be null."]}),
        ({"dry_run": None}, {"dry_run": ["This field may not be null."]}),
        ({"readas": METRES}, {"readas": ["A retry has no such field."]}),
    ],
)
def test_an_invalid_retry_changes_nothing(
    api_client: APIClient, failed: str, body: Any, errors: Any
) -> None:
    assert errors_of(api_client.post(f"{failed}retry/", body)) == errors
    assert File.unscoped.get().status == "FAILURE"


def test_a_retry_takes_no_form(api_client: APIClient, failed: str) -> None:
    response = api_client.post(f"{failed}retry/", {"read_as": "{}"}, format="multipart")
    assert response.status_code == 415
    assert api_client.post(f"{failed}retry/", [METRES]).status_code == 400
    assert File.unscoped.get().status == "FAILURE"
    assert api_client.post(f"{failed}retry/").status_code == 202
