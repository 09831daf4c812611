"""`timba make_previews`: previews of the files that earlier versions have processed without."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from timba.files.previews import files_without_previews, make_previews
from timba.files.sandbox import SandboxUnavailable, close_sandbox
from timba.files.storage import FileDamaged, StorageUnavailable


class Command(BaseCommand):
    """Make the previews that are missing; results and events stay as they are.

    Timba may run meanwhile. A run that was interrupted can be repeated.
    """

    help = "Make the previews of photos and PDFs that were processed without."

    def handle(self, *_: Any, **__: Any) -> None:
        made, without = 0, 0
        try:
            # A list of ids: a query that stays open for hours would keep what it sees from cleanup.
            for pk in list(files_without_previews().values_list("pk", flat=True)):
                file = files_without_previews().filter(pk=pk).first()
                if file is None:  # deleted meanwhile
                    continue
                try:
                    is_made = make_previews(file)
                except StorageUnavailable:
                    raise
                except (FileDamaged, OSError) as error:
                    self.stderr.write(f"{file.name} ({file.pk}): {error}")
                    is_made = False
                made += is_made
                without += not is_made
        except (SandboxUnavailable, StorageUnavailable) as error:
            raise CommandError(f"{error} Run it again later: what is made stays.") from error
        finally:
            close_sandbox()
            self.stdout.write(f"Previews made: {made:,}. Files without: {without:,}.")
