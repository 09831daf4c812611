"""Text in scanned PDFs and photos of papers, which is read where the extra is installed."""

from __future__ import annotations

import errno
import io
import os
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from django.core.management import call_command
from django.utils import timezone
from PIL import Image, ImageDraw, ImageOps, PngImagePlugin
from pytest_django.fixtures import Settings

from tests.clients import api_client_of
from tests.factories import UserFactory
from tests.files.conftest import Receive, accept
from tests.files.samples import PERMIT, forest, paper, pdf, photo, scan
from timba.accounts.models import User
from timba.events.models import OutboxEvent
from timba.files import ocr_worker, sandbox
from timba.files.models import File, FileText, OcrJob
from timba.files.ocr import check_ocr, check_ocr_is_on, claim_ocr_job, request_ocr, why_ocr_is_off
from timba.files.ocr_worker import OcrWorker
from timba.files.services import delete_file
from timba.files.trash import restore_file
from timba.runtime.processes import processes

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.only_on("sqlite"),
    pytest.mark.ocr_is_installed(True),
]

FONT = Path("/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf")
Find = Callable[[str], list[str]]


@pytest.fixture(autouse=True)
def needs_data() -> None:
    if reason := why_ocr_is_off():
        pytest.skip(reason)


@pytest.fixture
def find(owner: User) -> Find:
    """Return a function that lists the names of the files found."""

    def search(q: str) -> list[str]:
        response = api_client_of(owner).get("/api/files/", {"q": q})
        return [row["name"] for row in response.json()["results"]]

    return search


def pdf_with_scan(*, text: str, picture: Image.Image) -> bytes:
    """Return a PDF of a page with text, and one that is a picture."""
    with pikepdf.open(io.BytesIO(pdf(text=text))) as whole:
        with pikepdf.open(io.BytesIO(scan(picture))) as scanned:
            whole.pages.extend(scanned.pages)
        file = io.BytesIO()
        whole.save(file)
    return file.getvalue()


def work() -> None:
    """Read the pictures of every file that waits."""
    worker = OcrWorker()
    while worker.process_next():
        pass


def result(file: File) -> dict[str, Any]:
    file.refresh_from_db()
    assert file.status == File.Status.SUCCESS
    return dict(file.result)


def events(file: File) -> list[str]:
    rows = OutboxEvent.objects.filter(key=str(file.pk)).order_by("id")
    return [kind.rpartition(".")[2] for kind in rows.values_list("type", flat=True)]


def test_a_scanned_pdf_is_found_by_the_text_in_its_pictures(settle: Receive, find: Find) -> None:
    file = settle(scan(paper()), name="permit.pdf")
    before = result(file)
    assert ("ocr" in before, before["text_chars"]) == (False, 0)
    assert find("felling larch") == []
    work()
    assert find("felling larch") == ["permit.pdf"]
    assert FileText.objects.get(file=file).text == PERMIT
    ocr = {"pages": 1, "words": 13, "languages": ["eng"], "note": None}
    assert result(file) == {**before, "ocr": ocr}
    assert not OcrJob.unscoped.exists()


def test_only_the_pages_without_text_are_read(settle: Receive, find: Find) -> None:
    file = settle(pdf_with_scan(text="Invoice 7", picture=paper()), name="mixed.pdf")
    work()
    assert find("invoice felling") == ["mixed.pdf"]
    assert result(file)["ocr"]["pages"] == 1
    assert FileText.objects.get(file=file).text == f"Invoice 7\n\n{PERMIT}"


@pytest.mark.parametrize(
    ("stamp", "picture_side", "lines", "is_read"),
    [
        ("Scanned with a phone", 600, 900, True),
        ("Seal " * 60, 600, 0, False),
        ("Annex 1", 300, 0, False),
        ("Plan 1", 600, 1000, False),
    ],
    ids=["a scan with a stamp", "a scan with its text", "a small picture", "a drawing"],
)
def test_a_scan_with_a_stamp_is_read(
    settle: Receive, find: Find, stamp: str, picture_side: int, lines: int, is_read: bool
) -> None:
    file = io.BytesIO()
    scanned = pikepdf.open(io.BytesIO(scan(paper())))
    stamped = pikepdf.open(io.BytesIO(pdf(text=stamp)))
    with scanned, stamped:
        side = pikepdf.Rectangle(0, 0, picture_side, picture_side)
        stamped.pages[0].contents_add(b"0 0 m 9 9 l S\n" * lines)
        stamped.pages[0].add_underlay(scanned.pages[0], side)
        stamped.save(file)
    settle(file.getvalue(), name="permit.pdf")
    work()
    assert find("felling larch") == (["permit.pdf"] if is_read else [])


