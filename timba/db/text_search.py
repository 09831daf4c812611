"""Words of texts as every database finds them, and the queries that find them.

The full-text searches of the databases split and fold text differently, leave out short and common
words, and know few scripts. A text is therefore folded and split into words here, and each word is
coded as ASCII letters and digits, which all of them keep as it is. `matches` defines which texts a
query finds; the databases find the same ones: see `timba.db.full_text`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from string import ascii_lowercase, digits
from typing import Final
from unicodedata import category, decimal, normalize

from timba.db.search_keys import search_key

# Longer words are equal if they begin alike. With an owner, MariaDB's limit is 84 characters.
MAX_WORD: Final = 60
# PostgreSQL keeps so many positions, counted from 1, and so many for each word.
_MAX_POSITION: Final = 16_383
_MAX_POSITIONS: Final = 255
# PostgreSQL's limit for the words and positions of a text is 1,048,575 bytes.
_MAX_VECTOR_BYTES: Final = 1_000_000
_MAX_WORDS_CHARACTERS: Final = 4_000_000
# A query of more words finds what these find.
MAX_QUERY_WORDS: Final = 32
BLOCK_CHARACTERS: Final = 1000
MAX_OVERHANG: Final = 500

_DIGITS: Final = digits + ascii_lowercase
# Letters with two digits of base 36; letters of scripts without blanks follow an _UNSPACED mark.
_SHORT_CODES: Final = range(0x80, 0x590)
_UNSPACED_RANGES: Final = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF)),  # Thai, Lao, Burmese, Khmer
    *((0x3005, 0x3007), (0x3041, 0x30FA), (0x30FC, 0x30FF)),  # Japanese
    *((0x3400, 0x9FFF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF), (0x20000, 0x323AF)),
)
_UNSPACED, _BROKEN = "\x01", "\x02"
_RUNS: Final = re.compile(f"(?:{_UNSPACED}x....)+|[^{_UNSPACED}]+")
_QUOTED: Final = re.compile('"([^"]*)"')
_QUOTES: Final = str.maketrans(dict.fromkeys("“”„‟«»", '"'))


class _Codes(dict[int, str]):
    """The code of each character: of a letter, mark or digit; a blank for what separates words.

    No code is the beginning of another one, so that a coded word begins with another one exactly
    if the words do.
    """

    def __missing__(self, number: int) -> str:
        code = self[number] = _code(chr(number))
        return code


def _code(character: str) -> str:
    number, kind = ord(character), category(character)
    if character == "\ufffd":
        return _BROKEN
    if kind == "Cf" or 0xFE00 <= number <= 0xFE0F:
        return ""  # not seen: soft hyphens, joiners, marks of direction, variants
    if kind[0] not in "LNM":
        return " "
    if character in "qx":
        return f"x{character}"
    if kind == "Nd":
        return str(decimal(character))
    if character.isascii():
        return character
    if number in _SHORT_CODES:
        number -= _SHORT_CODES.start
        return f"q{_DIGITS[number // 36]}{_DIGITS[number % 36]}"
    code = f"x{''.join(_DIGITS[number // 36**power % 36] for power in (3, 2, 1, 0))}"
    is_unspaced = any(first <= number <= last for first, last in _UNSPACED_RANGES)
    return f"{_UNSPACED}{code}" if is_unspaced else code


_CODES: Final = _Codes()


@dataclass(frozen=True, slots=True)
class Term:
    """Words that follow each other in a text; with `is_prefix`, the beginning of one word."""

    words: tuple[str, ...]
    is_prefix: bool

    def is_in(self, words: Sequence[str]) -> bool:
        """Return whether the coded words of a text contain the term."""
        if self.is_prefix:
            return any(word.startswith(self.words[0]) for word in words)
        count = len(self.words)
        return any(
            tuple(words[start : start + count]) == self.words
            for start in range(len(words) - count + 1)
        )


@dataclass(frozen=True, slots=True)
class TextQuery:
    """What is searched for: a text has to contain all terms. Without terms it finds nothing."""

    terms: tuple[Term, ...]

    @classmethod
    def parse(cls, text: str) -> TextQuery:
        """Return the query that a person has typed; nothing that can be typed is an error.

        Each word is found at the beginning of words, and "words in quotes" as they are, side by
        side. Everything else only separates words.
        """
        terms: dict[Term, None] = {}
        left = MAX_QUERY_WORDS
        for part, is_quoted in _split_quotes(text):
            for term in _phrase(part) if is_quoted else _prefixes(part):
                if left > 0:
                    kept = Term(words=term.words[:left], is_prefix=term.is_prefix)
                    terms[kept] = None
                    left -= len(kept.words)
        return cls(terms=tuple(terms))


def split_query(text: str) -> list[str]:
    """Return the words, and what is in quotes, of a query as a person has typed them."""
    parts = _split_quotes(text)
    words = [word for part, is_quoted in parts for word in ([part] if is_quoted else part.split())]
    return list(filter(str.strip, words))[:MAX_QUERY_WORDS]


def _split_quotes(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a query, and whether each is in quotes."""
    for number, part in enumerate(_QUOTED.split(text.translate(_QUOTES))):
        yield part, number % 2 == 1


