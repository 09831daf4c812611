"""Several sweepers at the same moment, as with a worker on each machine or with a second beat."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from tests.files.conftest import FinishUpload, Objects, Receive
from tests.files.runs import claimed, event_types, expire_lease, let_an_hour_pass
from tests.threads import at_once
from timba.accounts.models import User
from timba.files.leases import MAX_ATTEMPTS
from timba.files.models import File
from timba.files.processing import LOST
from timba.files.services import delete_file
from timba.files.sweeping import sweep_files

pytestmark = pytest.mark.django_db(transaction=True)

SWEEPERS = 4
FILES = 6


def test_what_several_sweepers_find_is_swept_once(
    owner: User, finish_upload: FinishUpload, receive: Receive, settle: Receive, objects: Objects
) -> None:
    for number in range(FILES):
        finish_upload()
        delete_file(actor=owner, file=settle(f"trash {number}\n"))
    File.unscoped.update(deleted_at=F("deleted_at") - timedelta(days=30))
    let_an_hour_pass()
    lost = [receive(f"lost {number}\n") for number in range(FILES)]
    for file in lost:
        claimed(file)
        expire_lease(file)
    File.unscoped.filter(lease_until__lt=timezone.now()).update(attempts=MAX_ATTEMPTS)

    assert at_once(SWEEPERS, lambda _: sweep_files()) == [None] * SWEEPERS

    rows = File.unscoped.order_by("uploaded_at")
    assert [(row.pk, row.status, row.error) for row in rows] == [
        (file.pk, "FAILURE", LOST) for file in lost
    ]
    assert not rows.exclude(sweep_failed_at=None).exists()
    assert [event_types(file) for file in lost] == [["created", "failed"]] * FILES
    assert objects() == {row.storage_key for row in rows}
