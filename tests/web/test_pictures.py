"""Pictures of files on the pages: thumbnails, the picture of one file, and those beside it."""

from __future__ import annotations

import html
import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus

import pytest
from django.test import Client as HttpClient
from django.utils import timezone

from tests.clients import browser_of
from tests.factories import ClientFactory
from tests.web.test_consignments import measured, opened
from tests.web.test_files import TEXT_RESULT, stored
from timba.accounts.models import Client, User
from timba.consignments.models import Consignment
from timba.files.models import File

pytestmark = pytest.mark.django_db
MakeUser = Callable[..., User]
PHOTO = {"width": 4000, "height": 3000, "format": "JPEG", "phash": "d1c4a59b6e2f3087"}
PDF = {"pages": 3, "text_chars": 12}


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def http_client(owner: User) -> HttpClient:
    return browser_of(owner)


@pytest.fixture
def load(owner: User) -> Consignment:
    return opened(owner)


def photo(client: Client, name: str, **fields: object) -> File:
    """Return a processed photo with a preview."""
    return stored(client, name=name, kind="photo", result=PHOTO, has_preview=True, **fields)


def document(client: Client, name: str, **fields: object) -> File:
    """Return a processed PDF of three pages with a preview."""
    return stored(client, name=name, kind="document", result=PDF, has_preview=True, **fields)


def shown(http_client: HttpClient, path: str) -> str:
    response = http_client.get(path)
    assert response.status_code == HTTPStatus.OK
    return response.content.decode()


def thumbnails(page: str) -> list[str]:
    """Return the ids of the files with a small picture, in order."""
    return re.findall(r'<img src="/api/files/([^/]+)/preview/\?size=256"', page)


def beside(page: str) -> list[str]:
    """Return the names of the files before and after the one on its page."""
    return re.findall(r'<span class="picture-name">([^<]+)<', page)


@pytest.mark.parametrize("path", ["/files/", "/consignments/{}/", "/consignments/{}/paper/"])
def test_photos_have_thumbnails_that_keep_their_place(
    http_client: HttpClient, load: Consignment, path: str
) -> None:
    file = photo(load.client, "gate.jpg", consignment=load)
    page = shown(http_client, path.format(load.pk))
    [image] = re.findall("<img [^>]+size=256[^>]+>", page)
    size = "40" if path == "/files/" else "96"
    assert image == (
        f'<img src="/api/files/{file.pk}/preview/?size=256" width="{size}" height="{size}" alt=""'
        ' loading="lazy" decoding="async">'
    )
    before = page[: page.index(image)]
    assert before.endswith('<use href="#i-photo"></use></svg>')
    assert "/content/" not in page


def test_documents_have_thumbnails_and_other_kinds_their_icon(
    http_client: HttpClient, load: Consignment
) -> None:
    permit = document(load.client, "permit.pdf", consignment=load)
    stored(load.client, name="note.txt", consignment=load)
    stored(load.client, name="cut.jpg", kind="photo", status="FAILURE", error="x", result=None)
    for path in ("/files/", f"/consignments/{load.pk}/"):
        assert thumbnails(shown(http_client, path)) == [str(permit.pk)]


def test_file_without_a_preview_has_its_icon_and_a_sentence(
    http_client: HttpClient, client_company: Client
) -> None:
    file = stored(client_company, name="old.jpg", kind="photo", result=PHOTO)
    assert thumbnails(shown(http_client, "/files/")) == []
    page = shown(http_client, f"/files/{file.pk}/")
    assert "There is no picture of this file. Download the file to see it." in page
    assert "size=1024" not in page


def signs(page: str) -> list[tuple[str, str, str]]:
    """Return the signs of the logs' photos: of each its log, its address and its name."""
    sign = (
        r'<a class="of-log" data-log="(\d+)" href="([^"]+)".*?<span class="sr">([^<]+)</span></a>'
    )
    return re.findall(sign, page, re.DOTALL)


def test_a_log_with_photos_has_a_sign_that_leads_to_the_newest(
    owner: User, make_user: MakeUser, load: Consignment
) -> None:
    one, two, none = (measured(owner, load, f"TB-{number}") for number in range(3))
    at = timezone.now()
    photo(load.client, "old.jpg", consignment=load, log=two, uploaded_at=at - timedelta(hours=1))
    newest = photo(load.client, "new.jpg", consignment=load, log=two)
    only = photo(load.client, "only.jpg", consignment=load, log=one)
    photo(load.client, "gone.jpg", consignment=load, log=none, deleted_at=at)
    document(load.client, "permit.pdf", consignment=load, log=none)
    stored(load.client, name="cut.jpg", kind="photo", status="FAILURE", error="x", log=none)
    for user in (owner, make_user("viewer")):
        page = html.unescape(shown(browser_of(user), f"/consignments/{load.pk}/"))
        assert signs(page) == [
            (str(two.pk), f"/files/{newest.pk}/?in=consignment", "2\xa0photos of TB-1"),
            (str(one.pk), f"/files/{only.pk}/?in=consignment", "1\xa0photo of TB-0"),
        ]


@pytest.mark.parametrize(
    ("photos", "tiles", "rest"),
    [(7, 7, None), (8, 8, None), (9, 7, "2 more"), (17, 7, "10 more")],
)
def test_a_tile_counts_the_photos_that_are_left_unless_it_is_one(
    http_client: HttpClient, load: Consignment, photos: int, tiles: int, rest: str | None
) -> None:
    for number in range(photos):
        photo(load.client, f"IMG_{number}.jpg", consignment=load)
    for path in ("", "paper/"):
        page = shown(http_client, f"/consignments/{load.pk}/{path}")
        assert len(thumbnails(page)) == tiles
        assert re.findall(r"\d+ more\b", page) == ([rest] if rest else [])


