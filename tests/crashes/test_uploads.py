"""An upload survives a crash at any point of it: it is repeated, and accepted once."""

from __future__ import annotations

from tests.crashes.conftest import Crash
from tests.crashes.scenarios import upload_large_file, upload_readings, upload_text


def test_a_crash_after_the_idempotency_key_is_reserved_permits_a_repeat(
    crash: Crash,
) -> None:
    crash("idempotency.key_reserved", upload_text)


def test_a_crash_before_the_effect_is_committed_leaves_no_effect(crash: Crash) -> None:
    crash("idempotency.effect_written", upload_text)


def test_a_crash_after_the_response_is_committed_repeats_the_response(crash: Crash) -> None:
    crash("idempotency.response_committed", upload_readings)


def test_a_crash_after_the_intent_is_committed_leaves_no_row(
    crash: Crash,
) -> None:
    crash("receiving.intent_committed", upload_text)


def test_a_crash_halfway_through_the_bytes_leaves_no_partial_object(crash: Crash) -> None:
    crash("receiving.partly_written", upload_large_file)


def test_a_crash_after_the_object_is_stored_leaves_nothing(crash: Crash) -> None:
    crash("receiving.object_stored", upload_text)


def test_a_crash_before_the_pending_row_is_committed_accepts_the_file_once(crash: Crash) -> None:
    crash("receiving.pending_written", upload_readings)


def test_a_crash_before_the_event_is_committed_publishes_it_once(crash: Crash) -> None:
    crash("receiving.event_written", upload_readings)


def test_a_crash_while_a_duplicate_is_discarded_leaves_no_object(crash: Crash) -> None:
    crash("receiving.object_deleted", upload_readings)


def test_a_crash_before_the_workers_are_notified_leaves_no_file_waiting(
    crash: Crash,
) -> None:
    crash("tasks.notification_due", upload_text)


def test_a_crash_after_an_object_is_begun_leaves_no_partial_object(
    crash_local: Crash,
) -> None:
    crash_local("storage.opened", upload_readings)


def test_a_crash_after_the_bytes_are_written_leaves_no_partial_object(
    crash_local: Crash,
) -> None:
    crash_local("storage.written", upload_readings)


def test_a_crash_after_the_bytes_are_synced_leaves_no_partial_object(
    crash_local: Crash,
) -> None:
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


def test_a_lost_response_to_a_completed_multipart_upload_leaves_one_object(
    crash_s3: Crash,
) -> None:
    crash_s3("s3.multipart_completed", upload_large_file)
