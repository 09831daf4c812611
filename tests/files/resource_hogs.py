"""A processor for texts that runs out of memory where the file's name begins with “greedy”."""

from __future__ import annotations

from dataclasses import replace

from timba.files.processors.base import Findings, Job
from timba.files.processors.text import PROCESSOR as TEXT
from timba.files.processors.text import read_text


def read_greedily(job: Job) -> Findings:
    if job.name.startswith("greedy"):
        raise MemoryError
    return read_text(job)


PROCESSOR = replace(TEXT, read=read_greedily)
