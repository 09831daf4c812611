"""Concurrent processing of sheets that share logs adds each log once."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest

from tests.conftest import MakeUser
from tests.tallies.sheets import tally
from tests.threads import at_once
from timba.accounts.models import User
from timba.consignments.logs import add_log
from timba.consignments.models import Consignment, Log
from timba.consignments.services import open_consignment
from timba.consignments.trash import delete_consignment
from timba.errors import Conflict
from timba.events.models import OutboxEvent
from timba.files.models import File
from timba.files.processing import process_file
from timba.files.receiving import Upload, accept_files
from timba.files.sandbox import close_sandbox
from timba.files.scheduling import next_waiting

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS, SHEETS, IN_A_SHEET, APART = 4, 8, 60, 20
MEASURES = (Decimal(4), Decimal(30), Decimal(25))


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


def open_load(owner: User, name: str) -> Consignment:
    assert owner.client is not None
    return open_consignment(actor=owner, client=owner.client, name=name, type="hardwood")


def send(owner: User, load: Consignment, first: int) -> File:
    """Upload a sheet of logs that are numbered from `first` on."""
    rows = [(f"B-{number}", *map(float, MEASURES)) for number in range(first, first + IN_A_SHEET)]
    upload = Upload(name="tally.xlsx")
    upload.write(tally(*rows))
    upload.finish()
    upload.identify()
    assert owner.client is not None
    [accepted] = accept_files(actor=owner, client=owner.client, uploads=[upload], consignment=load)
    return accepted.file


def process_pending() -> None:
    while File.unscoped.filter(status="PENDING").exists():
        file_id = next_waiting()
        if file_id is not None:
            process_file(file_id)
    close_sandbox()


def test_sheets_that_share_logs_add_each_log_once(owner: User) -> None:
    load, other = open_load(owner, "Lorry 7"), open_load(owner, "Lorry 8")
    files = [send(owner, load, APART * number) for number in range(SHEETS)]
    files.append(send(owner, other, 0))

    def add_single_logs() -> None:
        length, breadth, height = MEASURES
        for number in range(0, 120, 7):
            try:
                add_log(
                    actor=owner,
                    consignment=load,
                    barcode=f"B-{number}",
                    length=length,
                    breadth=breadth,
                    height=height,
                )
            except Conflict:
                continue

    def act(number: int) -> None:
        if number:
            process_pending()
        else:
            add_single_logs()

    assert at_once(1 + WORKERS, act) == [None] * (1 + WORKERS)
    for one in files:
        one.refresh_from_db()
    added = sum(one.result["accepted"] for one in files)
    assert all(one.status == "SUCCESS" or one == files[-1] for one in files)
    assert all(
        one.result["rows"]
        == one.result["accepted"] + one.result["unchanged"] + one.result["rejected"]
        == IN_A_SHEET
        for one in files
    )
    logs = list(Log.unscoped.all())
    wanted = {f"B-{number}" for number in range(APART * (SHEETS - 1) + IN_A_SHEET)}
    assert Counter(log.barcode for log in logs) == dict.fromkeys(wanted, 1)
    for each in (load, other):
        each.refresh_from_db()
        mine = [log for log in logs if log.consignment_id == each.pk]
        assert (each.log_count, each.volume) == (len(mine), sum(log.volume for log in mine))
    created = OutboxEvent.objects.filter(type="timba.log.created").count()
    assert created == len(logs)
    assert added <= created


def test_a_consignment_is_deleted_while_its_sheets_are_processed(owner: User) -> None:
    load = open_load(owner, "Lorry 7")
    files = [send(owner, load, IN_A_SHEET * number) for number in range(4)]

    def act(number: int) -> None:
        if number:
            process_pending()
        else:
            process_file(files[0].pk)
            delete_consignment(actor=owner, consignment=load)
            close_sandbox()

    assert at_once(3, act) == [None] * 3
    assert not Log.unscoped.exists()
    for one in files:
        one.refresh_from_db()
        assert one.processed
        assert one.consignment is None
