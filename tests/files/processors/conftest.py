"""Closes the sandbox after each test module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from timba.files.sandbox import close_sandbox


@pytest.fixture(autouse=True, scope="module")
def _no_child_is_left() -> Iterator[None]:
    yield
    close_sandbox()
