"""Which files there are to send."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

# How programs name a file that they are still writing, or have open.
_TEMPORARY_ENDINGS: Final = (".part", ".partial", ".tmp", ".crdownload", ".filepart", ".swp")
_TEMPORARY_BEGINNINGS: Final = (".", "~")


def is_temporary(name: str) -> bool:
    """Whether a name is one of a hidden file, or of one that a program has not finished."""
    return name.startswith(_TEMPORARY_BEGINNINGS) or name.lower().endswith(_TEMPORARY_ENDINGS)


def find_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Return each named file, and in named folders every file that is not temporary, by name.

    Links to folders are not followed. Raises OSError for a folder that cannot be read.
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, folders, names in os.walk(path, onerror=_raise):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                if not is_temporary(name) and (Path(folder) / name).is_file():
                    yield Path(folder) / name


def _raise(error: OSError) -> None:
    raise error