def test_a_pdf_with_text_on_every_page_stays_as_it_is(settle: Receive) -> None:
    file = settle(pdf(2, text="Felling permit"), name="a.pdf")
    before = result(file)
    work()
    assert (result(file), events(file)) == (before, ["created", "succeeded"])


@pytest.mark.parametrize("turn", [None, *(1, 2, 3)])
def test_a_photo_of_a_paper_is_read_whichever_side_is_up(
    settle: Receive, find: Find, turn: int | None
) -> None:
    text = PERMIT * 3
    picture = paper(text, size=(1240, 1240)).rotate(90 * (turn or 0), expand=True)
    file = settle(photo(picture=picture), name="permit.jpg")
    work()
    assert find("felling larch") == ["permit.jpg"]
    assert result(file)["ocr"]["words"] == 39
    assert events(file) == ["created", "succeeded", "updated"]


def test_a_photo_is_read_as_its_camera_was_held(settle: Receive, find: Find) -> None:
    # Too few words to try other directions.
    turned = paper().transpose(Image.Transpose.ROTATE_90)
    settle(photo(picture=turned, exif={0x0112: 6}), name="permit.jpg")
    work()
    assert find("felling larch") == ["permit.jpg"]


def encoded(picture: Image.Image, image_format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, image_format, **options)
    return file.getvalue()


def letters_alone(mode: str) -> Image.Image:
    """Return a picture whose letters are black, and all else is transparent."""
    letters = ImageOps.invert(paper())
    black = Image.new("L", letters.size, 0)
    return Image.merge("LA", (black, letters)).convert(mode)


@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("grey.png", lambda: encoded(letters_alone("LA"), "PNG")),
        ("colour.png", lambda: encoded(letters_alone("RGBA"), "PNG")),
        ("colour.webp", lambda: encoded(letters_alone("RGBA"), "WEBP")),
        ("key.png", lambda: encoded(paper().convert("1"), "PNG", transparency=1)),
        ("16 bits.png", lambda: encoded(sixteen_bits(paper()), "PNG")),
    ],
)
def test_transparent_parts_of_a_picture_are_white(
    settle: Receive, find: Find, name: str, build: Callable[[], bytes]
) -> None:
    settle(build(), name=name)
    work()
    assert find("felling larch") == [name]


def sixteen_bits(grey: Image.Image) -> Image.Image:
    return Image.frombytes("I;16", grey.size, b"".join(bytes((0, v)) for v in grey.tobytes()))


def test_a_photo_that_had_to_be_mended_is_read(settle: Receive, find: Find) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Software", "x" * 1_100_000, zip=True)
    settle(encoded(paper(), "PNG", pnginfo=texts), name="long text.png")
    settle(encoded(paper(), "JPEG", quality=95)[:-2], name="no end.jpg")
    work()
    assert find("felling larch") == ["no end.jpg", "long text.png"]


def noise() -> Image.Image:
    return Image.frombytes("L", (800, 600), random.Random(3).randbytes(800 * 600))


def sticks() -> Image.Image:
    """Return a picture of rows of short lines, which Tesseract takes for hundreds of words."""
    rng = random.Random(0)
    picture = Image.new("L", (1600, 1200), 230)
    pen = ImageDraw.Draw(picture)
    for _ in range(1000):
        x, y = rng.randint(0, 1600), rng.randint(0, 20) * 60
        ends = [(x + rng.randint(-16, 16), y + rng.randint(-16, 16)) for _ in range(4)]
        pen.line(ends, fill=60, width=rng.randint(2, 6))
    return picture


