"""Pictures of files: which files have one, and which comes before and after one in a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Q

from timba.accounts.tenancy import TenantQuerySet
from timba.db.pagination import encode_cursor, paginate
from timba.errors import NotFound
from timba.files.models import File

HAS_PICTURE: Final = Q(kind__in=(File.Kind.PHOTO, File.Kind.DOCUMENT), status=File.Status.SUCCESS)
NEWEST_FIRST: Final = ("-uploaded_at", "-id")
# The order of a consignment's page: its photos, then its documents. The script has it, too.
PHOTOS_FIRST: Final = ("-kind", *NEWEST_FIRST)


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """What a file's page shows of the file: one page of a document, the only one of a photo.

    `page` counts from 1. `previous` and `next` are the files beside it in the list it was opened
    from, whose `query` their addresses keep.
    """

    page: int
    pages: int
    query: str = ""
    previous: File | None = None
    next: File | None = None

    @property
    def previous_page(self) -> int:
        return self.page - 1

    @property
    def next_page(self) -> int:
        return self.page + 1 if self.page < self.pages else 0


def has_picture(file: File) -> bool:
    return file.status == File.Status.SUCCESS and file.kind in {
        File.Kind.PHOTO,
        File.Kind.DOCUMENT,
    }


def picture_of(
    file: File,
    *,
    page: int = 1,
    rows: TenantQuerySet[File] | None = None,
    order: tuple[str, ...] = NEWEST_FIRST,
    query: str = "",
) -> Picture | None:
    """Return the picture of a file, None where it has none; `rows` is the list it is shown in.

    Raises NotFound where the file has no such page.
    """
    if not has_picture(file):
        return None
    pages = (file.result or {}).get("pages", 1)
    if page > pages:
        raise NotFound
    if rows is None:
        return Picture(page=page, pages=pages)
    listed = rows.filter(HAS_PICTURE)
    return Picture(
        page=page,
        pages=pages,
        query=query,
        previous=_next_of(file, listed, tuple(map(_reverse, order))),
        next=_next_of(file, listed, order),
    )


def _next_of(file: File, rows: TenantQuerySet[File], order: tuple[str, ...]) -> File | None:
    values: list[Any] = [getattr(file, name.removeprefix("-")) for name in order]
    page = paginate(rows, order=order, limit=1, cursor=encode_cursor(values))
    return page.rows[0] if page.rows else None


def _reverse(column: str) -> str:
    return column.removeprefix("-") if column.startswith("-") else f"-{column}"
