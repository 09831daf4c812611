"""Finds files by words in their names and in their texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.db.models import F, Q

from timba.accounts.models import Client
from timba.accounts.tenancy import TenantQuerySet
from timba.db.full_text import find
from timba.db.text_search import TextQuery, find_passage
from timba.files.models import File, FileText

# Texts may be long, and MariaDB's driver holds all rows of a result in memory.
_TEXTS_AT_ONCE: Final = 50


def search_files(
    rows: TenantQuerySet[File], words: str, *, viewer: Any, client_id: int | None = None
) -> TenantQuerySet[File]:
    """Filter files by `words` in their name, or by all of the words in their text.

    The rows are those that `viewer` may see, of one client only if `client_id` is given.
    """
    texts = find(
        TextQuery.parse(words),
        texts=FileText,
        owners=_searched_clients(viewer, client_id),
        columns={"file_id": "pk", "run": "run"},
    )
    return rows.filter(Q(name_key__finds=words) | Q(texts))


def add_passages(files: Sequence[File], words: str) -> None:
    """Set the `passage` of each file whose text contains all of the words."""
    query = TextQuery.parse(words)
    if not query.terms:
        return
    by_id = {file.pk: file for file in files}
    ids = list(by_id)
    for start in range(0, len(ids), _TEXTS_AT_ONCE):
        texts = FileText.objects.filter(
            file__in=ids[start : start + _TEXTS_AT_ONCE], run=F("file__run")
        )
        for file_id, text, words_kept in texts.values_list("file_id", "text", "words"):
            file = by_id[file_id]
            file.passage = find_passage(text, words_kept, query, owner=file.owner_id) or ""


def _searched_clients(viewer: Any, client_id: int | None) -> Sequence[int]:
    if client_id is not None:
        return [client_id]
    if not viewer.is_staff:
        return [viewer.client_id]
    return list(Client.objects.visible_to(viewer).order_by("pk").values_list("pk", flat=True))
