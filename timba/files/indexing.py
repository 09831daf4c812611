"""Keeps the text of files, by which `timba.files.search` finds them.

A run stages the text that it has read; it counts once the file is settled with that run. It stays
when the file is deleted, until its bytes are erased, and comes back with the file. Files that were
processed before Timba kept texts are read again for their text alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet

from timba.db.text import replace_unstorable
from timba.db.text_search import index_words
from timba.db.transactions import retry_on_deadlock
from timba.failpoints import failpoint
from timba.files.models import File, FileText
from timba.files.ocr import request_ocr
from timba.files.previews import StoredFile
from timba.files.processors.base import Findings, Job, ReadResult, TakesAnswers
from timba.files.processors.text_collector import MAX_TEXT, TEXT
from timba.files.profiles import reading_input
from timba.files.registry import processors
from timba.files.sandbox import run_in_sandbox
from timba.serialization import dumps


def stage_text(job: Job, objects: Mapping[str, bytes]) -> None:
    """Keep the text among the objects that a run has read, if there is one."""
    if TEXT in objects:
        row = _build(objects[TEXT], file_id=job.file_id, run=job.run, client_id=job.client_id)
        _insert_staged(job, row)
        failpoint("indexing.text_staged")


def add_text(file: File, text: str) -> None:
    """Add to the text of a file that the caller has locked; it has a text then, if an empty one."""
    assert file.run is not None  # noqa: S101 - only files in SUCCESS get more text
    kept = file.texts.filter(run=file.run).first()
    if kept is not None and not text:
        return
    before = "" if kept is None else kept.text
    content = "\n".join(filter(None, (before, text))).encode(errors="replace")
    row = _build(content, file_id=file.pk, run=file.run, client_id=file.owner_id)
    if kept is not None:
        row.is_cut |= kept.is_cut
        kept.delete()
    row.save(force_insert=True)


def discard_other_texts(file: File) -> None:
    """Delete the texts of all runs but the file's own, in the transaction that settles it.

    Runs that were lost cannot write any more: the file's row is locked, and their token outdated.
    """
    # Selected first: a DELETE that finds nothing would lock a gap on MariaDB.
    others = [pk for pk, run in file.texts.values_list("pk", "run") if run != file.run]
    if others:
        FileText.objects.filter(pk__in=others).delete()


def files_without_text() -> QuerySet[File]:
    """Return the processed files without a row of text, the deleted ones too.

    Even a file in which there is no text, such as a scanned PDF, has a row, which is empty.
    """
    kinds = [kind for kind, processor in processors().items() if processor.keeps_text]
    kept = FileText.objects.filter(file=OuterRef("pk"), run=OuterRef("run"))
    return File.unscoped.filter(
        ~Exists(kept), kind__in=kinds, status=File.Status.SUCCESS, run__isnull=False
    )


def index_file(file: File) -> None:
    """Read a file of `files_without_text` for its text alone; nothing else of it changes.

    Raises what reading it raises: FileRefused, and the errors of the store and the sandbox.
    """
    result = _read(file)
    assert file.run is not None  # noqa: S101 - `files_without_text`
    row = _build(
        result.objects.get(TEXT, b""), file_id=file.pk, run=file.run, client_id=file.owner_id
    )
    _insert_if_current(row)


def _read(file: File) -> ReadResult:
    processor, source = processors()[file.kind], StoredFile(file)
    if processor.sandboxed:
        answers = isinstance(processor, TakesAnswers)
        extra = dumps(reading_input(file)) if answers else b""
        return run_in_sandbox(processor.read, source, extra=extra)
    output: Findings | ReadResult = processor.read(source)
    return output if isinstance(output, ReadResult) else ReadResult(findings=output)


def _build(content: bytes, *, file_id: uuid.UUID, run: int, client_id: int) -> FileText:
    # NUL would be shown as a letter, and separates words at most.
    text = replace_unstorable(content.decode(errors="replace").replace("\0", " "))
    kept = text[:MAX_TEXT]
    indexed = index_words(kept, owner=client_id)
    return FileText(
        file_id=file_id,
        run=run,
        text=kept,
        is_cut=indexed.is_cut or len(kept) < len(text),
        words=indexed.words,
        exceeds_positions=indexed.exceeds_positions,
    )


@retry_on_deadlock
def _insert_staged(job: Job, row: FileText) -> None:
    with job.writing():
        row.pk = None
        row.save(force_insert=True)


@retry_on_deadlock
def _insert_if_current(row: FileText) -> None:
    with transaction.atomic():
        file = File.unscoped.select_for_update().filter(pk=row.file_id, run=row.run).first()
        if file is not None and not file.texts.filter(run=F("file__run")).exists():
            row.pk = None
            row.save(force_insert=True)
            request_ocr(file)
