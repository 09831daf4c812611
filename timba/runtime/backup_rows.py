"""Which rows a backup holds, and which objects they name.

Uploads and runs in progress are left out with what they have written so far: their objects may be
incomplete. So are deleted files that may be erased at any moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.db.models import F, Field, Model, Q

from timba.files.models import HAS_OBJECT, Derivative, File
from timba.runtime.backup_format import ObjectEntry

# Rows that are read by one query: MariaDB's driver holds all rows of a result in memory.
_CHUNK: Final = 500
# The clocks of two machines may differ: files that are due so soon may be erased already.
_TRASH_MARGIN: Final = timedelta(minutes=5)


class BackupRows:
    """The rows of a backup that is made now."""

    def __init__(self, *, now: datetime) -> None:
        self._due = now - timedelta(days=settings.TIMBA_TRASH_DAYS) + _TRASH_MARGIN

    def fields(self, label: str) -> Sequence[Field[Any, Any]]:
        """Return the fields of a model whose values are kept."""
        return list(apps.get_model(label)._meta.concrete_fields)

    def read(self, label: str) -> Iterator[Sequence[Any]]:
        """Yield the values of all fields of a model's rows."""
        names = [field.attname for field in self.fields(label)]
        return _read(apps.get_model(label), self._condition(label), *names)

    def named_objects(self) -> Iterator[ObjectEntry]:
        """Yield the objects that the rows name."""
        columns = ("storage_key", "size", "sha256")
        files = _read(File, self._condition("files.file"), *columns, "name", "pk")
        for key, size, sha256, name, file_id in files:
            owner = f"“{name}” (file {file_id})"
            yield ObjectEntry(key=key, size=size, sha256=sha256, owner=owner)
        condition = self._condition("files.derivative")
        derivatives = _read(Derivative, condition, *columns, "role", "file_id")
        for key, size, sha256, role, file_id in derivatives:
            owner = f"the {role} of file {file_id}"
            yield ObjectEntry(key=key, size=size, sha256=sha256, owner=owner)

    def _condition(self, label: str) -> Q:
        conditions = {
            "files.file": self._is_kept(),
            "files.derivative": HAS_OBJECT & self._is_kept("file__"),
            "files.filetext": Q(file__run=F("run")) & self._is_kept("file__"),
            "files.ocrjob": self._is_kept("file__"),
            "temperatures.citytotals": Q(file__run=F("run")) & self._is_kept("file__"),
            "api.idempotentrequest": Q(response_status__isnull=False),
        }
        return conditions.get(label, Q())

    def _is_kept(self, file: str = "") -> Q:
        is_accepted = ~Q(**{f"{file}status": File.Status.RECEIVING})
        is_live = Q(**{f"{file}deleted_at__isnull": True})
        is_whole = Q(**{f"{file}erasing_since__isnull": True})
        return is_accepted & is_whole & (is_live | Q(**{f"{file}deleted_at__gt": self._due}))


def _read(model: type[Model], condition: Q, *columns: str) -> Iterator[Sequence[Any]]:
    """Yield these columns of the rows, in the order of their primary keys."""
    rows = model._base_manager.filter(condition).order_by("pk")  # noqa: SLF001 - Django's own name
    rest = rows
    while chunk := list(rest.values_list("pk", *columns)[:_CHUNK]):
        yield from (row[1:] for row in chunk)
        rest = rows.filter(pk__gt=chunk[-1][0])
