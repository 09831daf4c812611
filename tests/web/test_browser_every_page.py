"""Every page in a browser: it is accessible, fits, and loads nothing from other hosts."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from urllib.parse import urlsplit

import pytest
from django.urls import resolve
from playwright.sync_api import Page

from tests.factories import ClientFactory
from tests.files.samples import pdf, photo
from tests.tallies.sheets import tally, workbook
from tests.tallies.uploads import settle_tally
from tests.temperatures.uploads import receive_readings, settle_readings
from tests.web import temperature_files
from tests.web.accessibility import find_violations
from tests.web.conftest import Open
from tests.web.test_browser_pages import READINGS
from tests.web.test_browser_viewer import settled
from tests.web.test_files import stored
from timba.accounts.models import User
from timba.accounts.roles import add_role
from timba.consignments.logs import add_log
from timba.consignments.services import open_consignment
from timba.consignments.trash import delete_consignment
from timba.files.models import ImportProfile
from timba.files.services import delete_file, link_file
from timba.notes.services import write_note
from timba.web.urls import urlpatterns

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MakeUser = Callable[..., User]

PARTS = ("", "edit/", "gate/", "paper/", "history/")
OF_STAFF = [
    "/clients/",
    "/clients/?q=nobody",
    "/consignments/",
    "/files/",
    "/trash/",
    "/trash/consignments/",
]
# The other addresses show no page of their own.
FRAGMENTS = {"file-rows", "consignment-chart", "sparkline"}
NO_PAGES = {"home", "client", "series-csv"}
# A GET shows the page that the form is on: see `test_form_addresses`.
FORMS = {
    *("answer", "record", "place-file", "retry", "delete-file", "change-files", "download-files"),
    *("retry-failed", "delete-import-profile", "restore-consignment", "delete-consignment"),
    *("add-log", "add-note", "delete-log", "rename-city", "delete-note", "new-role"),
    *("delete-role", "set-password", "delete-person", "company", "own-password"),
}


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def all_pages(owner: User) -> list[str]:
    """Create one row of everything; return the pages."""
    load = open_consignment(
        actor=owner, client=owner.client, name="AB-0187", type="pinewood", city_id=7
    )
    sizes = {"length": Decimal("4.2"), "breadth": Decimal(30), "height": Decimal(25)}
    log, *_ = [add_log(actor=owner, consignment=load, **sizes) for _ in range(60)]
    link_file(
        actor=owner,
        file=settle_readings("nothing\n", actor=owner, name=f"{'bad name ' * 20}.csv"),
        consignment=load,
        log=None,
    )
    role = add_role(actor=owner, client=owner.client, name="weigher")
    note = write_note(actor=owner, client=owner.client, title="Key", content="x", consignment=load)
    read = settle_readings(READINGS, actor=owner, name=f"{'long name ' * 20}.csv")
    failed = settle_readings("nothing\n", actor=owner, name="bad.csv")
    waiting = receive_readings("7,1,2026-11-20T06:00Z\n", actor=owner, name="waiting.csv")
    no_units = workbook(("Tag", "Len", "W", "T"), ("B-1", 130, 10, 8), ("B-2", 120, 10, 8))
    asking = settle_tally(no_units, actor=owner, consignment=load)
    rows = [("B-3", 4.2, 30, 25), ("B-4", "long", 30, 25), ("Total", 4.2, None, None)]
    dry = settle_tally(tally(*rows), actor=owner, consignment=load, dry_run=True)
    ImportProfile.unscoped.create(
        client=owner.client,
        created_by=owner,
        kind="tally",
        header=" · ".join(["Length over bark", "Svītrkods" * 8] * 4),
        header_digest="x",
        read_as={"units": {"length": "ft"}},
    )
    temperatures = (
        temperature_files.asking(owner.client),
        temperature_files.read(owner.client, error="No line of the file is a reading."),
        temperature_files.read(owner.client, status="PENDING", rows_read=4_200_000),
    )
    pictures = (
        settled(owner, load, f"{'long_photo_' * 8}.jpg", photo((1600, 1200))),
        settled(owner, load, "permit.pdf", pdf(3, text="Pinus")),
        stored(owner.client),
    )
    link_file(actor=owner, file=pictures[0], log=log)
    delete_file(actor=owner, file=stored(owner.client, name=f"{'deleted_name_' * 8}.txt"))
    gone = open_consignment(actor=owner, client=owner.client, name="gone" * 20, type="pinewood")
    delete_consignment(actor=owner, consignment=gone)
    shown = (read, failed, waiting, asking, dry, *temperatures, *pictures)
    rest = [
        "/files/",
        "/files/?q=nobody",
        "/files/?q=Pinus",
        "/files/profiles/",
        "/trash/",
        "/trash/?q=nobody",
        "/trash/consignments/",
        "/api/",
        "/upload/",
        "/temperatures/",
    ]
    loads = ["", "?q=nobody", "?new=1", *(f"{load.pk}/{part}" for part in PARTS)]
    people = ["", "?new=1", f"{owner.pk}/", f"roles/{role.pk}/"]
    return [
        *(f"/files/{file.pk}/" for file in shown),
        *(f"/files/{file.pk}/?in=consignment" for file in pictures[:2]),
        *rest,
        *(f"/consignments/{path}" for path in loads),
        f"/logs/{log.pk}/edit/",
        *(f"/people/{path}" for path in people),
        "/account/",
        "/temperatures/7/?last=24h",
        "/notes/",
        "/notes/?new=1",
        f"/notes/{note.pk}/",
        f"/notes/{note.pk}/edit/",
        "/nowhere/",
        "/files/?cursor=x",
        "/logout/",
        "/login/?next=/files/",
    ]


def test_every_page_is_visited(all_pages: list[str]) -> None:
    paths = {urlsplit(path).path for path in all_pages} - {"/nowhere/"}
    visited = {resolve(path).url_name for path in paths}
    names = {pattern.name for pattern in urlpatterns}
    assert names - visited == FRAGMENTS | NO_PAGES | FORMS | {resolve(OF_STAFF[0]).url_name}


def test_every_page_is_accessible_fits_and_loads_nothing_from_other_hosts(
    owner: User, all_pages: list[str], open_page: Open, browser_errors: list[str]
) -> None:
    assert problems(open_page(owner, "/files/"), all_pages) == []
    assert browser_errors == []


def test_every_page_of_staff_is_accessible_and_fits(
    staff: User, all_pages: list[str], open_page: Open, browser_errors: list[str]
) -> None:
    ClientFactory(name="A second client " * 6)
    assert problems(open_page(staff, "/files/"), OF_STAFF) == []
    assert browser_errors == []


def problems(page: Page, paths: list[str]) -> list[tuple[object, ...]]:
    """Visit pages; return what is wrong on each, and what was requested from other hosts."""
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    found: list[tuple[object, ...]] = []
    for path in paths:
        page.goto(path)
        found += [(path, *violation) for violation in find_violations(page)]
    own = "{0.scheme}://{0.netloc}/".format(urlsplit(page.url))
    return found + [(url,) for url in requested if not url.startswith(own)]
