"""The interface of processors, one per kind of file, which `FILE_PROCESSORS` lists.

Nothing here imports Django: the sandbox child imports processors into an empty environment.
"""

from __future__ import annotations

import io
from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, runtime_checkable

if TYPE_CHECKING:
    import uuid

    from timba.files.models import File

Findings = Mapping[str, Any]
FAST, BULK = "fast", "bulk"


class FileRefused(Exception):
    """The file cannot be processed; the message is the reason for its user.

    `findings`, if any, become the result of the failed file.
    """

    def __init__(self, sentence: str, *, findings: Findings | None = None) -> None:
        super().__init__(sentence)
        self.findings = findings


class Superseded(Exception):
    """This run lost the file: it was deleted, or another worker has claimed it."""


class Outdated(Exception):
    """What this run has staged no longer fits the database: the file has to be read again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadResult:
    """The output of a reader: its findings, and larger data as objects by name."""

    findings: Findings
    objects: Mapping[str, bytes] = field(default_factory=dict)


class ObjectWriter(io.RawIOBase):
    """Writes a new object; as a context manager it commits, or aborts after an exception."""

    @abstractmethod
    def commit(self) -> None:
        """Make the object durable under its key."""

    @abstractmethod
    def abort(self) -> None:
        """Delete what is not committed; do nothing after a commit."""

    def __exit__(self, kind: Any, *_: object) -> None:
        try:
            if kind is None:
                self.commit()
        finally:
            self.abort()
            self.close()


class Source(Protocol):
    """A stored file to read."""

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    def open(self) -> BinaryIO:
        """Return the bytes as uploaded, from the start; the caller closes the stream."""


class WatchedSource(Source, Protocol):
    """A stored file that is read while somebody watches how far it is."""

    def progress(self, fraction: float, *, rows: int | None = None) -> None:
        """Report progress, from 0 to 1, and how many rows have been read; to be called often.

        Raises Superseded when the run has lost the file, WorkerStopping when the worker shuts down.
        """


class Job(WatchedSource, Protocol):
    """One run over a file; what it creates is invisible until the run is settled."""

    @property
    def file_id(self) -> uuid.UUID: ...
    @property
    def client_id(self) -> int: ...
    @property
    def run(self) -> int:
        """The run's fencing token, which its rows and objects carry."""

    def reading_input(self) -> Mapping[str, Any]:
        """Return the answers to the file's questions, and profiles: see `TakesAnswers`."""

    def derive(self, role: str) -> ObjectWriter:
        """Open a new object that belongs to this run, under one of `Derivative.Role`."""

    def writing(self) -> AbstractContextManager[None]:
        """Open a transaction for rows that belong to this run; it locks the file's row.

        Raises Superseded when the run has lost the file: the sweeper might miss rows written later.
        """


def _record_nothing(_file: File, _findings: Findings) -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class Processor:
    """How files of one kind are read, and what is recorded of them.

    `read` is slow and pure: it returns the findings that become the file's result, or raises
    FileRefused. It gets a Source in a sandboxed child process; with `sandboxed=False` it gets a Job
    and runs in the worker, which is for plain text alone.
    `record(file, findings)` is quick. It runs in the transaction that settles the file as SUCCESS.
    `result_fields` are the findings that become the result; None stands for all of them.
    Files of up to `max_fast_bytes` wait in the queue `fast`, larger ones in `bulk`.
    With `counts_once`, the same bytes are accepted once per client.
    With `takes_dry_run`, a file may be processed without `record`.
    With `makes_previews`, there are previews among the objects that `read` returns; where `draw` is
    given, among those that it returns in a sandboxed run of its own. They are WebP, named by their
    `Derivative.Role`. A file whose previews cannot be made is processed without.
    With `keeps_text`, `read` returns the text of each file that it can read as the object TEXT: see
    `text_collector`. Other processors may.

    A processor that needs more implements one or several of the protocols below.
    """

    kind: str
    read: Callable[[Any], Findings | ReadResult]
    record: Callable[[File, Findings], None] = _record_nothing
    sandboxed: bool = True
    result_fields: tuple[str, ...] | None = None
    max_fast_bytes: int = 5 * 1024 * 1024
    counts_once: bool = False
    takes_dry_run: bool = False
    makes_previews: bool = False
    draw: Callable[[Any], ReadResult] | None = None
    keeps_text: bool = False

    def queue_for(self, size: int) -> str:
        """Return the queue in which a file of `size` bytes waits."""
        return FAST if size <= self.max_fast_bytes else BULK


@runtime_checkable
class Sniffs(Protocol):
    """Tells its kind of text from others by the first bytes."""

    def sniff(self, head: bytes) -> bool:
        """Return whether a file that begins with `head` is of this kind."""


@runtime_checkable
class TakesAnswers(Protocol):
    """Asks what a file leaves open, and is given the answers.

    They are the extra input of a sandboxed `read`, as JSON; in the worker, `Job.reading_input`
    returns them: see `timba.files.profiles.reading_input`. Findings hold `questions`, and may hold
    `asks`, a part of the file to show beside them, which is no part of the result.
    """

    def check_answers(self, read_as: Any) -> Mapping[str, Any]:
        """Return valid answers as they are stored; raise ValueError with a sentence."""


@runtime_checkable
class Stages(Protocol):
    """Compares what was read with the database, outside any transaction, before it is recorded."""

    # Functions that `stage` runs in the sandbox.
    extra_readers: tuple[Callable[[Any], ReadResult], ...]

    def stage(self, job: Job, result: ReadResult) -> Findings:
        """Return the findings; raise FileRefused."""


@runtime_checkable
class Locks(Protocol):
    """Locks other rows before the file's in the transaction that settles it."""

    def lock(self, findings: Findings) -> None:
        """Lock them; raise Outdated where the staged findings no longer fit. `record` may too."""


@runtime_checkable
class HandlesDeletion(Protocol):
    """Undoes what was recorded when a file is deleted, and does it again when it is restored."""

    def on_delete(self, file: File) -> None:
        """Undo it, in the transaction that deletes the file, or has it processed again."""

    def on_restore(self, file: File) -> None:
        """Do it again, in the transaction that restores the file with its result, if any."""


@runtime_checkable
class DiscardsRuns(Protocol):
    """Has rows of its own for each run over a file."""

    def discard_run(self, file_id: uuid.UUID, run: int) -> None:
        """Delete the rows of a run that was lost."""
