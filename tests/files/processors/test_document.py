"""What is read from a PDF, and the sentences for those that cannot be read."""

from __future__ import annotations

import random

import pytest

from tests.files.conftest import Receive
from tests.files.samples import MemorySource, pdf, photo
from timba.events.models import OutboxEvent
from timba.files.processors.base import FileRefused
from timba.files.processors.document import (
    DAMAGED,
    LOCKED,
    NEEDS_ADOBE_READER,
    read_document,
)
from timba.files.sandbox import CRASHED, run_in_sandbox
from timba.files.sandbox_child import UNREADABLE

pytestmark = pytest.mark.only_on("sqlite")


@pytest.mark.django_db
def test_a_pdf_is_read_in_the_sandbox(settle: Receive) -> None:
    info = {"Title": "Felling permit", "Author": "Forest office", "CreationDate": "D:20240506"}
    file = settle(pdf(3, text="Forty logs of larch", info=info), name="permit.pdf")
    assert (file.status, file.kind, file.media_type) == ("SUCCESS", "document", "application/pdf")
    assert {name: file.result[name] for name in list(file.result)[4:]} == {
        "pages": 3,
        "title": "Felling permit",
        "author": "Forest office",
        "created_at": "2024-05-06T00:00:00",
        "text_chars": 3 * len("Forty logs of larch"),
    }


@pytest.mark.django_db
def test_a_very_long_title_is_cut_in_the_result_and_in_the_event(settle: Receive) -> None:
    file = settle(pdf(info={"Title": "Permit" * 300_000, "Author": "x" * 1000}), name="permit.pdf")
    assert file.result["title"] == ("Permit" * 300_000)[:999] + "…"
    assert file.result["author"] == "x" * 1000
    event = OutboxEvent.objects.get(type="timba.file.succeeded")
    assert len(event.value) < 5000


def test_missing_metadata_is_null() -> None:
    facts = read_document(MemorySource(pdf())).findings
    assert facts == {"pages": 1, "title": None, "author": None, "created_at": None, "text_chars": 0}


@pytest.mark.parametrize(
    "before",
    [b"\xef\xbb\xbf", b"\r\n", b"Content-Type: application/pdf\n\n", bytes(range(256)) * 3],
    ids=["byte order mark", "blank line", "mail header", "junk"],
)
def test_a_pdf_may_begin_within_its_first_kilobyte(before: bytes) -> None:
    content = pdf(text="Forty logs", info={"Title": "Permit"})
    facts = read_document(MemorySource(before + content)).findings
    assert facts == read_document(MemorySource(content)).findings
    assert (facts["title"], facts["text_chars"]) == ("Permit", 10)


WAIT = "Please wait... If this message is not eventually replaced by the proper contents of"
FORM = "/AcroForm << /Fields [] /XFA 4 0 R >>"


@pytest.mark.parametrize(
    ("text", "catalog"), [(WAIT, ""), (WAIT, FORM), ("Hello", FORM + "/NeedsRendering true")]
)
def test_a_form_that_only_adobe_reader_draws_is_said_to_be_one(text: str, catalog: str) -> None:
    facts = read_document(MemorySource(pdf(text=text, catalog=catalog))).findings
    assert facts["text_chars"] is None
    assert facts["warnings"] == [
        {"code": "needs_adobe_reader", "sentence": NEEDS_ADOBE_READER, "count": 1}
    ]
    plain = read_document(
        MemorySource(pdf(text="Please wait for the lorry", catalog=FORM))
    ).findings
    assert (plain["text_chars"], "warnings" in plain) == (25, False)


def test_a_locked_pdf_is_refused() -> None:
    with pytest.raises(FileRefused) as refusal:
        read_document(MemorySource(pdf(locked=True)))
    assert str(refusal.value) == LOCKED


def test_a_damaged_pdf_after_a_locked_one_is_not_locked() -> None:
    damaged = pdf(0).replace(b"/Count 0", b"/Count -7")
    for content, sentence in ((pdf(locked=True), LOCKED), (damaged, DAMAGED)):
        with pytest.raises(FileRefused) as refusal:
            read_document(MemorySource(content))
        assert str(refusal.value) == sentence


def test_ten_thousand_pages_are_refused_and_five_thousand_read() -> None:
    with pytest.raises(FileRefused) as refusal:
        read_document(MemorySource(pdf(10_000)))
    assert str(refusal.value) == "The PDF has 10000 pages; 5000 is the most."
    assert read_document(MemorySource(pdf(5000, text="x"))).findings["text_chars"] == 5000


@pytest.mark.parametrize(
    "content",
    [b"%PDF-1.7\n", b"%PDF-1.7\n" + bytes(5000), photo(), b"", pdf()[:200]],
    ids=["only a header", "a header and zeros", "a photo", "nothing", "cut off"],
)
def test_a_file_that_is_no_pdf_is_refused(content: bytes) -> None:
    with pytest.raises(FileRefused) as refusal:
        read_document(MemorySource(content))
    assert str(refusal.value) == DAMAGED


def test_corrupted_pdfs_are_read_or_refused_with_a_sentence() -> None:
    chance = random.Random(3)
    whole = pdf(4, text="Forty logs of larch", info={"Title": "Permit"})
    sentences: set[str] = set()
    for _ in range(40):
        corrupted = bytearray(whole)
        for _ in range(chance.randint(1, 40)):
            corrupted[chance.randrange(9, len(corrupted))] = chance.randrange(256)
        try:
            run_in_sandbox(read_document, MemorySource(bytes(corrupted)))
        except FileRefused as refusal:
            sentences.add(str(refusal))
    assert sentences <= {DAMAGED, LOCKED, CRASHED, UNREADABLE}
