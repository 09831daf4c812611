"""Twenty concurrent writers of a consignment keep its totals, barcodes and events exact."""

from __future__ import annotations

import random
import threading
from collections import Counter, deque
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import orjson
import pytest
from django.db import connection

from tests.conftest import MakeUser
from timba.accounts.models import User
from timba.consignments.logs import NewLog, add_log, add_logs, change_log, delete_log
from timba.consignments.models import BarcodeCounter, Consignment, Log
from timba.consignments.services import open_consignment
from timba.errors import Conflict, NotFound
from timba.events.models import OutboxEvent

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS, EDITORS = 20, 4
# What each writer adds one by one, and in how many sheets of how many rows.
SINGLE, SHEETS, ROWS = 12, 2, 25
# Barcodes that every writer enters, and that Timba would generate later.
CONTESTED_NUMBERS = (100, 200, 300, 400, 500)
MEASURES = {"length": Decimal("4.125"), "breadth": Decimal(30), "height": Decimal("31.5")}


class Writers:
    """Threads that add, change and delete the logs of one consignment; errors are collected."""

    def __init__(self, owner: User, consignment: Consignment) -> None:
        self.owner, self.consignment = owner, consignment
        self.added: deque[Log] = deque()
        # No thread deletes these: their barcodes stay taken.
        self.contested: deque[Log] = deque()
        self.conflicts: Counter[str] = Counter()
        self.errors: list[BaseException] = []
        self.all_added = threading.Event()

    @property
    def contested_barcodes(self) -> set[str]:
        return {f"TB-{self.owner.client_id}-{number}" for number in CONTESTED_NUMBERS}

    def write(self, number: int) -> None:
        for barcode in self.contested_barcodes:
            try:
                self.contested.append(self._add(barcode))
            except Conflict as conflict:
                self.conflicts[str(conflict)] += 1
        for sheet in range(SHEETS):
            self._add_sheet(f"W{number}-{sheet}")
        for _ in range(SINGLE):
            self.added.append(self._add())

    def edit(self, number: int) -> None:
        rng = random.Random(number)
        while not self.all_added.wait(0.01):
            try:
                log = self.added[rng.randrange(len(self.added))]
                if rng.random() < 0.5:
                    self._call(delete_log, log=log)
                else:
                    length = Decimal(rng.randrange(100, 9999)) / 1000
                    self._call(change_log, log=log, length=length)
            except (NotFound, ValueError):
                continue  # another editor deleted it, or no log was added yet

    def _add_sheet(self, name: str) -> None:
        barcodes = [None if row % 2 else f"{name}-{row}" for row in range(ROWS)]
        logs = [NewLog(barcode=barcode, **MEASURES) for barcode in barcodes]
        self.added.extend(self._call(add_logs, consignment=self.consignment, logs=logs))

    def _add(self, barcode: str | None = None) -> Any:
        return self._call(add_log, consignment=self.consignment, barcode=barcode, **MEASURES)

    def _call(self, service: Callable[..., Any], **fields: Any) -> Any:
        try:
            return service(actor=self.owner, **fields)
        finally:
            connection.close()

    def run(self) -> None:
        """Let all threads begin at the same moment, and wait for them."""
        barrier = threading.Barrier(WRITERS + EDITORS)

        def begin_together(action: Callable[[int], None], number: int) -> None:
            try:
                barrier.wait(30)
                action(number)
            except BaseException as error:  # noqa: BLE001 - the test reports it
                self.errors.append(error)

        writers = [
            threading.Thread(target=begin_together, args=(self.write, n)) for n in range(WRITERS)
        ]
        editors = [
            threading.Thread(target=begin_together, args=(self.edit, n)) for n in range(EDITORS)
        ]
        for thread in (*writers, *editors):
            thread.start()
        for thread in writers:
            thread.join(120)
        self.all_added.set()
        for thread in editors:
            thread.join(60)


def test_totals_barcodes_and_events_are_exact_under_concurrent_writes(make_user: MakeUser) -> None:
    owner = make_user()
    assert owner.client is not None
    opened = open_consignment(actor=owner, client=owner.client, name="Lorry 7", type="pinewood")
    writers = Writers(owner, opened)
    writers.run()
    assert writers.errors == []

    logs = list(Log.unscoped.filter(consignment=opened))
    consignment = Consignment.unscoped.get(pk=opened.pk)
    assert consignment.log_count == len(logs) < len(writers.added)
    assert consignment.volume == sum(log.volume for log in logs)
    _check_barcodes(writers)
    _check_events(writers, logs)


def _check_barcodes(writers: Writers) -> None:
    added = [log.barcode for log in writers.added]
    assert len(set(added)) == len(added) == WRITERS * (SINGLE + SHEETS * ROWS)
    # One writer got each contested barcode; all others got a conflict that names it.
    contested = writers.contested_barcodes
    assert sorted(log.barcode for log in writers.contested) == sorted(contested)
    assert writers.conflicts == {
        f"There is a log with the barcode “{barcode}” already.": WRITERS - 1
        for barcode in contested
    }
    generated = {barcode for barcode in added if barcode.startswith("TB-")}
    last = BarcodeCounter.objects.get().last_number
    assert last > max(CONTESTED_NUMBERS)
    numbered = {f"TB-{writers.owner.client_id}-{number}" for number in range(1, last + 1)}
    assert numbered - contested == generated


def _check_events(writers: Writers, logs: list[Log]) -> None:
    """Apply the events as a consumer would: the result is what the database holds."""
    events = list(OutboxEvent.objects.order_by("sequence"))
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    by_id: dict[int, dict[str, Any]] = {}
    for event in events[1:]:
        value = orjson.loads(event.value)
        log = value["log"]
        assert (value["action"] == "create") == (log["id"] not in by_id)
        by_id[log["id"]] = {} if value["action"] == "delete" else log
    assert {log.pk: (log.barcode, float(log.length), float(log.volume)) for log in logs} == {
        log_id: (log["barcode"], log["length"], log["volume"])
        for log_id, log in by_id.items()
        if log
    }
    assert len(by_id) == len(writers.added) + len(writers.contested)
