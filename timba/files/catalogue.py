"""The processors that settings list, by the kind they read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from timba.files.processors.base import Processor


@cache
def processors() -> Mapping[str, Processor]:
    """Return every processor of `FILE_PROCESSORS` by kind."""
    listed: list[Processor] = [import_string(name) for name in settings.FILE_PROCESSORS]
    return {processor.kind: processor for processor in listed}


@cache
def recognizers() -> Mapping[str, Callable[[bytes], bool]]:
    """Return how each kind of text that can be told from its first bytes is told."""
    return {p.kind: p.recognizes for p in processors().values() if p.recognizes is not None}
