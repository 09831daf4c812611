"""Previews that are made after a file was processed: of all files, and of pages; and lost ones."""

from __future__ import annotations

import io

import pytest
from django.core.management import call_command

from tests.files.conftest import Receive
from tests.files.runs import event_types
from tests.files.samples import pdf, photo
from timba import failpoints
from timba.files import previews
from timba.files.models import Derivative, File
from timba.files.previews import mend_preview, read_page, read_preview
from timba.files.storage import new_key, store

pytestmark = [pytest.mark.django_db, pytest.mark.only_on("sqlite")]


def forget_previews() -> None:
    """Let the files be as an earlier version has left them."""
    for derivative in Derivative.objects.all():
        store().delete(derivative.storage_key)
    Derivative.objects.all().delete()
    File.unscoped.update(has_preview=False)


def make_previews() -> str:
    out = io.StringIO()
    call_command("make_previews", stdout=out)
    return out.getvalue()


def test_older_files_get_previews_and_nothing_else_changes(settle: Receive) -> None:
    picture = settle(photo((400, 300)), name="load.jpg")
    document = settle(pdf(text="Permit"), name="permit.pdf")
    settle("Seal 88414\n")
    whole = {file.pk: read_preview(file, 256) for file in (picture, document)}
    forget_previews()
    before = {row["id"]: row for row in File.unscoped.values()}
    assert make_previews() == "Previews made: 2. Files without: 0.\n"
    for file in (picture, document):
        file.refresh_from_db()
        assert read_preview(file, 256) == whole[file.pk]
        assert event_types(file) == ["created", "succeeded"]
    after = {row["id"]: row for row in File.unscoped.values()}
    made = {"has_preview": True}
    assert after == {pk: row | (made if pk in whole else {}) for pk, row in before.items()}
    assert make_previews() == "Previews made: 0. Files without: 0.\n"


def test_an_interrupted_run_goes_on_with_what_is_missing(settle: Receive) -> None:
    file = settle(photo((400, 300)), name="load.jpg")
    large = Derivative.objects.get(file=file, role="preview_1024")
    store().delete(large.storage_key)
    large.delete()
    File.unscoped.update(has_preview=False)
    small = Derivative.objects.get(file=file)
    assert make_previews() == "Previews made: 1. Files without: 0.\n"
    assert Derivative.objects.get(file=file, role="preview_256") == small
    file.refresh_from_db()
    assert read_preview(file, 1024)


@pytest.mark.parametrize("role", ["preview_256", "preview_1024"])
def test_a_lost_preview_is_made_again(settle: Receive, role: str) -> None:
    file = settle(photo((400, 300)), name="load.jpg")
    lost = Derivative.objects.get(file=file, role=role)
    store().delete(lost.storage_key)
    assert mend_preview(lost)
    again = Derivative.objects.get(file=file, role=role)
    assert (again.sha256, again.is_current) == (lost.sha256, True)
    assert store().exists(again.storage_key)
    file.refresh_from_db()
    assert file.has_preview


def test_pages_beyond_the_most_are_drawn_and_not_kept(
    settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = settle(pdf(4, text="Permit"), name="permit.pdf")
    monkeypatch.setattr(previews, "MAX_PAGES_KEPT", 2)
    assert all(read_page(file, page, 256) for page in (2, 3, 4, 4))
    pages = Derivative.objects.filter(file=file, role__startswith="page")
    assert sorted(pages.values_list("role", flat=True)) == ["page_2_256", "page_3_256"]


def test_a_page_that_cannot_be_drawn_is_not_tried_again(settle: Receive) -> None:
    file = settle(pdf(2), name="permit.pdf")
    assert read_page(file, 3, 256) is None
    assert Derivative.objects.get(file=file, role="page_3_256").size == 0
    store().delete(file.storage_key)
    assert read_page(file, 3, 256) is None


def test_a_page_of_a_run_that_was_replaced_is_not_kept(settle: Receive) -> None:
    file = settle(pdf(2), name="permit.pdf")
    File.unscoped.update(run=99)
    assert read_page(file, 2, 256)
    assert not Derivative.objects.filter(role__startswith="page").exists()


def test_a_killed_run_goes_on_at_once_with_the_preview_that_it_had_begun(settle: Receive) -> None:
    file = settle(photo((400, 300)), name="load.jpg")
    forget_previews()
    assert file.run is not None
    begun = Derivative.objects.create(
        file=file, run=file.run, role="preview_1024", storage_key=new_key()
    )
    assert make_previews() == "Previews made: 1. Files without: 0.\n"
    file.refresh_from_db()
    assert read_preview(file, 1024)
    # The sweeper deletes it with what there is of its object.
    begun.refresh_from_db()
    assert (begun.role, begun.is_current) == (f"replaced_{begun.pk}", False)


def test_of_two_requests_that_store_a_page_at_once_the_later_one_keeps_it(settle: Receive) -> None:
    file = settle(pdf(2), name="permit.pdf")
    pages = Derivative.objects.exclude(role__startswith="preview").order_by("pk")

    def read_meanwhile(point: str) -> None:
        if point == "previews.named" and pages.count() == 1:
            assert read_page(file, 2, 256)

    failpoints.set_hook(read_meanwhile)
    try:
        assert read_page(file, 2, 256)
    finally:
        failpoints.set_hook(None)
    earlier, later = pages
    assert (earlier.role, earlier.is_current) == (f"replaced_{earlier.pk}", False)
    assert (later.role, later.is_current) == ("page_2_256", True)
    assert [store().exists(row.storage_key) for row in pages] == [False, True]
