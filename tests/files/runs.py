"""Runs of a file, and what happens to them: claimed, expired, abandoned; and the file's events."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from timba.events.models import OutboxEvent
from timba.files.leases import Run, claim
from timba.files.models import Derivative, File


def claimed(file: File) -> Run:
    """Claim the file and return the run."""
    row = claim(file.pk)
    assert row is not None
    return Run(file=row)


def let_a_second_pass(run: Run) -> None:
    """Let the time pass after which a run writes its progress."""
    run._written_at -= 1


def expire_lease(file: File) -> None:
    """Let a claimed file's lease expire."""
    File.unscoped.filter(pk=file.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def let_an_hour_pass() -> None:
    """Let the time pass after which uploads and unfinished runs count as abandoned."""
    passed = timedelta(hours=1)
    File.unscoped.update(
        touched_at=F("touched_at") - passed, processed_at=F("processed_at") - passed
    )
    Derivative.objects.update(created_at=F("created_at") - passed)


def event_types(file: File) -> list[str]:
    """Return the types of the file's events in their order, as in `created`."""
    events = OutboxEvent.objects.filter(key=str(file.pk)).order_by("sequence")
    return [event.type.removeprefix("timba.file.") for event in events]
