"""Processes one file: claims it, reads it, and records its outcome at most once.

A message may arrive twice and a worker may die or be paused at any point. Every write of a run
also matches its fencing token (see `timba.files.leases`), and the outcome, its effects and its
event commit in one transaction.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

import structlog
from django.db import models, transaction
from django.utils import timezone

from timba.db.errors import is_database_outage, is_disk_full, log_outage
from timba.db.text import clean_json, replace_unstorable
from timba.db.transactions import retry_on_deadlock
from timba.events.outbox import publish
from timba.failpoints import failpoint
from timba.files.events import file_event
from timba.files.indexing import discard_other_texts, stage_text
from timba.files.leases import (
    Run,
    WorkerStopping,
    claim,
    heartbeat,
    lost_files,
    renewal_interval,
)
from timba.files.models import File, FileQuerySet
from timba.files.ocr import request_ocr
from timba.files.previews import previews_of
from timba.files.processors.base import (
    FileRefused,
    Findings,
    Locks,
    Outdated,
    ReadResult,
    Stages,
    Superseded,
    TakesAnswers,
)
from timba.files.registry import processors
from timba.files.sandbox import SandboxUnavailable, read_in_sandbox
from timba.files.storage import FileDamaged, StorageUnavailable
from timba.metrics import FILE_SECONDS
from timba.serialization import dumps

LOST: Final = "Reading it was cut off three times. The file is safe; try again."
DAMAGED: Final = "Its bytes are not the ones that were uploaded. Upload the file again."
MISSING: Final = "Its bytes cannot be found. Upload the file again."
STORAGE_FAILED: Final = "The file storage did not answer. The file is safe; try again."
UNEXPECTED: Final = "It could not be read. The file is safe; try again, or ask for help."
OUT_OF_MEMORY: Final = "It needs more memory than one file may use."
# What is logged and what users are told, by the error; the first class that fits counts.
_REASONS: Final[Mapping[type[BaseException], tuple[str, str]]] = {
    FileDamaged: ("file_damaged", DAMAGED),
    FileNotFoundError: ("file_missing", MISSING),
    OSError: ("storage_failed", STORAGE_FAILED),
    MemoryError: ("out_of_memory", OUT_OF_MEMORY),
    BaseException: ("processing_failed", UNEXPECTED),
}
_RETRY_DELAY: Final = timedelta(seconds=5)
_log = structlog.get_logger(__name__)


def _do_nothing() -> None:
    return None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Outcome:
    """What reading a file resulted in.

    `keep_objects` makes the objects that the run created the file's current ones, and `has_preview`
    says whether previews are among them. `lock` locks the rows that have to be locked before the
    file's own.
    """

    findings: Findings | None = None
    error: str = ""
    keep_objects: bool = False
    has_preview: bool = False
    lock: Callable[[], None] = _do_nothing


def process_file(file_id: uuid.UUID, *, stopping: Any = None) -> bool:
    """Process a file if it can be claimed; return whether this call has claimed it."""
    file = claim(file_id)
    if file is not None:
        process_claimed(file, stopping=stopping)
    return file is not None


def process_claimed(file: File, *, stopping: Any = None) -> None:
    """Process a file that this worker has just claimed.

    Raises nothing that a file can cause, not even MemoryError, which would end a Celery worker.
    Raises the database's error during an outage: the file is claimed again after its lease. With
    a full disk the file waits, and the attempt does not count.
    """
    failpoint("processing.claimed")
    with structlog.contextvars.bound_contextvars(
        request_id=file.request_id, file_id=str(file.pk), client_id=file.client_id
    ):
        run = Run(file=file, stopping=stopping)
        try:
            with heartbeat(run.renew, seconds=renewal_interval()):
                _process(run)
        except Superseded:
            _log.info("run_superseded", run=run.run)
            run.delete_created_objects()
        except Outdated:
            _log.info("run_outdated", run=run.run)
            run.delete_created_objects()
            run.release()
        except WorkerStopping:
            run.release()
        except (StorageUnavailable, SandboxUnavailable) as error:
            is_storage = isinstance(error, StorageUnavailable)
            event = "storage_unavailable" if is_storage else "sandbox_unavailable"
            _log.warning(event, exc_info=True)
            run.release(delay=_RETRY_DELAY)
        except Exception as error:
            if not is_disk_full(error):
                raise
            log_outage(error)
            run.delete_created_objects()
            run.release(delay=_RETRY_DELAY)


def fail_lost_file(file_id: uuid.UUID) -> None:
    """Set a file to FAILURE whose workers were lost too often."""
    # Superseded: the last worker was only slow and has settled the file, or a user deleted it.
    with contextlib.suppress(Superseded):
        _settle(lost_files().filter(pk=file_id), _Outcome(error=LOST), seconds=0.0)


def _process(run: Run) -> None:
    started = time.monotonic()
    outcome = _read(run)
    failpoint("processing.read")
    seconds = time.monotonic() - started
    try:
        _settle(run.fenced_row(), outcome, seconds=seconds)
    except (Superseded, Outdated):
        raise
    except Exception as error:  # no findings, however odd, may stop the worker
        if is_database_outage(error) or is_disk_full(error):
            raise
        _log.exception("findings_not_recorded")
        _settle(run.fenced_row(), _Outcome(error=UNEXPECTED), seconds=seconds)


def _read(run: Run) -> _Outcome:
    """Read the file with its kind's processor; return the findings, or the error as an outcome.

    Raises what is no fault of the file: lost leases, stops, outages and full disks.
    """
    try:
        return _run_processor(run)
    except FileRefused as refusal:
        return _Outcome(findings=refusal.findings, error=str(refusal), keep_objects=True)
    except (Superseded, WorkerStopping, StorageUnavailable, SandboxUnavailable):
        raise
    except (Exception, SystemExit) as error:  # no file may stop the worker
        if is_database_outage(error) or is_disk_full(error):
            raise
        event, sentence = next(
            reason for error_type, reason in _REASONS.items() if isinstance(error, error_type)
        )
        _log.exception(event, storage_key=run.file.storage_key)
        return _Outcome(error=sentence)


def _run_processor(run: Run) -> _Outcome:
    processor = processors()[run.file.kind]
    if processor.sandboxed:
        extra = dumps(run.reading_input()) if isinstance(processor, TakesAnswers) else b""
        output: Findings | ReadResult = read_in_sandbox(processor, run, extra=extra)
    else:
        output = processor.read(run)
    result = output if isinstance(output, ReadResult) else ReadResult(findings=output)
    findings = result.findings
    stage_text(run, result.objects)
    if isinstance(processor, Stages):
        findings = processor.stage(run, result)
    previews = previews_of(processor, run, result)
    for role, content in previews.items():
        with run.derive(role) as out:
            out.write(content)
    lock = partial(processor.lock, findings) if isinstance(processor, Locks) else _do_nothing
    return _Outcome(findings=findings, keep_objects=True, has_preview=bool(previews), lock=lock)


@retry_on_deadlock
def _settle(rows: FileQuerySet, outcome: _Outcome, *, seconds: float) -> None:
    """Write the outcome, its effects and its event in one transaction.

    Raises Superseded where `rows`, the file as seen through its fencing token, is empty.
    """
    with transaction.atomic():
        outcome.lock()
        file = rows.select_for_update().first()
        if file is None:
            raise Superseded
        file.error = replace_unstorable(outcome.error)[:1000]
        file.progress, file.rows_read = 1.0, None
        file.lease_until, file.queue = None, ""
        file.processed_at = timezone.now()
        if outcome.error and file.is_read_again:
            # The earlier result stands, with the answers that it was read with.
            file.status, file.next_read_as = File.Status.SUCCESS, None
        else:
            _replace_result(file, outcome, seconds=seconds)
        failpoint("processing.recorded")
        file.save()
        file.derivatives.update(is_current=_is_run(file.run))
        discard_other_texts(file)
        if not outcome.error:
            request_ocr(file)
        with structlog.contextvars.bound_contextvars(request_id=file.request_id):
            publish(file_event(file.status.lower(), file, actor=None))
        failpoint("processing.event_written")
    failpoint("processing.settled")
    FILE_SECONDS.labels(file.kind, file.status).observe(seconds)
    _log.info("file_settled", file_id=str(file.pk), status=file.status, seconds=round(seconds, 3))


def _replace_result(file: File, outcome: _Outcome, *, seconds: float) -> None:
    if file.is_read_again:
        file.read_as, file.next_read_as = file.next_read_as, None
    file.status = File.Status.FAILURE if outcome.error else File.Status.SUCCESS
    file.run = file.fencing_token if outcome.keep_objects else None
    file.has_preview = outcome.has_preview
    if outcome.findings is not None:
        file.asks = clean_json(outcome.findings.get("asks"))
        file.result = {
            "id": str(file.pk),
            "name": file.name,
            "execution_time": round(seconds, 3),
            "random_number": file.random_number,
            **clean_json(_result_fields(file.kind, outcome.findings)),
        }
    if outcome.error:
        file.live_digest = None
    elif file.records:
        _record(file, outcome.findings or {})


def _record(file: File, findings: Findings) -> None:
    processor = processors()[file.kind]
    processor.record(file, findings)
    if processor.takes_dry_run:
        file.recorded_at = file.processed_at
        file.dry_run = file.is_confirmed = False


def _result_fields(kind: str, findings: Findings) -> dict[str, Any]:
    """Return the findings that become part of the file's result."""
    names = processors()[kind].result_fields
    names = tuple(name for name in findings if name != "asks") if names is None else names
    return {name: findings[name] for name in names}


def _is_run(run: int | None) -> Any:
    return models.ExpressionWrapper(models.Q(run=run), output_field=models.BooleanField())
