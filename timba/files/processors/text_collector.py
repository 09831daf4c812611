"""Collects the text that a reader comes across, by which its file is found later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# The name of a text among the objects of a `ReadResult`, in UTF-8.
TEXT: Final = "text"
# Characters: what follows is not kept.
MAX_TEXT: Final = 1_000_000


class TextCollector:
    """Keeps the beginning of a text, and one character more than is kept where there is more."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._left = MAX_TEXT + 1

    @property
    def is_full(self) -> bool:
        return self._left == 0

    def add(self, text: str) -> None:
        if self._left:
            part = text[: self._left]
            self._parts.append(part)
            self._left -= len(part)

    def as_object(self) -> Mapping[str, bytes]:
        """Return the text as an object of a `ReadResult`."""
        return {TEXT: "".join(self._parts).encode(errors="replace")}
