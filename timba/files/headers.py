"""The wording of a file's header, by which an import profile knows the files that look the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from timba.files.wording import normalize_header

# Characters.
MAX_HEADER: Final = 500


def header_wording(headers: Iterable[Sequence[str]]) -> str:
    """Return the cells of headers for people, each wording once."""
    text = " | ".join(dict.fromkeys(" · ".join(cells) for cells in headers))[:MAX_HEADER]
    return "".join(letter if letter.isprintable() else " " for letter in text)


def header_digest(headers: Iterable[Sequence[str]]) -> str:
    """Return the SHA-256 of the normalized wording of headers, each once."""
    wordings = ("\t".join(map(normalize_header, cells)) for cells in headers)
    return hashlib.sha256("\n".join(dict.fromkeys(wordings)).encode()).hexdigest()