@pytest.mark.parametrize("draw", [noise, sticks, lambda: forest((1600, 1200)).convert("L")])
def test_nothing_is_kept_of_a_photo_that_is_no_paper(
    settle: Receive, draw: Callable[[], Image.Image]
) -> None:
    file = settle(photo(picture=draw()), name="load.jpg")
    before = result(file)
    work()
    assert (result(file), events(file)) == (before, ["created", "succeeded"])
    assert FileText.objects.get(file=file).text == ""
    assert not OcrJob.unscoped.exists()


def test_an_empty_page_is_read_and_holds_nothing(settle: Receive) -> None:
    file = settle(pdf(), name="a.pdf")
    work()
    ocr = {"pages": 1, "words": 0, "languages": ["eng"], "note": None}
    assert result(file)["ocr"] == ocr


def test_a_picture_that_takes_too_long_is_named(
    settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = settle(photo(picture=paper()), name="permit.jpg")
    monkeypatch.setattr(ocr_worker, "PICTURE_SECONDS", 0)
    work()
    assert result(file)["ocr"] == {
        "pages": 0,
        "words": 0,
        "languages": ["eng"],
        "note": "Not read, because it took too long: the photo.",
    }


def test_the_first_pages_of_many_are_read(
    settle: Receive, find: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ocr_worker, "MAX_PICTURES", 1)
    file = settle(scan(paper(), paper("Chainsaw service book of the yard\n")), name="a.pdf")
    work()
    ocr = result(file)["ocr"]
    assert (ocr["pages"], ocr["note"]) == (1, "Only the first 1 of 2 scanned pages were read.")
    assert (find("felling"), find("chainsaw")) == (["a.pdf"], [])


def test_a_deleted_file_waits_until_it_is_restored(
    settle: Receive, find: Find, owner: User
) -> None:
    file = settle(scan(paper()), name="permit.pdf")
    delete_file(actor=owner, file=file)
    work()
    assert OcrJob.unscoped.get().attempts == 0
    restore_file(actor=owner, file=file)
    work()
    assert find("felling") == ["permit.pdf"]


def expire_ocr_lease() -> None:
    OcrJob.unscoped.update(lease_until=timezone.now() - timedelta(seconds=1))


def test_a_file_whose_reading_was_cut_off_three_times_says_so(settle: Receive) -> None:
    file = settle(scan(paper()), name="permit.pdf")
    for _ in range(3):
        assert claim_ocr_job() is not None
        assert claim_ocr_job() is None
        expire_ocr_lease()
    work()
    assert result(file)["ocr"]["note"] == "Reading its pictures was cut off three times."


def test_a_worker_that_was_paused_beyond_its_lease_records_nothing(settle: Receive) -> None:
    file = settle(scan(paper()), name="permit.pdf")
    job = claim_ocr_job()
    expire_ocr_lease()
    assert claim_ocr_job() is not None
    assert job is not None
    ocr_worker._process(job, lambda: False)
    assert "ocr" not in result(file)
    assert OcrJob.unscoped.get().attempts == 2


def test_a_run_that_was_replaced_gets_no_text_of_another(settle: Receive) -> None:
    file = settle(scan(paper()), name="permit.pdf")
    OcrJob.unscoped.update(run=file.run + 1)
    assert claim_ocr_job() is None


def test_a_worker_that_stops_gives_its_job_back(settle: Receive, find: Find) -> None:
    settle(scan(paper()), name="permit.pdf")
    job = claim_ocr_job()
    assert job is not None
    ocr_worker._process(job, lambda: True)
    waiting = OcrJob.unscoped.get()
    assert (waiting.attempts, waiting.lease_until) == (0, None)
    work()
    assert find("felling") == ["permit.pdf"]


def test_a_job_waits_while_no_child_can_be_started(
    settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(scan(paper()), name="permit.pdf")
    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "_START_CHILD", "raise SystemExit(1)")
        work()
    job = OcrJob.unscoped.get()
    assert job.attempts == 0
    assert job.lease_until is not None
    assert job.lease_until > timezone.now()


def test_a_picture_whose_process_is_killed_each_time_is_tried_three_times(
    settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = settle(scan(paper()), name="permit.pdf")
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    monkeypatch.setattr(sandbox, "_START_CHILD", kill)
    for attempts in (1, 2, 3):
        work()
        assert OcrJob.unscoped.get().attempts == attempts
        expire_ocr_lease()
    work()
    assert result(file)["ocr"]["note"] == "Reading its pictures was cut off three times."


def test_jobs_wait_while_the_disk_is_full(
    settle: Receive, find: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(scan(paper()), name="permit.pdf")

    def fill_the_disk() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "_unnamed_file", fill_the_disk)
        for _ in range(4):
            assert not OcrWorker().process_next()  # so that it does not ask without a pause
            assert OcrJob.unscoped.get().attempts == 0
            expire_ocr_lease()
    work()
    assert find("felling") == ["permit.pdf"]


def test_a_job_is_requested_once_for_each_run(settle: Receive) -> None:
    file = settle(scan(paper()), name="permit.pdf")
    job = claim_ocr_job()
    assert job is not None
    request_ocr(file)
    assert OcrJob.unscoped.get().attempts == 1
    expire_ocr_lease()
    OcrJob.unscoped.update(run=file.run - 1, attempts=3)
    request_ocr(file)
    again = claim_ocr_job()
    assert again is not None
    assert (again.run, again.attempts, again.created_at) == (file.run, 1, job.created_at)


def test_clients_take_turns(settle: Receive, finish_upload: Any, owner: User) -> None:
    first, second = settle(pdf(), name="1.pdf"), settle(pdf(), name="2.pdf")
    other = UserFactory()
    [accepted] = accept(other, finish_upload(pdf(), name="3.pdf"))
    for file in File.unscoped.filter(pk=accepted.file.pk):
        file.status, file.run = File.Status.SUCCESS, 1
        file.save()
        request_ocr(file)
    order = []
    last = 0
    while job := claim_ocr_job(after=last):
        order.append(job.file_id)
        last = job.client_id
    assert order == [first.pk, accepted.file.pk, second.pk]


def test_files_that_were_processed_without_ocr_are_read_when_asked_for(
    settle: Receive, find: Find, capsys: pytest.CaptureFixture[str]
) -> None:
    settle(scan(paper()), name="1.pdf")
    settle(photo(picture=paper()), name="2.jpg")
    OcrJob.unscoped.all().delete()
    call_command("ocr", earlier=True)
    assert capsys.readouterr().out == "Files that wait for OCR now: 2.\n"
    work()
    assert find("felling") == ["2.jpg", "1.pdf"]
    call_command("ocr", earlier=True)
    assert capsys.readouterr().out == "Files that wait for OCR now: 0.\n"


def test_a_process_of_its_own_reads_pictures(settings: Settings) -> None:
    names = [spec.name for spec in processes()]
    assert names == ["web", "worker", "relay", "ocr"]
    assert (check_ocr(None), check_ocr_is_on(None)) == ([], [])
    [ocr] = processes(only=["ocr"])
    assert ocr.command[-2:] == ("timba", "ocr")


def test_a_language_without_data_is_said(settings: Settings, settle: Receive) -> None:
    settings.TIMBA_OCR_LANGUAGES = ["eng", "xyz"]
    sentence = "Text in pictures is not read here: the data of the language “xyz” is not installed."
    assert why_ocr_is_off() == sentence
    [problem] = check_ocr(None)
    assert (problem.msg, problem.id) == (sentence, "timba.E033")
    settle(scan(paper()), name="permit.pdf")
    assert not OcrJob.unscoped.exists()


def test_several_languages_are_read(settings: Settings, settle: Receive, find: Find) -> None:
    settings.TIMBA_OCR_LANGUAGES = ["eng", "lav"]
    if not FONT.exists() or why_ocr_is_off():
        pytest.skip(f"The font {FONT.name} or the data of Latvian is missing.")
    text = "Pavadzīme par kokmateriālu piegādi\nLapegle un bērzs no meža\n"
    file = settle(scan(paper(text, font=FONT)), name="1.pdf")
    work()
    assert find("pavadzime berzs") == ["1.pdf"]
    assert result(file)["ocr"]["languages"] == ["eng", "lav"]
