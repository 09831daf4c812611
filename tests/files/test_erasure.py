"""Nothing that a backup may still copy is erased, and a killed backup stops nothing for long."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F
from pytest_django.fixtures import Settings

from tests.files.conftest import Objects, Receive
from tests.files.runs import let_an_hour_pass
from timba.accounts.models import User
from timba.files import erasure
from timba.files.erasure import hold_erasure
from timba.files.models import ErasureHold
from timba.files.processing import process_file
from timba.files.services import delete_file, retry_file
from timba.files.sweeping import sweep_files

pytestmark = pytest.mark.django_db


@pytest.fixture
def stored(
    settle: Receive, receive: Receive, owner: User, objects: Objects, settings: Settings
) -> int:
    """Return the number of stored objects, of which two can be erased.

    They are the bytes of a deleted file, and the rejects of a run that another one has replaced.
    """
    settings.TIMBA_TRASH_DAYS = 0
    retried = settle("7,nonsense\n", name="b.csv", kind="temperatures")
    retry_file(actor=owner, file=retried)
    assert process_file(retried.pk)
    delete_file(actor=owner, file=receive("one\n"))
    let_an_hour_pass()
    return len(objects())


def test_erasure_waits_while_it_is_held(stored: int, objects: Objects) -> None:
    with hold_erasure():
        sweep_files()
        assert len(objects()) == stored
    sweep_files()
    assert len(objects()) == stored - 2
    assert not ErasureHold.objects.exists()


def test_a_hold_that_nobody_renews_expires(stored: int, objects: Objects) -> None:
    abandoned = erasure._begin()
    ErasureHold.objects.update(expires_at=F("expires_at") - erasure.DURATION)
    sweep_files()
    assert len(objects()) == stored - 2
    with hold_erasure():
        assert not ErasureHold.objects.filter(pk=abandoned.pk).exists()


def test_a_hold_is_renewed_for_its_whole_duration() -> None:
    hold = erasure._begin()
    begun = ErasureHold.objects.get().expires_at
    ErasureHold.objects.update(expires_at=F("expires_at") - timedelta(minutes=1))
    erasure._renew(hold)
    assert ErasureHold.objects.get().expires_at >= begun