def matches(query: str, text: str) -> bool:
    """Return whether a query finds a text: the definition of what the databases find."""
    words = split_words(text)
    terms = TextQuery.parse(query).terms
    return bool(terms) and all(term.is_in(words) for term in terms)


def split_words(text: str) -> list[str]:
    """Return the coded words of a text, in their order.

    Of a script without blanks they are each two letters side by side, and the last letter of a run.
    """
    return [word for block in _blocks(text) for word in split_block(block)]


@dataclass(frozen=True, slots=True)
class IndexedWords:
    """The words of a text for the databases' index.

    `words` has a line for each block of the text, and a blank between two words; each has the mark
    of the text's owner. `is_cut` tells that later words of a very long text are left out.
    `exceeds_positions` tells that PostgreSQL does not keep the position of every word.
    """

    words: str
    is_cut: bool
    exceeds_positions: bool


def index_words(text: str, *, owner: int) -> IndexedWords:
    """Return the words of a text of one owner, whose other texts are searched together with it."""
    counts: Counter[str] = Counter()
    lines: list[str] = []
    length = vector = total = 0
    for block in _blocks(text):
        words = mark_words(split_block(block), owner=owner)
        for word in words:
            counts[word] += 1
            if counts[word] == 1:
                vector += len(word) + 3
            if counts[word] <= _MAX_POSITIONS:
                vector += 2
        line = " ".join(words)
        length += len(line) + 1
        if vector > _MAX_VECTOR_BYTES or length > _MAX_WORDS_CHARACTERS:
            break
        total += len(words)
        lines.append(line)
    else:
        exceeds = total >= _MAX_POSITION or max(counts.values(), default=0) >= _MAX_POSITIONS
        return IndexedWords("\n".join(lines), is_cut=False, exceeds_positions=exceeds)
    return IndexedWords("\n".join(lines), is_cut=True, exceeds_positions=True)


def mark_words(words: Sequence[str], *, owner: int) -> list[str]:
    """Return words with the mark of their owner, so that an index finds only that owner's."""
    return [f"w{owner}w{word}" for word in words]


def _blocks(text: str) -> Iterator[str]:
    """Yield the blocks of a text."""
    start = 0
    for at in range(BLOCK_CHARACTERS, len(text), BLOCK_CHARACTERS):
        end = block_start(text, at)
        yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]


def block_start(text: str, at: int) -> int:
    """Return where the block begins whose number is the multiple of BLOCK_CHARACTERS `at`.

    It is behind the next blank, or else behind a character that is in no word, or else behind
    MAX_OVERHANG characters. So only the text around `at` tells, and the blocks of a part of a text
    are those of the text.
    """
    if at == 0:
        return 0
    near = range(at - 1, min(at + MAX_OVERHANG, len(text)))
    for number in near:
        if text[number] in " \n":
            return number + 1
    separator = next((each for each in near if category(text[each])[0] not in "LNM"), near[-1])
    return separator + 1


def split_block(block: str) -> list[str]:
    """Return the coded words of a block, or of a part of one that ends between two words."""
    words: list[str] = []
    for word in _coded(block).split():
        if word.isalnum():
            words.append(_cut(word))
        elif _BROKEN not in word:
            for run in _RUNS.findall(word):
                words += _split_run(run) if run[0] == _UNSPACED else [_cut(run)]
    return words


def _coded(text: str) -> str:
    return search_key(normalize("NFKC", text)).translate(_CODES)


def _split_run(run: str) -> list[str]:
    letters = run.split(_UNSPACED)[1:]
    pairs = [first + second for first, second in pairwise(letters)]
    return [*pairs, letters[-1]]


def _cut(word: str) -> str:
    """Return the word cut to MAX_WORD characters, between two letters."""
    if len(word) <= MAX_WORD:
        return word
    end = 0
    while (following := end + _code_length(word, end)) <= MAX_WORD:
        end = following
    return word[:end]


def _code_length(word: str, at: int) -> int:
    if word[at] == "q":
        return 3
    if word[at] == "x":
        return 2 if word[at + 1] in "qx" else 5
    return 1


def _prefixes(text: str) -> Iterator[Term]:
    """Yield a term for each word, or for each run of letters of a script without blanks."""
    for word in _coded(text).split():
        if _BROKEN in word:
            continue
        for run in _RUNS.findall(word):
            if run[0] == _UNSPACED:
                yield _unspaced_term(_split_run(run))
            else:
                yield Term(words=(_cut(run),), is_prefix=True)


def _unspaced_term(words: Sequence[str]) -> Term:
    """Return the term of a run that more letters may follow: they would be paired with its last."""
    if len(words) == 1:
        return Term(words=(words[0],), is_prefix=True)
    return Term(words=tuple(words[:-1]), is_prefix=False)


def _phrase(text: str) -> Iterator[Term]:
    coded = _coded(text).split()
    runs = [run for word in coded if _BROKEN not in word for run in _RUNS.findall(word)]
    words: list[str] = []
    for number, run in enumerate(runs, start=1):
        if run[0] != _UNSPACED:
            words.append(_cut(run))
        elif number < len(runs):
            words += _split_run(run)
        else:
            last = _unspaced_term(_split_run(run))
            if not words:
                yield last
                return
            words += last.words
    if words:
        yield Term(words=tuple(words), is_prefix=False)
