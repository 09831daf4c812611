"""The normal form of a barcode, and when two barcodes are the same one.

Barcodes are scanned, typed and copied out of spreadsheets: two that look alike must be one log. The
module is pure, because the sandbox imports it.
"""

from __future__ import annotations

import re
from typing import Final
from unicodedata import normalize

MAX_BARCODE: Final = 50
BARCODE_RULE: Final = f"A barcode has 1 to {MAX_BARCODE} printable characters."
# No character becomes more than three by Unicode's case folding.
MAX_BARCODE_KEY: Final = 3 * MAX_BARCODE

# Every space separator (Unicode category Zs), and the letters that are drawn as a blank.
_BLANKS: Final = re.compile("[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u2800\u3000\u3164\uffa0]+")
# Characters without a width: joiners, variation selectors, soft hyphens, and marks of direction.
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\U000e0000-\U000e0fff]"
)


def normalize_barcode(text: str) -> str:
    """Return `text` as it is stored: in NFC, with single blanks, and without what is not seen."""
    visible = _INVISIBLE.sub("", text)
    return normalize("NFC", _BLANKS.sub(" ", visible).strip())


def barcode_key(text: str) -> str:
    """Return the same key for barcodes that differ in letter case, or only by their normal form."""
    return normalize("NFC", normalize_barcode(text).casefold())


def is_barcode(text: str) -> bool:
    """Return whether a text in normal form can be a barcode; see `BARCODE_RULE`."""
    return 1 <= len(text) <= MAX_BARCODE and text.isprintable()
