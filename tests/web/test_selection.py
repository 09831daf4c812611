"""Actions on the files that are selected in a list, without a script."""

from __future__ import annotations

import io
import re
import uuid
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from zipfile import ZipFile

import pytest
from django.test import Client as HttpClient
from django.utils import timezone

from tests.clients import browser_of
from tests.factories import ClientFactory, UserFactory
from tests.web.test_files import stored
from tests.web.test_trash import SELECTED, MakeUser, load_with_logs, put, said, undo
from timba.accounts.models import Client, User
from timba.consignments.models import Consignment
from timba.files.models import File
from timba.web.notices import MAX_NAMES

pytestmark = pytest.mark.django_db
ARCHIVE = "/files/selected/archive/"


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def http_client(owner: User) -> HttpClient:
    return browser_of(owner)


def places(page: str) -> list[str]:
    """Return the places that the selected files can be moved to."""
    form = page.partition('aria-label="Consignment to move them to"')[2].partition("</select>")[0]
    return re.findall("<option value=.*?>(.*?)</option>", form)


def test_files_of_a_list_can_be_selected_and_moved_to_the_clients_consignments(
    http_client: HttpClient, owner: User, client_company: Client
) -> None:
    file = stored(client_company, name='"1".txt')
    load_with_logs(owner, "AB-0187", 0)
    Consignment.unscoped.create(client=ClientFactory(), name="VT-1", type="pinewood")
    page = http_client.get("/files/").content.decode()
    assert f'name="file_id" value="{file.pk}" form="selection"' in page
    assert 'aria-label="Select &quot;1&quot;.txt"' in page
    assert ">AB-0187</option>" in page
    assert "VT-1" not in page
    rows = http_client.get(f"/files/rows/?id={file.pk}").content.decode()
    assert 'type="checkbox"' not in rows


def test_files_of_a_consignment_can_be_selected_on_its_page_and_moved_elsewhere(
    http_client: HttpClient, owner: User, client_company: Client
) -> None:
    load = load_with_logs(owner, "AB-0187", 0)
    names = {"gate.jpg": "photo", "seal.txt": "text"}
    files = [stored(client_company, name=n, kind=k, consignment=load) for n, k in names.items()]
    page = http_client.get(f"/consignments/{load.pk}/").content.decode()
    for file in files:
        assert (
            f'name="file_id" value="{file.pk}" form="selection" aria-label="Select {file}"' in page
        )
    assert f'<input type="hidden" name="next" value="/consignments/{load.pk}/">' in page
    # There is no other consignment; they can leave this one.
    assert places(page) == ["Move to…", "No consignment"]
    load_with_logs(owner, "AB-0188", 0)
    page = http_client.get(f"/consignments/{load.pk}/").content.decode()
    assert places(page) == ["Move to…", "AB-0188", "No consignment"]


def test_viewers_and_lapsed_clients_select_files_to_download_only(
    make_user: MakeUser, client_company: Client
) -> None:
    load = Consignment.unscoped.create(client=client_company, name="AB-0187", type="pinewood")
    stored(client_company, consignment=load)
    users = [make_user("viewer"), make_user()]
    for user in users:
        if user.role.name == "owner":
            user.client.subscription.current_period_end = timezone.now() - timedelta(days=1)
            user.client.subscription.save()
        for path in ("/files/", f"/consignments/{load.pk}/"):
            page = browser_of(user).get(path).content.decode()
            assert "Download ZIP" in page
            assert 'name="action"' not in page
            assert page.count('type="checkbox"') == 1


