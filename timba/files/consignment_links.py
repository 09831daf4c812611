"""What happens to files when their consignment, or their log, is deleted or restored."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Final

from django.db.models import Q

from timba.accounts.models import User
from timba.consignments.deletion import DeletionHook, Links
from timba.consignments.models import Consignment, Log
from timba.events.outbox import Event
from timba.files.events import file_event
from timba.files.models import File

_BATCH: Final = 500


def unlink_files(
    *, actor: User, consignment: Consignment, log: Log | None = None
) -> tuple[Links, list[Event]]:
    """Unlink the files of a log, or of a consignment and all its logs.

    A link is a file's id with the ids of its consignment and its log. Deleted files are unlinked
    without an event.
    """
    logs = Log.unscoped.filter(consignment=consignment)
    conditions = {"log": Q(log__in=logs), "consignment": Q(consignment=consignment)}
    if log is not None:
        conditions = {"log": Q(log=log)}
    found: dict[uuid.UUID, File] = {}
    links: dict[uuid.UUID, tuple[str, int | None, int | None]] = {}
    for field, condition in conditions.items():
        rows = File.unscoped.filter(condition)
        for file in rows.select_for_update().order_by("pk"):
            links.setdefault(file.pk, (str(file.pk), file.consignment_id, file.log_id))
            setattr(found.setdefault(file.pk, file), field, None)
        rows.update(**{field: None})
    return list(links.values()), _update_events(found.values(), actor=actor)


def relink_files(*, actor: User, consignment: Consignment, links: Links) -> list[Event]:
    """Link files as they were, unless they have been linked to anything else meanwhile.

    A file that has been deleted meanwhile is linked without an event, for its own restoration.
    """
    logs = set(Log.unscoped.filter(consignment=consignment).values_list("pk", flat=True))
    relinked: list[File] = []
    for start in range(0, len(links), _BATCH):
        before = {uuid.UUID(pk): place for pk, *place in links[start : start + _BATCH]}
        rows = File.unscoped.filter(pk__in=before, client_id=consignment.client_id)
        for file in rows.select_for_update().order_by("pk"):
            consignment_id, log_id = before[file.pk]
            has_moved = file.consignment_id not in {None, consignment_id}
            if has_moved or file.log_id not in {None, log_id}:
                continue
            if consignment_id == consignment.pk:
                file.consignment = consignment
            if log_id in logs:
                file.log_id = log_id
            relinked.append(file)
    File.unscoped.bulk_update(relinked, ["consignment", "log"], batch_size=_BATCH)
    return _update_events(relinked, actor=actor)


def _update_events(files: Iterable[File], *, actor: User) -> list[Event]:
    return [file_event("update", file, actor=actor) for file in files if file.deleted_at is None]


DELETION_HOOK: Final = DeletionHook(app_label="files", unlink=unlink_files, relink=relink_files)
