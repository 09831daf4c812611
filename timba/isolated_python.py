"""Starts Python processes that ignore the environment and the packages of the user."""

from __future__ import annotations

import sys

from timba.installation import IMPORT_PATH


def isolated_python(statements: str) -> tuple[str, ...]:
    """Return the command that runs `statements` in isolated mode, where `timba` can be imported."""
    set_path = f"import sys; sys.path.insert(0, {str(IMPORT_PATH)!r})"
    return (sys.executable, "-I", "-c", f"{set_path}; {statements}")
