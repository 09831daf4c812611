"""`timba index_texts`: keeps the text of files that were processed before Timba kept texts."""

from __future__ import annotations

from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError

from timba.db.newer_migrations import refuse_newer_database
from timba.files.indexing import files_without_text, index_file
from timba.files.processors.base import FileRefused
from timba.files.sandbox import SandboxUnavailable, close_sandbox
from timba.files.storage import FileDamaged, StorageUnavailable


class Command(BaseCommand):
    """Keep the texts that are missing; results and events stay as they are.

    Timba may run meanwhile. A run that was interrupted can be repeated.
    """

    help = "Read the text of files that were processed before Timba kept texts."
    requires_system_checks = (Tags.security,)

    def handle(self, *_: Any, **__: Any) -> None:
        refuse_newer_database()
        indexed = failed = 0
        try:
            # A list of ids: a query that stays open for hours would keep what it sees from cleanup.
            for file_id in list(files_without_text().order_by("pk").values_list("pk", flat=True)):
                file = files_without_text().filter(pk=file_id).first()
                if file is None:  # processed again, or erased, meanwhile
                    continue
                try:
                    index_file(file)
                    indexed += 1
                except (FileRefused, FileDamaged, FileNotFoundError) as error:
                    self.stderr.write(f"“{file.name}” ({file.pk}): {error}")
                    failed += 1
        except (SandboxUnavailable, StorageUnavailable) as error:
            raise CommandError(f"{error} Run it again later: what is kept stays.") from error
        finally:
            close_sandbox()
            self.stdout.write(f"Texts kept: {indexed:,}; files that could not be read: {failed:,}.")
