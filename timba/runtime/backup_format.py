"""The format of a backup: which rows it holds, how a folder of backups is laid out, its manifest.

    DIR/objects/<key>                       the objects, shared by all snapshots of the folder
    DIR/snapshots/<UTC time>/rows/<model>.jsonl.gz      a row a line, an array of its columns
                            /objects.jsonl.gz           a line for each object: key, size, SHA-256
                            /manifest.json              written last: nothing counts without it

Any database can load the rows: values are those of the fields, not of a database's columns.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Self

import orjson
from django.core.management import CommandError
from django.db import connection
from django.db.models import Field

from timba.db.fields import OrderedJSONField
from timba.files.storage import UNFINISHED, LocalStorage
from timba.folder_lock import folder_lock

FORMAT: Final = 1
# Fields whose values are the same in JSON and in every database.
_AS_WRITTEN: Final = frozenset(
    {
        *("AutoField", "BigAutoField", "BigIntegerField", "IntegerField", "SmallIntegerField"),
        *("PositiveBigIntegerField", "PositiveIntegerField", "PositiveSmallIntegerField"),
        *("BooleanField", "CharField", "FloatField", "TextField"),
    }
)
# All others are listed too: a test fails for a model that is in neither list.
BACKED_UP: Final = (
    "contenttypes.contenttype",
    "auth.permission",
    "auth.group",
    "auth.group_permissions",
    "accounts.client",
    "accounts.subscription",
    "accounts.role",
    "accounts.user",
    "accounts.user_groups",
    "accounts.user_user_permissions",
    "admin.logentry",
    "api.idempotentrequest",
    "events.stream",
    "events.outboxevent",
    "places.city",
    "consignments.consignment",
    "consignments.log",
    "consignments.deletedconsignment",
    "consignments.deletedlog",
    "consignments.barcodecounter",
    "notes.note",
    "files.file",
    "files.derivative",
    "files.filetext",
    "files.ocrjob",
    "files.importprofile",
    "temperatures.citytotals",
    "temperatures.dataversion",
)
LEFT_OUT: Final = {
    "sessions.session": "a restore ends all sign-ins",
    "accounts.tokenfamily": "a restore ends all sign-ins",
    "accounts.refreshtoken": "a restore ends all sign-ins",
    "accounts.ratelimit": "counts the last minutes",
    "axes.accessattempt": "counts the last minutes",
    "axes.accessattemptexpiration": "counts the last minutes",
    "axes.accessfailurelog": "is not written",
    "axes.accesslog": "is not written",
    "api.healthprobe": "holds nothing",
    "events.processlease": "belongs to a running process",
    "files.erasurehold": "belongs to a running process",
    "files.resumableupload": "names bytes that have not been accepted yet",
}


@dataclass(frozen=True, kw_only=True)
class RowsFile:
    """A file of rows; `model` is its label, such as `files.file`, `columns` are attributes.

    `last_number` is the highest id that the database has given, or None where it gives none.
    """

    model: str
    path: str
    columns: Sequence[str]
    rows: int
    sha256: str
    last_number: int | None


@dataclass(frozen=True, kw_only=True)
class ObjectsFile:
    """The list of objects; `bytes` is their total size."""

    path: str
    count: int
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a snapshot holds; `failures` has a sentence for each object that could not be copied."""

    version: str
    taken_at: str
    database: str
    migrations: Sequence[tuple[str, str]]
    rows: Sequence[RowsFile]
    objects: ObjectsFile
    failures: Sequence[str] = field(default_factory=list)
    format: int = FORMAT

    def dumps(self) -> bytes:
        """Return the manifest as JSON, with the SHA-256 of all else in it."""
        fields = asdict(self)
        return _dump_manifest({**fields, "sha256": _manifest_sha256(fields)})

    @classmethod
    def loads(cls, text: bytes) -> Self:
        """Raise ValueError, KeyError or TypeError for anything but a manifest of this format."""
        fields = orjson.loads(text)
        if fields["format"] != FORMAT:
            raise ValueError(f"the format {fields['format']}")
        sha256 = fields.pop("sha256", None)  # the first backups have none
        if sha256 not in (None, _manifest_sha256(fields)):
            raise ValueError("another SHA-256")
        rows = [RowsFile(**each) for each in fields.pop("rows")]
        return cls(rows=rows, objects=ObjectsFile(**fields.pop("objects")), **fields)


