"""An upload survives a crash at any point of its life: nothing is lost, doubled or left behind.

A scenario fails at a failpoint: in a fork that exits there, or by an error that Timba survives. It
is then resumed, as its program, worker, sweeper and relay would. Where neither store is being
written to, and at the second point of a transaction, one store is enough.
"""

from __future__ import annotations

import contextlib
import gc
import os
import traceback
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from tests.crashes.conftest import Install, Store
from tests.crashes.installation import LARGE, Installation
from tests.crashes.invariants import ERRORS, check, uploaded
from timba import failpoints
from timba.files.leases import MAX_ATTEMPTS
from timba.files.models import Derivative, File
from timba.files.previews import mend_preview
from timba.files.receiving import Upload
from timba.files.s3 import S3Storage
from timba.files.storage import LocalStorage

# An installation has a SQLite database of its own.
pytestmark = pytest.mark.only_on("sqlite")

CONSIGNMENT = {"name": "Lorry 7", "type": "hardwood"}
LOG = {"length": 4, "breadth": 30, "height": 30}

Scenario = Callable[[Installation], None]
Crash = Callable[[str, Scenario], None]
# How often a scenario passes each failpoint when nothing fails.
PASSINGS: dict[tuple[Scenario, type[Store]], Counter[str]] = {}


@pytest.fixture
def crash_local(install: Install) -> Crash:
    """Return what crashes an installation whose store is a folder."""
    return partial(fail_at, install, LocalStorage(location=""))


@pytest.fixture
def crash_s3(install: Install, s3: S3Storage) -> Crash:
    """Return what crashes an installation whose store is a real S3 server."""
    return partial(fail_at, install, s3)


@pytest.fixture(params=["local", "s3"])
def crash(request: pytest.FixtureRequest) -> Crash:
    """Return what crashes an installation, with each store in turn."""
    crash: Crash = request.getfixturevalue(f"crash_{request.param}")
    return crash


def fail_at(install: Install, store: Store, point: str, scenario: Scenario) -> None:
    """Let a scenario fail at a point in each way, and check every invariant after each."""
    key = (scenario, type(store))
    if key not in PASSINGS:
        PASSINGS[key] = fail_and_recover(install(store), scenario, "")
    last = PASSINGS[key][point]
    assert last, f"{scenario.__name__} does not pass {point}"
    errors = list(failpoints.POINTS[point])
    if isinstance(store, S3Storage):
        errors = errors[:1]  # a full disk and a failing one differ in responses only
    faults = {("exit", 1), ("exit", last), *zip(errors, (last, 1), strict=False)}
    for fault, passing in sorted(faults):
        passings = fail_and_recover(install(store), scenario, f"{point}={fault}@{passing}")
        assert passings[point] >= passing, "nothing failed"


def fail_and_recover(site: Installation, scenario: Scenario, order: str) -> Counter[str]:
    """Run a scenario that fails as ordered, then again; return the failpoints it passed first."""
    passed = site.folder / "passed"

    def fail(site: Installation) -> None:
        failpoints.arm(order)
        fault = failpoints._hook

        def record(point: str) -> None:
            with passed.open("a") as file:
                file.write(f"{point}\n")
            if fault is not None:
                fault(point)

        failpoints.set_hook(record)
        scenario(site)
        failpoints.arm("")

    if "=exit" in order:
        assert fork(fail, site) == failpoints.EXIT_CODE
    else:
        fail(site)
    site.wait(timedelta(minutes=2))
    scenario(site)
    settle(site)
    check(site)
    return Counter(passed.read_text().split())


def send_retry(site: Installation, file_id: object, **body: Any) -> Any:
    """Ask for a file to be processed again; return the response."""
    path = f"/api/files/{file_id}/retry/"
    return site.client.post(path, body, content_type="application/json")


