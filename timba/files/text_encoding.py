"""Tells in which encoding a text was written, or says that it cannot be told.

UTF-8 and UTF-16 have a form of their own. Encodings of one byte a letter differ only in which
letter a byte stands for: of all readings of the words of a text, the one wins whose letters stand
together as they do in a language that is written in this encoding, and only by a clear margin.
docs/adr/0022 has the figures. A pure module: it also serves in the sandbox.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Final

from timba.files.letter_pairs import LANGUAGES, Language

# What a question about the encoding offers, the commonest first.
ENCODINGS: Final = (
    *("utf-8", "cp1252", "cp1250", "cp1251", "cp1257"),
    *("utf-16-le", "utf-16-be"),
)
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LATIN2: Final = "pl cs sk hu sl hr ro"
_WEST: Final = "de fr es sv fi pt"
# The encodings of one byte a letter, and the languages that are written in them.
_SINGLE_BYTE: Final = {
    "cp1252": f"{_WEST} it nl da nb is ca et",
    "cp1250": f"{_LATIN2} de",
    "cp1257": "lv lt et de sv fi pl",
    "cp1251": "ru uk be bg sr mk",
    "koi8-r": "ru",
    # Only to be told from the others: what is read so is unknown.
    "cp1253": "el",
    "cp1254": "tr",
    "iso8859-2": _LATIN2,
    "iso8859-5": "ru bg",
    "iso8859-13": "lv lt et",
    "koi8-u": "uk",
    "cp775": "lv lt et",
    "cp850": _WEST,
    "cp852": _LATIN2,
    "cp866": "ru",
    "mac_cyrillic": "ru",
    "mac_roman": _WEST,
}
_ANSWERED: Final = ("cp1250", "cp1251", "cp1252", "cp1257")
_ANSWERED_FOR_TEXTS: Final = (*_ANSWERED, "koi8-r")
# Logarithms of likelihoods, as in `letter_pairs`: how rare an encoding is, ...
_RARENESS: Final[Mapping[str, float]] = {
    **dict.fromkeys(_ANSWERED, 0.0),
    "koi8-r": -1.0,
    "mac_cyrillic": -10.0,
    "mac_roman": -10.0,
}
_RARE: Final = -3.0
# ... a word of another language than the text, and signs where they belong and elsewhere.
_OTHER_LANGUAGE, _SIGN, _SIGN_AT_WORD, _MISPLACED = -4.0, -4.5, -6.5, -20.0
# By how much the best reading must beat the next one, more so where there are few words; and
# how likely its pairs of letters and its signs must be at least, on average.
_MARGIN, _MARGIN_OF_FEW_WORDS, _LEAST_LIKELIHOOD = 7.0, 9.0, -7.3
_FEW_WORDS: Final = 2
SAMPLE_WORDS, _MAX_WORD_BYTES = 200, 500
# One letter in UTF-8 of four may be broken: other encodings never come near.
_LETTERS_PER_BROKEN: Final = 3
_MIN_UTF16_ASCII: Final = 0.05
_WORD: Final = re.compile(rb"[A-Za-z]*[\x80-\xff][A-Za-z\x80-\xff]*")
_LAST_WORD: Final = re.compile(rb"[A-Za-z\x80-\xff]+\Z")
_UNITS: Final = frozenset({"", "m", "dm", "cm", "mm", "km", "fm", "rm", "ft"})
_OPENING, _CLOSING, _LONE = "“„«‘‚–—¿¡", "”“»’‘…–—", "§€½¼¾×±ªºµ№"
_NO_BREAK_SPACE, _SOFT_HYPHEN, _APOSTROPHE = "\xa0", "\xad", "’"


# Python imports a codec at its first use, which is too late in the sandbox.
for _encoding in _SINGLE_BYTE:
    codecs.lookup(_encoding)


class UnknownEncoding(Exception):
    """The encoding of a text cannot be told; `choices` are those it may have."""

    def __init__(self, choices: Sequence[str]) -> None:
        super().__init__("The encoding of the text cannot be told.")
        self.choices = tuple(choices)


@dataclass(frozen=True, slots=True)
class _Reading:
    """The words of a text in one encoding, and how likely their pairs of letters and signs are."""

    encoding: str
    words: tuple[str, ...]
    likelihood: float
    parts: int


def detect_encoding(data: bytes) -> str | None:
    """Return the encoding of a text, or of its beginning; None where it is not certain.

    One of `ENCODINGS`, or `utf-8-sig`. `utf-16-le` and `utf-16-be` may begin with a mark.
    """
    return detect_unicode(data) or _detect(sample_words([data]), _ANSWERED)


def detect_unicode(data: bytes) -> str | None:
    """Return `utf-8`, `utf-8-sig`, `utf-16-le` or `utf-16-be`; None for other encodings."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return encoding
    utf16 = detect_utf16(data)
    if utf16 is not None:
        return utf16
    text = data.decode("utf-8", errors="replace")
    broken = text.count("\ufffd") - data.count("\ufffd".encode())
    letters = len(text) - len(text.encode("ascii", errors="ignore")) - broken
    return "utf-8" if is_utf8(letters=letters, broken=broken, cut=text.endswith("\ufffd")) else None


def is_utf8(*, letters: int, broken: int, cut: bool) -> bool:
    """Return whether a text with these numbers of good and of broken letters is UTF-8.

    With `cut` the last letter is a broken one, as where a text was cut off.
    """
    return broken * _LETTERS_PER_BROKEN - cut <= letters


def detect_single_byte(words: Sequence[bytes]) -> str | None:
    """Return the encoding of words that are not in Unicode: one of Windows, or `koi8-r`."""
    return _detect(words, _ANSWERED_FOR_TEXTS)


