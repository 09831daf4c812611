"""Keeps objects in S3 or a compatible server: AWS, VersityGW, MinIO.

Small objects are uploaded in one request, large ones in parts; an upload that is not completed is
invisible. A key is written at most once. The signature of a request holds the SHA-256 of its bytes,
over TLS too, so the server refuses bytes that arrive damaged. Only backups, restores and `fsck`
list the bucket, and `purge` looks for parts that a crash has left.
"""

from __future__ import annotations

import io
import threading
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cache, cached_property, partial
from typing import IO, Any, BinaryIO, Final, cast

import boto3
from botocore.config import Config
from botocore.handlers import add_expect_header
from django.core.exceptions import ImproperlyConfigured
from django.core.files import File as DjangoFile
from django.core.files.storage import Storage

from timba.db.transactions import outside_transactions
from timba.failpoints import failpoint
from timba.files.processors.base import ObjectWriter
from timba.files.s3_errors import configuration_error, translate_errors
from timba.files.s3_reader import S3Reader
from timba.files.storage import StoredObject

# S3 takes parts of 5 MiB and more, except for the last one, and at most 10,000 of them.
PART_BYTES: Final = 8 * 1024 * 1024
_PARTS_BEFORE_DOUBLING: Final = 1000
_READ_BUFFER_BYTES: Final = 1024 * 1024
# Two attempts of this length and a pause of up to a second: seven seconds.
_READ_TIMEOUT: Final = 3
# Some servers copy all parts into one object before they answer.
_COMPLETE_TIMEOUT: Final = 300
_PROBE_KEY: Final = "timba-probe"

# Creating a session reads large files. Its clients are thread-safe, it is not.
_session = cache(boto3.session.Session)
_session_lock = threading.Lock()


class S3Storage(Storage):
    """Objects in one bucket."""

    def __init__(self, *, endpoint: str, key: str, secret: str, bucket: str, region: str) -> None:
        self.bucket = bucket
        # As boto3 names them.
        self._settings = {
            "endpoint_url": endpoint,
            "aws_access_key_id": key,
            "aws_secret_access_key": secret,
            "region_name": region,
        }

    @cached_property
    def client(self) -> Any:
        """The connection pool, created at its first use, which is after any fork."""
        return self._connect(read_timeout=_READ_TIMEOUT, attempts=2)

    @cached_property
    def long_timeout_client(self) -> Any:
        """A connection pool for the one request that may take minutes."""
        return self._connect(read_timeout=_COMPLETE_TIMEOUT, attempts=1)

    def iceberg_properties(self) -> dict[str, str]:
        """Return the properties with which PyIceberg connects, which hold the secret key."""
        return {
            "s3.endpoint": self._settings["endpoint_url"],
            "s3.access-key-id": self._settings["aws_access_key_id"],
            "s3.secret-access-key": self._settings["aws_secret_access_key"],
            "s3.region": self._settings["region_name"],
        }

    @outside_transactions
    def create(self, key: str) -> ObjectWriter:
        """Open a new object for writing; its commit raises FileExistsError if `key` is taken."""
        return S3Writer(storage=self, key=key)

    def open_bytes(self, key: str) -> BinaryIO:
        """Return a seekable stream of the object; raise FileNotFoundError if there is none."""
        size = self.size(key)

        def fetch(start: int, stop: int) -> IO[bytes]:
            with translate_errors():
                response = self.client.get_object(
                    Bucket=self.bucket, Key=key, Range=f"bytes={start}-{stop - 1}"
                )
            return cast("IO[bytes]", response["Body"])

        reader = S3Reader(fetch=fetch, size=size)
        return cast("BinaryIO", io.BufferedReader(reader, _READ_BUFFER_BYTES))

    def delete(self, name: str) -> None:
        """Delete a complete object; do nothing if there is none."""
        with translate_errors():
            self.client.delete_object(Bucket=self.bucket, Key=name)
            failpoint("s3.erased")

    def purge(self, name: str) -> None:
        """Delete an object and the parts of its uploads that were never completed."""
        self.delete(name)
        with translate_errors():
            response = self.client.list_multipart_uploads(Bucket=self.bucket, Prefix=name)
            failpoint("s3.parts_listed")
            for upload in response.get("Uploads") or ():
                if upload["Key"] == name:
                    self.client.abort_multipart_upload(
                        Bucket=self.bucket, Key=name, UploadId=upload["UploadId"]
                    )

    def exists(self, name: str) -> bool:
        try:
            self.size(name)
        except FileNotFoundError:
            return False
        return True

    def size(self, name: str) -> int:
        return int(self.head(name)["ContentLength"])

    def head(self, name: str) -> Mapping[str, Any]:
        """Return an object's metadata; raise FileNotFoundError if there is none."""
        with translate_errors():
            return cast("Mapping[str, Any]", self.client.head_object(Bucket=self.bucket, Key=name))

    def list_objects(self, prefix: str = "") -> Iterator[StoredObject]:
        """Yield all complete objects, a thousand in a request; or those of a directory."""
        with translate_errors():
            pages = self.client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.bucket, Prefix=prefix):
                for entry in page.get("Contents") or ():
                    yield StoredObject(
                        key=entry["Key"], size=entry["Size"], modified_at=entry["LastModified"]
                    )

    def check(self) -> None:
        """Raise StorageUnavailable or ImproperlyConfigured unless an object can be stored now."""
        probe = {"Bucket": self.bucket, "Key": _PROBE_KEY}
        put = partial(self.client.put_object, **probe, Body=io.BytesIO(b"probe"))
        delete = partial(self.client.delete_object, **probe)
        for request in (put, delete):
            if sentence := configuration_error(request, bucket=self.bucket):
                raise ImproperlyConfigured(sentence)

    def _connect(self, *, read_timeout: int, attempts: int) -> Any:
        config = Config(
            signature_version="s3v4",
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            connect_timeout=2,
            read_timeout=read_timeout,
            retries={"mode": "standard", "total_max_attempts": attempts},
            max_pool_connections=32,
            s3={"addressing_style": "path"},
        )
        with _session_lock:
            client = _session().client("s3", **self._settings, config=config)
        # Without “Expect: 100-continue”, which costs a round trip before each part.
        client.meta.events.unregister("before-call.s3", add_expect_header)
        return client

    def _open(self, name: str, mode: str = "rb") -> DjangoFile[Any]:
        return DjangoFile(self.open_bytes(name), name=mode and name)

    def _save(self, name: str, content: IO[Any]) -> str:
        with self.create(name) as writer:
            while chunk := content.read(PART_BYTES):
                writer.write(chunk)
        return name


