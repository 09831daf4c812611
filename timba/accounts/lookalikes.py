"""Tells whether a person could take one name for another: `оwner` with a Cyrillic о for `owner`."""

from __future__ import annotations

import unicodedata
from typing import Final

# What looks like each of the Latin letters of the built-in roles' names, small or capital, after
# case and compatibility forms are folded; see Unicode's confusables.txt (UTS 39).
_LOOKALIKES: Final = {
    "a": "аαɑᴀᎪ⍺",
    "e": "еҽєεɛ℮ᴇᎬ",
    "g": "ɡɢցԍᏀ",
    "i": "іιıӏɪᎥl1|ǀ",
    "m": "мμᴍᎷ",
    "o": "оοσօøɵөθᴏoო",
    "p": "рρⲣᴘᏢ⍴",
    "r": "гᴦʀⲅᎡᏒꭇꭈ",
    "t": "тτᴛᎢ",
    # The Greek ν looks like v and its capital like N, so n and v are one letter here.
    "v": "νѵυᴠᏙ∨nпηոռɴ",
    "w": "ԝѡωшաɯᴡᎳ",
    # Letters without a shape.
    "": "\u115f\u1160",
}
_PLAIN: Final = str.maketrans(
    {alike: plain for plain, letters in _LOOKALIKES.items() for alike in letters}
)


def looks_like(name: str, other: str) -> bool:
    """Return whether two names can be taken for each other."""
    return _shape(name) == _shape(other)


def _shape(name: str) -> str:
    """Return the name's letters and digits without case, marks and differences between scripts."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    plain = plain.translate(_PLAIN)
    shown = [
        "o" if unicodedata.decimal(character, 1) == 0 else character
        for character in plain
        if unicodedata.category(character)[0] in "LN"
    ]
    return "".join(shown).replace("rv", "m").replace("vv", "w")  # rn and vv
