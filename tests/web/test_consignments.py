"""The pages of consignments, without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from http import HTTPStatus

import pytest
from django.db import connection
from django.test import Client as HttpClient
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.fixtures import Settings

from tests.clients import browser_of
from tests.factories import ClientFactory, UserFactory
from tests.temperatures.uploads import settle_readings
from tests.web.conftest import show_more
from tests.web.test_files import settled_before_they_are_read, stored
from timba.accounts.models import User
from timba.consignments.logs import add_log
from timba.consignments.models import Consignment, Log
from timba.consignments.services import open_consignment
from timba.files.models import File
from timba.notes.models import Note
from timba.notes.services import write_note
from timba.places.services import name_city

pytestmark = pytest.mark.django_db
MakeUser = Callable[..., User]
CSRF = re.compile(r"\b[A-Za-z0-9]{64}\b")
LOG = {"length": "4.20", "breadth": "30", "height": "25"}


def opened(actor: User, name: str = "AB-0187", **fields: object) -> Consignment:
    known: dict[str, object] = {"type": "pinewood", "vehicle_number": "KB 4417", "city_id": 7}
    assert actor.client is not None
    return open_consignment(actor=actor, client=actor.client, name=name, **known | fields)  # type: ignore[arg-type]


def measured(actor: User, consignment: Consignment, barcode: str | None = None) -> Log:
    return add_log(
        actor=actor,
        consignment=consignment,
        barcode=barcode,
        length=Decimal("4.2"),
        breadth=Decimal(30),
        height=Decimal(25),
    )


def lapse(user: User) -> None:
    assert user.client is not None
    user.client.subscription.current_period_end = timezone.now() - timedelta(days=1)
    user.client.subscription.save()


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user(name="Anna Liepa")


@pytest.fixture
def http_client(owner: User) -> HttpClient:
    return browser_of(owner)


@pytest.fixture
def load(owner: User) -> Consignment:
    return opened(owner)


@pytest.fixture
def foreign() -> Log:
    other = UserFactory(client=ClientFactory())
    return measured(other, opened(other, "VT-1"), "VT-77")


# --- The list ------------------------------------------------------------------------------------


def test_list_is_newest_first_with_the_totals_of_each_and_of_all(
    owner: User, http_client: HttpClient, load: Consignment, foreign: Log
) -> None:
    measured(owner, load)
    measured(owner, opened(owner, "AB-0188", type="hardwood"))
    name_city(actor=owner, client=owner.client, city_id=7, name="Kuldīga")
    page = http_client.get("/consignments/").content.decode()
    assert "2\xa0consignments, 2\xa0logs, 0.630 m³" in page
    assert page.index("AB-0188") < page.index("AB-0187")
    assert '<td class="wide">Kuldīga</td>' in page
    assert "<b>0.315</b>" in page
    assert "VT-1" not in page


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("?q=ab-01", ["AB-0188", "AB-0187"]),
        ("?q=kb%204417", ["AB-0187"]),
        ("?q=TB-walked", ["AB-0188"]),
        ("?q=TB-walk", []),
        ("?q=VT-77", []),
        ("?type=hardwood", ["AB-0188"]),
        ("?q=ab&type=hardwood", ["AB-0188"]),
    ],
)
def test_list_is_searched_by_name_vehicle_and_barcode(
    owner: User,
    http_client: HttpClient,
    load: Consignment,
    foreign: Log,
    query: str,
    shown: list[str],
) -> None:
    other = opened(owner, "AB-0188", type="hardwood", vehicle_number="")
    measured(owner, other, "TB-walked")
    page = http_client.get(f"/consignments/{query}").content.decode()
    assert re.findall(r'<a href="/consignments/\d+/">([^<]+)</a>', page) == shown
    assert ("No consignment matches" in page) == (not shown)


def test_totals_are_those_of_the_consignments_shown_and_exact(
    owner: User, http_client: HttpClient, load: Consignment
) -> None:
    most = Decimal("99999999999.999")
    for number in range(11):
        opened(owner, f"HW-{number}", type="hardwood")
    Consignment.unscoped.filter(type="hardwood").update(volume=most, log_count=2)
    page = http_client.get("/consignments/?type=hardwood").content.decode()
    assert "11 of 12\xa0consignments, 22\xa0logs, 1,099,999,999,999.989 m³" in page
    page = http_client.get("/consignments/?q=nothing").content.decode()
    assert "0 of 12\xa0consignments</p>" in page


@pytest.mark.parametrize("query", ["?type=plywood", "?cursor=x", "?limit=x", "?q=%00"])
def test_invalid_filters_are_rejected(http_client: HttpClient, query: str) -> None:
    assert http_client.get(f"/consignments/{query}").status_code == HTTPStatus.BAD_REQUEST


def test_next_page_skips_and_repeats_nothing_when_rows_are_added(
    owner: User, http_client: HttpClient
) -> None:
    for number in range(60):
        opened(owner, f"AB-{number:02}")
    page = http_client.get("/consignments/?q=ab").content.decode()
    opened(owner, "AB-60")
    rest = show_more(http_client, "/consignments/", page)
    first, second = (re.findall(r">(AB-\d\d)</a>", text) for text in (page, rest))
    assert [*first, *second] == [f"AB-{number:02}" for number in range(59, -1, -1)]
    assert "Show more" not in rest
    assert "Show the newest" in rest


# --- Opening, changing, deleting -----------------------------------------------------------------


def test_consignment_is_opened(http_client: HttpClient, owner: User) -> None:
    form = {"name": "AB-0187", "type": "hardwood", "vehicle_number": "KB 4417", "city_id": "7"}
    response = http_client.post("/consignments/", form)
    load = Consignment.unscoped.get()
    assert response["Location"] == f"/consignments/{load.pk}/"
    assert (load.name, load.type, load.vehicle_number, load.city_id) == (
        "AB-0187",
        "hardwood",
        "KB 4417",
        7,
    )
    assert load.created_by == owner


@pytest.mark.parametrize(
    ("form", "status", "sentence"),
    [
        ({"name": ""}, 400, "A consignment needs a name."),
        ({"type": ""}, 400, "Say which it is, hardwood or pinewood."),
        ({"city_id": "Kuldīga"}, 400, "A city is given by its number, such as 7."),
        ({"city_id": "0"}, 400, "A city&#x27;s number is from 1 to 2147483647."),
        ({"name": "AB-0187"}, 409, "There is a consignment named “AB-0187” already"),
    ],
)
def test_invalid_consignment_is_rejected_beside_its_field_and_kept_in_the_form(
    http_client: HttpClient, load: Consignment, form: dict[str, str], status: int, sentence: str
) -> None:
    payload = {"name": "AB-0188", "type": "hardwood", "vehicle_number": "KB 9", **form}
    for path in ("/consignments/", f"/consignments/{opened(load.created_by, 'X').pk}/edit/"):
        response = http_client.post(path, payload)
        assert response.status_code == status
        assert sentence in response.content.decode()
        assert 'value="KB 9"' in response.content.decode()
    assert Consignment.unscoped.count() == 2


def test_consignment_is_changed(http_client: HttpClient, load: Consignment) -> None:
    assert 'value="KB 4417"' in http_client.get(f"/consignments/{load.pk}/edit/").content.decode()
    form = {"name": "AB-0187", "type": "pinewood", "vehicle_number": "JT 2209", "city_id": ""}
    response = http_client.post(f"/consignments/{load.pk}/edit/", form)
    assert response["Location"] == f"/consignments/{load.pk}/"
    load.refresh_from_db()
    assert (load.vehicle_number, load.city_id) == ("JT 2209", None)


def test_confirmation_names_what_is_deleted_with_a_consignment(
    owner: User, http_client: HttpClient, load: Consignment, settings: Settings
) -> None:
    measured(owner, load)
    measured(owner, load)
    file = stored(owner.client, consignment=load)
    note = write_note(actor=owner, client=owner.client, title="Seal", consignment=load)
    page = http_client.get(f"/consignments/{load.pk}/edit/").content.decode()
    assert "Delete AB-0187? Its 2\xa0logs go with it. 1\xa0file and 1\xa0note stay" in page
    assert "It can be restored for 7\xa0days. The history is kept." in page
    settings.TIMBA_TRASH_DAYS = 0
    assert "It can be restored" not in http_client.get(f"/consignments/{load.pk}/edit/").text
    assert http_client.post(f"/consignments/{load.pk}/delete/")["Location"] == "/consignments/"
    assert not Consignment.unscoped.exists()
    for left in (file, note):
        left.refresh_from_db()
        assert left.consignment is None


# --- One consignment -----------------------------------------------------------------------------


def test_page_shows_all_that_belongs_to_it(
    owner: User, http_client: HttpClient, load: Consignment
) -> None:
    measured(owner, load, "TB-1")
    name_city(actor=owner, client=owner.client, city_id=7, name="Kuldīga")
    settle_readings("7,-3.24,2026-11-20T06:00Z\n7,4.5,2026-11-20T07:00Z\n", actor=owner)
    photo = stored(owner.client, consignment=load, name="gate.jpg", kind="photo", has_preview=True)
    stored(owner.client, consignment=load, name="cut.pdf", status="FAILURE", error="It is cut off.")
    stored(owner.client, name="elsewhere.txt")
    write_note(actor=owner, client=owner.client, title="Seal", content="88412", consignment=load)
    write_note(actor=owner, client=owner.client, title="Not of it")
    page = http_client.get(f"/consignments/{load.pk}/").content.decode()
    for words in (
        "KB 4417",
        "Kuldīga",
        "TB-1",
        "0.315",
        "−3.24 to 4.50",
        f'src="/api/files/{photo.pk}/preview/?size=256"',
        "It is cut off.",
        "1 in FAILURE",
        "88412",
        "Anna Liepa wrote the note “Seal”",
        "Anna Liepa added the log TB-1",
        "Anna Liepa opened the consignment",
        f"/api/consignments/{load.pk}/tally.xlsx",
    ):
        assert words in page
    assert "elsewhere.txt" not in page
    assert "Not of it" not in page


def test_totals_are_never_older_than_the_statuses_of_files(
    owner: User, http_client: HttpClient, load: Consignment
) -> None:
    result = {"rows": 1, "accepted": 1, "rejected": 0, "unchanged": 0, "volume": 0.315}
    stored(load.client, kind="tally", status="PENDING", consignment=load, result=result)

    def settle() -> None:
        measured(owner, load)
        File.unscoped.update(status="SUCCESS")

    with settled_before_they_are_read(settle):
        page = http_client.get(f"/consignments/{load.pk}/").content.decode()
    assert 'data-status="SUCCESS"' in page
    assert 'data-litres="315"' in page
    assert re.search(r'<tr id="log-[1-9]', page)


@pytest.mark.parametrize("path", ["", "paper/", "history/", "gate/"])
@pytest.mark.parametrize("is_empty", [True, False])
def test_page_takes_the_same_queries_however_much_there_is(
    owner: User, http_client: HttpClient, load: Consignment, path: str, is_empty: bool
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert http_client.get(f"/consignments/{load.pk}/{path}").status_code == HTTPStatus.OK
        return len(captured)

    def fill(number: int) -> None:
        for at in range(number):
            log = measured(owner, load)
            stored(owner.client, consignment=load, name=f"{at}.txt")
            stored(owner.client, consignment=load, name=f"{at}.jpg", kind="photo", log=log)
            write_note(actor=owner, client=owner.client, title=f"Note {at}", consignment=load)

    fill(0 if is_empty else 1)
    before = queries()
    fill(10)
    assert queries() <= before + is_empty
    assert before < 22


@pytest.mark.parametrize("count", [1, 30])
def test_list_takes_the_same_queries_however_long_it_is(
    owner: User, http_client: HttpClient, count: int
) -> None:
    for number in range(count):
        opened(owner, f"AB-{number:02}")
    with CaptureQueriesContext(connection) as captured:
        http_client.get("/consignments/?q=AB")
    assert len(captured) == 6


def test_logs_are_numbered_across_pages(
    owner: User, http_client: HttpClient, load: Consignment
) -> None:
    for number in range(1, 61):
        measured(owner, load, f"L{number}")
    page = http_client.get(f"/consignments/{load.pk}/").content.decode()
    rest = show_more(http_client, f"/consignments/{load.pk}/", page)
    rows = re.compile(r'<td class="n num">(\d+)</td>\s*<td class="code">.*?>L(\d+)</a>', re.DOTALL)
    found = [*rows.findall(page), *rows.findall(rest)]
    assert found == [(str(number), str(number)) for number in range(60, 0, -1)]


def test_note_is_added_on_the_page_of_the_consignment(
    http_client: HttpClient, load: Consignment
) -> None:
    response = http_client.post(
        f"/consignments/{load.pk}/notes/", {"title": "Seal", "content": "ok"}
    )
    assert response["Location"] == f"/consignments/{load.pk}/#notes"
    assert Note.unscoped.get().consignment == load
    refused = http_client.post(f"/consignments/{load.pk}/notes/", {"title": "", "content": "kept"})
    assert refused.status_code == HTTPStatus.BAD_REQUEST
    assert "A note needs a title." in refused.content.decode()
    assert "kept</textarea>" in refused.content.decode()


def test_files_and_notes_are_listed_of_one_consignment(
    owner: User, http_client: HttpClient, load: Consignment
) -> None:
    Consignment.unscoped.create(pk=7_000_001, client=ClientFactory(), name="VT-1", type="pinewood")
    stored(owner.client, consignment=load, name="of it.txt")
    stored(owner.client, name="elsewhere.txt")
    write_note(actor=owner, client=owner.client, title="Of it", consignment=load)
    write_note(actor=owner, client=owner.client, title="Elsewhere")
    for path in ("/files/", "/notes/"):
        page = http_client.get(f"{path}?consignment_id={load.pk}").content.decode()
        assert "of it" in page.lower()
        assert "elsewhere" not in page.lower()
        others, none = (
            CSRF.sub("", http_client.get(f"{path}?consignment_id={pk}").content.decode()).replace(
                str(pk), "<asked>"
            )
            for pk in (7_000_001, 7_000_002)
        )
        assert others == none
        assert "VT-1" not in others


def test_print_page_has_every_log_oldest_first(
    owner: User, http_client: HttpClient, load: Consignment
) -> None:
    for number in range(1, 61):
        measured(owner, load, f"L{number}")
    page = http_client.get(f"/consignments/{load.pk}/paper/").content.decode()
    assert re.findall(r'<td class="code">L(\d+)</td>', page) == [str(n) for n in range(1, 61)]
    for words in ("18.900", "Handed over by", "by Anna Liepa"):
        assert words in page


def test_timeline_is_paginated(owner: User, http_client: HttpClient, load: Consignment) -> None:
    for number in range(220):
        write_note(actor=owner, client=owner.client, title=f"Note {number}", consignment=load)
    page = http_client.get(f"/consignments/{load.pk}/history/").content.decode()
    assert "“Note 219”" in page
    assert "“Note 20”" in page
    assert "“Note 19”" not in page
    rest = show_more(http_client, f"/consignments/{load.pk}/history/", page)
    assert "“Note 20”" not in rest
    assert "“Note 19”" in rest
    assert "opened the consignment" in rest


# --- Logs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["logs", "gate"])
def test_log_is_added_with_comma_or_point(
    http_client: HttpClient, load: Consignment, where: str
) -> None:
    response = http_client.post(
        f"/consignments/{load.pk}/{where}/", {"barcode": "", **LOG, "length": " 4,20 "}
    )
    assert response.status_code == HTTPStatus.FOUND
    log = Log.unscoped.get()
    assert (log.length, log.volume) == (Decimal("4.2"), Decimal("0.315"))
    assert log.barcode.startswith("TB-")
    page = http_client.get(response["Location"]).content.decode()
    assert 'name="length" value="4.20"' in page


@pytest.mark.parametrize(
    ("typed", "status", "sentence"),
    [
        ({"length": ""}, 400, "Give the length as a number, such as 4.20."),
        ({"breadth": "thick"}, 400, "Give the breadth as a number, such as 4.20."),
        ({"breadth": "1" * 30}, 400, "Give the breadth as a number, such as 4.20."),
        ({"breadth": "NaN"}, 400, "Give the breadth as a number, such as 4.20."),
        ({"height": "-1"}, 400, "Give a number greater than 0."),
        ({"height": "1e-9"}, 400, "Give at most 3 decimals and 4 digits before them."),
        ({"barcode": "TB-taken"}, 409, "There is a log with the barcode “TB-taken” already."),
    ],
)
@pytest.mark.parametrize("where", ["logs", "gate"])
def test_invalid_log_is_rejected_in_place_and_kept_in_the_form(
    owner: User,
    http_client: HttpClient,
    load: Consignment,
    where: str,
    typed: dict[str, str],
    status: int,
    sentence: str,
) -> None:
    taken = measured(owner, load, "TB-taken")
    other = measured(owner, load, "TB-other")
    form = {"barcode": "TB-new", **LOG, "height": "26,5", **typed}
    for path in (f"/consignments/{load.pk}/{where}/", f"/logs/{other.pk}/edit/"):
        response = http_client.post(path, form)
        assert response.status_code == status
        page = response.content.decode()
        assert sentence in page
        assert f'value="{form["height"]}"' in page
        assert 'aria-invalid="true"' in page
    assert list(Log.unscoped.values_list("barcode", flat=True)) == [taken.barcode, other.barcode]


def test_log_is_corrected_and_deleted_and_the_totals_follow(
    owner: User, http_client: HttpClient, load: Consignment
) -> None:
    log = measured(owner, load, "TB-1")
    assert 'value="30.0"' in http_client.get(f"/logs/{log.pk}/edit/").content.decode()
    response = http_client.post(f"/logs/{log.pk}/edit/", {"barcode": "", **LOG, "breadth": "60"})
    assert response["Location"] == f"/consignments/{load.pk}/#logs"
    log.refresh_from_db()
    load.refresh_from_db()
    assert (log.barcode, load.volume) == ("TB-1", Decimal("0.630"))
    page = http_client.get(f"/consignments/{load.pk}/").content.decode()
    assert "corrected the breadth of TB-1 from 30.0 to 60.0 cm" in page
    gate = f"/consignments/{load.pk}/gate/"
    assert http_client.post(f"/logs/{log.pk}/delete/", {"next": gate})["Location"] == gate
    load.refresh_from_db()
    assert (load.log_count, load.volume) == (0, 0)


# --- Permissions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["viewer", "operator", "manager"])
def test_each_role_is_offered_what_it_may_do_and_nothing_else(
    owner: User, make_user: MakeUser, load: Consignment, role: str
) -> None:
    log = measured(owner, load)
    visitor = browser_of(make_user(role))
    pages = "".join(
        visitor.get(path).content.decode()
        for path in (
            "/consignments/",
            f"/consignments/{load.pk}/",
            f"/consignments/{load.pk}/gate/",
            f"/logs/{log.pk}/edit/",
        )
    )
    writes_logs = role != "viewer"
    for offered in ("data-entry", "data-keys", "data-undo", f'href="/logs/{log.pk}/edit/"'):
        assert (offered in pages) == writes_logs
    assert ("Delete log" in pages) == ("Write a note" in pages) == writes_logs
    assert ("Choose files" in pages) == writes_logs
    writes_consignments = role == "manager"
    assert ("New consignment" in pages) == writes_consignments
    assert (f'href="/consignments/{load.pk}/edit/"' in pages) == writes_consignments
    assert "/people/" not in pages
    assert "/account/" in pages
    edit = visitor.get(f"/consignments/{load.pk}/edit/").content.decode()
    assert ("Delete consignment" in edit) == writes_consignments


def test_lapsed_client_reads_and_sees_no_forms_that_write(
    owner: User, http_client: HttpClient, load: Consignment
) -> None:
    log = measured(owner, load, "TB-1")
    lapse(owner)
    page = http_client.get(f"/consignments/{load.pk}/").content.decode()
    assert "TB-1" in page
    assert "The subscription lapsed on" in page
    assert "Add log" not in page
    assert "Write a note" not in page
    assert (
        "The subscription has lapsed."
        in http_client.get(f"/consignments/{load.pk}/gate/").content.decode()
    )
    for path in (
        "/consignments/",
        f"/consignments/{load.pk}/edit/",
        f"/consignments/{load.pk}/delete/",
        f"/consignments/{load.pk}/logs/",
        f"/consignments/{load.pk}/gate/",
        f"/logs/{log.pk}/edit/",
        f"/logs/{log.pk}/delete/",
    ):
        form = {"name": "X", "type": "pinewood", **LOG}
        assert http_client.post(path, form).status_code == HTTPStatus.PAYMENT_REQUIRED


def test_staff_see_whose_consignments_they_are(
    staff: User, load: Consignment, foreign: Log
) -> None:
    page = browser_of(staff).get("/consignments/").content.decode()
    assert load.client.name in page
    assert foreign.client.name in page
    assert "New consignment" not in page
    refused = browser_of(staff).post("/consignments/", {"name": "X", "type": "pinewood"})
    assert refused.status_code == HTTPStatus.BAD_REQUEST
