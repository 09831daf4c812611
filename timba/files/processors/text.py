"""Reads plain text: how it is encoded, how long it is, how it begins.

Text cannot harm its reader, so it is read in the worker, a piece at a time, whatever its size.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from typing import Final

from timba.files.processors.base import FileRefused, Findings, Job, Processor

PREVIEW_CHARACTERS: Final = 500
_PIECE: Final = 1024 * 1024
# Windows-1252 leaves five bytes undefined; Latin-1 gives every byte a meaning and never fails.
_ENCODINGS: Final = ("utf-8", "cp1252", "latin-1")


@dataclass(slots=True)
class _Count:
    """Counts over pieces as if they were one text."""

    lines: int = 0
    words: int = 0
    characters: int = 0
    preview: str = ""
    _inside_word: bool = field(default=False, repr=False)
    _last: str = field(default="", repr=False)

    def add(self, piece: str) -> None:
        if not piece:
            return
        self.words += len(piece.split())
        if self._inside_word and not piece[0].isspace():
            self.words -= 1
        self._inside_word = not piece[-1].isspace()
        breaks = piece.count("\n") + piece.count("\r") - piece.count("\r\n")
        if self._last == "\r" and piece[0] == "\n":
            breaks -= 1
        self.lines += breaks
        self.characters += len(piece)
        self._last = piece[-1]
        if len(self.preview) < PREVIEW_CHARACTERS:
            self.preview += piece[: PREVIEW_CHARACTERS - len(self.preview)]

    def total_lines(self) -> int:
        """Return the number of lines; one that no line end follows counts too."""
        return self.lines + (self._last not in {"\n", "\r", ""})


def read_text(job: Job) -> Findings:
    """Return `encoding`, `lines`, `words`, `chars` and the first 500 characters as `preview`."""
    with job.open() as stream:
        mark = stream.read(4)
    if mark.startswith(codecs.BOM_UTF8):
        candidates: tuple[str, ...] = ("utf-8-sig",)
    elif mark.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        candidates = ("utf-16",)
    else:
        candidates = _ENCODINGS
    for encoding in candidates:
        try:
            count = _count(job, encoding)
        except UnicodeDecodeError:
            continue
        return {
            "encoding": encoding,
            "lines": count.total_lines(),
            "words": count.words,
            "chars": count.characters,
            "preview": count.preview,
        }
    raise FileRefused("Its bytes are not the text that its first bytes promise.")


def _count(job: Job, encoding: str) -> _Count:
    decoder = codecs.getincrementaldecoder(encoding)()
    count, done = _Count(), 0
    with job.open() as stream:
        while piece := stream.read(_PIECE):
            count.add(decoder.decode(piece))
            done += len(piece)
            job.progress(done / job.size)
        count.add(decoder.decode(b"", final=True))
    return count


PROCESSOR = Processor(kind="text", read=read_text, sandboxed=False)
