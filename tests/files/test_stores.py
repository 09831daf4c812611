"""Every object store behaves alike: a directory, VersityGW and MinIO."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import IO, Any

import botocore.auth
import pytest
from botocore.exceptions import ClientError
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from tests.servers import DedicatedServer, S3Server, record_connections
from timba.config.env import parse_storage_url
from timba.files.s3 import PART_BYTES, S3Storage
from timba.files.s3_reader import S3Reader
from timba.files.storage import (
    UNFINISHED,
    LocalStorage,
    ObjectStore,
    StorageUnavailable,
    new_key,
)
from tools.servers.s3 import VersityGW

# Two attempts of three seconds are far below, those of a minute, botocore's default, far above.
QUICK_SECONDS = 60.0
# Its first three windows are smaller, so that the last request is for more than buffers hold.
BIG = 40 * 1024 * 1024


def bucket_of(server: S3Server) -> S3Storage:
    """Create a new bucket; return its storage."""
    bucket = f"facts-{uuid.uuid4().hex[:12]}"
    storage = S3Storage(**parse_storage_url(server.storage_url(bucket)))
    storage.client.create_bucket(Bucket=bucket)
    return storage


@pytest.fixture(scope="module", params=["versitygw", "minio"])
def server(request: pytest.FixtureRequest) -> S3Server:
    server: S3Server = request.getfixturevalue(request.param)
    return server


@pytest.fixture(scope="module")
def s3(server: S3Server) -> S3Storage:
    return bucket_of(server)


@pytest.fixture(scope="module", params=["folder", "versitygw", "minio"])
def objects(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a store of each implementation."""
    if request.param == "folder":
        return LocalStorage(location=tmp_path_factory.mktemp("objects"))
    return bucket_of(request.getfixturevalue(request.param))


@pytest.fixture
def calls(s3: S3Storage) -> Iterator[list[str]]:
    with recorded_calls(s3) as calls:
        yield calls


@contextmanager
def recorded_calls(s3: S3Storage) -> Iterator[list[str]]:
    """Yield a list to which the name of each request is appended."""
    calls: list[str] = []

    def note(model: Any, **_: Any) -> None:
        calls.append(model.name)

    for client in (s3.client, s3.long_timeout_client):
        client.meta.events.register("before-call.s3", note)
    yield calls
    for client in (s3.client, s3.long_timeout_client):
        client.meta.events.unregister("before-call.s3", note)


def put(objects: ObjectStore, content: bytes | Sequence[Any], *, key: str = "") -> str:
    """Write an object in the given chunks, or in those of an upload."""
    key = key or new_key()
    if isinstance(content, bytes):
        pieces = range(0, len(content), 1024 * 1024)
        content = [content[start : start + 1024 * 1024] for start in pieces]
    with objects.create(key) as writer:
        for piece in content:
            writer.write(piece)
    return key


@pytest.mark.only_on("sqlite")
@pytest.mark.django_db(transaction=True)
def test_a_store_cannot_be_used_inside_a_transaction(objects: ObjectStore) -> None:
    key, begun = put(objects, b"larch"), objects.create(new_key())
    operations: list[Callable[[], object]] = [
        partial(objects.create, new_key()),
        partial(objects.open_bytes, key),
        partial(objects.delete, key),
        partial(objects.purge, key),
        partial(objects.exists, key),
        partial(objects.size, key),
        objects.check,
        partial(begun.write, bytes(PART_BYTES)),
        begun.commit,
    ]
    with transaction.atomic():
        for operation in operations:
            with pytest.raises(RuntimeError, match="was called inside a transaction"):
                operation()
    begun.abort()
    with objects.open_bytes(key) as stored:
        assert stored.read() == b"larch"


def get(objects: ObjectStore, key: str) -> bytes:
    with objects.open_bytes(key) as stream:
        return stream.read()


