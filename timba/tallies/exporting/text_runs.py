"""Splits a line of text into runs, which a PDF draws one by one from left to right.

A run has one direction, one script and one font. The direction of the line is that of its first
letter (Unicode Standard Annex 9). A character that no font has is replaced by its number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache, partial
from itertools import groupby
from typing import Final, NamedTuple, Protocol

from fontTools import unicodedata

# Scripts whose letters stand side by side and keep their form.
_UNSHAPED: Final = frozenset({
    "Latn", "Grek", "Cyrl", "Armn", "Geor", "Hani", "Hira", "Kana", "Bopo", "Hang", "Zyyy"
})  # fmt: skip
# Parts of Hangul syllables, which are joined.
_JAMO: Final = range(0x1100, 0x1200)
_NO_SCRIPT: Final = frozenset({"Zyyy", "Zinh", "Zzzz"})
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL", "AN"})
# Marks of embedding and isolation could show a text in another order than that of its letters.
_DIRECTION_MARKS: Final = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
_BLANKS: Final = frozenset({"Cc", "Zs", "Zl", "Zp"})
_MARKS: Final = frozenset({"Mn", "Mc", "Me"})


class Fonts(Protocol):
    """The fonts of a document, each with a key."""

    def find(self, characters: frozenset[str]) -> str | None:
        """Return the key of the best font that has all of these characters, or None."""
        ...

    def has(self, font: str, character: str) -> bool:
        """Whether a font has a character."""
        ...


class Run(NamedTuple):
    """A piece of a line; where it is not shaped, each character is one glyph."""

    text: str
    font: str
    is_shaped: bool
    is_right_to_left: bool


def split_runs(text: str, fonts: Fonts, *, missing: Iterable[str]) -> list[Run]:
    """Return the runs of a line from left to right, with numbers for the missing characters."""
    text = _clean(text).translate({ord(c): f"[{_number(c)}]" for c in missing})
    scripts, levels = _scripts(text), _levels(text)
    keys = list(zip(levels, scripts, _choose_fonts(text, scripts, fonts), strict=True))
    runs: list[tuple[int, Run]] = []
    for (level, _, font), positions in groupby(range(len(text)), key=keys.__getitem__):
        part = "".join(text[position] for position in positions)
        is_right_to_left = level % 2 == 1
        is_shaped = is_right_to_left or any(map(_needs_shaping, part))
        runs.append((level, Run(part, font, is_shaped, is_right_to_left)))
    return _in_visual_order(runs)


def find_missing(text: str, fonts: Fonts) -> list[str]:
    """Return the characters of a text that no font has, each once."""
    return [character for character in dict.fromkeys(_clean(text)) if _is_missing(character, fonts)]


def _is_missing(character: str, fonts: Fonts) -> bool:
    # For private use, each font has characters of its own.
    is_private = unicodedata.category(character) == "Co"
    return is_private or not (_is_invisible(character) or fonts.find(frozenset(character)))


def describe(character: str) -> str:
    """Return the number and the name of a character as Unicode writes them."""
    return f"{_number(character)} {unicodedata.name(character, '')}".rstrip()


def _number(character: str) -> str:
    return f"U+{ord(character):04X}"


def _clean(text: str) -> str:
    return "".join(
        " " if unicodedata.category(character) in _BLANKS else character
        for character in text
        if character not in _DIRECTION_MARKS
    )


def _scripts(text: str) -> list[str]:
    """Return the script of each character; those that several scripts share belong to the last."""
    own = [unicodedata.script(character) for character in text]
    current = next((script for script in own if script not in _NO_SCRIPT), "Zyyy")
    scripts = []
    for script in own:
        current = current if script in _NO_SCRIPT else script
        scripts.append(current)
    return scripts


def _levels(text: str) -> Sequence[int]:
    """Return the level of each character: odd from right to left, even from left to right."""
    if all(unicodedata.bidirectional(character) not in _RIGHT_TO_LEFT for character in text):
        return [0] * len(text)
    # This library is slow to load, and few lines need it.
    from fpdf.bidi import BidiParagraph  # noqa: PLC0415

    paragraph = BidiParagraph(text, preserve_bn_chars=True)
    paragraph.get_reordered_characters()  # the levels of blanks at the end are set only here
    return [character.embedding_level for character in paragraph.characters]


def _choose_fonts(text: str, scripts: Sequence[str], fonts: Fonts) -> Iterator[str]:
    """Yield the font of each character: one for all letters of a word, if there is one.

    ASCII is always in the first font, so that numbers look alike.
    """
    fallback = fonts.find(frozenset(" ")) or ""
    previous = fallback
    for _, positions in groupby(range(len(text)), key=scripts.__getitem__):
        part = [text[position] for position in positions]
        letters = frozenset(c for c in part if unicodedata.script(c) not in _NO_SCRIPT)
        of_script = fonts.find(letters) if letters else None
        for character in part:
            if not _follows(character, previous, fonts):
                is_own = of_script is not None and not character.isascii()
                if is_own and of_script is not None and fonts.has(of_script, character):
                    previous = of_script
                else:
                    previous = fonts.find(frozenset(character)) or fallback
            yield previous


def _follows(character: str, font: str, fonts: Fonts) -> bool:
    """Whether a character is drawn with the one before it, in the same font."""
    if _is_invisible(character):
        return True
    return unicodedata.category(character) in _MARKS and fonts.has(font, character)


@cache
def _is_invisible(character: str) -> bool:
    """Whether a character only changes how others are drawn."""
    is_selector = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    return is_selector or unicodedata.category(character) == "Cf"


@cache
def _needs_shaping(character: str) -> bool:
    if unicodedata.category(character) in _MARKS or _is_invisible(character):
        return True
    return unicodedata.script(character) not in _UNSHAPED or ord(character) in _JAMO


def _in_visual_order(runs: list[tuple[int, Run]]) -> list[Run]:
    """Reverse what is read from right to left, from the highest level down (rule L2)."""
    for lowest in range(max((level for level, _ in runs), default=0), 0, -1):
        parts = [list(part) for _, part in groupby(runs, key=partial(_is_within, lowest))]
        runs = [run for part in parts for run in (part[::-1] if part[0][0] >= lowest else part)]
    return [run for _, run in runs]


def _is_within(lowest: int, run: tuple[int, Run]) -> bool:
    return run[0] >= lowest