def _manifest_sha256(fields: dict[str, Any]) -> str:
    return hashlib.sha256(_dump_manifest(fields)).hexdigest()


def _dump_manifest(fields: dict[str, Any]) -> bytes:
    return orjson.dumps(fields, option=orjson.OPT_INDENT_2)


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectEntry:
    """An object as rows and manifests name it; of older derivatives only the key is known.

    `owner` describes it for people, such as “yard.csv”.
    """

    key: str
    size: int | None = None
    sha256: str = ""
    owner: str = ""


class BackupFolder:
    """A folder of backups."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.objects = LocalStorage(location=path / "objects")
        self.snapshots = path / "snapshots"

    def names(self) -> list[str]:
        """Return the names of the complete snapshots, oldest first."""
        return sorted(path.parent.name for path in self.snapshots.glob("*/manifest.json"))

    def snapshot(self, name: str) -> Path:
        return self.snapshots / name

    def manifest(self, name: str) -> Manifest:
        """Return a snapshot's manifest; raise CommandError where this Timba cannot read it."""
        path = self.snapshot(name) / "manifest.json"
        try:
            return Manifest.loads(path.read_bytes())
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise CommandError(
                f"{path} is no manifest that this Timba can read ({error}): it is damaged, or "
                "written by a later version."
            ) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Use the folder alone; raise CommandError while another process does."""

        def refuse() -> None:
            raise CommandError(
                f"Another backup or restore is using {self.path}. Wait until it has ended."
            )

        with folder_lock(self.path, if_held=refuse):
            yield

    def unfinished_objects(self) -> Iterator[Path]:
        """Yield what a killed backup has left of the objects that it was copying."""
        yield from (self.path / "objects" / UNFINISHED).glob("*")


def write_lines(path: Path, lines: Iterable[bytes]) -> tuple[int, str]:
    """Write lines to a gzip file durably; return their number and the SHA-256 of the file."""
    count = 0
    with path.open("xb") as file:
        with gzip.GzipFile(
            filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0
        ) as packed:
            for line in lines:
                packed.write(line + b"\n")
                count += 1
        file.flush()
        os.fsync(file.fileno())
    return count, file_sha256(path)


def read_lines(path: Path) -> Iterator[Any]:
    """Yield the decoded lines of a gzip file."""
    with gzip.open(path) as lines:
        for line in lines:
            yield orjson.loads(line)


def read_objects(path: Path) -> Iterator[ObjectEntry]:
    """Yield the objects of a snapshot."""
    for key, size, sha256, owner in read_lines(path):
        yield ObjectEntry(key=key, size=size, sha256=sha256, owner=owner)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def encode_row(fields: Sequence[Field[Any, Any]], values: Sequence[Any]) -> bytes:
    """Return the values of a row's fields as a JSON array."""
    row = [
        # The text itself, in which numbers have all their digits.
        field.get_prep_value(value) if isinstance(field, OrderedJSONField) else value
        for field, value in zip(fields, values, strict=True)
    ]
    return orjson.dumps(row, default=_encode, option=orjson.OPT_UTC_Z)


def _encode(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} cannot be written to a backup")


def row_loader(
    fields: Sequence[Field[Any, Any]],
) -> Callable[[Sequence[Any]], list[Any]]:
    """Return a function that turns a decoded line into the parameters of an INSERT."""
    loaders = [_loader(field) for field in fields]

    def load(values: Sequence[Any]) -> list[Any]:
        return [
            value if loader is None or value is None else loader(value)
            for loader, value in zip(loaders, values, strict=True)
        ]

    return load


def _loader(field: Any) -> Callable[[Any], Any] | None:
    """Return what converts a field's value for the database; None where nothing has to."""
    while field.is_relation:
        field = field.target_field
    if field.get_internal_type() in _AS_WRITTEN:
        return None
    return lambda value: field.get_db_prep_save(field.to_python(value), connection)


def snapshot_name(moment: datetime) -> str:
    """Return the name of a snapshot, which sorts by time: 20261129T093000Z."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
