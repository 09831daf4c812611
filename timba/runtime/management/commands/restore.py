"""`timba restore DIR`: restores a backup into an empty database and store, or verifies it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from timba.runtime.fsck import check_everything
from timba.runtime.restore import restore_backup, verify_backup


class Command(BaseCommand):
    help = "Restore a backup into an empty database and an empty store of files."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, metavar="DIR", help="the folder of the backups")
        parser.add_argument(
            "--snapshot", metavar="NAME", help="a folder in DIR/snapshots; the newest by default"
        )
        parser.add_argument(
            "--skip-damaged",
            action="store_true",
            help="leave out files that are missing or damaged in the backup",
        )

        parser.add_argument(
            "--verify",
            action="store_true",
            help="only read the whole backup and compare its hashes; restore nothing",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["verify"]:
            manifest = verify_backup(
                options["folder"], name=options["snapshot"], output=self.stdout
            )
            self.stdout.write(f"The backup of {manifest.taken_at} is complete and undamaged.")
            return
        manifest = restore_backup(
            options["folder"],
            name=options["snapshot"],
            skip_damaged=options["skip_damaged"],
            output=self.stdout,
        )
        for sentence in manifest.failures:
            self.stderr.write(f"Not in the backup: {sentence}")
        left = check_everything(deep=True, fix=False, output=self.stdout)
        self.stdout.write(
            f"The backup of {manifest.taken_at} is restored. All users have to sign in again."
        )
        if left:
            raise CommandError(f"Problems that are left: {left:,}. See above.")
