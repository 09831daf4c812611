"""A processor for texts that asks the worker itself for more memory than there is."""

from __future__ import annotations

from timba.files.processors.base import Findings, Job, Processor


def read_greedily(job: Job) -> Findings:
    raise MemoryError


PROCESSOR = Processor(kind="text", read=read_greedily, sandboxed=False)
