"""Links a photo to the log whose barcode its name or a code in the picture shows.

The logs of the photo's consignment count, or without one, those of its client. A photo is linked
only where exactly one of them is meant, and only as long as no user has decided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from timba.consignments.barcode_text import barcode_key
from timba.consignments.barcodes import find_all_logs_by_key
from timba.consignments.models import Log, lock_targets
from timba.errors import NotFound
from timba.files.models import File
from timba.files.name_barcodes import longest_parts, name_parts
from timba.files.processors.base import Outdated


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundLink:
    """The log that was found for a photo of the consignment `scope`, if any, and how."""

    scope: int | None
    log: Log | None = None
    linked_by: str = ""

    def lock(self) -> None:
        """Lock the log's consignment; raise Outdated if the log has been deleted."""
        if self.log is None:
            return
        try:
            lock_targets(None, self.log)
        except NotFound:
            raise Outdated from None

    def apply(self, file: File) -> None:
        """Set the file's log, and its consignment to that of the log, unless a user has decided.

        Raises Outdated where the file has moved meanwhile, or the log has another barcode.
        """
        if not _may_be_linked(file):
            return
        if file.consignment_id != self.scope:
            raise Outdated
        if self.log is None:
            return
        key = barcode_key(self.log.barcode)
        log = Log.unscoped.filter(pk=self.log.pk, consignment_id=self.log.consignment_id).first()
        if log is None or barcode_key(log.barcode) != key:
            raise Outdated
        file.log, file.consignment, file.linked_by = log, log.consignment, self.linked_by


def find_link(file: File, *, read_codes: Callable[[], Iterable[str]]) -> FoundLink:
    """Return the log that is found for a photo.

    `read_codes` returns the texts of the codes in the picture. It takes time, and is called only
    where there are logs and the name does not decide.
    """
    nothing = FoundLink(scope=file.consignment_id)
    if not _may_be_linked(file) or not _has_logs(file):
        return nothing
    if log := _find_in_name(file):
        return FoundLink(scope=nothing.scope, log=log, linked_by=File.LinkedBy.NAME)
    keys = {barcode_key(code) for code in read_codes()}
    if log := _only_log(file, find_all_logs_by_key(file.owner_id, keys), keys):
        return FoundLink(scope=nothing.scope, log=log, linked_by=File.LinkedBy.CODE)
    return nothing


def _may_be_linked(file: File) -> bool:
    return file.log_id is None and file.linked_by != File.LinkedBy.USER


def _has_logs(file: File) -> bool:
    logs = Log.unscoped.filter(client_id=file.owner_id)
    if file.consignment_id is not None:
        logs = logs.filter(consignment=file.consignment_id)
    return logs.exists()


def _find_in_name(file: File) -> Log | None:
    parts = list(name_parts(file.name))
    logs = find_all_logs_by_key(file.owner_id, {part.key for part in parts})
    # A barcode within a longer one counts for nothing, wherever the log with the longer one is.
    named = longest_parts([part for part in parts if part.key in logs])
    return _only_log(file, logs, (part.key for part in named))


def _only_log(file: File, logs: Mapping[str, list[Log]], keys: Iterable[str]) -> Log | None:
    """Return the log that has one of these keys, if there is exactly one for this file."""
    found = {
        log.pk: log
        for key in keys
        for log in logs.get(key, ())
        if file.consignment_id in {None, log.consignment_id}
    }
    return next(iter(found.values())) if len(found) == 1 else None
