"""The page of a temperature file: how it was read, what it asks, and reading it otherwise."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from http import HTTPStatus

import pytest
from pytest_django.fixtures import Settings

from tests.clients import browser_of
from tests.files.conftest import forget_processors
from tests.temperatures.uploads import settle_readings
from tests.web.temperature_files import CITY, DATES, asking, read
from tests.web.test_consignments import lapse
from timba.accounts.models import User
from timba.files.models import File, ImportProfile
from timba.places.services import name_city
from timba.temperatures.layout.layouts import PLAIN_FIELDS

pytestmark = pytest.mark.django_db
MakeUser = Callable[..., User]


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def _readings_have_answers(settings: Settings) -> Iterator[None]:
    settings.FILE_PROCESSORS = ["tests.files.asking_readings.PROCESSOR"]
    forget_processors()
    yield
    forget_processors()


def page_of(user: User, file: File) -> str:
    return text_of(user, f"/files/{file.pk}/")


def text_of(user: User, path: str) -> str:
    """Return the words of a page, with one blank between them."""
    page = browser_of(user).get(path).content.decode()
    words = re.sub(r"<[^>]+>", " ", page[page.index("<main") :])
    return " ".join(html.unescape(words).split())


def test_the_page_says_how_a_file_was_read_and_warns(owner: User) -> None:
    page = page_of(owner, read(owner.client))
    assert "−127.00 stands 12 times: sensors send it when they fail." in page
    for fact in (
        "Readings counted 4,199 of 4,200 rows",
        "Between the fields semicolons In front of decimals commas",
        "Unit Temperatures in °F, from line 3.",
        "Order of the dates day first",
        "City of all readings 41",
    ):
        assert fact in page
    assert "Read it differently" in page


def test_a_file_in_the_plain_layout_says_so(owner: User) -> None:
    plain = read(owner.client)
    plain.result["read_as"] = None
    plain.save()
    assert (
        "In the plain layout: city_id,temperature,timestamp in UTF-8, temperatures in °C, times "
        "without a zone in UTC." in page_of(owner, plain)
    )


def test_what_is_asked_is_not_told_as_known(owner: User) -> None:
    name_city(actor=owner, client=owner.client, city_id=41, name="Valmiera")
    file = asking(owner.client)
    page = page_of(owner, file)
    assert f"How are these readings to be read? {DATES} {CITY}" in page
    assert "How it is understood so far" in page
    assert "Unit Temperatures in °F" in page
    assert "Order of the dates" not in page
    whole = browser_of(owner).get(f"/files/{file.pk}/").content.decode()
    assert '<datalist id="cities"><option value="41">Valmiera</option></datalist>' in whole
    assert f'href="/files/{file.pk}/#reading">Answer</a>' in (
        browser_of(owner).get("/files/").content.decode()
    )


def test_a_form_that_leaves_a_question_open_is_shown_with_its_errors(owner: User) -> None:
    file = asking(owner.client)
    columns = {"0-column-2": "date", "0-column-3": "time", "0-column-4": "temperature"}
    fields = {**columns, "unit": "F", "zone": "UTC", "encoding": "cp1252"}
    response = browser_of(owner).post(f"/files/{file.pk}/answers/", fields)
    assert response.status_code == HTTPStatus.BAD_REQUEST
    page = html.unescape(response.content.decode())
    for field, sentence in (
        ("dates", DATES),
        ("city_id", "Give the city of all readings, or choose the column of the cities."),
    ):
        assert re.search(f'id="id_{field}_error">.*{re.escape(sentence)}', page)
        assert re.search(f'name="{field}"[^>]* aria-describedby="id_{field}_error"', page)
    file.refresh_from_db()
    assert file.status == "FAILURE"


@pytest.mark.usefixtures("_readings_have_answers")
def test_an_answer_reads_a_file_in_success_again(owner: User) -> None:
    file = settle_readings("7,1.00,2026-01-01T00:00:00Z\n", actor=owner)
    assert "How it was read" in page_of(owner, file)
    columns = {f"0-column-{i}": name for i, name in enumerate(PLAIN_FIELDS, start=1)}
    fields = {**columns, "unit": "F", "dates": "year-first", "zone": "+02:00"}
    response = browser_of(owner).post(f"/files/{file.pk}/answers/", fields)
    assert response["Location"] == f"/files/{file.pk}/"
    file.refresh_from_db()
    assert (file.status, file.next_read_as) == ("PENDING", {"unit": "F", "zone": "+02:00"})
    assert "until then the earlier result counts. What is known" in page_of(owner, file)
    again = browser_of(owner).post(f"/files/{file.pk}/answers/", fields)
    assert again.status_code == HTTPStatus.CONFLICT
    assert "This file cannot be read otherwise any more. Reload its page." in again.content.decode()


def test_while_a_file_is_read_otherwise_its_earlier_result_is_shown(owner: User) -> None:
    file = read(owner.client, status="PENDING", progress=0.42, rows_read=4_200_000)
    page = page_of(owner, file)
    assert "42 % 4,200,000 rows read It is being read otherwise; until then the earlier" in page
    assert "Readings counted 4,199 of 4,200 rows" in page
    assert "Read it differently" not in page
    assert "42 % 4,200,000 rows read" in text_of(owner, "/files/")


def test_a_failed_reading_leaves_the_earlier_result_and_says_why(owner: User) -> None:
    file = read(owner.client, error="No line of the file is a reading.")
    assert (
        "Reading it otherwise failed: No line of the file is a reading. The earlier result stands."
        in page_of(owner, file)
    )
    assert (
        "4,199 of 4,200 rows counted. 1 reject Reading it otherwise failed; this result stands."
        in text_of(owner, "/files/")
    )


def test_only_who_may_write_files_is_asked_and_a_lapsed_client_cannot_answer(
    owner: User, make_user: MakeUser
) -> None:
    file = asking(owner.client)
    viewer = browser_of(make_user("viewer"))
    assert "/answers/" not in viewer.get(f"/files/{file.pk}/").content.decode()
    response = viewer.post(f"/files/{file.pk}/answers/", {"unit": "F"})
    assert response.status_code == HTTPStatus.FORBIDDEN
    lapse(owner)
    page = browser_of(owner).get(f"/files/{file.pk}/").content.decode()
    assert re.search(r'aria-disabled="true" disabled>Read it so', page)


def test_profiles_of_temperatures_are_in_words_and_can_be_forgotten(owner: User) -> None:
    profile = ImportProfile.unscoped.create(
        client=owner.client,
        created_by=owner,
        kind="temperatures",
        header="No. · Date · Temp",
        header_digest="x",
        read_as={"dates": "day-first", "zone": "+02:00", "columns": {"temperature": 4}},
    )
    assert (
        "No. · Date · Temp Temperatures temperature in column D; order of the dates: day first; "
        "times without a zone: UTC+02:00 0 never" in text_of(owner, "/files/profiles/")
    )
    response = browser_of(owner).post(f"/files/profiles/{profile.pk}/delete/")
    assert response["Location"] == "/files/profiles/"
    assert not ImportProfile.unscoped.exists()


def test_the_upload_page_says_the_format_and_takes_a_city(owner: User) -> None:
    name_city(actor=owner, client=owner.client, city_id=41, name="Valmiera")
    page = browser_of(owner).get("/upload/").content.decode()
    assert "Times without a zone are UTC." in page
    assert re.search(
        r'<input id="upload-city" name="city_id" form="upload"[^>]* list="cities"', page
    )
    assert '<option value="41">Valmiera</option>' in page
