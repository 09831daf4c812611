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
from timba.consignments.models import BarcodeCounter, Consignment, Log
from timba.consignments.services import (
    NewLog,
    add_log,
    add_logs,
    change_log,
    delete_log,
    open_consignment,
)
from timba.errors import Conflict, NotFound
from timba.events.models import OutboxEvent

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS, CORRECTORS = 20, 4
# One by one and in sheets: 5,000 in all.
SINGLE, SHEETS, IN_A_SHEET = 30, 4, 55
# Each is wanted by every writer, and no made barcode may be one of them.
CONTESTED = 5
MEASURES = {"length": Decimal("4.125"), "breadth": Decimal(30), "height": Decimal("31.5")}


class Gate:
    """A consignment, and everybody who writes into it; whatever goes wrong is kept."""

    def __init__(self, owner: User, consignment: Consignment) -> None:
        self.owner, self.consignment = owner, consignment
        self.added: deque[Log] = deque()
        # Nobody deletes these: they stay taken.
        self.contested: deque[Log] = deque()
        self.refused: Counter[str] = Counter()
        self.failures: list[BaseException] = []
        self.all_added = threading.Event()

    def write(self, number: int) -> None:
        for place in range(CONTESTED):
            # Typed by hand, but what Timba would make some time later.
            barcode = f"TB-{self.owner.client_id}-{500 * (place + 1)}"
            try:
                self.contested.append(self._add(barcode))
            except Conflict as refusal:
                self.refused[str(refusal)] += 1
        for sheet in range(SHEETS):
            self._add_sheet(f"W{number}-{sheet}")
        for _ in range(SINGLE):
            self.added.append(self._add())

    def correct(self, number: int) -> None:
        chance = random.Random(number)
        while not self.all_added.wait(0.01):
            try:
                log = self.added[chance.randrange(len(self.added))]
                if chance.random() < 0.5:
                    self._do(delete_log, log=log)
                else:
                    length = Decimal(chance.randrange(1, 9999)) / 1000
                    self._do(change_log, log=log, length=length)
            except (NotFound, ValueError):
                # Another corrector was here, or nobody yet.
                continue

    def _add_sheet(self, name: str) -> None:
        barcodes = [None if row % 2 else f"{name}-{row}" for row in range(IN_A_SHEET)]
        logs = [NewLog(barcode=barcode, **MEASURES) for barcode in barcodes]
        self.added.extend(self._do(add_logs, consignment=self.consignment, logs=logs))

    def _add(self, barcode: str | None = None) -> Any:
        return self._do(add_log, consignment=self.consignment, barcode=barcode, **MEASURES)

    def _do(self, write: Callable[..., Any], **fields: Any) -> Any:
        try:
            return write(actor=self.owner, **fields)
        finally:
            # Here are more people than a pool has connections.
            connection.close()


def run(gate: Gate) -> None:
    """Let everybody begin at the same moment, and wait for all of them."""
    barrier = threading.Barrier(WRITERS + CORRECTORS)

    def work(act: Callable[[int], None], number: int) -> None:
        try:
            barrier.wait(30)
            act(number)
        except BaseException as failure:  # noqa: BLE001 - for the test to judge
            gate.failures.append(failure)

    writers = [threading.Thread(target=work, args=(gate.write, n)) for n in range(WRITERS)]
    others = [threading.Thread(target=work, args=(gate.correct, n)) for n in range(CORRECTORS)]
    for thread in (*writers, *others):
        thread.start()
    for thread in writers:
        thread.join(120)
    gate.all_added.set()
    for thread in others:
        thread.join(60)


def test_totals_barcodes_and_events_are_exact_under_concurrent_writes(make_user: MakeUser) -> None:
    owner = make_user()
    assert owner.client is not None
    opened = open_consignment(actor=owner, client=owner.client, name="Lorry 7", type="pinewood")
    gate = Gate(owner, opened)
    run(gate)
    assert gate.failures == []

    logs = list(Log.unscoped.filter(consignment=opened))
    after = Consignment.unscoped.get(pk=opened.pk)
    assert after.log_count == len(logs) < len(gate.added)
    assert after.volume == sum(log.volume for log in logs)
    _check_barcodes(gate)
    _check_story(gate, logs)


def _check_barcodes(gate: Gate) -> None:
    added = [log.barcode for log in gate.added]
    assert len(set(added)) == len(added) == WRITERS * (SINGLE + SHEETS * IN_A_SHEET) == 5_000
    # Each contested one was got by one writer and refused, by name, to all others.
    by_hand = {f"TB-{gate.owner.client_id}-{500 * (place + 1)}" for place in range(CONTESTED)}
    assert sorted(log.barcode for log in gate.contested) == sorted(by_hand)
    assert gate.refused == {
        f"There is a log with the barcode “{barcode}” already.": WRITERS - 1 for barcode in by_hand
    }
    made = {barcode for barcode in added if barcode.startswith("TB-")}
    last = BarcodeCounter.objects.get().last_number
    assert last > 500 * CONTESTED
    every = {f"TB-{gate.owner.client_id}-{number}" for number in range(1, last + 1)}
    assert every - by_hand == made


def _check_story(gate: Gate, logs: list[Log]) -> None:
    """Follow the events as a consumer would: they come to exactly what is there."""
    events = list(OutboxEvent.objects.order_by("sequence"))
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    told: dict[int, dict[str, Any]] = {}
    for event in events[1:]:
        value = orjson.loads(event.value)
        log = value["log"]
        assert (value["action"] == "create") == (log["id"] not in told)
        told[log["id"]] = log
        if value["action"] == "delete":
            told[log["id"]] = {}
    there = {log.pk: (log.barcode, float(log.length), float(log.volume)) for log in logs}
    assert there == {
        log_id: (log["barcode"], log["length"], log["volume"])
        for log_id, log in told.items()
        if log
    }
    assert len(told) == len(gate.added) + len(gate.contested)
