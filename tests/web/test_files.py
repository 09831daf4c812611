"""The pages of files: the list, one file, the data of the upload pages for their script."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from django.db import connection
from django.test import Client as HttpClient
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from tests.clients import browser_of
from tests.factories import ClientFactory
from tests.temperatures.uploads import settle_readings
from tests.web.conftest import show_more
from timba.accounts.models import Client, User
from timba.consignments.models import Consignment
from timba.files.models import File, OcrJob
from timba.files.ocr import why_ocr_is_off
from timba.web.forms import MAX_LISTED_CONSIGNMENTS

pytestmark = pytest.mark.django_db
MakeUser = Callable[..., User]
READINGS = "city_id,temperature,timestamp\n7,-3.24,2026-11-20T06:00Z\n7,n/a,2026-11-20T07:00Z\n"
NAMES = r'<p class="name"><a [^>]*title="([^"]+)"'
TEXT_RESULT = {"lines": 24, "words": 188, "chars": 1200, "encoding": "utf-8", "preview": "Seal"}


def stored(client: Client, **fields: object) -> File:
    """Return a processed file."""
    known: dict[str, object] = {
        "name": "gate note.txt",
        "kind": "text",
        "status": "SUCCESS",
        "size": 2048,
        "storage_key": uuid.uuid4().hex,
        "result": TEXT_RESULT,
        "processed_at": timezone.now(),
    }
    return File.unscoped.create(client=client, **known | fields)


@contextmanager
def settled_before_they_are_read(settle: Callable[[], object]) -> Iterator[None]:
    """Finish the processing of files just before a page reads their statuses."""
    seen: list[str] = []

    def watch(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        if not seen and 'ORDER BY "files_file"."uploaded_at"' in sql.replace("`", '"'):
            seen.append(sql)
            settle()
        return execute(sql, *arguments)

    with connection.execute_wrapper(watch):
        yield
    assert seen


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def http_client(owner: User) -> HttpClient:
    return browser_of(owner)


def test_list_shows_the_result_of_each_file(
    http_client: HttpClient, client_company: Client
) -> None:
    stored(client_company)
    stored(client_company, name="cut.jpg", kind="photo", status="FAILURE", error="It is cut off.")
    stored(client_company, name="new.jpg", kind="photo", status="PENDING", progress=0.305)
    page = http_client.get("/files/").content.decode()
    assert "24\xa0lines, 188\xa0words" in page
    assert "It is cut off." in page
    assert 'value="0.305"' in page
    assert "30\xa0%" in page
    assert page.index("new.jpg") < page.index("cut.jpg") < page.index("gate note.txt")


def test_foreign_and_deleted_files_are_not_listed(
    http_client: HttpClient, client_company: Client
) -> None:
    stored(ClientFactory(), name="theirs.txt")
    stored(client_company, name="gone.txt", deleted_at=timezone.now())
    stored(client_company, name="coming.txt", status="RECEIVING")
    page = http_client.get("/files/").content.decode()
    assert "No files yet" in page
    assert ".txt" not in page.replace(".csv,.txt", "")


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("?status=FAILURE", ["cut.jpg"]),
        ("?kind=text", ["gate note.txt"]),
        ("?q=GATE", ["gate note.txt"]),
        ("?q=gate&status=FAILURE", []),
        ("?status=&kind=&q=", ["cut.jpg", "gate note.txt"]),
    ],
)
def test_list_is_filtered(
    http_client: HttpClient, client_company: Client, query: str, shown: list[str]
) -> None:
    stored(client_company)
    stored(client_company, name="cut.jpg", kind="photo", status="FAILURE", error="x", result=None)
    page = http_client.get(f"/files/{query}").content.decode()
    assert re.findall(NAMES, page) == shown
    assert ("No file matches" in page) == (not shown)


@pytest.mark.parametrize(
    "query", ["?status=RECEIVING", "?kind=song", "?q=%00", "?q=" + "x" * 300, "?cursor=x"]
)
def test_invalid_filters_are_rejected(http_client: HttpClient, query: str) -> None:
    assert http_client.get(f"/files/{query}").status_code == HTTPStatus.BAD_REQUEST


def test_list_takes_the_same_queries_however_long_it_is(
    http_client: HttpClient,
    client_company: Client,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(60):
        stored(client_company, name=f"note-{number:02}.txt")
    with django_assert_num_queries(8):
        page = http_client.get("/files/?q=note").content.decode()
    rest = show_more(http_client, "/files/", page)
    names = [re.findall(NAMES, text) for text in (page, rest)]
    assert [len(shown) for shown in names] == [50, 10]
    assert names[0] + names[1] == [f"note-{number:02}.txt" for number in range(59, -1, -1)]
    assert "Show the newest" in rest
    assert "Show more" not in rest


def test_live_update_keeps_the_rows_that_were_appended(
    http_client: HttpClient, client_company: Client
) -> None:
    for number in range(60):
        stored(client_company, name=f"note-{number:02}.txt")
    for limit, shown in ((0, 50), (55, 55), (999_999, 60)):
        page = http_client.get(f"/files/?limit={limit}").content.decode()
        assert page.count("data-file=") == shown
        assert ("Show more" in page) == (shown < 60)


def test_counts_are_never_older_than_the_rows(
    http_client: HttpClient, client_company: Client
) -> None:
    stored(client_company, status="PENDING")
    with settled_before_they_are_read(lambda: File.unscoped.update(status="SUCCESS")):
        page = http_client.get("/files/").content.decode()
    assert 'data-status="SUCCESS"' in page
    assert "?status=PENDING" not in page


def test_only_the_requested_rows_are_rendered(
    http_client: HttpClient, client_company: Client
) -> None:
    mine, other = stored(client_company), stored(ClientFactory(), name="theirs.txt")
    page = http_client.get(
        f"/files/rows/?id={mine.pk}&id={other.pk}&id={uuid.uuid4()}"
    ).content.decode()
    assert page.count("<li ") == 1
    assert f'data-file="{mine.pk}"' in page
    assert http_client.get("/files/rows/?id=seven").status_code == HTTPStatus.BAD_REQUEST
    too_many = "&".join(f"id={uuid.uuid4()}" for _ in range(101))
    assert http_client.get(f"/files/rows/?{too_many}").status_code == HTTPStatus.BAD_REQUEST


def test_temperature_file_shows_its_result_and_rejects(
    owner: User, http_client: HttpClient
) -> None:
    file = settle_readings(READINGS, actor=owner)
    page = http_client.get(f"/files/{file.pk}/").content.decode()
    assert "−3.24" in page
    assert "7,n/a,2026-11-20T07:00Z" in page
    assert f'href="/api/files/{file.pk}/rejects/"' in page
    assert "Its 1\xa0reading leaves every figure at once." in page
    assert "Delete file and readings" in page
    row = http_client.get("/files/").content.decode()
    assert f'href="/files/{file.pk}/#rejects">1\xa0reject</a>' in row


def test_file_with_more_rejects_than_are_kept_says_so(owner: User, http_client: HttpClient) -> None:
    file = settle_readings(READINGS, actor=owner)
    File.unscoped.filter(pk=file.pk).update(
        result={**file.result, "rejected": 2_000_000, "rejects_kept": 1_000_000}
    )
    page = http_client.get(f"/files/{file.pk}/").content.decode()
    assert "The first 1,000,000 as CSV" in page
    assert "the CSV holds the first 1,000,000." in page


@pytest.mark.parametrize("status", ["SUCCESS", "FAILURE"])
def test_tally_shows_its_logs_rejects_and_annotated_copy(
    http_client: HttpClient, client_company: Client, status: str
) -> None:
    reject = {"line": 1003, "reason": "B1003: The length is missing.", "text": "B-2, , 30, 25"}
    result = {"rows": 1002, "accepted": 1000, "rejected": 1, "unchanged": 1, "volume": 1320.5}
    result = {**result, "first_errors": [reject], "execution_time": 0.214}
    file = stored(client_company, kind="tally", status=status, error="No.", result=result)
    page = http_client.get(f"/files/{file.pk}/").content.decode()
    address = f"/api/files/{file.pk}/annotated/"
    for words in ("1,003", reject["reason"], "B-2, , 30, 25", "Why it is no log", address):
        assert words in page
    row = http_client.get("/files/").content.decode()
    if status == "SUCCESS":
        assert '1,000 <span class="soft">of 1,002\xa0rows' in page
        assert '1,320.500 <span class="unit">m³' in page
        assert "1,000\xa0logs added, 1,320.500 m³, 1 there already." in row
        assert f'href="/files/{file.pk}/#rejects">1\xa0reject</a>' in row


@pytest.mark.parametrize(
    ("kind", "result", "shown"),
    [
        ("text", TEXT_RESULT, ["24", "188", "utf-8", "Seal"]),
        (
            "photo",
            {
                "width": 4032,
                "height": 3024,
                "format": "JPEG",
                "taken_at": "2026-11-20T07:14:00Z",
                "camera": "Google Pixel 8",
                "has_gps": False,
                "phash": "c3d4a5960f1e2b78",
            },
            ["4,032 × 3,024", "2026-11-20T07:14:00Z", "Google Pixel 8", "c3d4a5960f1e2b78"],
        ),
        (
            "document",
            {"pages": 3, "title": None, "author": "VMD", "created_at": None, "text_chars": 0},
            [">3<", "VMD", "none: its pages are pictures", why_ocr_is_off()],
        ),
        (
            "document",
            {
                "pages": 2,
                "text_chars": 0,
                "ocr": {"pages": 1, "words": 41, "languages": ["eng"], "note": "Not read: page 2."},
            },
            ['41\u00a0words <span class="soft">Not read: page 2.</span>'],
        ),
        (
            "document",
            {
                "pages": 1,
                "title": None,
                "author": None,
                "created_at": "2024-05-06T07:08:09",
                "text_chars": None,
                "warnings": [{"code": "x", "sentence": "It shows only there.", "count": 1}],
            },
            ["(zone unknown)", "not that of the form", "It shows only there."],
        ),
        (
            "text",
            {"lines": 24, "words": None, "chars": None, "encoding": "unknown", "preview": "B�"},
            ["24", 'unknown <span class="soft">(save the file as UTF-8', "B�"],
        ),
    ],
)
def test_result_of_each_kind_is_shown_in_rows(
    http_client: HttpClient,
    client_company: Client,
    kind: str,
    result: dict[str, object],
    shown: list[str],
) -> None:
    file = stored(client_company, kind=kind, result={**result, "execution_time": 0.214})
    page = http_client.get(f"/files/{file.pk}/").content.decode()
    for words in [*shown, "in 0.21 s"]:
        assert words in page


def test_page_waits_for_no_ocr_where_that_is_off(
    http_client: HttpClient, client_company: Client, settings: Settings
) -> None:
    settings.TIMBA_OCR_LANGUAGES = ["none"]
    result = {"pages": 1, "title": None, "author": None, "created_at": None, "text_chars": 0}
    file = stored(client_company, kind="document", result=result, run=1)
    OcrJob.unscoped.create(file=file, client=client_company, run=1)
    page = http_client.get(f"/files/{file.pk}/").content.decode()
    assert why_ocr_is_off() in page
    assert "data-being-read" not in page


@pytest.mark.ocr_is_installed(True)
@pytest.mark.parametrize(("kind", "run", "waits"), [("photo", 2, True), ("photo", 1, False)])
def test_page_waits_for_ocr_of_the_run_that_it_shows(
    http_client: HttpClient, client_company: Client, kind: str, run: int, waits: bool
) -> None:
    if reason := why_ocr_is_off():
        pytest.skip(reason)
    result = {"width": 4, "height": 3, "format": "JPEG", "phash": "c3d4a5960f1e2b78"}
    file = stored(client_company, kind=kind, result=result, run=2)
    OcrJob.unscoped.create(file=file, client=client_company, run=run)
    page = http_client.get(f"/files/{file.pk}/").content.decode()
    assert ("data-being-read" in page) == waits


def test_failure_has_a_reason_and_can_be_retried(
    http_client: HttpClient, client_company: Client
) -> None:
    file = stored(client_company, status="FAILURE", error="It is cut off. Send it again.")
    assert "It is cut off. Send it again." in http_client.get(f"/files/{file.pk}/").content.decode()
    assert http_client.post(f"/files/{file.pk}/retry/")["Location"] == f"/files/{file.pk}/"
    file.refresh_from_db()
    assert file.status == "PENDING"
    response = http_client.post(f"/files/{file.pk}/retry/")
    assert response.status_code == HTTPStatus.CONFLICT
    said = response.content.decode()
    assert '<p class="meta">Only a file in FAILURE, or a dry run, can be tried again.</p>' in said


def test_all_failures_are_retried_at_once(http_client: HttpClient, client_company: Client) -> None:
    for number in range(3):
        stored(client_company, name=f"{number}.jpg", kind="photo", status="FAILURE", error="x")
    assert "Retry the 3 in FAILURE" in http_client.get("/files/").content.decode()
    http_client.post("/files/retry-failed/")
    assert set(File.unscoped.values_list("status", flat=True)) == {"PENDING"}


def test_a_file_is_moved_to_any_consignment_and_the_newest_are_listed(
    http_client: HttpClient,
    client_company: Client,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    Consignment.unscoped.bulk_create(
        Consignment(client=client_company, name=f"AB-{number}", type="pinewood")
        for number in range(MAX_LISTED_CONSIGNMENTS + 50)
    )
    oldest, file = Consignment.unscoped.earliest("pk"), stored(client_company)
    page = f"/files/{file.pk}/"
    with django_assert_num_queries(5):
        before = http_client.get(page).content.decode()
    assert http_client.post(f"{page}place/", {"consignment_id": oldest.pk})["Location"] == page
    with django_assert_num_queries(6):
        after = http_client.get(page).content.decode()
    counts = [payload.count("<option") for payload in (before, after)]
    assert counts == [MAX_LISTED_CONSIGNMENTS + 1, MAX_LISTED_CONSIGNMENTS + 2]
    assert f'<option value="{oldest.pk}" selected>AB-0</option>' in after


def test_file_is_deleted(http_client: HttpClient, client_company: Client) -> None:
    file = stored(client_company)
    assert http_client.post(f"/files/{file.pk}/delete/")["Location"] == "/files/"
    assert http_client.get(f"/files/{file.pk}/").status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("where", ["", "retry/", "delete/"])
def test_foreign_and_absent_files_are_the_same_page(http_client: HttpClient, where: str) -> None:
    other = stored(ClientFactory(), status="FAILURE", error="x")
    ask = http_client.post if where else http_client.get
    foreign, absent = (ask(f"/files/{pk}/{where}") for pk in (other.pk, uuid.uuid4()))
    assert foreign.status_code == absent.status_code == HTTPStatus.NOT_FOUND
    other.refresh_from_db()
    assert (other.status, other.deleted_at) == ("FAILURE", None)


def test_upload_page_has_the_limits_of_its_endpoint(
    http_client: HttpClient, client_company: Client, settings: pytest.FixtureRequest
) -> None:
    settings.TIMBA_MAX_UPLOAD_BYTES = 7 * 1024**3  # type: ignore[attr-defined]
    Consignment.unscoped.create(client=client_company, name="AB-0187", type="pinewood")
    Consignment.unscoped.create(client=ClientFactory(), name="VT-1", type="pinewood")
    page = http_client.get("/api/").content.decode()
    assert 'action="/api/upload/"' in page
    assert 'data-small-max-bytes="5242880"' in page
    assert 'data-max-bytes="7516192768"' in page
    assert 'data-max-files="100"' in page
    assert 'data-small-extensions="jpg jpeg jfif png webp pdf"' in page
    assert "AB-0187" in page
    assert "VT-1" not in page


def test_temperature_page_uploads_one_file_to_its_own_endpoint(http_client: HttpClient) -> None:
    page = http_client.get("/upload/").content.decode()
    assert 'action="/upload/"' in page
    assert 'type="file" name="file"' in page
    assert 'accept=".txt,.csv,.gz"' in page
    assert 'data-extensions=""' in page


@pytest.mark.parametrize(
    ("role", "lapsed", "sentence"),
    [
        ("viewer", False, "Your role may look at files but not add any."),
        ("owner", True, "Files can be added again once the subscription is extended."),
    ],
)
def test_users_who_cannot_upload_see_the_reason(
    make_user: MakeUser, role: str, lapsed: bool, sentence: str
) -> None:
    user = make_user(role)
    if lapsed:
        user.client.subscription.current_period_end = timezone.now() - timedelta(days=1)
        user.client.subscription.save()
    for path in ("/api/", "/upload/"):
        page = browser_of(user).get(path).content.decode()
        assert sentence in page
        assert "data-blocked" in page


def test_users_whose_quota_is_used_up_see_the_reason(make_user: MakeUser) -> None:
    user = make_user()
    user.client.subscription.quota_bytes = 0
    user.client.subscription.save()
    page = browser_of(user).get("/api/").content.decode()
    assert "The storage of the subscription is used up." in page
    assert "data-blocked" in page


def test_staff_upload_for_the_client_they_chose(staff: User, client_company: Client) -> None:
    other = ClientFactory()
    http_client = browser_of(staff)
    assert "Choose a client first" in http_client.get("/api/").content.decode()
    http_client.post("/client/", {"client_id": other.pk})
    page = http_client.get("/api/").content.decode()
    assert f'name="client_id" value="{other.pk}"' in page
    assert "Choose a client first" not in page
