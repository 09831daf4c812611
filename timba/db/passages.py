"""Cuts the part of a text around a match out of it, without reading a long text as a whole."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from timba.db.text_search import (
    BLOCK_CHARACTERS,
    MAX_OVERHANG,
    Term,
    TextQuery,
    block_start,
    mark_words,
    split_block,
)

PASSAGE_CHARACTERS: Final = 160
_BEFORE_MATCH: Final = 60
# Before the block, and behind it, a piece has what a passage may show of the blocks next to it.
_MARGIN: Final = 200
PIECE_CHARACTERS: Final = BLOCK_CHARACTERS + MAX_OVERHANG + 2 * _MARGIN

# What is between blanks. Latin and Cyrillic letters and digits, which are a group of the match, are
# one word, whatever ASCII is around them.
_AROUND: Final = r"[!-/:-@\[-`{-~]*"
_BETWEEN_BLANKS: Final = re.compile(
    rf"{_AROUND}([0-9A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u013e\u0141-\u017e\u0400-\u0481]+)"
    rf"{_AROUND}(?!\S)|\S+"
)
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\ufffe\uffff]+")


@dataclass(frozen=True, slots=True)
class Place:
    """A word of a text: the number of its block, and its number in there, both from 0."""

    block: int
    word: int

    @property
    def piece_start(self) -> int:
        """Where the piece of the text begins, of PIECE_CHARACTERS, that a passage is cut out of."""
        return max(0, self.block * BLOCK_CHARACTERS - _MARGIN)


def find_place(words: str, query: TextQuery, *, owner: int) -> Place | None:
    """Return where the first match of a query begins, or None where not all terms match.

    `words` are those of the whole text, as `timba.db.text_search.index_words` returns them.
    """
    spaced = _with_blanks(words)
    found = [place for term in query.terms if (place := _find(spaced, term, owner))]
    return _place(words, min(found)[0]) if found and len(found) == len(query.terms) else None


def find_place_in_part(
    words: str, query: TextQuery, *, owner: int, is_first: bool, is_last: bool
) -> Place | None:
    """Return where the first match of any term begins in a part of the words of a text.

    Blocks are counted from the beginning of the part. A match that begins with a part which is not
    the first, or ends with one which is not the last, may be none.
    """
    spaced, start = _with_blanks(words), 0 if is_first else 1
    found = [place for term in query.terms if (place := _find(spaced, term, owner, start))]
    if not found:
        return None
    at, end = min(found)
    return None if end == len(words) and not is_last else _place(words, at)


def cut_passage(piece: str, place: Place) -> str:
    """Return some 160 characters around a place, out of the piece of the text that it names."""
    start = place.piece_start
    block = place.block * BLOCK_CHARACTERS
    begin = block_start(piece, block - start)
    end = block_start(piece, min(len(piece), block + BLOCK_CHARACTERS - start))
    return _cut_out(piece, begin + _find_word(piece[begin:end], place.word))


def _place(words: str, at: int) -> Place:
    line = words.rfind("\n", 0, at) + 1
    return Place(block=words.count("\n", 0, at), word=len(words[line:at].split()))


def _with_blanks(words: str) -> str:
    """Return words with a blank before and behind each; that before a word is at its place."""
    return f" {words} ".replace("\n", " ")


def _find(spaced: str, term: Term, owner: int, start: int = 0) -> tuple[int, int] | None:
    """Return where the first match of a term begins and ends, if there is one.

    Between two words are several blanks where a block is without words.
    """
    words, end = mark_words(term.words, owner=owner), "" if term.is_prefix else " "
    if len(words) > 1 and "  " in spaced:
        match = re.compile(f" {' +'.join(words)}{end}").search(spaced, start)
        return match and (match.start(), match.end() - 1 - len(end))
    text = f" {' '.join(words)}{end}"
    at = spaced.find(text, start)
    return None if at < 0 else (at, at + len(text) - 1 - len(end))


def _find_word(block: str, index: int) -> int:
    """Return where the word with this index begins in a block."""
    for match in _BETWEEN_BLANKS.finditer(block):
        count = 1 if match.lastindex else len(split_block(match.group()))
        if index < count:
            return match.start() + (index if count > 1 else 0)
        index -= count
    return 0


def _cut_out(text: str, position: int) -> str:
    start = max(0, position - _BEFORE_MATCH)
    end = min(len(text), start + PASSAGE_CHARACTERS)
    piece = text[start:end]
    if start > 0 and not text[start - 1].isspace():
        # Without the rest of a word, unless it has no end that is near.
        rest = re.match(rf"\S{{1,{_BEFORE_MATCH // 2}}}\s", piece)
        piece = piece[rest.end() :] if rest else piece
    if end < len(text) and not text[end].isspace():
        rest = re.search(rf"\s\S{{1,{_BEFORE_MATCH // 2}}}$", piece)
        piece = piece[: rest.start()] if rest else piece
    shown = " ".join(_CONTROLS.sub(" ", piece).split())
    return f"{'…' if start > 0 else ''}{shown}{'…' if end < len(text) else ''}"