class S3Writer(ObjectWriter):
    """Writes one object of an S3Storage."""

    def __init__(self, *, storage: S3Storage, key: str) -> None:
        super().__init__()
        self._storage = storage
        self._key = key
        self._target = {"Bucket": storage.bucket, "Key": key}
        # Identifies the object as this writer's when the response to its commit was lost.
        self._metadata = {"timba-writer": uuid.uuid4().hex}
        self._buffer = bytearray()
        self._written = 0
        self._upload_id = ""
        self._parts: list[dict[str, Any]] = []
        # A part is sent while the next one is collected.
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="s3-parts")
        self._sending: Future[dict[str, Any]] | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        count = len(data)
        self._buffer += data
        self._written += count
        while len(self._buffer) >= (size := self._part_size()):
            rest = self._buffer[size:]
            del self._buffer[size:]
            self._upload_part(self._buffer)
            self._buffer = rest
        return count

    def tell(self) -> int:
        return self._written

    def commit(self) -> None:
        try:
            if self._upload_id:
                self._complete_upload()
            else:
                self._put_object(bytes(self._buffer))
        except (FileExistsError, FileNotFoundError):
            # An earlier attempt may have succeeded, and its response was lost.
            if self._storage.head(self._key).get("Metadata") != self._metadata:
                raise
        self._upload_id = ""
        self._buffer.clear()
        self._sender.shutdown()

    def abort(self) -> None:
        # A part that arrives after its upload has ended would stay.
        self._sender.shutdown()
        if self._upload_id:
            with suppress(FileNotFoundError), translate_errors():
                self._storage.client.abort_multipart_upload(
                    **self._target, UploadId=self._upload_id
                )
            self._upload_id = ""

    def _part_size(self) -> int:
        """Return the size of the next part, which doubles so that 10,000 parts hold any file."""
        return int(PART_BYTES * 2 ** (len(self._parts) // _PARTS_BEFORE_DOUBLING))

    def _put_object(self, body: bytes) -> None:
        with translate_errors():
            self._storage.client.put_object(
                **self._target, Body=io.BytesIO(body), Metadata=self._metadata, IfNoneMatch="*"
            )
            failpoint("s3.object_put")

    def _upload_part(self, part: bytearray) -> None:
        """Begin to send a part once the one before has been stored; raise what that one raised."""
        with translate_errors():
            self._wait_for_part()
            if not self._upload_id:
                client = self._storage.client
                upload = client.create_multipart_upload(**self._target, Metadata=self._metadata)
                failpoint("s3.multipart_created")
                self._upload_id = upload["UploadId"]
        self._sending = self._sender.submit(self._send_part, len(self._parts) + 1, part)

    def _send_part(self, number: int, part: bytearray) -> dict[str, Any]:
        with translate_errors():
            response = self._storage.client.upload_part(
                **self._target, Body=io.BytesIO(part), UploadId=self._upload_id, PartNumber=number
            )
            failpoint("s3.part_sent")
        return {"PartNumber": number, "ETag": response["ETag"]}

    def _wait_for_part(self) -> None:
        if self._sending is not None:
            sending, self._sending = self._sending, None
            self._parts.append(sending.result())

    def _complete_upload(self) -> None:
        if self._buffer:
            self._upload_part(self._buffer)
            self._buffer = bytearray()
        self._wait_for_part()
        with translate_errors():
            self._storage.long_timeout_client.complete_multipart_upload(
                **self._target,
                UploadId=self._upload_id,
                MultipartUpload={"Parts": self._parts},
                IfNoneMatch="*",
            )
            failpoint("s3.multipart_completed")
