"""Objects in a directory: durable once committed, never overwritten, deleted for good."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import resource
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile

from tests.files.conftest import Objects
from timba.files.storage import FileDamaged, LocalStorage, VerifiedStream, new_key, store

Syscalls = list[tuple[str, str]]


@pytest.fixture
def syscalls(monkeypatch: pytest.MonkeyPatch) -> Syscalls:
    """Return a list to which each fsync and link from now on is appended."""
    seen: Syscalls = []
    fsync, link = os.fsync, os.link

    def note_fsync(descriptor: int) -> None:
        seen.append(("fsync", str(Path(f"/proc/self/fd/{descriptor}").readlink())))
        fsync(descriptor)

    def note_link(source: object, target: object) -> None:
        seen.append(("link", str(target)))
        link(source, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "link", note_link)
    return seen


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Make writes beyond a size fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def put(content: bytes = b"larch", *, key: str | None = None) -> str:
    key = key or new_key()
    with store().create(key) as writer:
        writer.write(content)
    return key


@pytest.mark.parametrize("key", ["../secret_key", "ab/../../secret_key", "{}/secret_key"])
def test_a_key_that_leads_out_of_the_folder_is_refused(key: str, tmp_path: Path) -> None:
    storage = LocalStorage(location=tmp_path / "files")
    (tmp_path / "secret_key").touch()
    for call in (storage.open_bytes, storage.create, storage.purge, storage.exists):
        with pytest.raises(SuspiciousFileOperation):
            call(key.format(tmp_path))
    assert (tmp_path / "secret_key").exists()


def test_an_object_is_read_as_it_was_written(objects: Objects) -> None:
    content = os.urandom(300_000)
    key = put(content)
    with store().open_bytes(key) as stream:
        assert stream.read() == content
    assert store().exists(key)
    assert store().size(key) == len(content)
    assert objects() == {key}


def test_keys_are_new_and_spread_over_folders() -> None:
    keys = [new_key() for _ in range(1000)]
    assert len(set(keys)) == 1000
    folders = {key.split("/")[0] for key in keys}
    assert 200 < len(folders) <= 256
    assert all(uuid.UUID(key.split("/")[1]).hex.startswith(key[:2]) for key in keys)


def test_an_object_is_never_overwritten(objects: Objects) -> None:
    key = put(b"the first")
    with pytest.raises(FileExistsError):
        put(b"the second", key=key)
    with store().open_bytes(key) as stream:
        assert stream.read() == b"the first"
    assert objects() == {key}


def test_an_object_exists_only_when_it_is_complete() -> None:
    key = new_key()
    writer = store().create(key)
    writer.write(b"lar")
    assert not store().exists(key)
    with pytest.raises(FileNotFoundError):
        store().open_bytes(key)
    writer.write(b"ch")
    writer.commit()
    assert store().size(key) == 5


def test_a_writer_that_is_aborted_or_fails_leaves_nothing(objects: Objects) -> None:
    writer = store().create(new_key())
    writer.write(b"larch")
    writer.abort()
    with pytest.raises(TypeError), store().create(new_key()) as writer:
        writer.write("not bytes")
    assert objects() == set()


def test_bytes_are_synced_before_they_get_their_name_and_folders_after(
    store_folder: Path, syscalls: Syscalls
) -> None:
    put()
    syscalls.clear()
    key = put()
    final = store_folder / key
    assert syscalls == [
        ("fsync", str(store_folder / "unfinished" / final.name)),
        ("link", str(final)),
        ("fsync", str(final.parent)),
        ("fsync", str(store_folder)),
    ]


def test_a_folder_that_another_upload_has_just_made_is_synced_too(
    store_folder: Path, syscalls: Syscalls
) -> None:
    key = new_key()
    writer = store().create(key)
    writer.write(b"larch")
    (store_folder / key).parent.mkdir()
    syscalls.clear()
    writer.commit()
    assert ("fsync", str(store_folder)) in syscalls


def test_the_stores_own_folder_is_synced_where_it_is_made(
    store_folder: Path, syscalls: Syscalls
) -> None:
    put()
    assert syscalls[0] == ("fsync", str(store_folder.parent))


def test_a_deleted_object_stays_deleted_after_a_power_failure(
    store_folder: Path, syscalls: Syscalls, objects: Objects
) -> None:
    key = put()
    (store_folder / "unfinished" / key.split("/")[1]).write_bytes(b"the name before")
    syscalls.clear()
    store().purge(key)
    assert objects() == set()
    assert syscalls == [
        ("fsync", str(store_folder / "unfinished")),
        ("fsync", str((store_folder / key).parent)),
    ]


def test_deleting_a_missing_object_does_nothing(syscalls: Syscalls) -> None:
    store().delete(new_key())
    assert syscalls == []


def test_a_full_disk_is_an_error_and_leaves_nothing(objects: Objects) -> None:
    with pytest.raises(OSError, match="File too large"), no_file_larger_than(100_000):
        put(bytes(1_000_000))
    assert objects() == set()


def test_a_writer_is_aborted_also_where_the_disk_is_too_full_to_close_it(objects: Objects) -> None:
    writer = store().create(new_key())
    writer.write(bytes(1000))
    with no_file_larger_than(10):
        writer.abort()
    assert objects() == set()


def test_a_commit_that_fails_in_the_end_leaves_no_unfinished_object(
    objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_is_full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store().create(new_key()).abort()
    monkeypatch.setattr(os, "fsync", disk_is_full)
    with pytest.raises(OSError, match="No space left"):
        put()
    assert objects() == set()


def test_djangos_storage_api_is_as_durable(syscalls: Syscalls) -> None:
    name = store().save(new_key(), ContentFile(b"larch"))
    with store().open(name) as file:
        assert file.read() == b"larch"
    assert [call for call, _ in syscalls][-4:] == ["fsync", "link", "fsync", "fsync"]


def test_a_store_that_can_be_written_to_passes_its_check(objects: Objects) -> None:
    store().check()
    assert objects() == set()


def test_a_store_that_cannot_be_written_to_fails_its_check(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="exists|Not a directory"):
        LocalStorage(location=tmp_path / "file").check()


# --- Verified streams ----------------------------------------------------------------------------

CONTENT = bytes(range(256)) * 1000


def stream_of(content: bytes, *, uploaded: bytes = CONTENT) -> VerifiedStream:
    return VerifiedStream(io.BytesIO(content), sha256=hashlib.sha256(uploaded).hexdigest())


def in_pieces(stream: VerifiedStream) -> bytes:
    return b"".join(iter(lambda: stream.read(1000), b""))


def into_a_buffer(stream: VerifiedStream) -> bytes:
    return b"".join(io.BufferedReader(stream))


def at_once(stream: VerifiedStream) -> bytes:
    return stream.read()


WAYS = pytest.mark.parametrize("read", [at_once, in_pieces, into_a_buffer])


@WAYS
def test_the_uploaded_bytes_are_read_as_they_are(read) -> None:
    with stream_of(CONTENT) as stream:
        assert read(stream) == CONTENT


@WAYS
@pytest.mark.parametrize(
    "stored",
    [CONTENT[:-1], CONTENT + b"x", b"", CONTENT[:1000] + b"\xff" + CONTENT[1001:]],
    ids=["cut off", "longer", "empty", "one byte changed"],
)
def test_other_bytes_raise_file_damaged_at_their_end(read, stored: bytes) -> None:
    with stream_of(stored) as stream, pytest.raises(FileDamaged):
        read(stream)


def test_bytes_are_not_verified_before_their_end() -> None:
    with stream_of(CONTENT[:10]) as stream:
        assert stream.read(0) == b""
        assert stream.read(4) == CONTENT[:4]
        assert stream.read(100) == CONTENT[4:10]
        with pytest.raises(FileDamaged):
            stream.read(1)


def test_closing_closes_the_underlying_stream() -> None:
    underlying = io.BytesIO(CONTENT)
    VerifiedStream(underlying, sha256="").close()
    assert underlying.closed
