"""What a processor is: one frozen value a kind of file, listed in `FILE_PROCESSORS`.

No Django here: the sandbox child imports processors into an empty environment.
"""

from __future__ import annotations

import io
from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

if TYPE_CHECKING:
    import uuid

    from timba.files.models import File

Findings = Mapping[str, Any]
FAST, BULK = "fast", "bulk"


class FileRefused(Exception):
    """The file cannot be processed, for a reason that a person understands.

    `findings` are kept as the result all the same, where there is something to show.
    """

    def __init__(self, sentence: str, *, findings: Findings | None = None) -> None:
        super().__init__(sentence)
        self.findings = findings


class Superseded(Exception):
    """This run no longer owns the file: it was deleted, or another worker has taken over."""


class Outdated(Exception):
    """What this run made ready no longer fits what is there: the file is to be read once more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadResult:
    """What reading came to: the findings, and what is too much for them, as objects by name."""

    findings: Findings
    objects: Mapping[str, bytes] = field(default_factory=dict)


class ObjectWriter(io.RawIOBase):
    """A new object in the store; as a context it commits on a clean exit, else leaves nothing."""

    @abstractmethod
    def commit(self) -> None:
        """Make the object durable under its key; it can never be overwritten."""

    @abstractmethod
    def abort(self) -> None:
        """Leave nothing behind of what was not committed."""

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


class Job(Source, Protocol):
    """A run over a file: what is made here is seen by nobody until the run is settled."""

    @property
    def file_id(self) -> uuid.UUID: ...
    @property
    def client_id(self) -> int: ...
    @property
    def run(self) -> int:
        """The fencing token under which everything this run makes is kept."""

    def progress(self, fraction: float) -> None:
        """Say how far the work is, 0..1, at least every few seconds.

        Raises Superseded when the work is in vain, Stopping when the worker is to end.
        """

    def derive(self, role: str) -> ObjectWriter:
        """Open a new object that belongs to this run, under one of `Derivative.Role`."""

    def writing(self) -> AbstractContextManager[None]:
        """Open a transaction for rows that belong to this run; it holds the file meanwhile.

        Raises Superseded when the work is in vain: what a lost run wrote, nobody would sweep.
        """


def _nothing(*_: Any) -> None:
    return None


def _as_read(_: Job, made: ReadResult) -> Findings:
    return made.findings


@dataclass(frozen=True, kw_only=True, slots=True)
class Processor:
    """How one kind of file is read and what becomes of what was found.

    `read` is slow and knows no request: it returns the facts that become the file's result, or
    raises FileRefused. It gets a Source, in a sandboxed child process; with `sandboxed=False` it
    gets a Job and runs in the worker, which is for plain text alone.
    `stage(job, made)` runs in the worker afterwards, outside any transaction, where what was read
    has to be compared with what is there: it returns the findings, or raises FileRefused. `aids`
    are what it has done in the sandbox beside. `facts` names the findings that become the result,
    where not all of them do.
    `record(file, findings)` runs in the transaction that settles the file, `withdraw(file)` in the
    one that deletes it; both are quick. `lock(findings)` locks what has to be locked before the
    file; it and `record` raise Outdated where what was staged no longer fits.
    `discard(file_id, run)` forgets what a dead run staged.
    `recognizes(head)` says whether text that begins so is of this kind.
    Files of up to `quick_bytes` take a moment, and wait in another queue than those that may take
    hours.
    """

    kind: str
    read: Callable[[Any], Findings | ReadResult]
    sandboxed: bool = True
    stage: Callable[[Job, ReadResult], Findings] = _as_read
    aids: tuple[Callable[[Any], ReadResult], ...] = ()
    facts: tuple[str, ...] | None = None
    lock: Callable[[Findings], None] = _nothing
    record: Callable[[File, Findings], None] = _nothing
    withdraw: Callable[[File], None] = _nothing
    discard: Callable[[uuid.UUID, int], None] = _nothing
    recognizes: Callable[[bytes], bool] | None = None
    quick_bytes: int = 5 * 1024 * 1024

    def queue_for(self, size: int) -> str:
        """Return the queue in which a file of so many bytes waits."""
        return FAST if size <= self.quick_bytes else BULK
