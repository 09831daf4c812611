"""Archives are written file by file, under names that every system can store."""

from __future__ import annotations

import io
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import BinaryIO
from zipfile import BadZipFile, ZipFile

import pytest

from tests.files.conftest import FinishUpload, Receive
from timba.files import archive
from timba.files.archive import ArchivedFile, portable_name, unique_names, write_archive
from timba.files.models import File
from timba.files.storage import FileDamaged, LocalStorage, store

pytestmark = pytest.mark.django_db


def archived(file: File, name: str = "") -> ArchivedFile:
    return ArchivedFile(
        name=name or file.name,
        storage_key=file.storage_key,
        sha256=file.sha256,
        size=file.size,
        kind=file.kind,
        modified_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
    )


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[BinaryIO]:
    """Return the streams that are opened from now on."""
    streams: list[BinaryIO] = []
    original = LocalStorage.open_bytes

    def open_bytes(self: LocalStorage, key: str) -> BinaryIO:
        streams.append(original(self, key))
        return streams[-1]

    monkeypatch.setattr(LocalStorage, "open_bytes", open_bytes)
    return streams


def test_one_file_is_open_at_a_time_and_its_bytes_are_sent_as_they_are_read(
    receive: Receive, opened: list[BinaryIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "_CHUNK_BYTES", 10)
    files = [receive(f"{number}" * 100, name=f"{number}.txt") for number in range(2)]
    chunks = write_archive(map(archived, files))
    assert opened == []
    taken = [next(chunks) for _ in range(5)]
    assert (len(opened), opened[0].tell()) == (1, 50)
    taken += chunks
    assert [stream.closed for stream in opened] == [True, True]
    with ZipFile(io.BytesIO(b"".join(taken))) as complete:
        assert complete.read("1.txt") == b"1" * 100


def test_a_caller_that_leaves_frees_the_file(receive: Receive, opened: list[BinaryIO]) -> None:
    chunks = write_archive([archived(receive("larch\n"))])
    next(chunks)
    chunks.close()  # type: ignore[attr-defined]
    assert opened[0].closed


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_an_archive_that_cannot_be_completed_is_no_archive(receive: Receive, damage: str) -> None:
    first, second = receive("larch\n"), receive("birch\n")
    store().delete(second.storage_key)
    if damage == "changed":
        with store().create(second.storage_key) as writer:
            writer.write(b"Birch\n")
    files = [archived(first, "a.txt"), archived(second, "b.txt")]
    taken: list[bytes] = []
    with pytest.raises((FileNotFoundError, FileDamaged)):
        taken.extend(write_archive(files))
    assert taken
    with pytest.raises(BadZipFile):
        ZipFile(io.BytesIO(b"".join(taken)))


def test_a_reader_of_the_stream_finds_the_end_of_what_is_compressed_already(
    receive: Receive, finish_upload: FinishUpload
) -> None:
    """As programs do that read the archive while it arrives, without its central directory."""
    file = receive("larch\n")
    file.kind = "photo"
    content = b"".join(write_archive([archived(file, "a.jpg")]))
    start = 30 + len("a.jpg")
    decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
    assert decompressor.decompress(content[start:]) == b"larch\n"
    assert decompressor.eof
    assert decompressor.unused_data.startswith(b"PK\x07\x08")


def test_files_of_4_gigabytes_have_room_for_their_length(receive: Receive) -> None:
    file = archived(receive("larch\n"))
    large = replace(file, size=5 * 1024**3)
    contents = [b"".join(write_archive([each])) for each in (file, large)]
    versions = [int.from_bytes(content[4:6], "little") for content in contents]
    assert versions == [20, 45]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("load.jpg", "load.jpg"),
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("..", "_"),
        (". .", "_"),
        ("C:\\a.txt", "C__a.txt"),
        ('a<b>:"|?*.txt', "a_b______.txt"),
        ("line\nfeed\t.txt", "line_feed_.txt"),
        ("\u202egpj.exe", "_gpj.exe"),
        ("trailing. ", "trailing"),
        ("CON", "_CON"),
        ("con.txt", "_con.txt"),
        ("lpt¹.csv", "_lpt¹.csv"),
        ("console.txt", "console.txt"),
        ("K\u0327emeri.jpg", "Ķemeri.jpg"),
        ("木" * 255 + ".jpeg", "木" * 65 + ".jpeg"),
        ("x" * 255, "x" * 200),
        ("a." + "y" * 253, ("a." + "y" * 253)[:200]),
    ],
)
def test_names_are_portable(name: str, expected: str) -> None:
    assert portable_name(name) == expected


def test_names_that_are_alike_are_numbered() -> None:
    names = ["a.jpg", "A.JPG", "a (2).jpg", "a.jpg", "K\u0327", "Ķ", "ķ", "b.tar.gz", "b.tar.gz"]
    assert unique_names(names) == [
        *("a.jpg", "A (2).JPG", "a (2) (2).jpg", "a (3).jpg"),
        *("Ķ", "Ķ (2)", "ķ (3)", "b.tar.gz", "b.tar (2).gz"),
    ]
    long = unique_names(["x" * 255 + ".jpg"] * 1000)
    assert len({name.casefold() for name in long}) == 1000
    assert {len(name) for name in long} == {200}
    assert long[-1].endswith("x (1000).jpg")
