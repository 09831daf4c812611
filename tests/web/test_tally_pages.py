"""The pages of tally sheets that ask and of dry runs, without scripts: who answers and records."""

from __future__ import annotations

import html
import re
import uuid
from collections.abc import Callable
from http import HTTPStatus

import pytest

from tests.clients import browser_of
from tests.factories import ClientFactory
from tests.tallies.sheets import tally, workbook
from tests.tallies.uploads import settle_tally
from tests.web.test_consignments import lapse, opened
from tests.web.test_files import stored
from timba.accounts.models import User
from timba.consignments.models import Log
from timba.files.models import File, ImportProfile

pytestmark = pytest.mark.django_db
MakeUser = Callable[..., User]
FORMS = ("answers", "record")
INCHES = {f"0-unit-{measure}": "in" for measure in ("length", "breadth", "height")}


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def asking(owner: User) -> File:
    """Return a file that asks for its units."""
    content = workbook(("Tag", "Len", "W", "T"), ("B-1", 130, 10, 8), ("B-2", 120, 10, 8))
    return settle_tally(content, actor=owner, consignment=opened(owner))


@pytest.fixture
def dry(owner: User) -> File:
    """Return a dry run that would add a log."""
    content = tally(("B-3", 4.2, 30, 25))
    return settle_tally(content, actor=owner, consignment=opened(owner, "AB-0188"), dry_run=True)


@pytest.fixture
def profile(owner: User) -> ImportProfile:
    values = {"kind": "tally", "header": "Tag · Len", "header_digest": "x", "read_as": {}}
    return ImportProfile.unscoped.create(client=owner.client, created_by=owner, **values)


def forms_of(user: User, *paths: str) -> list[tuple[str, bool]]:
    """Return the forms of these pages: the end of each address, and whether its button works."""
    found = []
    for path in paths:
        page = browser_of(user).get(path).content.decode()
        for form in re.findall(r'<form[^>]* action="/files/.*?</form>', page, re.DOTALL):
            [end] = re.findall(r'action="[^"]*/(\w+)/"', form)
            found.append((end, "disabled>" not in form))
    return found


def test_who_may_write_files_sees_the_forms_and_a_lapsed_client_sees_them_disabled(
    owner: User, make_user: MakeUser, asking: File, dry: File, profile: ImportProfile
) -> None:
    paths = (f"/files/{asking.pk}/", f"/files/{dry.pk}/", "/files/profiles/")
    of_owner = forms_of(owner, *paths)
    asked, dry_run = ["answers", "place", "delete"], ["record", "answers", "place", "delete"]
    assert of_owner == [(end, True) for end in (*asked, *dry_run, "delete")]
    viewer = make_user(role="viewer")
    assert forms_of(viewer, *paths) == []
    for file in (asking, dry):
        for end in FORMS:
            response = browser_of(viewer).post(f"/files/{file.pk}/{end}/", INCHES)
            assert response.status_code == HTTPStatus.FORBIDDEN
    assert not Log.unscoped.exists()
    lapse(owner)
    assert forms_of(owner, *paths) == [(end, False) for end, _ in of_owner if end != "place"]


@pytest.mark.parametrize("end", FORMS)
def test_foreign_and_absent_tallies_are_the_same_page(owner: User, end: str) -> None:
    other = stored(ClientFactory(), kind="tally", dry_run=True)
    for pk in (other.pk, uuid.uuid4()):
        response = browser_of(owner).post(f"/files/{pk}/{end}/", INCHES)
        assert response.status_code == HTTPStatus.NOT_FOUND
    other.refresh_from_db()
    assert (other.status, other.dry_run) == ("SUCCESS", True)


def test_an_answer_starts_a_dry_run(owner: User, asking: File) -> None:
    response = browser_of(owner).post(f"/files/{asking.pk}/answers/", INCHES)
    assert response["Location"] == f"/files/{asking.pk}/"
    asking.refresh_from_db()
    units = {"length": "in", "breadth": "in", "height": "in"}
    assert (asking.status, asking.dry_run, asking.read_as) == ("PENDING", True, {"units": units})


def test_a_form_that_answers_nothing_is_shown_with_its_error(owner: User, asking: File) -> None:
    response = browser_of(owner).post(f"/files/{asking.pk}/answers/")
    assert response.status_code == HTTPStatus.BAD_REQUEST
    page = html.unescape(response.content.decode())
    assert "Choose what the sheet leaves open first." in page
    asking.refresh_from_db()
    assert asking.status == "FAILURE"


def test_what_is_recorded_already_is_not_read_otherwise(owner: User, dry: File) -> None:
    File.unscoped.update(dry_run=False)
    response = browser_of(owner).post(f"/files/{dry.pk}/answers/", {"decimal": ","})
    assert response.status_code == HTTPStatus.CONFLICT
    sentence = "This file cannot be read otherwise any more. Reload its page."
    assert sentence in response.content.decode()
    assert forms_of(owner, f"/files/{dry.pk}/") == [("place", True), ("delete", True)]