def settle(site: Installation) -> None:
    """Let every process finish its work, and the program retry what it is told to retry."""
    site.wait(timedelta(hours=2))
    site.work()
    site.sweep()
    for step, file_id in uploaded(site).items():
        row = File.unscoped.filter(pk=file_id, deleted_at=None, status="FAILURE").first()
        if row and step not in ERRORS and "try again" in row.error:
            retry = partial(send_retry, site, file_id)
            site.repeat(f"{step} retried", retry, final=(202,))
            site.work()
            site.wait(timedelta(hours=2))
            site.sweep()
    site.relay()


def fork(run: Scenario, site: Installation) -> int:
    """Run a function in a fork of this process; return its exit code, 0 if it did not crash."""
    connection.close()
    if pid := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    try:
        gc.disable()  # a collection would copy the memory that the processes share
        if isinstance(site.store, S3Storage):  # its open connections are the parent's
            site.store.client.close()
            site.store.long_timeout_client.close()
        run(site)
    except BaseException:  # noqa: BLE001 - the fork must not go on as its parent
        traceback.print_exc()
    finally:
        os._exit(0)


def upload_text(site: Installation) -> None:
    """Upload a small file whose notification is lost."""
    site.upload("text")
    site.wait(timedelta(minutes=1))
    site.sweep()
    site.work()
    site.relay()


def upload_readings(site: Installation) -> None:
    """Upload readings, and the same bytes again by another request."""
    site.upload("readings")
    site.upload("duplicate")
    site.work()
    site.relay()


def upload_large_file(site: Installation) -> None:
    site.upload("large")
    site.work()
    site.relay()


def upload_in_parts(site: Installation) -> None:
    """Upload a file in parts, and give up another one."""
    site.upload("parts")
    site.give_up_parts()
    site.work()
    site.relay()


def upload_photo(site: Installation) -> None:
    """Upload what is read in the sandbox only."""
    site.upload("photo")
    site.work()
    site.relay()


def make_previews_again(site: Installation) -> None:
    """Make the previews of a photo again, as `fsck` does with lost ones."""
    upload_photo(site)
    for preview in Derivative.objects.filter(role__startswith="preview", is_current=True):
        with contextlib.suppress(OperationalError):
            mend_preview(preview)


def retry_failure(site: Installation) -> None:
    """Have a failed file processed again."""
    file_id = site.upload("hopeless")
    site.work()
    # 409: it was accepted before.
    site.repeat("retry", partial(send_retry, site, file_id), final=(202, 409))
    site.work()
    site.relay()


def read_again(site: Installation) -> None:
    """Have readings that count read with other answers, until those of the first run are erased."""
    file_id = site.upload("readings")
    site.work()
    send = partial(send_retry, site, file_id, read_as={"unit": "C"})
    # 409: it was accepted before, and waits.
    site.repeat("other answers", send, final=(202, 409))
    # Unless its first run has failed, they count meanwhile.
    counted = site.client.get("/temperature-readings/42/").json().get("count", 0)
    assert counted == (0 if File.unscoped.get(pk=file_id).run is None else 2)
    site.work()
    site.wait(timedelta(hours=2))
    site.sweep()
    site.relay()


def bring_over(site: Installation) -> None:
    """Bring readings into the lake that an earlier version wrote."""
    site.upload("readings")
    site.work()
    site.lake()
    site.relay()


def delete_file(site: Installation) -> None:
    """Delete readings, and wait until they are erased."""
    path = f"/api/files/{site.upload('deleted')}/"
    site.work()
    # 404: it was deleted before.
    site.repeat("delete", lambda: site.client.delete(path), final=(204, 404))
    site.wait(timedelta(days=8))  # past TIMBA_TRASH_DAYS
    site.sweep()
    site.relay()


def restore_file(site: Installation) -> None:
    """Delete readings, and restore them."""
    path = f"/api/files/{site.upload('readings')}/"
    site.work()
    # 404: it was deleted before.
    site.repeat("delete", lambda: site.client.delete(path), final=(204, 404))
    # 409: it was restored before.
    site.repeat("restore", lambda: site.client.post(f"{path}restore/"), final=(200, 409))
    site.sweep()
    site.relay()


