"""Exports by a child process: consistent, and limited on a machine and for each client."""

from __future__ import annotations

import errno
import io
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from decimal import Decimal
from typing import Any, BinaryIO

import openpyxl
import pypdfium2
import pytest
from pytest_django import DjangoAssertNumQueries

from tests.conftest import MakeUser
from timba.accounts.models import User
from timba.consignments.logs import NewLog, add_log, add_logs
from timba.consignments.models import Consignment
from timba.consignments.services import open_consignment
from timba.errors import DiskFull, Unavailable
from timba.tallies.exporting import exports
from timba.tallies.exporting.exports import (
    BUSY,
    FAILED,
    export_tally,
    export_thread_slot,
    get_visible_consignment,
    large_export_slot,
)

MEASURES = {"length": Decimal("4.2"), "breadth": Decimal(30), "height": Decimal(25)}
ROW = "4.200,30.000,25.000,0.315"


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def consignment(owner: User) -> Consignment:
    """Return a lorry load of five logs; one barcode looks like a formula."""
    assert owner.client is not None
    consignment = open_consignment(actor=owner, client=owner.client, name="Līga", type="hardwood")
    logs = [NewLog(barcode=barcode, **MEASURES) for barcode in ("A", "=B", "Ķ, “2”", "D", "E")]
    add_logs(actor=owner, consignment=consignment, logs=logs)
    consignment.refresh_from_db()
    return consignment


def content(owner: User, consignment: Consignment, extension: str = "csv") -> bytes:
    with export_tally(actor=owner, consignment=consignment, extension=extension) as out:
        out.seek(0)
        return out.read()


def without_time(extension: str, exported: bytes) -> Any:
    """Return the contents of an export without the time at which it was made."""
    if extension == "csv":
        return exported
    if extension == "pdf":
        text = pypdfium2.PdfDocument(exported)[0].get_textpage().get_text_bounded()
        return [line for line in text.splitlines() if not line.startswith("Exported")]
    rows = openpyxl.load_workbook(io.BytesIO(exported)).worksheets[0].values
    return [row for row in rows if row[0] != "Exported"]


