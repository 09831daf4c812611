"""What is deleted, given up or left over is removed whole, whatever crashes meanwhile."""

from __future__ import annotations

from tests.crashes.conftest import Crash
from tests.crashes.scenarios import delete_file, sweep_leftovers, upload_text


def test_a_crash_before_a_deletion_is_committed_deletes_once(crash: Crash) -> None:
    crash("services.tombstone_written", delete_file)


def test_a_crash_after_an_upload_is_given_up_leaves_no_row(crash: Crash) -> None:
    crash("sweeping.upload_abandoned", sweep_leftovers)


def test_a_crash_after_an_abandoned_upload_is_purged_leaves_no_row(crash: Crash) -> None:
    crash("sweeping.upload_purged", sweep_leftovers)


def test_a_crash_after_a_dead_run_is_purged_leaves_no_totals(crash: Crash) -> None:
    crash("sweeping.run_purged", sweep_leftovers)


def test_a_crash_after_totals_are_discarded_leaves_no_derivative(crash: Crash) -> None:
    crash("sweeping.totals_discarded", sweep_leftovers)


def test_a_crash_after_the_derivatives_are_erased_erases_the_original(crash: Crash) -> None:
    crash("sweeping.derivatives_erased", delete_file)


def test_a_crash_after_the_original_is_erased_leaves_no_row(crash: Crash) -> None:
    crash("sweeping.original_erased", delete_file)


def test_a_crash_after_a_repeated_notification_is_noted_leaves_no_file_waiting(
    crash: Crash,
) -> None:
    crash("sweeping.notifications_recorded", upload_text)


def test_a_crash_after_an_object_is_erased_leaves_no_row(crash_local: Crash) -> None:
    crash_local("storage.erased", sweep_leftovers)


def test_a_lost_response_to_a_delete_leaves_no_object(crash_s3: Crash) -> None:
    crash_s3("s3.erased", sweep_leftovers)


def test_a_lost_response_to_a_list_of_parts_leaves_no_parts(crash_s3: Crash) -> None:
    crash_s3("s3.parts_listed", sweep_leftovers)