def delete_and_restore_a_consignment(site: Installation) -> None:
    """Delete a consignment with a log, and restore it."""
    site.upload("text")
    site.work()
    consignment = site.repeat("consignment", partial(_post, site, "", CONSIGNMENT), final=(201,))
    path = f"{consignment['id']}/"
    site.repeat("log", partial(_post, site, f"{path}logs/", LOG), final=(201,))
    # 404: it was deleted before.
    delete = partial(site.client.delete, f"/api/consignments/{path}")
    site.repeat("deletion", delete, final=(204, 404))
    site.repeat("restoration", partial(_post, site, f"{path}restore/", {}), final=(200,))
    site.relay()


def _post(site: Installation, path: str, body: dict[str, Any]) -> Any:
    return site.client.post(
        f"/api/consignments/{path}",
        body,
        content_type="application/json",
        headers={"Idempotency-Key": f"consignments/{path}"},
    )


def sweep_leftovers(site: Installation) -> None:
    """Remove what a crashed process left behind."""
    if not site.acknowledged:
        assert fork(leave_leftovers, site) == failpoints.EXIT_CODE
    site.wait(timedelta(hours=2))
    site.work()
    site.wait(timedelta(hours=2))
    site.sweep()
    site.relay()


def leave_leftovers(site: Installation) -> None:
    """Leave two unaccepted uploads, a file whose workers died, and a dead run; end in a crash."""
    unfinished = Upload(name="unfinished.txt")
    unfinished.write(LARGE)
    finished = Upload(name="finished.txt")
    finished.write(b"Seal 88414 intact.\n")
    finished.finish()
    lost = site.upload("lost")
    File.unscoped.filter(pk=lost).update(attempts=MAX_ATTEMPTS, lease_until=timezone.now())
    site.upload("readings")
    failpoints.arm("temperatures.staged=exit")
    site.work()


def test_a_crash_after_the_idempotency_key_is_reserved_permits_a_repeat(crash_local: Crash) -> None:
    crash_local("idempotency.key_reserved", upload_text)


def test_a_crash_before_the_effect_is_committed_leaves_no_effect(crash_local: Crash) -> None:
    crash_local("idempotency.effect_written", upload_text)


def test_a_crash_after_the_response_is_committed_repeats_the_response(crash_local: Crash) -> None:
    crash_local("idempotency.response_committed", upload_readings)


def test_a_crash_after_the_intent_is_committed_leaves_no_row(crash: Crash) -> None:
    crash("receiving.intent_committed", upload_text)


def test_a_crash_halfway_through_the_bytes_leaves_no_partial_object(crash: Crash) -> None:
    crash("receiving.partly_written", upload_large_file)


def test_a_crash_after_the_object_is_stored_leaves_nothing(crash: Crash) -> None:
    crash("receiving.object_stored", upload_text)


def test_a_crash_before_the_pending_row_is_committed_accepts_the_file_once(crash: Crash) -> None:
    crash("receiving.pending_written", upload_readings)


def test_a_crash_before_the_event_is_committed_publishes_it_once(crash_local: Crash) -> None:
    crash_local("receiving.event_written", upload_readings)


def test_a_crash_while_a_duplicate_is_discarded_leaves_no_object(crash: Crash) -> None:
    crash("receiving.object_deleted", upload_readings)


def test_a_crash_within_a_part_keeps_what_was_written(crash_local: Crash) -> None:
    crash_local("resumable.written", upload_in_parts)


def test_a_crash_before_a_checksum_is_recorded_discards_its_part(crash_local: Crash) -> None:
    crash_local("resumable.unverified", upload_in_parts)


def test_a_crash_after_a_part_is_on_disk_loses_nothing_of_it(crash_local: Crash) -> None:
    crash_local("resumable.synced", upload_in_parts)


def test_a_crash_before_an_upload_in_parts_is_accepted_leaves_one_file(crash: Crash) -> None:
    crash("resumable.recorded", upload_in_parts)


def test_a_crash_after_an_upload_in_parts_is_accepted_leaves_one_file(crash: Crash) -> None:
    crash("resumable.accepted", upload_in_parts)


