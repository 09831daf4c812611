"""Finds files by words in their names and in their texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import reduce
from operator import and_
from typing import Any, Final
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Substr

from timba.accounts.models import Client
from timba.accounts.tenancy import TenantQuerySet
from timba.db.full_text import filter_found, find
from timba.db.passages import (
    PIECE_CHARACTERS,
    Place,
    cut_passage,
    find_place,
    find_place_in_part,
)
from timba.db.text_search import TextQuery, split_query
from timba.files.models import File, FileText

# Texts may be long, and MariaDB's driver holds all rows of a result in memory: of so many texts at
# once, so many characters of the words and of the text are read.
_TEXTS_AT_ONCE: Final = 100
_FIRST_WORDS: Final = 20_000
_FIRST_TEXT: Final = 8000
# Further words of long texts are read in parts, which repeat what a match or a block may span.
_PART: Final = 300_000
_REPEATED: Final = 50_000
# Of all texts of a page.
_MAX_PARTS: Final = 100


def search_files(
    rows: TenantQuerySet[File], words: str, *, viewer: Any, client_id: int | None = None
) -> TenantQuerySet[File]:
    """Filter files whose name contains all of the words, or whose text does.

    In a name each is found wherever it is, also within a word.

    The rows are those that `viewer` may see, of one client only if `client_id` is given.
    """
    return filter_found(
        rows.order_by("-uploaded_at", "-id"),
        TextQuery.parse(words),
        texts=FileText,
        owners=_searched_clients(viewer, client_id),
        columns={"file_id": "pk", "run": "run"},
        also=reduce(and_, (Q(name_key__finds=each) for each in split_query(words) or [""])),
    )


def add_passages(files: Sequence[File], words: str) -> None:
    """Set the `passage` of each file whose text contains all of the words.

    That of a text which is so long that its match would be found too late is its beginning.
    """
    query = TextQuery.parse(words)
    if not query.terms:
        return
    parts_left = _MAX_PARTS
    for start in range(0, len(files), _TEXTS_AT_ONCE):
        by_id = {file.pk: file for file in files[start : start + _TEXTS_AT_ONCE]}
        long = []
        texts = _beginnings(by_id)
        for text in (texts[key] for key in by_id if key in texts):
            if text.is_whole:
                place = find_place(text.words, query, owner=text.file.owner_id)
                text.file.passage = text.passage(place) if place else ""
            else:
                long.append(text)
        found = _which_match(long, query)
        for text in long:
            if text.file.pk in found:
                place, parts_left = _search(text, query, parts_left)
                text.file.passage = text.passage(place or Place(block=0, word=0))


@dataclass(frozen=True, slots=True)
class _Text:
    """The beginning of a file's text and of its words."""

    key: int
    file: File
    words: str
    text: str

    @property
    def is_whole(self) -> bool:
        return len(self.words) < _FIRST_WORDS

    def passage(self, place: Place) -> str:
        start = place.piece_start
        piece = self.text[start : start + PIECE_CHARACTERS]
        if start + PIECE_CHARACTERS > len(self.text) == _FIRST_TEXT:
            piece = _read(self.key, "text", start, PIECE_CHARACTERS)
        return cut_passage(piece, place) if piece else ""


def _beginnings(by_id: Mapping[UUID, File]) -> Mapping[UUID, _Text]:
    rows = FileText.objects.filter(file__in=list(by_id)).values_list(
        "file_id", "run", "pk", Substr("words", 1, _FIRST_WORDS), Substr("text", 1, _FIRST_TEXT)
    )
    return {
        file: _Text(key, by_id[file], words, text)
        for file, run, key, words, text in rows
        if run == by_id[file].run
    }


def _which_match(texts: Sequence[_Text], query: TextQuery) -> Set[UUID]:
    """Return the ids of the files whose text, and not only their name, is found."""
    if not texts:
        return set()
    owners = sorted({each.file.owner_id for each in texts})
    condition = find(query, texts=FileText, owners=owners, columns={"id": "pk"})
    rows = FileText.objects.filter(condition, pk__in=[each.key for each in texts])
    return set(rows.values_list("file_id", flat=True))


def _search(text: _Text, query: TextQuery, parts_left: int) -> tuple[Place | None, int]:
    """Return where the first match begins, None if it is too late, and how many parts are left.

    A match that the end of a part cuts off begins in what the next part repeats.
    """
    part, size, at, block = text.words, _FIRST_WORDS, 0, 0
    while True:
        is_last = len(part) < size
        place = find_place_in_part(
            part, query, owner=text.file.owner_id, is_first=at == 0, is_last=is_last
        )
        if place:
            return replace(place, block=block + place.block), parts_left
        if is_last or not parts_left:
            return None, parts_left
        passed = max(0, len(part) - _REPEATED)
        block += part.count("\n", 0, passed)
        at += passed
        part, size = _read(text.key, "words", at, _PART), _PART
        parts_left -= 1


def _read(key: int, column: str, start: int, count: int) -> str:
    cut = Substr(column, start + 1, count)
    return FileText.objects.filter(pk=key).values_list(cut, flat=True).first() or ""


def _searched_clients(viewer: Any, client_id: int | None) -> Sequence[int]:
    if client_id is not None:
        return [client_id]
    if not viewer.is_staff:
        return [viewer.client_id]
    return list(Client.objects.visible_to(viewer).order_by("pk").values_list("pk", flat=True))
