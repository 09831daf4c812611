"""A processor whose files ask, in place of that of tallies; it remembers what was answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.files.asking_reader import check_lengths, read_lengths
from timba.files.models import File
from timba.files.processors.base import FileRefused, Findings, Job, Processor, ReadResult
from timba.files.profiles import remember_reading


class LengthsProcessor(Processor):
    extra_readers = ()

    def check_answers(self, read_as: Any) -> Mapping[str, Any]:
        return check_lengths(read_as)

    def stage(self, job: Job, result: ReadResult) -> Findings:
        for question in result.findings["questions"]:
            raise FileRefused(question["sentence"], findings=result.findings)
        return result.findings


def record_lengths(file: File, findings: Findings) -> None:
    remember_reading(file, findings)


PROCESSOR = LengthsProcessor(
    kind="tally", read=read_lengths, record=record_lengths, takes_dry_run=True
)