@pytest.mark.only_on("sqlite")
@pytest.mark.django_db
@pytest.mark.parametrize("extension", ["csv", "xlsx", "pdf"])
def test_an_export_by_a_child_process_equals_one_by_a_thread(
    extension: str, owner: User, consignment: Consignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = content(owner, consignment, extension)
    monkeypatch.setattr(exports, "INLINE_MAX_LOGS", 4)
    monkeypatch.setattr(exports, "_BATCH_SIZE", 2)
    assert without_time(extension, content(owner, consignment, extension)) == without_time(
        extension, few
    )


@pytest.mark.only_on("sqlite")
@pytest.mark.django_db
def test_a_pdf_with_letters_of_other_fonts_is_written_by_a_child_process(
    owner: User, consignment: Consignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "_START_CHILD", "import sys; sys.exit(3)")
    assert content(owner, consignment, "pdf").startswith(b"%PDF-")
    add_log(actor=owner, consignment=consignment, barcode="松木-1", **MEASURES)
    assert content(owner, consignment, "xlsx").startswith(b"PK")
    with pytest.raises(Unavailable):
        content(owner, consignment, "pdf")


@pytest.mark.only_on("sqlite")
@pytest.mark.django_db
def test_a_large_export_in_a_slot_of_its_own_equals_a_small_one(
    owner: User, consignment: Consignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = content(owner, consignment)
    monkeypatch.setattr(exports, "INLINE_MAX_LOGS", 4)
    monkeypatch.setattr(exports, "LARGE_MIN_LOGS", 5)
    assert content(owner, consignment) == few


@pytest.mark.django_db
def test_logs_are_read_in_batches(
    owner: User,
    consignment: Consignment,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    monkeypatch.setattr(exports, "INLINE_MAX_LOGS", 4)
    monkeypatch.setattr(exports, "_BATCH_SIZE", 2)
    loaded = get_visible_consignment(owner, consignment.pk)
    with django_assert_num_queries(
        4
    ):  # three batches of logs, and whether the consignment has changed
        content(owner, loaded)


@pytest.mark.django_db
def test_an_export_is_consistent(
    owner: User, consignment: Consignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = exports.write_spool
    added = ["F", "G"]

    def write_while_logs_are_added(tally: Any, logs: Any, spool: BinaryIO) -> None:
        write(tally, logs, spool)
        if added:
            add_log(actor=owner, consignment=consignment, barcode=added.pop(0), **MEASURES)

    monkeypatch.setattr(exports, "INLINE_MAX_LOGS", 4)
    monkeypatch.setattr(exports, "write_spool", write_while_logs_are_added)
    lines = content(owner, consignment).decode().splitlines()
    assert lines[-2:] == [f"F,{ROW}", f"G,{ROW}"]
    assert len(lines) == 1 + 7


@pytest.mark.django_db
def test_while_logs_keep_changing_the_last_read_is_exported(
    owner: User, consignment: Consignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = exports.write_spool

    def write_while_logs_are_added(tally: Any, logs: Any, spool: BinaryIO) -> None:
        write(tally, logs, spool)
        add_log(actor=owner, consignment=consignment, **MEASURES)

    monkeypatch.setattr(exports, "INLINE_MAX_LOGS", 4)
    monkeypatch.setattr(exports, "write_spool", write_while_logs_are_added)
    assert len(content(owner, consignment).decode().splitlines()) == 1 + 5 + 2


@pytest.mark.only_on("sqlite")
@pytest.mark.django_db
@pytest.mark.parametrize("start", ["import sys; sys.exit(3)", "import time; time.sleep(60)"])
def test_a_failed_export_releases_its_slots(
    start: str, owner: User, consignment: Consignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "INLINE_MAX_LOGS", 4)
    monkeypatch.setattr(exports, "_START_CHILD", start)
    monkeypatch.setattr(exports, "_TIMEOUT_SECONDS", 0.2)
    for _ in range(3):
        with pytest.raises(Unavailable) as refusal:
            content(owner, consignment)
        assert str(refusal.value) == FAILED


def test_an_export_without_space_for_it_says_so(
    owner: User, consignment: Consignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(exports, "_temporary_file", fail)
    with pytest.raises(DiskFull):
        content(owner, consignment)


# --- Slots ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("held", [(7,), (8, 9), (7, 9)])
def test_large_exports_are_limited_to_one_for_a_client_and_two_on_a_machine(
    held: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "WAIT_SECONDS", 0)
    with ExitStack() as others:
        for client_id in held:
            others.enter_context(large_export_slot(client_id))
        with pytest.raises(Unavailable) as refusal, large_export_slot(7):
            pass
    assert str(refusal.value) == BUSY
    with large_export_slot(7), large_export_slot(8):
        pass


def test_a_waiting_export_gets_the_slot_that_becomes_free(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = threading.Event()
    sleep = exports.time.sleep

    def sleep_and_signal(seconds: float) -> None:
        waits.set()
        sleep(seconds)

    monkeypatch.setattr(exports, "WAIT_SECONDS", 60)
    monkeypatch.setattr("timba.tallies.exporting.exports.time.sleep", sleep_and_signal)

    def wait_for_slot() -> str:
        with large_export_slot(7):
            return "exported"

    with ThreadPoolExecutor() as threads:
        with large_export_slot(7):
            waiting = threads.submit(wait_for_slot)
            assert waits.wait(60)
        assert waiting.result(60) == "exported"


def test_threads_that_make_exports_are_limited_in_all_and_for_each_client(settings: Any) -> None:
    settings.TIMBA_WEB_THREADS = 16
    with ExitStack() as threads:
        for client_id in (7, 7):
            threads.enter_context(export_thread_slot(client_id))
        with pytest.raises(Unavailable, match=BUSY), export_thread_slot(7):
            pass
        for client_id in (8, 9):
            threads.enter_context(export_thread_slot(client_id))
        with pytest.raises(Unavailable, match=BUSY), export_thread_slot(10):
            pass
    with export_thread_slot(7):
        pass


@pytest.mark.only_on("sqlite")
@pytest.mark.django_db
def test_an_export_that_is_not_large_needs_no_slot(
    owner: User, consignment: Consignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert owner.client_id is not None
    monkeypatch.setattr(exports, "INLINE_MAX_LOGS", 4)
    with large_export_slot(owner.client_id), large_export_slot(owner.client_id + 1):
        assert content(owner, consignment).count(b"\n") == 6
