"""Finds photos of a client that look the same, by their perceptual hashes.

Of two hashes of 64 bits that differ in up to eight bits, one of three parts differs in up to two
bits: the rows with such a part are found by an index, and only they are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Annotated, Any, Final, TypedDict
from uuid import UUID

from django.db.models import Q

from timba.files.models import File, FileQuerySet
from timba.files.schemas import FILE_ID

MAX_SIMILAR: Final = 5
# Copies that were saved again, made smaller or brighter, or cropped by 2 % differ in up to 8 bits;
# different photos of one pile in 14 and more.
MAX_DISTANCE: Final = 8
_WIDTHS: Final = {"phash_1": 22, "phash_2": 21, "phash_3": 21}  # bits, the highest first
_MAX_FLIPPED: Final = MAX_DISTANCE // len(_WIDTHS)


class SimilarSchema(TypedDict):
    """A photo that looks the same."""

    id: Annotated[UUID, "Id of the file.", FILE_ID]
    name: Annotated[str, "File name as uploaded.", "load (1).jpg"]
    distance: Annotated[int, "Bits in which the perceptual hashes differ, 0 to 8.", 2]


def split_hash(phash: str) -> dict[str, int]:
    """Return the columns for a perceptual hash of 16 hexadecimal digits."""
    rest, columns = int(phash, 16), {}
    for name, width in reversed(_WIDTHS.items()):
        columns[name] = rest & ((1 << width) - 1)
        rest >>= width
    return columns


def find_similar(file: File) -> list[SimilarSchema]:
    """Return up to 5 other photos of the client that look like this one, nearest first.

    Photos with the same bytes count at distance 0, whether they have been processed or not.
    """
    own = {name: getattr(file, name) for name in _WIDTHS}
    photos: FileQuerySet = File.unscoped.live().exclude(pk=file.pk)
    photos = photos.filter(client_id=file.owner_id, kind=File.Kind.PHOTO)
    conditions = [Q(sha256=file.sha256)]
    if None not in own.values():
        conditions += [Q(**{f"{name}__in": list(_neighbours(name, own[name]))}) for name in _WIDTHS]
    # A query for each index: databases do not always combine several.
    columns = ("pk", "name", "sha256", "uploaded_at", *_WIDTHS)
    first, *others = (photos.filter(condition).values(*columns) for condition in conditions)
    found = []
    for row in first.union(*others):
        distance = 0 if row["sha256"] == file.sha256 else _distance(own, row)
        if distance <= MAX_DISTANCE:
            found.append((distance, row["uploaded_at"], row["pk"], row["name"]))
    return [
        SimilarSchema(id=pk, name=name, distance=distance)
        for distance, _, pk, name in sorted(found)[:MAX_SIMILAR]
    ]


def _neighbours(name: str, part: int) -> Iterator[int]:
    """Yield every value of a column that differs from `part` in up to two bits."""
    bits = [1 << place for place in range(_WIDTHS[name])]
    for flipped in range(_MAX_FLIPPED + 1):
        for chosen in combinations(bits, flipped):
            yield part ^ sum(chosen)


def _distance(own: Mapping[str, int], other: Mapping[str, Any]) -> int:
    return sum((own[name] ^ other[name]).bit_count() for name in _WIDTHS)