def test_a_crash_after_the_bytes_in_parts_are_deleted_leaves_no_row(crash_local: Crash) -> None:
    crash_local("resumable.bytes_deleted", upload_in_parts)


def test_a_crash_before_the_workers_are_notified_leaves_no_file_waiting(crash_local: Crash) -> None:
    crash_local("tasks.notification_due", upload_text)


def test_a_crash_after_an_object_is_begun_leaves_no_partial_object(crash_local: Crash) -> None:
    crash_local("storage.opened", upload_readings)


def test_a_crash_after_the_bytes_are_written_leaves_no_partial_object(crash_local: Crash) -> None:
    crash_local("storage.written", upload_readings)


def test_a_crash_after_the_bytes_are_synced_leaves_no_partial_object(crash_local: Crash) -> None:
    crash_local("storage.synced", upload_readings)


def test_a_crash_after_the_object_is_linked_leaves_one_object(crash_local: Crash) -> None:
    crash_local("storage.linked", upload_readings)


def test_a_crash_after_the_object_is_in_place_leaves_one_object(crash_local: Crash) -> None:
    crash_local("storage.in_place", upload_readings)


def test_a_lost_response_to_a_put_leaves_one_object(crash_s3: Crash) -> None:
    crash_s3("s3.object_put", upload_readings)


def test_a_lost_response_to_a_begun_multipart_upload_leaves_no_parts(crash_s3: Crash) -> None:
    crash_s3("s3.multipart_created", upload_large_file)


def test_a_lost_response_to_a_part_leaves_no_parts(crash_s3: Crash) -> None:
    crash_s3("s3.part_sent", upload_large_file)


def test_a_lost_response_to_a_completed_multipart_upload_leaves_one_object(crash_s3: Crash) -> None:
    crash_s3("s3.multipart_completed", upload_large_file)


def test_a_crash_after_a_file_is_claimed_lets_another_worker_claim_it(crash_local: Crash) -> None:
    crash_local("processing.claimed", upload_readings)


def test_a_crash_after_a_derivative_is_named_leaves_no_row_of_a_dead_run(crash: Crash) -> None:
    crash("processing.derivative_named", upload_readings)


def test_a_crash_after_a_preview_is_named_leaves_no_row(crash_local: Crash) -> None:
    crash_local("previews.named", make_previews_again)


def test_a_crash_after_a_preview_is_stored_leaves_no_orphan(crash_local: Crash) -> None:
    crash_local("previews.stored", make_previews_again)


def test_a_crash_after_a_derivative_is_begun_leaves_no_object_of_a_dead_run(crash: Crash) -> None:
    crash("processing.derivative_begun", upload_readings)


def test_a_crash_after_a_text_is_staged_keeps_one_text(crash_local: Crash) -> None:
    crash_local("indexing.text_staged", upload_text)


def test_a_crash_after_a_file_is_read_processes_it_again(crash: Crash) -> None:
    crash("processing.read", upload_readings)


def test_a_crash_before_the_result_is_committed_records_it_once(crash: Crash) -> None:
    crash("processing.recorded", sweep_leftovers)


def test_a_crash_before_the_result_is_published_publishes_it_once(crash_local: Crash) -> None:
    crash_local("processing.event_written", sweep_leftovers)


def test_a_crash_after_a_file_is_settled_does_not_process_it_again(crash_local: Crash) -> None:
    crash_local("processing.settled", upload_readings)


def test_a_crash_after_the_sandbox_has_started_processes_the_file_again(crash_local: Crash) -> None:
    crash_local("sandbox.child_started", upload_photo)


def test_a_crash_after_the_file_is_copied_into_the_sandbox_processes_it_again(
    crash_local: Crash,
) -> None:
    crash_local("sandbox.copied", upload_photo)


def test_a_crash_while_the_sandbox_reads_processes_the_file_again(crash_local: Crash) -> None:
    crash_local("sandbox.request_sent", upload_photo)


def test_a_crash_after_totals_are_staged_counts_each_reading_once(crash: Crash) -> None:
    crash("temperatures.staged", upload_readings)