def test_page_of_a_photo_shows_it(http_client: HttpClient, client_company: Client) -> None:
    file = photo(client_company, "a<b.jpg")
    page = shown(http_client, f"/files/{file.pk}/")
    assert (
        f'<img src="/api/files/{file.pk}/preview/?size=1024" width="4000" height="3000"'
        ' alt="a&lt;b.jpg">'
    ) in page
    assert beside(page) == []


def test_pages_of_a_document_are_shown_one_by_one(
    http_client: HttpClient, client_company: Client
) -> None:
    file = document(client_company, "permit.pdf")
    path = f"/files/{file.pk}/"
    pages = [shown(http_client, f"{path}?page={number}") for number in (1, 2, 3)]
    for number, page in enumerate(pages, 1):
        query = "" if number == 1 else f"&amp;page={number}"
        assert f'preview/?size=1024{query}" alt="permit.pdf, page {number} of 3">' in page
        assert f"Page {number} of 3" in page
    links = [re.findall(r'rel="(prev|next)" href="\?page=(\d)"', page) for page in pages]
    assert links == [[("next", "2")], [("prev", "1"), ("next", "3")], [("prev", "2")]]
    assert http_client.get(f"{path}?page=4").status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("query", ["?page=0", "?page=x", "?in=people", "?in=files&kind=song"])
def test_invalid_queries_are_rejected(
    http_client: HttpClient, client_company: Client, query: str
) -> None:
    file = photo(client_company, "gate.jpg")
    assert http_client.get(f"/files/{file.pk}/{query}").status_code == HTTPStatus.BAD_REQUEST


def test_files_of_a_consignment_follow_each_other_photos_first(
    http_client: HttpClient, load: Consignment
) -> None:
    now = timezone.now()
    files = [
        photo(load.client, "b.jpg", consignment=load),
        document(load.client, "permit.pdf", consignment=load),
        photo(load.client, "a.jpg", consignment=load),
        stored(load.client, name="note.txt", consignment=load),
        photo(load.client, "elsewhere.jpg"),
        photo(load.client, "gone.jpg", consignment=load, deleted_at=now),
    ]
    for minute, file in enumerate(files):
        File.unscoped.filter(pk=file.pk).update(uploaded_at=now + timedelta(minutes=minute))
    page = shown(http_client, f"/consignments/{load.pk}/")
    links = re.findall(
        r'href="([^"]+)" data-picture="[^"]+" data-kind="\w+" data-name="([^"]+)"', page
    )
    assert [name for _, name in links] == ["a.jpg", "b.jpg", "permit.pdf"]
    pages = [shown(http_client, html.unescape(path)) for path, _ in links]
    assert [beside(text) for text in pages] == [["b.jpg"], ["a.jpg", "permit.pdf"], ["b.jpg"]]
    crumb = f'<p class="crumb"><a href="/consignments/{load.pk}/">AB-0187</a></p>'
    for text in pages:
        assert crumb in text
        assert set(re.findall(r'\?in=\w+"', text)) == {'?in=consignment"'}


def test_files_of_a_filtered_list_follow_each_other(
    http_client: HttpClient, client_company: Client
) -> None:
    now = timezone.now()
    for minute, name in enumerate(("gate 1.jpg", "gate.pdf", "seal.jpg", "gate 2.jpg")):
        kind = document if name.endswith("pdf") else photo
        file = kind(client_company, name)
        File.unscoped.filter(pk=file.pk).update(uploaded_at=now + timedelta(minutes=minute))
    page = shown(http_client, "/files/?q=gate&kind=photo")
    [first, last] = re.findall(r'href="([^"]+)" data-picture', page)
    assert beside(shown(http_client, html.unescape(first))) == ["gate 1.jpg"]
    text = shown(http_client, html.unescape(last))
    assert beside(text) == ["gate 2.jpg"]
    assert 'href="/files/?in=files&amp;q=gate&amp;kind=photo">Files</a>' in text
    assert shown(http_client, "/files/?in=files&q=gate&kind=photo").count("data-picture=") == 2


def test_foreign_files_are_not_beside_those_of_the_client(
    http_client: HttpClient, client_company: Client
) -> None:
    file = photo(client_company, "gate.jpg")
    photo(ClientFactory(), "theirs.jpg")
    assert beside(shown(http_client, f"/files/{file.pk}/?in=files")) == []
    path = f"/files/{uuid.uuid4()}/?in=files"
    assert http_client.get(path).status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize(("chars", "is_whole"), [(4, True), (1200, False), (None, False)])
def test_text_is_shown_safely_and_says_when_it_is_a_part(
    http_client: HttpClient, client_company: Client, chars: int | None, is_whole: bool
) -> None:
    result = {**TEXT_RESULT, "preview": "<b>\n", "chars": chars}
    file = stored(client_company, result=result)
    page = shown(http_client, f"/files/{file.pk}/")
    assert re.search(r'<pre class="quote"[^>]*>&lt;b&gt;\n</pre>', page)
    assert ("The text</h2>" in page) == is_whole
    assert ("Only the beginning is shown." in page) == (not is_whole)
