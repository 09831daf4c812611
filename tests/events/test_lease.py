"""One process holds a lease, and loses it when it expires."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from tests.threads import at_once
from timba.events.leases import Lease, is_held
from timba.events.models import ProcessLease

RELAY, LAKE = ProcessLease.Name.RELAY, ProcessLease.Name.LAKE
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def expire() -> None:
    ProcessLease.objects.update(expires_at=LONG_AGO)


@pytest.mark.django_db
def test_lease_belongs_to_one_relay_for_fifteen_seconds() -> None:
    mine, other = Lease(RELAY), Lease(RELAY)
    assert mine.renew()
    assert not other.renew()
    assert not other.acquire()
    before = timezone.now()
    assert mine.renew()
    renewed = ProcessLease.objects.get().expires_at - timedelta(seconds=15)
    # The database's clock may be a coarser one.
    assert before - timedelta(seconds=1) < renewed < timezone.now() + timedelta(seconds=1)


@pytest.mark.django_db
def test_expired_lease_is_taken_over_and_its_old_holder_is_fenced_off() -> None:
    mine, other = Lease(RELAY), Lease(RELAY)
    assert mine.renew()
    expire()
    assert other.renew()
    assert not mine.renew()
    assert not mine.acquire()


@pytest.mark.django_db
def test_expired_lease_is_renewed_if_no_other_relay_took_it() -> None:
    mine = Lease(RELAY)
    assert mine.renew()
    expire()
    assert mine.renew()
    assert ProcessLease.objects.get().expires_at > timezone.now()


@pytest.mark.django_db
def test_released_lease_is_free_at_once() -> None:
    mine, other = Lease(RELAY), Lease(RELAY)
    assert mine.renew()
    mine.release()
    assert other.acquire()
    assert not mine.acquire()


@pytest.mark.django_db
def test_only_the_holder_can_release_the_lease() -> None:
    mine, other = Lease(RELAY), Lease(RELAY)
    assert mine.renew()
    other.release()
    assert not other.renew()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("row_is_there", [False, True])
def test_of_many_relays_that_start_at_once_one_gets_the_lease(row_is_there: bool) -> None:
    if row_is_there:
        ProcessLease.objects.create(name=RELAY)
    leases = [Lease(RELAY) for _ in range(6)]
    outcomes = at_once(6, lambda number: leases[number].renew())
    assert sorted(outcomes) == [False] * 5 + [True]


@pytest.mark.django_db
def test_each_name_is_a_lease_of_its_own() -> None:
    assert Lease(RELAY).renew()
    assert (is_held(RELAY), is_held(LAKE)) == (True, False)
    assert Lease(LAKE).renew()
    assert not Lease(LAKE).renew()
    expire()
    assert not is_held(LAKE)
