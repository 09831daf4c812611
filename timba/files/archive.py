"""Writes files into a ZIP archive that is streamed: one file is open at a time.

An archive that breaks off has no central directory, so that no program takes it for complete.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from timba.files.kinds import TEMPERATURES, TEXT
from timba.files.storage import VerifiedStream, store

_CHUNK_BYTES: Final = 256 * 1024
# Of a name in UTF-8: file systems have room for 255, and names of folders come before it.
_MAX_NAME_BYTES: Final = 200
_FORBIDDEN: Final = frozenset('<>:"/\\|?*')
# Devices on Windows, with any ending.
_DEVICE: Final = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(\..*)?", re.IGNORECASE
)
_PERMISSIONS: Final = 0o644 << 16


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchivedFile:
    """A file to be written, under a name that is unique in the archive.

    `modified_at` is in the zone that its time is shown in; archives know no zones.
    """

    name: str
    storage_key: str
    sha256: str
    size: int
    kind: str
    modified_at: datetime


def write_archive(files: Iterable[ArchivedFile]) -> Iterator[bytes]:
    """Yield the bytes of the archive; raise OSError or FileDamaged where a file cannot be read."""
    output = _Output()
    archive = ZipFile(output, "w")
    for file in files:
        stream = VerifiedStream(store().open_bytes(file.storage_key), sha256=file.sha256)
        with stream, archive.open(_entry(file), "w") as target:
            while chunk := stream.read(_CHUNK_BYTES):
                target.write(chunk)
                yield output.take()
    archive.close()
    yield output.take()


def unique_names(names: Iterable[str]) -> list[str]:
    """Return names that every file system can store in one folder, those alike numbered.

    Names are alike whatever the letter case.
    """
    taken: set[str] = set()
    numbers: dict[str, int] = {}
    unique = []
    for name in map(portable_name, names):
        candidate, number = name, numbers.get(name.casefold(), 1)
        while candidate.casefold() in taken:
            number += 1
            candidate = _limited(name, f" ({number})")
        numbers[name.casefold()] = number
        taken.add(candidate.casefold())
        unique.append(candidate)
    return unique


def portable_name(name: str) -> str:
    """Return a name as a single component of a path on every system, normalised to NFC."""
    name = unicodedata.normalize("NFC", name)
    name = "".join(c if c.isprintable() and c not in _FORBIDDEN else "_" for c in name)
    # Windows takes off trailing dots and blanks.
    name = name.rstrip(". ") or "_"
    return _limited(f"_{name}" if _DEVICE.fullmatch(name) else name)


def _limited(name: str, addition: str = "") -> str:
    """Return the name with an addition before its ending, shortened before that if necessary."""
    path = PurePosixPath(name)
    ending = path.suffix if len(path.suffix.encode()) <= _MAX_NAME_BYTES // 2 else ""
    stem = name.removesuffix(ending)
    room = _MAX_NAME_BYTES - len(f"{addition}{ending}".encode())
    return stem.encode()[:room].decode(errors="ignore") + addition + ending


def _entry(file: ArchivedFile) -> ZipInfo:
    entry = ZipInfo(file.name, file.modified_at.timetuple()[:6])
    entry.external_attr = _PERMISSIONS
    # By this, room is made for the length of one of 4 GB or more.
    entry.file_size = file.size
    # A reader of a stream cannot find the end of an entry that is stored as it is, since its length
    # follows its bytes. Deflate at level 0 only frames what is compressed already.
    entry.compress_type = ZIP_DEFLATED
    is_text = file.kind in {TEXT, TEMPERATURES} and not file.name.casefold().endswith(".gz")
    entry._compresslevel = 6 if is_text else 0  # type: ignore[attr-defined]  # noqa: SLF001 - public as of Python 3.13
    return entry


class _Output(io.RawIOBase):
    """Holds what was written until it is taken; it cannot seek, as the response cannot."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """Return everything since the last call."""
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken
