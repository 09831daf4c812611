"""Reads plain text: its encoding, its length, its beginning, and the text by which it is found.

Reading text is safe, so it runs in the worker, in chunks and without a limit on the size.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from timba.files.kinds import HEAD_BYTES
from timba.files.processors.base import FileRefused, Job, Processor, ReadResult
from timba.files.processors.text_collector import TextCollector
from timba.files.text_encoding import (
    detect_single_byte,
    detect_utf16,
    is_utf8,
    sample_words,
)

PREVIEW_CHARACTERS: Final = 500
_CHUNK_BYTES: Final = 1024 * 1024
_REPLACEMENT: Final = "\ufffd"
UNKNOWN_ENCODING: Final = "unknown"


@dataclass(slots=True)
class _Counter:
    """Counts lines, words and characters over chunks as if they were one text."""

    encoding: str
    lines: int = 0
    words: int = 0
    characters: int = 0
    letters: int = 0
    broken: int = 0
    preview: str = ""
    text: TextCollector = field(default_factory=TextCollector, repr=False)
    _inside_word: bool = field(default=False, repr=False)
    _last: str = field(default="", repr=False)

    def add(self, chunk: str) -> None:
        if not chunk:
            return
        self.words += len(chunk.split())
        if self._inside_word and not chunk[0].isspace():
            self.words -= 1
        self._inside_word = not chunk[-1].isspace()
        breaks = chunk.count("\n") + chunk.count("\r") - chunk.count("\r\n")
        if self._last == "\r" and chunk[0] == "\n":
            breaks -= 1
        self.lines += breaks
        self.characters += len(chunk)
        if not chunk.isascii():
            self.letters += sum(not character.isascii() for character in chunk)
            self.broken += chunk.count(_REPLACEMENT)
        self._last = chunk[-1]
        self.text.add(chunk)
        if len(self.preview) < PREVIEW_CHARACTERS:
            self.preview += chunk[: PREVIEW_CHARACTERS - len(self.preview)]

    def is_unicode(self) -> bool:
        """Return whether so few letters are broken that this is the text's encoding."""
        return is_utf8(
            letters=self.letters - self.broken,
            broken=self.broken,
            cut=self._last == _REPLACEMENT,
        )

    def total_lines(self) -> int:
        """Return the number of lines, including a last one without a line end."""
        return self.lines + (self._last not in {"\n", "\r", ""})


def read_text(job: Job) -> ReadResult:
    """Return `encoding`, `lines`, `words`, `chars` and the first 500 characters as `preview`.

    The text is an object; words with characters that are not in the encoding are not found by it.
    Where the encoding cannot be told it is `unknown`, `words` and `chars` are null, and the preview
    shows bytes beyond ASCII as replacement characters. Raises FileRefused for bytes that contradict
    their byte order mark.
    """
    with job.open() as stream:
        head = stream.read(HEAD_BYTES)
    marked = _marked_encoding(head)
    counter = _count(job, marked or detect_utf16(head) or "utf-8")
    if counter.is_unicode():
        return _result(counter)
    if marked is not None:
        raise FileRefused("Its bytes are not the text that its first bytes promise.")
    encoding = detect_single_byte(sample_words(_chunks(job)))
    if encoding is not None:
        return _result(_count(job, encoding))
    return _result(_count(job, "ascii"), encoding=UNKNOWN_ENCODING, words=None, chars=None)


def _marked_encoding(head: bytes) -> str | None:
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    return "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else None


def _result(counter: _Counter, **others: Any) -> ReadResult:
    findings = {
        "encoding": counter.encoding,
        "lines": counter.total_lines(),
        "words": counter.words,
        "chars": counter.characters,
        "preview": counter.preview,
    }
    return ReadResult(findings=findings | others, objects=counter.text.as_object())


def _count(job: Job, encoding: str) -> _Counter:
    """Count the text in an encoding; what it leaves undefined counts as a replacement character."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    counter, done = _Counter(encoding=encoding), 0
    for chunk in _chunks(job):
        counter.add(decoder.decode(chunk))
        done += len(chunk)
        job.progress(done / job.size)
    counter.add(decoder.decode(b"", final=True))
    return counter


def _chunks(job: Job) -> Iterator[bytes]:
    with job.open() as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            yield chunk


PROCESSOR = Processor(kind="text", read=read_text, sandboxed=False, keeps_text=True)
