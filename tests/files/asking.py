"""A processor whose files ask, in place of that of tallies; it remembers what was answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.files.asking_reader import check_lengths, read_lengths
from timba.files.models import File
from timba.files.processors.base import FileRefused, Findings, Job, Processor, ReadResult
from timba.files.profiles import count_use, remember_answers


class LengthsProcessor(Processor):
    extra_readers = ()

    def check_answers(self, read_as: Any) -> Mapping[str, Any]:
        return check_lengths(read_as)

    def stage(self, job: Job, result: ReadResult) -> Findings:
        for question in result.findings["questions"]:
            raise FileRefused(question["sentence"], findings=result.findings)
        return result.findings


def record_lengths(file: File, findings: Findings) -> None:
    if findings["profile"] is not None:
        count_use(file=file, profile_id=findings["profile"])
    if file.read_as is not None:
        names = ("header", "header_digest")
        header = {name: findings[name] for name in names}
        remember_answers(file=file, read_as=file.read_as, **header)


PROCESSOR = LengthsProcessor(
    kind="tally", read=read_lengths, record=record_lengths, takes_dry_run=True
)
