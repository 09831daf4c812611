"""`timba fsck`: checks that rows, objects, totals and events agree."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from timba.runtime.fsck import check_everything


class Command(BaseCommand):
    help = "Check that rows, stored files, totals and events agree; exit with 1 if they do not."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--deep", action="store_true", help="read every stored file and compare its hash"
        )
        parser.add_argument("--fix", action="store_true", help="mend what can be mended")

    def handle(self, *_args: Any, **options: Any) -> None:
        left = check_everything(deep=options["deep"], fix=options["fix"], output=self.stdout)
        if left:
            raise CommandError(f"Problems that are left: {left:,}. See above.")
