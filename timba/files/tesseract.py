"""Whether Tesseract can read the text in pictures here, and in which languages.

It needs the extra `timba[ocr]`, which brings the library, and the data of each language, which
Debian has in packages such as `tesseract-ocr-eng`. The sandbox child imports this module: nothing
here needs Django or settings.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Final

IS_INSTALLED: Final = find_spec("tesserocr") is not None
_SUFFIX: Final = ".traineddata"
# Of Debian, of Alpine and Arch, of Fedora.
_FOLDERS: Final = tuple(
    map(
        Path,
        (
            "/usr/share/tesseract-ocr/5/tessdata",
            "/usr/share/tessdata",
            "/usr/share/tesseract/tessdata",
        ),
    )
)
# Data beside that of languages: the direction of a page, and formulas.
_OTHER_DATA: Final = frozenset({"equ", "osd"})


def data_folder() -> Path | None:
    """Return the folder with the data of languages; None where there is none."""
    return next((folder for folder in _FOLDERS if _languages_in(folder)), None)


def installed_languages() -> frozenset[str]:
    """Return the languages whose data is installed, by Tesseract's codes, such as `eng`."""
    folder = data_folder()
    return frozenset() if folder is None else _languages_in(folder)


def _languages_in(folder: Path) -> frozenset[str]:
    files = folder.glob(f"*{_SUFFIX}")
    return frozenset(file.name.removesuffix(_SUFFIX) for file in files) - _OTHER_DATA
