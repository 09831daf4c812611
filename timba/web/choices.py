"""The choice of a consignment: a client may have more of them than a page can hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, cast

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms.models import ModelChoiceIterator, ModelChoiceIteratorValue

from timba.consignments.models import Consignment

RECENT_CONSIGNMENTS: Final = 200


class _NewestAndChosen(ModelChoiceIterator):  # type: ignore[type-arg]  # generic in its stubs only
    def __iter__(self) -> Iterator[tuple[ModelChoiceIteratorValue | str, str]]:
        field = cast("ConsignmentField", self.field)
        yield "", str(field.empty_label)
        offered = list(self.queryset[:RECENT_CONSIGNMENTS])
        if str(field.chosen) not in {str(consignment.pk) for consignment in offered}:
            offered += field.named(field.chosen)
        for consignment in offered:
            yield self.choice(consignment)


class ConsignmentField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """Takes any of the client's consignments; offers the newest, and the one that is chosen."""

    iterator = _NewestAndChosen
    chosen: object = None

    def __init__(self) -> None:
        none = Consignment.objects.none()
        super().__init__(queryset=none, required=False, empty_label="No consignment")

    def choose_from(self, rows: QuerySet[Consignment], *, chosen: object) -> None:
        self.chosen = chosen
        self.queryset = rows.order_by("-id")

    @property
    def has_any(self) -> bool:
        return self.queryset is not None and self.queryset.exists()

    def named(self, said: Any) -> list[Consignment]:
        """Return the consignment that was chosen, where there is one."""
        try:
            found = self.to_python(said)
        except ValidationError:
            return []
        return [] if found is None else [found]
