"""An accepted file is processed once, and its events are published once, whatever crashes."""

from __future__ import annotations

from tests.crashes.conftest import Crash
from tests.crashes.scenarios import (
    retry_failure,
    sweep_leftovers,
    upload_photo,
    upload_readings,
    upload_text,
)


def test_a_crash_after_a_file_is_claimed_lets_another_worker_claim_it(crash: Crash) -> None:
    crash("processing.claimed", upload_readings)


def test_a_crash_after_a_derivative_is_named_leaves_no_row_of_a_dead_run(crash: Crash) -> None:
    crash("processing.derivative_named", upload_readings)


def test_a_crash_after_a_derivative_is_begun_leaves_no_object_of_a_dead_run(crash: Crash) -> None:
    crash("processing.derivative_begun", upload_readings)


def test_a_crash_after_a_file_is_read_processes_it_again(crash: Crash) -> None:
    crash("processing.read", upload_readings)


def test_a_crash_before_the_result_is_committed_records_it_once(crash: Crash) -> None:
    crash("processing.recorded", sweep_leftovers)


def test_a_crash_before_the_result_is_published_publishes_it_once(crash: Crash) -> None:
    crash("processing.event_written", sweep_leftovers)


def test_a_crash_after_a_file_is_settled_does_not_process_it_again(crash: Crash) -> None:
    crash("processing.settled", upload_readings)


def test_a_crash_after_the_sandbox_has_started_processes_the_file_again(crash: Crash) -> None:
    crash("sandbox.child_started", upload_photo)


def test_a_crash_after_the_file_is_copied_into_the_sandbox_processes_it_again(crash: Crash) -> None:
    crash("sandbox.copied", upload_photo)


def test_a_crash_while_the_sandbox_reads_processes_the_file_again(crash: Crash) -> None:
    crash("sandbox.request_sent", upload_photo)


def test_a_crash_after_totals_are_staged_counts_each_reading_once(crash: Crash) -> None:
    crash("temperatures.staged", upload_readings)


def test_a_crash_before_a_retry_is_committed_retries_once(crash: Crash) -> None:
    crash("services.retry_written", retry_failure)


def test_a_crash_after_events_are_numbered_leaves_no_gap(crash: Crash) -> None:
    crash("outbox.numbered", upload_readings)


def test_a_crash_after_delivery_lets_consumers_see_each_event_once(crash: Crash) -> None:
    crash("relay.delivered", upload_text)


def test_a_crash_before_delivery_is_recorded_lets_consumers_see_each_event_once(
    crash: Crash,
) -> None:
    crash("relay.marked", upload_text)
