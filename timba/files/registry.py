"""The processors of `FILE_PROCESSORS` by kind, and the checks of them at start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.utils.module_loading import import_string

from timba.files.models import File
from timba.files.processors.base import Processor, Sniffs
from timba.files.protections import WARNINGS, missing_protections

SANDBOX: Final = "sandbox"


@cache
def processors() -> Mapping[str, Processor]:
    """Return every processor of `FILE_PROCESSORS` by kind."""
    listed: list[Processor] = [import_string(name) for name in settings.FILE_PROCESSORS]
    return {processor.kind: processor for processor in listed}


@cache
def sniffers() -> Mapping[str, Callable[[bytes], bool]]:
    """Return the functions that tell kinds of text by their first bytes, by kind."""
    return {p.kind: p.sniff for p in processors().values() if isinstance(p, Sniffs)}


def check_processors(app_configs: Any, **_: Any) -> Sequence[CheckMessage]:  # noqa: ARG001 - Django's signature
    """Refuse to start unless `FILE_PROCESSORS` names one processor for every kind."""
    counts = Counter(import_string(name).kind for name in settings.FILE_PROCESSORS)
    return [
        Error(
            f"FILE_PROCESSORS names {counts[kind]} processors for files of kind “{kind}”; "
            "it must name exactly one.",
            id="timba.E019",
        )
        for kind in sorted({*File.Kind.values, *counts})
        if counts[kind] != 1 or kind not in File.Kind.values
    ]


def check_sandbox(app_configs: Any, **_: Any) -> Sequence[CheckMessage]:  # noqa: ARG001 - Django's signature
    """Warn of each protection against hostile files that this machine lacks."""
    return [
        CheckWarning(WARNINGS[name][0], hint=WARNINGS[name][1], id="timba.W023")
        for name in missing_protections()
    ]
