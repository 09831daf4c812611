"""Checks that rows, objects, totals and events agree, and mends what can be mended.

Timba may run meanwhile: what looks wrong is looked at a second time where a change in progress
could look the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.core.management.base import CommandError, OutputWrapper

from timba.errors import DomainError
from timba.files.storage import StorageUnavailable
from timba.runtime.findings import Finding
from timba.runtime.fsck_events import check_events
from timba.runtime.fsck_objects import check_objects
from timba.runtime.fsck_rows import check_rows
from timba.runtime.schema import applied_migrations


def check_everything(*, deep: bool, fix: bool, output: OutputWrapper) -> int:
    """Print a sentence for each finding; return how many are left.

    Raises CommandError where the database is of another version, or the store unavailable.
    `deep` reads every object and compares its hash. `fix` mends what can be mended.
    """
    applied_migrations()
    found, mended = 0, 0
    for finding in _findings(deep=deep, output=output):
        found += 1
        output.write(finding.sentence)
        if fix:
            outcome = _mend(finding)
            mended += outcome is not None
            output.write(f"  {outcome or 'This cannot be mended here.'}")
    output.write(f"Problems found: {found:,}, mended: {mended:,}.")
    return found - mended


def _findings(*, deep: bool, output: OutputWrapper) -> Iterator[Finding]:
    yield from check_rows(deep=deep)
    yield from check_events()
    try:
        yield from check_objects(deep=deep, output=output)
    except StorageUnavailable as error:
        raise CommandError(f"The object store cannot be read: {error}.") from error


def _mend(finding: Finding) -> str | None:
    """Return what was done, or None where it could not be mended."""
    if finding.mend is None:
        return None
    try:
        return finding.mend()
    except DomainError:
        return None
