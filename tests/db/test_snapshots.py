"""A snapshot shows one moment on every database, and keeps no writer waiting."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from timba.accounts.models import Client
from timba.db.snapshots import read_snapshot


def _write() -> None:
    """Change a row and add one in another connection, within a second."""
    Client.unscoped.filter(name="before").update(name="after")
    Client.unscoped.create(name="new")
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_a_snapshot_does_not_see_what_is_written_meanwhile() -> None:
    Client.unscoped.create(name="before")
    with read_snapshot():
        writer = threading.Thread(target=_write)
        writer.start()
        writer.join(25)  # less than any database waits for a lock
        assert not writer.is_alive()
        assert list(Client.unscoped.values_list("name", flat=True)) == ["before"]
    assert list(Client.unscoped.values_list("name", flat=True)) == ["after", "new"]


@pytest.mark.django_db(transaction=True)
def test_transactions_after_a_snapshot_are_as_before() -> None:
    with read_snapshot():
        assert not Client.unscoped.exists()
    Client.unscoped.create(name="written")
    if connection.vendor == "sqlite":
        assert connection.transaction_mode == "IMMEDIATE"
