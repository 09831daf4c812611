"""Notes, alone or linked to a consignment."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from timba.accounts.tenancy import TenantModel
from timba.db.search_keys import KEY_LENGTH_RATIO, SearchKeyField
from timba.db.text import text_contains

MAX_TITLE = 100


class Note(TenantModel):
    """A text with a title."""

    title = models.CharField(max_length=MAX_TITLE)
    title_key = SearchKeyField(of="title", max_length=KEY_LENGTH_RATIO * MAX_TITLE)
    content = models.TextField(blank=True)
    consignment = models.ForeignKey(
        "consignments.Consignment", on_delete=models.SET_NULL, null=True, related_name="notes"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.CheckConstraint(condition=~models.Q(title=""), name="note_title_is_not_empty"),
        ]
        indexes = [models.Index(fields=["client", "-id"], name="note_by_client")]

    def __str__(self) -> str:
        return self.title


def contains_words(words: str) -> models.Q:
    """Return the condition that the title or the content of a note contains `words`."""
    return models.Q(title_key__finds=words) | text_contains(words, "content")
