"""Objects of earlier versions are written anew with the same readings, and the old ones erased."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F

from tests.temperatures.conftest import Receive
from tests.temperatures.lake.conftest import Lake, counted
from tests.temperatures.older_objects import make_older
from timba.accounts.models import User
from timba.files.models import Derivative, File
from timba.files.storage import store
from timba.files.sweeping import sweep_files
from timba.temperatures.lake.counted_objects import CountedObject
from timba.temperatures.lake.older_objects import rewrite
from timba.temperatures.models import CityTotals

# Of two row groups, with times and temperatures of every kind.
READINGS = "".join(
    f"{number % 13 + 1},{number % 15_000 / 100 - 75:.2f},2026-06-01T00:00:00.{number * 7:06}Z\n"
    for number in range(40_000)
)


def let_two_hours_pass() -> None:
    past = timedelta(hours=2)
    Derivative.objects.update(created_at=F("created_at") - past)
    File.unscoped.update(processed_at=F("processed_at") - past)


def readings_of(file: File) -> CountedObject:
    row = Derivative.objects.get(file=file, role="readings", is_current=True)
    return CountedObject(row.pk, file.pk, row.storage_key)


def test_statistics_are_the_same_before_and_after(lake: Lake, owner: User, settle: Receive) -> None:
    client_id = owner.client.pk
    file = settle(READINGS)
    before = counted(client_id)
    totals = list(CityTotals.unscoped.order_by("city_id").values())
    older = make_older(file)
    lake.catch_up()
    assert lake.statistics(client_id) == counted(client_id) == before
    newer = readings_of(file).key
    assert newer != older
    # Until requests that began before have ended.
    sweep_files()
    assert {older, newer} <= {found.key for found in store().list_objects()}
    let_two_hours_pass()
    sweep_files()
    kept = {found.key for found in store().list_objects()}
    assert newer in kept
    assert older not in kept
    assert list(CityTotals.unscoped.order_by("city_id").values()) == totals
    assert lake.statistics(client_id) == before


@pytest.mark.parametrize("change", ["is replaced", "is erased", "takes too long"])
def test_a_file_that_changes_meanwhile_keeps_its_object(
    lake: Lake, owner: User, settle: Receive, change: str
) -> None:
    file = settle("7,21.5,2026-06-01T12:00:00Z\n")
    older = make_older(file)
    counted_object = readings_of(file)

    def meanwhile() -> None:
        if change == "is replaced":
            Derivative.objects.filter(storage_key=older).update(is_current=False)
        elif change == "is erased":
            Derivative.objects.filter(file=file, role="readings").delete()
        else:
            let_two_hours_pass()

    with pytest.raises(FileNotFoundError):
        rewrite(counted_object, client_id=owner.client.pk, keep_lease=meanwhile)
    rows = set(Derivative.objects.filter(role="readings").values_list("storage_key", flat=True))
    assert rows <= {older}
    kept = {found.key for found in store().list_objects()}
    named = {*File.unscoped.values_list("storage_key", flat=True)}
    named |= {*Derivative.objects.values_list("storage_key", flat=True)}
    assert kept - named <= {older}


def test_what_an_interrupted_attempt_has_left_is_swept(
    lake: Lake, owner: User, settle: Receive
) -> None:
    file = settle("7,21.5,2026-06-01T12:00:00Z\n")
    make_older(file)

    def interrupt() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        rewrite(readings_of(file), client_id=owner.client.pk, keep_lease=interrupt)
    (left,) = Derivative.objects.filter(file=file, role="readings", is_current=False)
    lake.catch_up()
    let_two_hours_pass()
    sweep_files()
    assert lake.statistics(owner.client.pk) == counted(owner.client.pk)
    assert not Derivative.objects.filter(pk=left.pk).exists()
    assert not store().exists(left.storage_key)


def test_an_object_that_was_exchanged_is_kept_for_its_readers_after_another_exchange(
    lake: Lake, owner: User, settle: Receive
) -> None:
    """A worker of an earlier version may read the file again meanwhile."""
    file = settle("7,21.5,2026-06-01T12:00:00Z\n")
    first = make_older(file)
    lake.catch_up()
    second = make_older(file)
    rewrite(readings_of(file), client_id=owner.client.pk, keep_lease=lambda: None)
    assert {first, second} <= {found.key for found in store().list_objects()}
    let_two_hours_pass()
    sweep_files()
    assert not {first, second} & {found.key for found in store().list_objects()}