def test_a_crash_before_a_retry_is_committed_retries_once(crash_local: Crash) -> None:
    crash_local("services.retry_written", retry_failure)


# Further scenarios for points that have a test of their own.
WHILE_READ_AGAIN = (
    *("services.retry_written", "temperatures.staged", "processing.recorded"),
    *("processing.settled", "sweeping.run_purged", "sweeping.totals_discarded"),
)


@pytest.mark.parametrize("point", WHILE_READ_AGAIN)
def test_a_crash_while_a_file_is_read_again_counts_each_reading_once(
    install: Install, point: str
) -> None:
    fail_at(install, LocalStorage(location=""), point, read_again)


def test_a_crash_halfway_through_a_deletion_or_a_restoration_moves_nothing(
    crash_local: Crash,
) -> None:
    crash_local("trash.logs_copied", delete_and_restore_a_consignment)


def test_a_crash_after_events_are_numbered_leaves_no_gap(crash_local: Crash) -> None:
    crash_local("outbox.numbered", upload_readings)


def test_a_crash_after_delivery_lets_consumers_see_each_event_once(crash_local: Crash) -> None:
    crash_local("relay.delivered", upload_text)


def test_a_crash_before_delivery_is_recorded_lets_consumers_see_each_event_once(
    crash_local: Crash,
) -> None:
    crash_local("relay.marked", upload_text)


def test_a_crash_before_a_deletion_is_committed_deletes_once(crash_local: Crash) -> None:
    crash_local("services.tombstone_written", delete_file)


def test_a_crash_before_a_restoration_is_committed_restores_once(crash_local: Crash) -> None:
    crash_local("services.restored", restore_file)


def test_a_crash_after_an_erasure_has_begun_erases_the_file(crash: Crash) -> None:
    crash("sweeping.erasure_begun", delete_file)


def test_a_crash_after_an_upload_is_given_up_leaves_no_row(crash: Crash) -> None:
    crash("sweeping.upload_abandoned", sweep_leftovers)


def test_a_crash_after_an_abandoned_upload_is_purged_leaves_no_row(crash: Crash) -> None:
    crash("sweeping.upload_purged", sweep_leftovers)


def test_a_crash_after_a_dead_run_is_purged_leaves_no_totals(crash: Crash) -> None:
    crash("sweeping.run_purged", sweep_leftovers)


def test_a_crash_after_totals_are_discarded_leaves_no_derivative(crash_local: Crash) -> None:
    crash_local("sweeping.totals_discarded", sweep_leftovers)


def test_a_crash_after_the_derivatives_are_erased_erases_the_original(crash: Crash) -> None:
    crash("sweeping.derivatives_erased", delete_file)


def test_a_crash_after_the_original_is_erased_leaves_no_row(crash: Crash) -> None:
    crash("sweeping.original_erased", delete_file)


def test_a_crash_after_a_repeated_notification_is_noted_leaves_no_file_waiting(
    crash_local: Crash,
) -> None:
    crash_local("sweeping.notifications_recorded", upload_text)


def test_a_crash_after_an_object_is_erased_leaves_no_row(crash_local: Crash) -> None:
    crash_local("storage.erased", sweep_leftovers)


def test_a_lost_response_to_a_delete_leaves_no_object(crash_s3: Crash) -> None:
    crash_s3("s3.erased", sweep_leftovers)


def test_a_lost_response_to_a_list_of_parts_leaves_no_parts(crash_s3: Crash) -> None:
    crash_s3("s3.parts_listed", sweep_leftovers)


def test_a_crash_after_older_readings_are_written_anew_leaves_no_object(crash: Crash) -> None:
    crash("lake.object_rewritten", bring_over)


def test_a_crash_after_older_readings_are_replaced_keeps_the_new_ones(crash: Crash) -> None:
    crash("lake.object_exchanged", bring_over)


def test_a_crash_after_a_commit_of_the_lake_adds_each_reading_once(crash: Crash) -> None:
    crash("lake.committed", bring_over)
