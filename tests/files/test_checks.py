"""Timba does not start unless every kind of file has exactly one processor."""

from __future__ import annotations

import pytest
from pytest_django.fixtures import Settings

from timba.files.processors.base import Processor
from timba.files.registry import check_processors

TEXT = "timba.files.processors.text.PROCESSOR"


def test_the_shipped_settings_pass() -> None:
    assert check_processors(None) == []


@pytest.mark.parametrize(("change", "count"), [("remove", 0), ("append", 2)])
def test_a_kind_with_none_or_two_is_an_error(settings: Settings, change: str, count: int) -> None:
    settings.FILE_PROCESSORS = list(settings.FILE_PROCESSORS)
    getattr(settings.FILE_PROCESSORS, change)(TEXT)
    [error] = check_processors(None)
    assert error.msg == (
        f"FILE_PROCESSORS names {count} processors for files of kind “text”; "
        "it must name exactly one."
    )


def test_a_processor_of_a_kind_that_no_file_has_is_an_error(settings: Settings) -> None:
    settings.FILE_PROCESSORS = [*settings.FILE_PROCESSORS, f"{__name__}.STRANGE"]
    [error] = check_processors(None)
    assert "“strange”" in error.msg


STRANGE = Processor(kind="strange", read=dict)
