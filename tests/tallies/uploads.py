"""Uploads tally sheets as the pages do, and processes them."""

from __future__ import annotations

from timba.accounts.models import User
from timba.consignments.models import Consignment
from timba.files.models import File
from timba.files.processing import process_file
from timba.files.receiving import Upload, accept_files


def settle_tally(
    content: bytes, *, actor: User, consignment: Consignment, dry_run: bool = False
) -> File:
    """Upload a workbook to a consignment and process it."""
    upload = Upload(name="tally.xlsx")
    upload.write(content)
    upload.finish()
    upload.identify(kind="tally")
    (accepted,) = accept_files(
        actor=actor,
        client=consignment.client,
        uploads=[upload],
        consignment=consignment,
        dry_run=dry_run,
    )
    assert process_file(accepted.file.pk)
    accepted.file.refresh_from_db()
    return accepted.file
