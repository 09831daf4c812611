"""Start-up checks: every kind of file has exactly one processor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.utils.module_loading import import_string

from timba.files.models import File


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