def test_one_action_is_done_on_each_file_and_told(
    http_client: HttpClient, owner: User, client_company: Client
) -> None:
    load = load_with_logs(owner, "AB-0187", 0)
    files = [put(client_company, f"{n}.txt") for n in range(3)]
    gone = stored(client_company, name="gone.txt", deleted_at=timezone.now())
    ids = [file.pk for file in [*files, gone]]

    def act(action: str, ids: list[uuid.UUID], **fields: Any) -> str:
        http_client.post(SELECTED, {"file_id": ids, "action": action, **fields})
        return said(http_client)

    assert act("move", ids, consignment_id=load.pk) == (
        "3 files moved to AB-0187. 1 not: gone.txt: There is no such file."
    )
    assert set(File.unscoped.values_list("name", "consignment")) == {
        *((f"{n}.txt", load.pk) for n in range(3)),
        ("gone.txt", None),
    }
    assert act("move", ids[:1], consignment_id="none") == "0.txt belongs to no consignment now."
    File.unscoped.filter(pk=ids[1]).update(status="FAILURE", error="x")
    assert act("retry", ids[:2]) == (
        "1.txt is checked again. 1 not: 0.txt: Only a file in FAILURE, or a dry run, can be tried "
        "again."
    )
    assert act("delete", ids[:2]) == "2 files deleted."
    assert act("restore", [*ids, uuid.uuid4()]) == (
        "2 files restored. 3 not: 2.txt: The file is not in the trash. gone.txt: Its bytes are "
        "gone, so it cannot be restored. Upload the file again. There is no such file."
    )


def test_several_deleted_files_are_taken_back_fields(
    http_client: HttpClient, client_company: Client
) -> None:
    ids = [put(client_company, f"{n}.txt").pk for n in range(3)]
    http_client.post(SELECTED, {"file_id": ids, "action": "delete", "next": "/files/?kind=text"})
    assert File.unscoped.filter(deleted_at__isnull=False).count() == 3
    assert undo(http_client, "/files/?kind=text")["Location"] == "/files/?kind=text"
    assert said(http_client) == "3 files restored."
    assert not File.unscoped.filter(deleted_at__isnull=False).exists()


def test_files_that_are_refused_for_the_same_reason_are_named_together(
    http_client: HttpClient, client_company: Client
) -> None:
    ids = [stored(client_company, name=f"{n}.txt").pk for n in range(MAX_NAMES + 1)]
    gone = stored(client_company, name="gone.txt", deleted_at=timezone.now()).pk
    sentences = "The file is not in the trash.", "Its bytes are gone, so it cannot be restored."
    for count, names in (
        (1, "0.txt"),
        (2, "0.txt and 1.txt"),
        (3, "0.txt, 1.txt and 2.txt"),
        (MAX_NAMES + 1, f"{', '.join(f'{n}.txt' for n in range(9))} and 2 more"),
    ):
        asked = [*ids[:1], gone, *ids[1:count]]
        http_client.post(SELECTED, {"file_id": asked, "action": "restore"})
        assert said(http_client) == (
            f"Nothing was changed. {count + 1} not: {names}: {sentences[0]} "
            f"gone.txt: {sentences[1]} Upload the file again."
        )


def test_dry_runs_are_not_recorded_unseen(http_client: HttpClient, client_company: Client) -> None:
    result = {"rows": 1, "accepted": 1, "rejected": 0, "unchanged": 0, "volume": 1.3}
    dry = stored(client_company, name="dry.xlsx", kind="tally", dry_run=True, result=result)
    failed = stored(client_company, name="bad.txt", status="FAILURE", error="x", result=None)
    http_client.post(SELECTED, {"file_id": [dry.pk, failed.pk], "action": "retry"})
    assert said(http_client) == (
        "bad.txt is checked again. 1 not: dry.xlsx: It is a dry run. Open it to see what it would "
        "add."
    )
    dry.refresh_from_db()
    assert (dry.status, dry.is_confirmed) == ("SUCCESS", False)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"file_id": [], "action": "delete"}, "select files first."),
        ({"action": "move", "consignment_id": ""}, "choose a consignment first."),
        ({"action": "move"}, "choose a consignment first."),
        (
            {"file_id": [uuid.uuid4() for _ in range(1001)], "action": "delete"},
            "select at most 1,000 files at once.",
        ),
    ],
)
def test_what_cannot_be_done_changes_nothing(
    http_client: HttpClient, client_company: Client, fields: dict[str, Any], sentence: str
) -> None:
    load = Consignment.unscoped.create(client=client_company, name="AB-0187", type="pinewood")
    file = stored(client_company, consignment=load)
    http_client.post(SELECTED, {"file_id": [file.pk], **fields})
    assert said(http_client) == f"Nothing was changed: {sentence}"
    file.refresh_from_db()
    assert (file.deleted_at, file.consignment) == (None, load)