def uploads_begun(s3: S3Storage, key: str) -> list[str]:
    begun = s3.client.list_multipart_uploads(Bucket=s3.bucket, Prefix=key).get("Uploads") or []
    return [upload["UploadId"] for upload in begun]


class TestEveryStore:
    @pytest.mark.parametrize("size", [0, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1])
    def test_an_object_is_read_as_it_was_written(self, objects: ObjectStore, size: int) -> None:
        content = os.urandom(size)
        key = put(objects, content)
        assert objects.exists(key)
        assert objects.size(key) == size
        assert hashlib.sha256(get(objects, key)).digest() == hashlib.sha256(content).digest()
        objects.delete(key)

    @pytest.mark.parametrize("size", [5, PART_BYTES + 5])
    def test_an_object_is_written_once(self, objects: ObjectStore, size: int) -> None:
        key = put(objects, b"1" * size)
        with pytest.raises(FileExistsError):
            put(objects, b"2" * size, key=key)
        assert get(objects, key) == b"1" * size

    @pytest.mark.parametrize("size", [5, PART_BYTES + 5])
    def test_an_object_exists_only_when_it_is_complete(
        self, objects: ObjectStore, size: int
    ) -> None:
        key = new_key()
        writer = objects.create(key)
        writer.write(b"x" * size)
        assert writer.tell() == size
        assert not objects.exists(key)
        with pytest.raises(FileNotFoundError):
            objects.open_bytes(key)
        with pytest.raises(FileNotFoundError):
            objects.size(key)
        writer.commit()
        writer.abort()
        assert objects.size(key) == size, "what is committed cannot be aborted any more"

    @pytest.mark.parametrize("size", [5, PART_BYTES + 5])
    def test_a_writer_that_is_aborted_or_fails_leaves_nothing(
        self, objects: ObjectStore, size: int
    ) -> None:
        key = new_key()
        writer = objects.create(key)
        writer.write(b"x" * size)
        writer.abort()
        with pytest.raises(TypeError):
            put(objects, [b"x" * size, None], key=key)
        assert not objects.exists(key)
        if isinstance(objects, S3Storage):
            assert uploads_begun(objects, key) == []

    def test_a_stream_seeks_and_reads_ranges(self, objects: ObjectStore) -> None:
        content = os.urandom(3 * 1024 * 1024 + 17)
        key = put(objects, content)
        with objects.open_bytes(key) as stream:
            assert stream.seek(-17, io.SEEK_END) == len(content) - 17
            assert stream.read() == content[-17:]
            assert stream.read(1) == b""
            for start, length in ((0, 10), (2_000_000, 1_500_000), (5, 1), (1024 * 1024, 4096)):
                stream.seek(start)
                assert stream.tell() == start
                assert stream.read(length) == content[start : start + length]
            stream.seek(len(content) + 100)
            assert stream.read(10) == b""
            stream.seek(10)
            stream.seek(20, io.SEEK_CUR)
            assert stream.read(5) == content[30:35]

    def test_a_deleted_object_is_gone_and_deleting_it_again_does_nothing(
        self, objects: ObjectStore
    ) -> None:
        key = put(objects, b"larch")
        for _ in range(2):
            objects.delete(key)
            objects.purge(key)
            assert not objects.exists(key)
            with pytest.raises(FileNotFoundError):
                objects.open_bytes(key)

    @pytest.mark.parametrize("size", [5, PART_BYTES + 5])
    def test_an_unfinished_object_is_purged(self, objects: ObjectStore, size: int) -> None:
        key, other = new_key(), new_key()
        survivor = objects.create(other)
        survivor.write(b"y" * size)
        crashed = objects.create(key)
        crashed.write(b"x" * size)
        objects.purge(key)
        crashed.abort()
        if isinstance(objects, S3Storage):
            assert uploads_begun(objects, key) == []
        survivor.commit()
        assert objects.size(other) == size

    def test_complete_objects_are_listed_with_their_sizes_and_times(
        self, objects: ObjectStore
    ) -> None:
        keys = {put(objects, b"x" * size): size for size in (1, 70_000)}
        unfinished = objects.create(new_key())
        unfinished.write(b"not yet")
        listed = {found.key: found for found in objects.list_objects()}
        unfinished.abort()
        assert {key: listed[key].size for key in keys} == keys
        assert UNFINISHED not in {key.partition("/")[0] for key in listed}
        now = dt.datetime.now(dt.UTC)
        assert all(abs(now - listed[key].modified_at) < dt.timedelta(minutes=5) for key in keys)
        [first, *_] = keys
        within = {found.key for found in objects.list_objects(first[:3])}
        assert within == {key for key in listed if key.startswith(first[:3])}

    def test_a_working_store_passes_its_check(self, objects: ObjectStore) -> None:
        objects.check()


