"""Large exports: written elsewhere and as one moment has them, two at a time, one for a client."""

from __future__ import annotations

import io
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
from timba.consignments.models import Consignment
from timba.consignments.services import NewLog, add_log, add_logs, open_consignment
from timba.errors import Unavailable
from timba.tallies import export_slots, exports
from timba.tallies.export_slots import BUSY, export_thread_slot, large_export_slot
from timba.tallies.exports import FAILED, export_tally, get_visible_consignment

MEASURES = {"length": Decimal("4.2"), "breadth": Decimal(30), "height": Decimal(25)}
ROW = "4.200,30.000,25.000,0.315"


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def consignment(owner: User) -> Consignment:
    """Return a lorry load of five logs, one of which would be a formula."""
    assert owner.client is not None
    made = open_consignment(actor=owner, client=owner.client, name="Līga", type="hardwood")
    logs = [NewLog(barcode=barcode, **MEASURES) for barcode in ("A", "=B", "Ķ, “2”", "D", "E")]
    add_logs(actor=owner, consignment=made, logs=logs)
    made.refresh_from_db()
    return made


def content(owner: User, consignment: Consignment, extension: str = "csv") -> bytes:
    with export_tally(actor=owner, consignment=consignment, extension=extension) as out:
        out.seek(0)
        return out.read()


def told(extension: str, made: bytes) -> Any:
    """Return what an export says, but for the moment it was made at."""
    if extension == "csv":
        return made
    if extension == "pdf":
        text = pypdfium2.PdfDocument(made)[0].get_textpage().get_text_bounded()
        return [line for line in text.splitlines() if not line.startswith("Exported")]
    rows = openpyxl.load_workbook(io.BytesIO(made)).worksheets[0].values
    return [row for row in rows if row[0] != "Exported"]


@pytest.mark.django_db
@pytest.mark.parametrize("extension", ["csv", "xlsx", "pdf"])
def test_an_export_of_many_logs_says_what_one_of_few_says(
    extension: str, owner: User, consignment: Consignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = content(owner, consignment, extension)
    monkeypatch.setattr(exports, "INLINE_MAX_LOGS", 4)
    monkeypatch.setattr(exports, "_BATCH_SIZE", 2)
    assert told(extension, content(owner, consignment, extension)) == told(extension, few)
    monkeypatch.setattr(exports, "LARGE_MIN_LOGS", 5)
    assert told(extension, content(owner, consignment, extension)) == told(extension, few)


@pytest.mark.django_db
def test_logs_are_read_so_many_at_a_time(
    owner: User,
    consignment: Consignment,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    monkeypatch.setattr(exports, "INLINE_MAX_LOGS", 4)
    monkeypatch.setattr(exports, "_BATCH_SIZE", 2)
    asked = get_visible_consignment(owner, consignment.pk)
    with django_assert_num_queries(4):  # three times logs, and whether they have changed
        content(owner, asked)


@pytest.mark.django_db
def test_an_export_is_of_one_moment(
    owner: User, consignment: Consignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = exports.write_spool
    coming = ["F", "G"]

    def write_while_logs_come(tally: Any, logs: Any, spool: BinaryIO) -> None:
        write(tally, logs, spool)
        if coming:
            add_log(actor=owner, consignment=consignment, barcode=coming.pop(0), **MEASURES)

    monkeypatch.setattr(exports, "INLINE_MAX_LOGS", 4)
    monkeypatch.setattr(exports, "write_spool", write_while_logs_come)
    lines = content(owner, consignment).decode().splitlines()
    assert lines[-2:] == [f"F,{ROW}", f"G,{ROW}"]
    assert len(lines) == 1 + 7


@pytest.mark.django_db
def test_where_logs_never_stop_coming_what_was_read_last_is_exported(
    owner: User, consignment: Consignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = exports.write_spool

    def write_while_logs_come(tally: Any, logs: Any, spool: BinaryIO) -> None:
        write(tally, logs, spool)
        add_log(actor=owner, consignment=consignment, **MEASURES)

    monkeypatch.setattr(exports, "INLINE_MAX_LOGS", 4)
    monkeypatch.setattr(exports, "write_spool", write_while_logs_come)
    assert len(content(owner, consignment).decode().splitlines()) == 1 + 5 + 2


@pytest.mark.django_db
@pytest.mark.parametrize("start", ["import sys; sys.exit(3)", "import time; time.sleep(60)"])
def test_an_export_that_fails_gives_its_place_back(
    start: str, owner: User, consignment: Consignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "INLINE_MAX_LOGS", 4)
    monkeypatch.setattr(exports, "_START_CHILD", start)
    monkeypatch.setattr(exports, "_TIMEOUT_SECONDS", 0.2)
    for _ in range(3):
        with pytest.raises(Unavailable) as refusal:
            content(owner, consignment)
        assert str(refusal.value) == FAILED


# --- Places --------------------------------------------------------------------------------------


@pytest.mark.parametrize("held", [(7,), (8, 9), (7, 9)])
def test_a_client_makes_one_at_a_time_and_a_machine_two(
    held: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_slots, "WAIT_SECONDS", 0)
    with ExitStack() as others:
        for client_id in held:
            others.enter_context(large_export_slot(client_id))
        with pytest.raises(Unavailable) as refusal, large_export_slot(7):
            pass
    assert str(refusal.value) == BUSY
    with large_export_slot(7), large_export_slot(8):
        pass


def test_who_waits_gets_the_place_that_comes_free(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = threading.Event()
    sleep = export_slots.time.sleep

    def sleep_and_tell(seconds: float) -> None:
        waits.set()
        sleep(seconds)

    monkeypatch.setattr(export_slots, "WAIT_SECONDS", 60)
    monkeypatch.setattr("timba.tallies.export_slots.time.sleep", sleep_and_tell)

    def wait_for_it() -> str:
        with large_export_slot(7):
            return "made"

    with ThreadPoolExecutor() as threads:
        with large_export_slot(7):
            waiting = threads.submit(wait_for_it)
            assert waits.wait(60)
        assert waiting.result(60) == "made"


def test_few_threads_make_exports_and_fewer_for_one_client(settings: Any) -> None:
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


@pytest.mark.django_db
def test_an_export_that_is_not_large_takes_no_place_of_those(
    owner: User, consignment: Consignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert owner.client_id is not None
    monkeypatch.setattr(exports, "INLINE_MAX_LOGS", 4)
    with large_export_slot(owner.client_id), large_export_slot(owner.client_id + 1):
        assert content(owner, consignment).count(b"\n") == 6
