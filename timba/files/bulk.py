"""One action on many files, each by itself: a file that is refused stops no other."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal, get_args

from django.db import transaction

from timba.accounts.authorization import require
from timba.accounts.models import User
from timba.accounts.permissions import Permission
from timba.consignments.models import Consignment, lock_targets
from timba.db.transactions import (
    is_commit_deferred,
    retry_on_deadlock,
    write_transaction,
    yield_to_writers,
)
from timba.errors import DomainError, NotFound
from timba.events.outbox import Event, publish
from timba.files import changes
from timba.files.models import File, FileQuerySet
from timba.files.tasks import notify_workers
from timba.files.trash import LostObjects, lock_places, restorable_files

Action = Literal["move", "delete", "restore", "retry"]
ACTIONS: Final[tuple[Action, ...]] = get_args(Action)
MAX_FILES: Final = 1000
# Files that one transaction changes, so that it stays short.
_BATCH: Final = 50


@dataclass(kw_only=True, slots=True)
class Outcome:
    """The files that an action was done on, and why it was refused for others, in their order."""

    done: list[uuid.UUID] = field(default_factory=list)
    errors: dict[uuid.UUID, str] = field(default_factory=dict)


def change_files(
    *,
    actor: User,
    file_ids: Iterable[uuid.UUID],
    action: Action,
    consignment: Consignment | None = None,
) -> Outcome:
    """Move files to a consignment, or out of any; delete, restore or retry them; once each.

    The files are changed in small transactions, in their order. Where one of them is lost with
    its connection, those before it stand. With a deferred commit they are all changed at once,
    because no file may be locked after the first event is published. Raises Forbidden and Lapsed
    as a change of one file does.
    """
    require(actor, Permission.WRITE_FILES, client=actor.client)
    file_ids = list(dict.fromkeys(file_ids))
    batch = _Batch(actor, action, consignment, _lost_objects(actor, file_ids, action))
    outcome = Outcome()
    size = MAX_FILES if is_commit_deferred() else _BATCH
    for start in range(0, len(file_ids), size):
        started = time.monotonic()
        part = file_ids[start : start + size]
        errors = batch.change(part)
        outcome.errors |= errors
        outcome.done += [file_id for file_id in part if file_id not in errors]
        if not is_commit_deferred():
            yield_to_writers(time.monotonic() - started)
    return outcome


def _lost_objects(actor: User, file_ids: Sequence[uuid.UUID], action: Action) -> LostObjects:
    if action != "restore":
        return LostObjects((), ())
    visible = restorable_files(actor).filter(pk__in=file_ids)
    return LostObjects.of(list(visible.values_list("pk", flat=True)))


@dataclass(frozen=True, slots=True)
class _Batch:
    """What is done to some of the files in one transaction."""

    actor: User
    action: Action
    consignment: Consignment | None
    lost: LostObjects

    @retry_on_deadlock
    def change(self, file_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, str]:
        """Change files; return the sentences of those that were refused."""
        errors, events, waiting = {}, [], []
        with write_transaction():
            try:
                files = self._lock(file_ids)
            except NotFound as refusal:  # the consignment was deleted a moment ago
                return dict.fromkeys(file_ids, str(refusal))
            for file_id in file_ids:
                try:
                    event = self._change_one(files.get(file_id))
                except DomainError as refusal:
                    errors[file_id] = str(refusal)
                    continue
                if event is not None:
                    events.append(event)
                if files[file_id].status == File.Status.PENDING:
                    waiting.append(file_id)
            if events:
                publish(*events)
            if waiting and self.action in {"restore", "retry"}:
                transaction.on_commit(partial(notify_workers, waiting), robust=True)
        return errors

    def _lock(self, file_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, File]:
        """Lock the files that the actor may see, after what has to be locked before them."""
        rows: FileQuerySet = restorable_files(self.actor)
        if self.action == "restore":
            lock_places(rows.filter(pk__in=file_ids).values_list("pk", flat=True))
        else:
            rows = rows.live()
            lock_targets(self.consignment)
        locked = rows.defer(None).select_for_update().filter(pk__in=file_ids).order_by("pk")
        return {file.pk: file for file in locked}

    def _change_one(self, file: File | None) -> Event | None:
        if file is None:
            raise NotFound("There is no such file.")
        match self.action:
            case "move":
                return changes.link(file, {"consignment": self.consignment}, actor=self.actor)
            case "delete":
                return changes.delete(file, actor=self.actor)
            case "retry":
                return changes.retry(file, actor=self.actor)
            case "restore":
                self.lost.check(file)
                again = file.pk in self.lost.derived
                return changes.restore(file, actor=self.actor, is_derived_again=again)
