"""A processor for texts that asks the worker for all its memory, where a name says so."""

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
