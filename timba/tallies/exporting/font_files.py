"""The packaged font, and fonts on this machine for the characters that it lacks.

Nothing here may import Django, which the process that writes a PDF does without to start quickly.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import uharfbuzz

# Where Debian and other systems keep fonts, and administrators add theirs.
FOLDERS: Final = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
_SUFFIXES: Final = frozenset({".ttf", ".otf", ".ttc", ".otc"})
# Tables that are needed to embed a font; pictures of letters in colour alone cannot be embedded.
_TABLES: Final = frozenset({"cmap", "head", "hhea", "hmtx", "name", "OS/2", "post"})
_OUTLINES: Final = frozenset({"glyf", "CFF "})
_OTHER_STYLE: Final = re.compile(
    r"bold|italic|oblique|slanted|thin|light|medium|black|condensed|display|mono|unjoined|ui\b"
    r"|unifont|kufi|nastaliq|looped",
    re.IGNORECASE,
)
_NOT_LETTERS: Final = re.compile(r"lastresort|blank|tofu", re.IGNORECASE)
# Faces of a collection differ in national forms of ideographs: most readers know these.
_PREFERRED_FACE: Final = re.compile(r"\bSC\b")
_FULL_NAME: Final = 4


class FontFile(NamedTuple):
    """A face of a font file."""

    path: Path
    face: int = 0


_PACKAGED: Final = Path(__file__).resolve().parents[1] / "fonts"
REGULAR: Final = FontFile(_PACKAGED / "DejaVuSans.ttf")
BOLD: Final = FontFile(_PACKAGED / "DejaVuSans-Bold.ttf")


def has_packaged_fonts() -> bool:
    """Return whether the packaged fonts are there, which the front-end build installs."""
    return REGULAR.path.is_file() and BOLD.path.is_file()


def are_packaged(texts: Iterable[str]) -> bool:
    """Whether the packaged font has all characters of these texts."""
    known = codes_of(REGULAR)
    return all(ord(character) in known for character in set().union(*texts))


@cache
def find_font(characters: frozenset[str]) -> FontFile | None:
    """Return the best font on this machine that has all of these characters.

    Fonts that are installed while this process runs are not seen.
    """
    codes = [ord(character) for character in characters]
    for font, known in _installed_fonts():
        if all(code in known for code in codes):
            return font
    return None


@cache
def codes_of(font: FontFile) -> Any:
    """Return the set of the characters that a font has, as numbers."""
    return _open_face(*font).unicodes


@cache
def _installed_fonts() -> tuple[tuple[FontFile, Any], ...]:
    """Return the usable fonts with their characters, the plainest of each family first."""
    paths = (path for folder in FOLDERS for path in folder.rglob("*") if _is_font(path))
    return tuple(font for path in sorted(paths, key=_preference) for font in _faces(path))


def _is_font(path: Path) -> bool:
    is_named_so = path.suffix.lower() in _SUFFIXES and not _NOT_LETTERS.search(path.stem)
    return is_named_so and path.is_file()


def _preference(path: Path) -> tuple[bool, bool, int, str]:
    """Put sans-serif fonts first, as the packaged one is, and special ones of a family later."""
    name = path.stem
    return _OTHER_STYLE.search(name) is not None, "Sans" not in name, len(name), str(path)


def _faces(path: Path) -> Iterator[tuple[FontFile, Any]]:
    """Yield the one face of the file that is used, if it can be embedded."""
    try:
        faces = [_open_face(path, index) for index in range(_open_face(path, 0).count)]
    except (OSError, uharfbuzz.HarfBuzzError):
        return
    usable = [
        (index, face)
        for index, face in enumerate(faces)
        if _TABLES.issubset(face.table_tags) and _OUTLINES.intersection(face.table_tags)
    ]
    usable.sort(key=lambda item: not _PREFERRED_FACE.search(item[1].get_name(_FULL_NAME) or ""))
    for index, face in usable[:1]:
        yield FontFile(path, index), face.unicodes


def _open_face(path: Path, index: int) -> Any:
    return uharfbuzz.Face(uharfbuzz.Blob.from_file_path(path), index)
