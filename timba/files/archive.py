"""Writes files into a ZIP archive that is streamed: one file is open at a time.

An archive that breaks off has no central directory, so that no program takes it for complete.
"""

from __future__ import annotations

import io
import re
import unicodedata
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from timba.errors import NotFound, Unavailable
from timba.files.kinds import TEMPERATURES, TEXT
from timba.files.models import File
from timba.files.storage import UNREACHABLE, VerifiedStream, find_missing, store

MAX_FILES: Final = 1000
_COLUMNS: Final = (
    *("pk", "name", "storage_key", "sha256", "size", "kind", "uploaded_at"),
    "client__time_zone",
)
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


def select_files(files: QuerySet[File], file_ids: Sequence[uuid.UUID]) -> list[ArchivedFile]:
    """Return those of `files` with these ids, in this order, each once, to be written.

    Raises NotFound where there is none with one of the ids, and Unavailable, before the first byte
    is sent, where the bytes of one are missing or unreachable.
    """
    places = {file_id: place for place, file_id in enumerate(dict.fromkeys(file_ids))}
    rows = list(files.filter(pk__in=places).values_list(*_COLUMNS))
    if len(rows) < len(places):
        raise NotFound("There is no such file.")
    return _stored(sorted(rows, key=lambda row: places[row[0]]))


def all_files(files: QuerySet[File]) -> list[ArchivedFile]:
    """Return files, oldest first, to be written; raise Unavailable as `select_files` does."""
    return _stored(list(files.order_by("uploaded_at", "pk").values_list(*_COLUMNS)))


def _stored(rows: list[tuple[Any, ...]]) -> list[ArchivedFile]:
    """Return files by their rows; raise Unavailable where bytes are missing or unreachable."""
    names = unique_names(row[1] for row in rows)
    files = [
        ArchivedFile(
            name=name,
            storage_key=key,
            sha256=sha256,
            size=size,
            kind=kind,
            modified_at=uploaded_at.astimezone(ZoneInfo(zone)),
        )
        for name, (_, _, key, sha256, size, kind, uploaded_at, zone) in zip(
            names, rows, strict=True
        )
    ]
    try:
        missing = find_missing(file.storage_key for file in files)
    except OSError:
        raise Unavailable(UNREACHABLE) from None
    lost = [f"“{file.name}”" for file in files if file.storage_key in missing]
    if lost:
        more = f" and {len(lost) - 1:,} more" if len(lost) > 1 else ""
        raise Unavailable(f"The bytes of {lost[0]}{more} are missing. Leave such files out.")
    return files


def write_archive(files: Iterable[ArchivedFile]) -> Iterator[bytes]:
    """Yield the bytes of the archive; raise OSError or FileDamaged where a file cannot be read."""
    output = _Output()
    # Where it breaks off, what is written to close it is not taken.
    with ZipFile(output, "w") as archive:
        for file in files:
            stream = VerifiedStream(store().open_bytes(file.storage_key), sha256=file.sha256)
            with stream, archive.open(_entry(file), "w") as target:
                while chunk := stream.read(_CHUNK_BYTES):
                    target.write(chunk)
                    yield output.take()
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
