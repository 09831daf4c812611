"""The processor of temperatures, whose files may be read without their first lines."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from timba.files.processors.base import FileRefused, Findings, Job
from timba.temperatures import processor
from timba.temperatures.processor import TemperatureProcessor

QUESTION = {"field": "unit", "sentence": "Is it °C or K?", "choices": ["C", "K"]}


@dataclass
class WithoutFirstLines:
    """A job whose file begins later."""

    job: Job
    skipped_lines: int

    def __getattr__(self, name: str) -> Any:
        return getattr(self.job, name)

    def open(self) -> BinaryIO:
        with self.job.open() as stream:
            return io.BytesIO(b"".join(stream.readlines()[self.skipped_lines :]))


class AnsweredTemperatures(TemperatureProcessor):
    def check_answers(self, read_as: Any) -> Mapping[str, Any]:
        return dict(read_as)


def read_answered(job: Job) -> Findings:
    answers = job.reading_input()["read_as"] or {}
    if answers.get("unit") == "?":
        raise FileRefused(QUESTION["sentence"], findings={"questions": [QUESTION]})
    skipped = WithoutFirstLines(job, answers.get("skipped_lines", 0))
    return {**processor.read_temperatures(skipped), "read_as": answers}


PROCESSOR = AnsweredTemperatures(
    kind="temperatures",
    read=read_answered,
    record=processor.PROCESSOR.record,
    sandboxed=False,
    counts_once=True,
)
