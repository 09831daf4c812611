"""Finds photos of a client that look the same, by their perceptual hashes.

Of two hashes of 64 bits that differ in up to eight bits, one of three parts differs in up to two
bits: the rows with such a part are found by an index, and only they are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Annotated, Any, Final, TypedDict
from uuid import UUID

from django.db.models import Q, QuerySet, Window
from django.db.models.functions import RowNumber

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


def split_hash(phash: str | None) -> Mapping[str, int | None]:
    """Return the columns for a perceptual hash of 16 hexadecimal digits, or for none."""
    if phash is None:
        return dict.fromkeys(_WIDTHS)
    rest, columns = int(phash, 16), {}
    for name, width in reversed(_WIDTHS.items()):
        columns[name] = rest & ((1 << width) - 1)
        rest >>= width
    return columns


def find_similar(file: File) -> list[SimilarSchema]:
    """Return up to 5 other photos of the client that look like this one, nearest first.

    Photos with the same bytes count at distance 0, whether they have been processed or not.
    """
    own = _hash_of(file)
    found = []
    for row in candidates(file):
        distance = 0 if row["sha256"] == file.sha256 else _distance(own, row)
        if distance <= MAX_DISTANCE:
            found.append((distance, row["uploaded_at"], row["pk"], row["name"]))
    return [
        SimilarSchema(id=pk, name=name, distance=distance)
        for distance, _, pk, name in sorted(found)[:MAX_SIMILAR]
    ]


def candidates(file: File) -> QuerySet[File, dict[str, Any]]:
    """Return the photos that may be near, of each hash the first 5: all of them may have one."""
    own = _hash_of(file)
    photos: FileQuerySet = File.unscoped.live().exclude(pk=file.pk)
    photos = photos.filter(client_id=file.owner_id, kind=File.Kind.PHOTO)
    conditions = [Q(sha256=file.sha256)]
    if None not in own.values():
        conditions += [Q(**{f"{name}__in": list(_neighbours(name, own[name]))}) for name in _WIDTHS]
    place = Window(RowNumber(), partition_by=[*_WIDTHS], order_by=["uploaded_at", "pk"])
    # A query for each index: databases do not always combine several.
    first, *others = (
        photos.filter(condition)
        .annotate(place=place)
        .filter(place__lte=MAX_SIMILAR)
        .values("pk", "name", "sha256", "uploaded_at", *_WIDTHS)
        for condition in conditions
    )
    union: QuerySet[File, dict[str, Any]] = first.union(*others)
    return union


def _hash_of(file: File) -> dict[str, Any]:
    return {name: getattr(file, name) for name in _WIDTHS}


def _neighbours(name: str, part: int) -> Iterator[int]:
    """Yield every value of a column that differs from `part` in up to two bits."""
    bits = [1 << place for place in range(_WIDTHS[name])]
    for flipped in range(_MAX_FLIPPED + 1):
        for chosen in combinations(bits, flipped):
            yield part ^ sum(chosen)


def _distance(own: Mapping[str, int], other: Mapping[str, Any]) -> int:
    return sum((own[name] ^ other[name]).bit_count() for name in _WIDTHS)