def sample_words(chunks: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return the words with bytes beyond ASCII, as many as tell the encoding, each once."""
    words: dict[bytes, None] = {}
    cut = b""
    for chunk in chunks:
        piece = cut + chunk
        # The last word may go on in the next chunk.
        end = _LAST_WORD.search(piece, max(len(piece) - _MAX_WORD_BYTES, 0))
        cut = end[0] if end else b""
        words.update(dict.fromkeys(_WORD.findall(piece[: len(piece) - len(cut)])))
        if len(words) >= SAMPLE_WORDS:
            break
    words.update(dict.fromkeys(_WORD.findall(cut)))
    return tuple(islice(words, SAMPLE_WORDS))


def plausible_encodings(data: bytes) -> tuple[str, ...]:
    """Return the encodings in which a text may be written, the likeliest first."""
    readings = _readings(sample_words([data]))
    likeliest = [each.encoding for each in readings if each.encoding in _ANSWERED]
    others = [each for each in ENCODINGS if each not in likeliest and _decodes(data, each)]
    return (*likeliest, *others)


def _decodes(data: bytes, encoding: str) -> bool:
    if encoding in _ANSWERED or (encoding.startswith("utf-16") and b"\0" not in data):
        return False
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(data)
    except UnicodeDecodeError:
        return False
    return _is_printable(text)


def _is_printable(text: str) -> bool:
    return all(
        character.isprintable() or character.isspace() or character == _SOFT_HYPHEN
        for character in text
    )


def detect_utf16(data: bytes) -> str | None:
    """Return the byte order of UTF-16 without a mark: one half of each ASCII character is zero."""
    data = data[: len(data) // 2 * 2]
    low, high = data[::2].count(0), data[1::2].count(0)
    if min(low, high) or max(low, high) < _MIN_UTF16_ASCII * len(data) / 2 or len(data) <= 2:
        return None
    encoding = "utf-16-be" if low else "utf-16-le"
    return encoding if _decodes(data, encoding) else None


def _detect(words: Sequence[bytes], answered: Sequence[str]) -> str | None:
    readings = _readings(words)
    if not readings or readings[0].encoding not in answered:
        return None
    best, *others = readings
    margin = _MARGIN if len(best.words) > _FEW_WORDS else _MARGIN_OF_FEW_WORDS
    # Where another encoding gives the same text, either is right.
    rival = next((other for other in others if other.words != best.words), None)
    if rival is not None and best.likelihood - rival.likelihood < margin:
        return None
    return best.encoding if best.likelihood >= _LEAST_LIKELIHOOD * best.parts else None


def _readings(words: Sequence[bytes]) -> list[_Reading]:
    """Return the words in each encoding that defines all of their bytes, the likeliest first."""
    readings = filter(None, (_read(words, encoding) for encoding in _SINGLE_BYTE))
    return sorted(readings, key=lambda reading: -reading.likelihood) if words else []


def _read(words: Sequence[bytes], encoding: str) -> _Reading | None:
    """Return the words in an encoding; None where they have bytes that it leaves undefined."""
    try:
        read = tuple(word.decode(encoding) for word in words)
    except UnicodeDecodeError:
        return None
    if not all(map(_is_printable, read)):
        return None
    likelihood = _RARENESS.get(encoding, _RARE)
    letters: list[str] = []
    signs = 0
    for word in read:
        runs, likelihoods = _split(word)
        letters += runs
        signs += len(likelihoods)
        likelihood += sum(likelihoods)
    languages = [LANGUAGES[name] for name in _SINGLE_BYTE[encoding].split()]
    return _Reading(
        encoding=encoding,
        words=read,
        likelihood=likelihood + _likelihood(letters, languages),
        parts=sum(_count_pairs(word) for word in letters) + signs,
    )


def _likelihood(words: Sequence[str], languages: Sequence[Language]) -> float:
    """Return the likelihood of words in the best of these languages, with some of the others."""
    table = [[language.likelihood(word) for language in languages] for word in words]
    return max(
        sum(max(row[column], max(row) + _OTHER_LANGUAGE) for row in table)
        for column in range(len(languages))
    )


def _count_pairs(word: str) -> int:
    edged = f"_{word}_"
    return sum(not (one + other).isascii() for one, other in pairwise(edged))


def _split(word: str) -> tuple[list[str], list[float]]:
    """Return the runs of letters of a word, and how likely each of the signs around them is."""
    runs, likelihoods = [""], []
    for position, sign in enumerate(word):
        if sign.isalpha() and sign not in _LONE:
            runs[-1] += sign
            continue
        after = word[position + 1 : position + 2]
        likelihoods.append(_sign_likelihood(sign, before=runs[-1], after=after))
        runs.append("")
    return [run for run in runs if run and not run.isascii()], likelihoods


def _sign_likelihood(sign: str, *, before: str, after: str) -> float:
    touches = bool(before) or after.isalpha()
    if sign in "²³":
        fits = before.lower() in _UNITS and not after.isalpha()
        touches = False
    elif sign == "°":
        fits = not before and (not after.isalpha() or after in "CF")
        touches = False
    elif sign == _NO_BREAK_SPACE:
        fits = True
    elif before and after.isalpha():
        fits = sign in {_APOSTROPHE, _SOFT_HYPHEN}
    elif before:
        fits = sign in _CLOSING
    elif after.isalpha():
        fits = sign in _OPENING
    else:
        fits = sign in _OPENING + _CLOSING + _LONE
    if not fits:
        return _MISPLACED
    return _SIGN_AT_WORD if touches else _SIGN
