"""The trash, and the notice with Undo after a deletion, without a script."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client as HttpClient
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from tests.clients import browser_of
from tests.factories import ClientFactory
from tests.temperatures.uploads import settle_readings
from tests.web.conftest import show_more
from tests.web.test_files import stored
from timba.accounts.models import Client, User
from timba.consignments.logs import add_log
from timba.consignments.models import Consignment, DeletedConsignment, Log
from timba.consignments.services import open_consignment
from timba.consignments.trash import delete_consignment
from timba.files.models import File
from timba.files.services import delete_file
from timba.files.storage import store
from timba.web.notices import LIVE_UPDATE_HEADER

pytestmark = pytest.mark.django_db
MakeUser = Callable[..., User]
READINGS = "7,-3.24,2026-11-20T06:00Z\n"
SELECTED = "/files/selected/"
NAME = r"<b>(.+?)</b>\s+<span class=\"only-phone"


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user(name="Ilze")


@pytest.fixture
def http_client(owner: User) -> HttpClient:
    return browser_of(owner)


def shown(http_client: HttpClient, path: str) -> str:
    """Return the text of a page as its reader sees it."""
    return html.unescape(http_client.get(path).content.decode())


def said(http_client: HttpClient, path: str = "/files/") -> str:
    """Return what the notice of a page says, without tags and with single blanks."""
    page = shown(http_client, path)
    region = page.split('role="status">', maxsplit=1)[1].split('<section id="found"')[0]
    notice = re.search(r'<div class="said">(.*?)</div>', region, re.DOTALL)
    return " ".join(re.sub("<[^>]+>", " ", notice[1]).split()) if notice else ""


def undo(http_client: HttpClient, path: str) -> Any:
    """Press Undo on a page without a script; return the response."""
    [form] = re.findall(
        r'<form method="post" action="([^"]+)" data-undo(.*?)</form>',
        shown(http_client, path),
        re.DOTALL,
    )
    fields: dict[str, list[str]] = {}
    for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form[1]):
        fields.setdefault(name, []).append(value)
    return http_client.post(form[0], fields)


def put(client: Client, name: str, content: bytes = b"Seal 88412\n", **fields: Any) -> File:
    """Return a file whose bytes are in the store."""
    file = stored(client, name=name, sha256=hashlib.sha256(content).hexdigest(), **fields)
    with store().create(file.storage_key) as object_:
        object_.write(content)
    return file


def load_with_logs(actor: User, name: str, logs: int) -> Consignment:
    load = open_consignment(actor=actor, client=actor.client, name=name, type="pinewood")
    size = dict.fromkeys(("length", "breadth", "height"), Decimal(4))
    for _ in range(logs):
        add_log(actor=actor, consignment=load, **size)
    load.refresh_from_db()
    return load


# --- The trash -----------------------------------------------------------------------------------


def test_trash_shows_what_was_deleted_by_whom_and_until_when_it_is_kept(
    http_client: HttpClient, owner: User, client_company: Client, settings: Settings
) -> None:
    settings.TIMBA_TRASH_DAYS = 29
    at = timezone.now()
    file = stored(client_company, name="seal <1>.txt")
    delete_file(actor=owner, file=file)
    delete_consignment(actor=owner, consignment=load_with_logs(owner, "AB-0187", 2))
    stored(client_company, name="live.txt")
    stored(client_company, name="erased.txt", deleted_at=at, erasing_since=at)
    page = shown(http_client, "/trash/")
    assert re.findall(NAME, page) == ["seal <1>.txt"]
    assert "<1>" not in http_client.get("/trash/").content.decode()
    assert '<td class="wide">Ilze</td>' in page
    assert f'until <time datetime="{(at + timedelta(days=29)):%Y-%m-%d}' in page
    assert "2\xa0kB" in page
    assert "can be restored for 29\xa0days" in page
    page = shown(http_client, "/trash/consignments/")
    assert re.findall(NAME, page) == ["AB-0187"]
    assert '<td class="num wide">2</td>' in page
    assert '<td class="num wide">0.012</td>' in page
    assert page.count("until <time") == 2  # the second for phones
    for path in ("/files/", "/consignments/"):
        assert re.search(r'href="/trash/(consignments/)?">Trash</a>', shown(http_client, path))


def test_what_is_due_is_said_to_be_erased_soon(
    http_client: HttpClient, client_company: Client
) -> None:
    stored(client_company, deleted_at=timezone.now() - timedelta(days=8))
    assert "is erased soon" in shown(http_client, "/trash/")


@pytest.mark.parametrize("what", ["files", "consignments"])
def test_trash_goes_on_where_it_ended_in_the_same_queries(
    http_client: HttpClient,
    owner: User,
    client_company: Client,
    what: str,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    path = "/trash/" if what == "files" else "/trash/consignments/"
    same = timezone.now()
    for number in range(60):
        at = same - timedelta(seconds=number // 2)  # several in the same moment
        if what == "files":
            stored(client_company, name=f"note-{number:02}", deleted_at=at, deleted_by=owner)
        else:
            fields = {"deleted_at": at, "deleted_by": owner}
            add_deleted(client_company, f"note-{number:02}", pk=100 + number, **fields)
    stored(client_company, name="other", deleted_at=same)
    with django_assert_num_queries(6):
        page = http_client.get(f"{path}?q=note").content.decode()
    rest = show_more(http_client, path, page)
    names = [re.findall(NAME, text) for text in (page, rest)]
    assert [len(part) for part in names] == [50, 10]
    assert sorted(names[0] + names[1]) == [f"note-{number:02}" for number in range(60)]
    assert "Show the last deleted" in rest
    assert http_client.get(f"{path}?cursor=x").status_code == HTTPStatus.BAD_REQUEST
    assert http_client.get(f"{path}?q=%00").status_code == HTTPStatus.BAD_REQUEST


def add_deleted(client: Client, name: str, **fields: Any) -> DeletedConsignment:
    known = {"deleted_at": timezone.now(), "type": "pinewood", "links": {}}
    row: DeletedConsignment = DeletedConsignment.unscoped.create(
        client=client, name=name, **{**known, **fields}
    )
    return row


@pytest.mark.parametrize(
    ("words", "files", "consignments"),
    [("ķem", 1, 0), ("KEM", 1, 0), ("ab-0187", 0, 1), ("kb4417", 0, 1), ("nobody", 0, 0)],
)
def test_trash_is_searched_by_name_and_vehicle(
    http_client: HttpClient, client_company: Client, words: str, files: int, consignments: int
) -> None:
    stored(client_company, name="Ķemeri.jpg", deleted_at=timezone.now())
    add_deleted(client_company, "AB-0187", pk=7, vehicle_number="KB 4417")
    for path, count in (("/trash/", files), ("/trash/consignments/", consignments)):
        page = shown(http_client, f"{path}?q={words}")
        assert len(re.findall(NAME, page)) == count
        assert ("Nothing in the trash matches" in page) == (count == 0)
        assert f"Files <b>{files}</b>" in page
        assert f"Consignments <b>{consignments}</b>" in page


def test_staff_see_the_trash_of_the_client_they_chose(staff: User, client_company: Client) -> None:
    other = ClientFactory(name="Other Ltd")
    stored(other, name="theirs.txt", deleted_at=timezone.now())
    stored(client_company, name="ours.txt", deleted_at=timezone.now())
    http_client = browser_of(staff)
    page = shown(http_client, "/trash/")
    assert set(re.findall(NAME, page)) == {"ours.txt", "theirs.txt"}
    assert '<td class="wide">Other Ltd</td>' in page
    Consignment.unscoped.create(client=other, name="VT-1", type="pinewood")
    assert "Move to" not in shown(http_client, "/files/")
    http_client.post("/client/", {"client_id": other.pk})
    assert re.findall(NAME, shown(http_client, "/trash/")) == ["theirs.txt"]
    assert ">VT-1</option>" in shown(http_client, "/files/")


def test_viewers_see_the_trash_but_restore_nothing(
    make_user: MakeUser, owner: User, client_company: Client
) -> None:
    delete_file(actor=owner, file=stored(client_company))
    delete_consignment(actor=owner, consignment=load_with_logs(owner, "AB-0187", 1))
    viewer = browser_of(make_user("viewer"))
    for path in ("/trash/", "/trash/consignments/"):
        page = shown(viewer, path)
        assert len(re.findall(NAME, page)) == 1
        assert "Restore" not in page
        assert 'type="checkbox"' not in page
        assert 'id="selection"' not in page
    operator = browser_of(make_user("operator"))  # files, but no consignments
    assert "Restore" in shown(operator, "/trash/")
    assert "Restore" not in shown(operator, "/trash/consignments/")


def test_a_file_is_restored_from_the_trash(http_client: HttpClient, owner: User) -> None:
    file = settle_readings(READINGS, actor=owner, name="yard.csv")
    delete_file(actor=owner, file=file)
    back = "/trash/?q=yard"
    fields = {"file_id": file.pk, "action": "restore", "next": back}
    assert http_client.post(SELECTED, fields)["Location"] == back
    assert said(http_client, back) == "yard.csv restored."
    assert File.objects.visible_to(owner).get().status == "SUCCESS"


def test_a_refused_restore_of_a_file_is_said_and_changes_nothing(
    http_client: HttpClient, owner: User
) -> None:
    first = settle_readings(READINGS, actor=owner, name="yard.csv")
    delete_file(actor=owner, file=first)
    settle_readings(READINGS, actor=owner, name="yard again.csv")
    http_client.post(SELECTED, {"file_id": first.pk, "action": "restore"})
    assert said(http_client, "/trash/") == (
        "Nothing was changed. 1 not: yard.csv: The same readings count already: they are in "
        "“yard again.csv”."
    )
    assert said(http_client, "/trash/") == ""  # once


def test_a_consignment_is_restored_with_its_logs(http_client: HttpClient, owner: User) -> None:
    load = load_with_logs(owner, "AB-0187", 3)
    delete_consignment(actor=owner, consignment=load)
    response = http_client.post(f"/trash/consignments/{load.pk}/restore/")
    assert response["Location"] == f"/consignments/{load.pk}/"
    assert said(http_client, response["Location"]) == "AB-0187 restored with its 3 logs."
    assert Log.unscoped.filter(consignment=load.pk).count() == 3
    empty = load_with_logs(owner, "AB-0188", 0)
    delete_consignment(actor=owner, consignment=empty)
    back = http_client.post(f"/trash/consignments/{empty.pk}/restore/")["Location"]
    assert said(http_client, back) == "AB-0188 restored."


def test_a_refused_restore_of_a_consignment_is_said_in_place(
    http_client: HttpClient, owner: User
) -> None:
    load = load_with_logs(owner, "AB-0187", 1)
    delete_consignment(actor=owner, consignment=load)
    load_with_logs(owner, "AB-0187", 0)
    response = http_client.post(f"/trash/consignments/{load.pk}/restore/")
    assert response.status_code == HTTPStatus.CONFLICT
    page = html.unescape(response.content.decode())
    assert (
        "<b>AB-0187</b> was not restored. It cannot be restored, because there is a consignment "
        "named “AB-0187” already. Rename or delete what has taken its place, then try again."
    ) in page
    assert re.findall(NAME, page) == ["AB-0187"]
    # Where the browser stays, a reload shows the trash.
    assert http_client.get(f"/trash/consignments/{load.pk}/restore/").status_code == HTTPStatus.OK
    assert (
        http_client.get("/trash/consignments/7777777/restore/").status_code == HTTPStatus.NOT_FOUND
    )


# --- Undo ----------------------------------------------------------------------------------------


def test_a_deleted_file_is_taken_back_without_a_script(
    http_client: HttpClient, client_company: Client
) -> None:
    file = put(client_company, "gate note.txt")
    response = http_client.post(f"/files/{file.pk}/delete/", {"next": "/files/?kind=text"})
    assert response["Location"] == "/files/?kind=text"
    again = undo(http_client, "/files/?kind=text")
    assert again["Location"] == "/files/?kind=text"
    page = shown(http_client, "/files/?kind=text")
    assert "gate note.txt restored." in page
    assert "data-undo" not in page
    file.refresh_from_db()
    assert file.deleted_at is None


def test_a_deleted_file_leads_back_to_the_list_it_was_opened_from(
    http_client: HttpClient, owner: User, client_company: Client
) -> None:
    load = load_with_logs(owner, "AB-0187", 0)
    file = stored(client_company, kind="photo", consignment=load)
    File.unscoped.update(result={"width": 4, "height": 3})
    page = shown(http_client, f"/files/{file.pk}/?in=consignment")
    assert f'name="next" value="/consignments/{load.pk}/"' in page
    assert "It can be restored for 7\xa0days." in page
    http_client.post(f"/files/{file.pk}/delete/", {"next": f"/consignments/{load.pk}/"})
    assert said(http_client, f"/consignments/{load.pk}/") == "gate note.txt deleted."


def test_no_deletion_leads_to_another_host(http_client: HttpClient, client_company: Client) -> None:
    file = stored(client_company)
    away = {"next": "https://example.com/", "file_id": file.pk, "action": "delete"}
    for path in (f"/files/{file.pk}/delete/", SELECTED):
        File.unscoped.update(deleted_at=None, deleted_by=None)
        assert http_client.post(path, away)["Location"] == "/files/"


def test_a_deleted_consignment_is_taken_back_without_a_script(
    http_client: HttpClient, owner: User
) -> None:
    load = load_with_logs(owner, "AB-0187", 2)
    response = http_client.post(f"/consignments/{load.pk}/delete/")
    assert response["Location"] == "/consignments/"
    assert not Consignment.unscoped.exists()
    assert undo(http_client, "/consignments/")["Location"] == f"/consignments/{load.pk}/"
    assert said(http_client, f"/consignments/{load.pk}/") == "AB-0187 restored with its 2 logs."
    load.refresh_from_db()
    assert load.log_count == 2


def test_a_live_update_takes_no_notice_from_the_page_that_waits_for_it(
    http_client: HttpClient, client_company: Client
) -> None:
    http_client.post(f"/files/{stored(client_company).pk}/delete/")
    live = http_client.get("/files/", headers={LIVE_UPDATE_HEADER: "true"})
    assert "deleted." not in live.content.decode()
    assert said(http_client) == "gate note.txt deleted."