class TestS3:
    def test_of_two_writers_of_one_key_the_first_to_commit_wins(self, s3: S3Storage) -> None:
        for size in (5, PART_BYTES + 1):
            key = new_key()
            first, second = s3.create(key), s3.create(key)
            first.write(b"1" * size)
            second.write(b"2" * size)
            first.commit()
            with pytest.raises(FileExistsError):
                second.commit()
            second.abort()
            assert get(s3, key) == b"1" * size
            assert uploads_begun(s3, key) == []

    def test_nothing_lists_the_bucket_but_a_purge(self, s3: S3Storage, calls: list[str]) -> None:
        small = put(s3, b"larch")
        assert calls == ["PutObject"]
        calls.clear()
        large = put(s3, b"x" * (2 * PART_BYTES + 1))
        assert calls == [
            "CreateMultipartUpload",
            *["UploadPart"] * 3,
            "CompleteMultipartUpload",
        ]
        calls.clear()
        assert get(s3, small) == b"larch"
        assert calls == ["HeadObject", "GetObject"]
        calls.clear()
        s3.exists(large)
        s3.check()
        s3.delete(large)
        assert calls == ["HeadObject", "PutObject", "DeleteObject", "DeleteObject"]
        calls.clear()
        s3.purge(small)
        assert "ListMultipartUploads" in calls

    def test_a_long_object_is_read_in_few_requests(self, s3: S3Storage, calls: list[str]) -> None:
        key = put(s3, b"x" * (10 * 1024 * 1024))
        calls.clear()
        with s3.open_bytes(key) as stream:
            while stream.read(100_000):
                pass
        assert calls == ["HeadObject", *["GetObject"] * 3]

    def test_a_commit_whose_response_was_lost_counts(
        self, s3: S3Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for size in (5, PART_BYTES + 5):
            key = new_key()
            writer = s3.create(key)
            writer.write(b"x" * size)
            for client, name in (
                (s3.client, "put_object"),
                (s3.long_timeout_client, "complete_multipart_upload"),
            ):
                monkeypatch.setattr(client, name, _twice(getattr(client, name)))
            writer.commit()
            assert s3.size(key) == size
            monkeypatch.undo()

    def test_bytes_that_arrive_damaged_are_refused(self, s3: S3Storage) -> None:
        def damage(request: Any, **_: Any) -> None:
            request.body = io.BytesIO(b"y" * len(request.body.getvalue()))

        for size, request in ((1000, "PutObject"), (PART_BYTES + 5, "UploadPart")):
            key, event = new_key(), f"before-send.s3.{request}"
            s3.client.meta.events.register(event, damage)
            try:
                with pytest.raises(OSError, match="XAmzContentSHA256Mismatch"):
                    put(s3, b"x" * size, key=key)
            finally:
                s3.client.meta.events.unregister(event, damage)
            assert not s3.exists(key)

    def test_the_bytes_are_signed_over_tls_too(self) -> None:
        class Sent(Exception):
            pass

        def stop(request: Any, **_: Any) -> None:
            raise Sent(request.headers["X-Amz-Content-SHA256"])

        s3 = S3Storage(**parse_storage_url("s3://key:secret@localhost:1/bucket"))
        s3.client.meta.events.register("before-send.s3.PutObject", stop)
        with pytest.raises(Sent, match=hashlib.sha256(b"larch").hexdigest()):
            put(s3, b"larch")

    def test_a_part_is_sent_while_the_next_one_is_collected(self, s3: S3Storage) -> None:
        is_collected = threading.Event()

        def wait_for_the_next(**_: Any) -> None:
            assert is_collected.wait(60)

        event = "before-call.s3.UploadPart"
        s3.client.meta.events.register(event, wait_for_the_next)
        try:
            with s3.create(new_key()) as writer:
                writer.write(b"x" * PART_BYTES)
                writer.write(b"y" * (PART_BYTES - 1))
                is_collected.set()
        finally:
            s3.client.meta.events.unregister(event, wait_for_the_next)

    def test_no_part_arrives_after_its_upload_was_aborted(self, s3: S3Storage) -> None:
        calls: list[str] = []
        goes_on = threading.Event()

        def slow(**_: Any) -> None:
            assert goes_on.wait(60)
            calls.append("part")

        ended = partial(calls.append, "aborted")
        events = s3.client.meta.events
        events.register("before-call.s3.UploadPart", slow)
        events.register("before-call.s3.AbortMultipartUpload", lambda **_: ended())
        writer = s3.create(new_key())
        writer.write(b"x" * PART_BYTES)
        threading.Timer(0.2, goes_on.set).start()
        writer.abort()
        assert calls == ["part", "aborted"]


def _twice(call: Callable[..., Any]) -> Callable[..., Any]:
    """Send a request twice, as when the first response was lost."""

    def again(**arguments: Any) -> Any:
        call(**arguments)
        if "Body" in arguments:
            arguments["Body"].seek(0)
        return call(**arguments)

    return again


@pytest.fixture(scope="module")
def own() -> Iterator[DedicatedServer]:
    with DedicatedServer(VersityGW()) as own:
        yield own


@pytest.fixture
def own_s3(own: DedicatedServer) -> Iterator[S3Storage]:
    storage = S3Storage(**parse_storage_url(own.variables()["STORAGE_URL"]))
    with suppress(ClientError):
        storage.client.create_bucket(Bucket=storage.bucket)
    yield storage
    storage.client.close()
    storage.long_timeout_client.close()


class TestAServerThatDoesNotAnswer:
    def test_a_silent_server_is_unavailable_within_seconds(
        self, own: DedicatedServer, own_s3: S3Storage
    ) -> None:
        key = put(own_s3, b"x" * (2 * PART_BYTES))
        begun = own_s3.create(new_key())
        begun.write(b"x" * PART_BYTES)
        stream = own_s3.open_bytes(key)
        ways: list[Callable[[], object]] = [
            own_s3.check,
            partial(put, own_s3, b"larch"),
            partial(begun.write, b"x" * PART_BYTES),
            partial(own_s3.open_bytes, key),
            partial(stream.read, 10),
            partial(own_s3.delete, key),
        ]
        own.pause()
        try:
            with ThreadPoolExecutor(len(ways)) as pool:
                took = list(pool.map(unavailable_after, ways))
        finally:
            own.resume()
        assert max(took) < QUICK_SECONDS, took
        stream.close()
        begun.commit()
        assert own_s3.exists(key) is False, "the server had the request to delete it in its buffer"

    def test_a_server_that_stops_sending_is_unavailable(
        self, own: DedicatedServer, own_s3: S3Storage
    ) -> None:
        key = put(own_s3, b"x" * BIG)
        with own_s3.open_bytes(key) as stream:
            stream.seek(2 * 1024 * 1024)
            assert len(stream.read(6 * 1024 * 1024)) == 6 * 1024 * 1024
            own.pause()
            try:
                assert unavailable_after(stream.read) < QUICK_SECONDS
            finally:
                own.resume()
            assert set(stream.read()) == {ord("x")}

    def test_reading_resumes_where_a_connection_broke(
        self, own: DedicatedServer, own_s3: S3Storage
    ) -> None:
        content = os.urandom(BIG)
        key = put(own_s3, content)
        with recorded_calls(own_s3) as calls, own_s3.open_bytes(key) as stream:
            beginning = b"".join(stream.read(1024 * 1024) for _ in range(22))
            own.kill()
            own.start()
            assert beginning + stream.read() == content
        assert calls == ["HeadObject", *["GetObject"] * 5], "one more than without a break"

    def test_a_server_that_is_down_is_unavailable_after_two_attempts_and_used_again_later(
        self, own: DedicatedServer, own_s3: S3Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = put(own_s3, b"larch")
        own.kill()
        with monkeypatch.context() as watched:
            called = record_connections(watched)
            for way in (own_s3.check, partial(own_s3.size, key)):
                with pytest.raises(StorageUnavailable):
                    way()
        own.start()
        assert len(called) <= 4, called
        assert get(own_s3, key) == b"larch"


def test_reading_fails_when_every_connection_breaks() -> None:
    bodies: list[io.BytesIO] = []

    def fetch(start: int, stop: int) -> IO[bytes]:
        """Return a body that ends at once, as after a broken connection."""
        bodies.append(io.BytesIO())
        return bodies[-1]

    with pytest.raises(StorageUnavailable, match="breaks the connection repeatedly"):
        S3Reader(fetch=fetch, size=5).read()
    assert [body.closed for body in bodies] == [True] * 3


def unavailable_after(way: Callable[[], object]) -> float:
    """Return after how many seconds the request raises StorageUnavailable."""
    started = time.monotonic()
    with pytest.raises(StorageUnavailable):
        way()
    return time.monotonic() - started


class TestConfigurationErrors:
    def test_each_error_has_a_sentence(
        self, server: S3Server, s3: S3Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        right = parse_storage_url(server.storage_url(s3.bucket))
        assert configuration_error(right) == ""
        assert configuration_error({**right, "key": "nobody"}) == (
            "STORAGE_URL names a key that the S3 server does not know. Correct it."
        )
        assert configuration_error({**right, "secret": "of another key"}) == (
            "STORAGE_URL's secret is not that of its key. Correct it."
        )
        assert configuration_error({**right, "bucket": "elsewhere"}) == (
            "STORAGE_URL names the bucket “elsewhere”, which does not exist. Make it first."
        )
        clock = botocore.auth.get_current_datetime

        def late_clock(*arguments: Any, **named: Any) -> dt.datetime:
            now: dt.datetime = clock(*arguments, **named)
            return now - dt.timedelta(hours=1)

        monkeypatch.setattr(botocore.auth, "get_current_datetime", late_clock)
        assert configuration_error(right) == (
            "The clocks of this machine and of the S3 server differ too much. Set them right."
        )

    def test_a_key_that_is_revoked_while_timba_runs_makes_files_wait(
        self, server: S3Server, s3: S3Storage
    ) -> None:
        key = put(s3, b"larch")
        right = parse_storage_url(server.storage_url(s3.bucket))
        revoked = S3Storage(**{**right, "secret": "of another key"})
        for way in (partial(put, revoked, b"larch"), partial(get, revoked, key)):
            with pytest.raises(StorageUnavailable):
                way()
        revoked.client.close()


def configuration_error(options: dict[str, str]) -> str:
    """Return the sentence with which a configuration is refused, or ""."""
    tried = S3Storage(**options)
    try:
        tried.check()
    except ImproperlyConfigured as refused:
        return str(refused)
    finally:
        tried.client.close()
    return ""