def test_as_many_files_as_may_be_selected_fit_into_the_form(
    http_client: HttpClient, client_company: Client
) -> None:
    ids = [uuid.uuid4() for _ in range(999)]
    ids.append(stored(client_company).pk)
    http_client.post(SELECTED, {"file_id": ids, "action": "delete", "next": "/files/?kind=text"})
    assert said(http_client).startswith("gate note.txt deleted. 999 not: There is no such file.")


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "erase"},
        {"action": "move", "consignment_id": "seven"},
        {},
        {"file_id": ["7"], "action": "delete"},
        {"action": "move", "file_id": ["x"]},
    ],
)
def test_a_form_that_no_page_has_is_400(
    http_client: HttpClient, client_company: Client, fields: dict[str, Any]
) -> None:
    file = stored(client_company)
    response = http_client.post(SELECTED, {"file_id": [file.pk], **fields})
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert http_client.post(ARCHIVE, {"file_id": "x"}).status_code == HTTPStatus.BAD_REQUEST


def test_files_are_moved_to_no_consignment_of_another_client(
    http_client: HttpClient, client_company: Client, staff: User
) -> None:
    theirs = Consignment.unscoped.create(client=ClientFactory(), name="VT-1", type="pinewood")
    file = stored(client_company)
    fields = {"file_id": file.pk, "action": "move"}
    for place in (theirs.pk, 7_777_777):
        response = http_client.post(SELECTED, {**fields, "consignment_id": place})
        assert response.status_code == HTTPStatus.NOT_FOUND
    staff_client = browser_of(staff)
    staff_client.post(SELECTED, {**fields, "consignment_id": theirs.pk})
    assert said(staff_client).endswith("There is no such consignment or log.")
    file.refresh_from_db()
    assert file.consignment is None


def test_another_clients_files_are_not_named_and_not_changed(
    http_client: HttpClient, client_company: Client
) -> None:
    theirs = stored(UserFactory().client, name="secret.txt", status="FAILURE", error="x")
    for action in ("delete", "restore", "retry"):
        http_client.post(SELECTED, {"file_id": theirs.pk, "action": action})
        assert said(http_client) == "Nothing was changed. 1 not: There is no such file."
    http_client.post(ARCHIVE, {"file_id": theirs.pk})
    assert said(http_client) == "Nothing was downloaded. There is no such file."


def test_selected_files_are_downloaded_in_one_archive(
    http_client: HttpClient, client_company: Client
) -> None:
    files = [put(client_company, "same.txt", b"one"), put(client_company, "same.txt", b"two")]
    response: Any = http_client.post(ARCHIVE, {"file_id": [file.pk for file in files]})
    assert response["Content-Disposition"] == 'attachment; filename="files.zip"'
    assert response["Content-Type"] == "application/zip"
    archive = ZipFile(io.BytesIO(b"".join(response)))
    assert [archive.read(name) for name in archive.namelist()] == [b"one", b"two"]
    assert archive.namelist() == ["same.txt", "same (2).txt"]


def test_files_without_bytes_are_not_downloaded(
    http_client: HttpClient, client_company: Client
) -> None:
    file = stored(client_company)
    response = http_client.post(ARCHIVE, {"file_id": file.pk, "next": "/files/?kind=text"})
    assert response["Location"] == "/files/?kind=text"
    assert said(http_client) == (
        "Nothing was downloaded. The bytes of “gate note.txt” are missing. Leave such files out."
    )
    http_client.post(ARCHIVE)
    assert said(http_client) == "Nothing was changed: select files first."
    http_client.post(ARCHIVE, {"file_id": [uuid.uuid4() for _ in range(1001)]})
    assert said(http_client) == "Nothing was changed: select at most 1,000 files at once."


def test_staff_who_see_all_clients_move_files_within_the_consignments_client(
    owner: User, staff: User
) -> None:
    load, _ = (load_with_logs(owner, name, 0) for name in ("AB-0187", "AB-0188"))
    Consignment.unscoped.create(client=ClientFactory(), name="VT-1", type="pinewood")
    page = browser_of(staff).get(f"/consignments/{load.pk}/").content.decode()
    assert places(page) == ["Move to…", "AB-0188", "No consignment"]
