"""`timba ocr`: reads the text in pictures."""

from __future__ import annotations

import os
import signal
from typing import Any, Final

from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError, CommandParser

from timba.db.newer_migrations import refuse_newer_database
from timba.files.ocr import request_earlier_ocr, why_ocr_is_off
from timba.files.ocr_worker import OcrWorker

# What people wait for comes first.
_NICENESS: Final = 10


class Command(BaseCommand):
    help = "Read the text in photos and scanned PDFs until SIGTERM or Ctrl-C."
    # The checks of pages and views, which take a second to load, are left to the web server.
    requires_system_checks = (Tags.security,)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--earlier",
            action="store_true",
            help="only have the files read that were processed while OCR was off, by the process "
            "that runs already, and exit",
        )

    def handle(self, *_: Any, earlier: bool, **__: Any) -> None:
        refuse_newer_database()
        if reason := why_ocr_is_off():
            raise CommandError(reason)
        if earlier:
            self.stdout.write(f"Files that wait for OCR now: {request_earlier_ocr():,}.")
            return
        os.nice(_NICENESS)
        worker = OcrWorker()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop())
        worker.run()
