"""Reads plain text: its encoding, its length and its beginning.

Reading text is safe, so it runs in the worker, in chunks and without a limit on the size.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from typing import Final

from timba.files.processors.base import FileRefused, Findings, Job, Processor

PREVIEW_CHARACTERS: Final = 500
_CHUNK_BYTES: Final = 1024 * 1024
# Tried in this order: Windows-1252 leaves five bytes undefined, Latin-1 never fails.
_ENCODINGS: Final = ("utf-8", "cp1252", "latin-1")


@dataclass(slots=True)
class _Counter:
    """Counts lines, words and characters over chunks as if they were one text."""

    lines: int = 0
    words: int = 0
    characters: int = 0
    preview: str = ""
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
        self._last = chunk[-1]
        if len(self.preview) < PREVIEW_CHARACTERS:
            self.preview += chunk[: PREVIEW_CHARACTERS - len(self.preview)]

    def total_lines(self) -> int:
        """Return the number of lines, including a last one without a line end."""
        return self.lines + (self._last not in {"\n", "\r", ""})


def read_text(job: Job) -> Findings:
    """Return `encoding`, `lines`, `words`, `chars` and the first 500 characters as `preview`.

    Raises FileRefused for bytes that contradict their byte order mark.
    """
    with job.open() as stream:
        head = stream.read(4)
    if head.startswith(codecs.BOM_UTF8):
        candidates: tuple[str, ...] = ("utf-8-sig",)
    elif head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        candidates = ("utf-16",)
    else:
        candidates = _ENCODINGS
    for encoding in candidates:
        try:
            counter = _count(job, encoding)
        except UnicodeDecodeError:
            continue
        return {
            "encoding": encoding,
            "lines": counter.total_lines(),
            "words": counter.words,
            "chars": counter.characters,
            "preview": counter.preview,
        }
    raise FileRefused("Its bytes are not the text that its first bytes promise.")


def _count(job: Job, encoding: str) -> _Counter:
    decoder = codecs.getincrementaldecoder(encoding)()
    counter, done = _Counter(), 0
    with job.open() as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            counter.add(decoder.decode(chunk))
            done += len(chunk)
            job.progress(done / job.size)
        counter.add(decoder.decode(b"", final=True))
    return counter


PROCESSOR = Processor(kind="text", read=read_text, sandboxed=False)
