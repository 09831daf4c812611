"""`timba backup DIR`: backs up all rows and objects while Timba runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from timba.runtime.backup import make_backup


class Command(BaseCommand):
    help = "Back up all rows and files into a folder, which earlier backups may share."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, metavar="DIR", help="the folder of the backups")
        parser.add_argument(
            "--keep",
            type=_positive,
            metavar="N",
            help="delete all but the newest N backups in the folder afterwards",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        manifest = make_backup(options["folder"], output=self.stdout, keep=options["keep"])
        for sentence in manifest.failures:
            self.stderr.write(sentence)
        rows = sum(file.rows for file in manifest.rows)
        self.stdout.write(
            f"The backup of {manifest.taken_at} has {rows:,} rows and "
            f"{manifest.objects.count:,} objects ({manifest.objects.bytes:,} bytes)."
        )
        if manifest.failures:
            raise CommandError(
                f"Objects that are not in the backup: {len(manifest.failures):,}. See above, and "
                "run `fsck`."
            )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("give 1 or more")
    return number
