"""Keeps objects in any S3: AWS, VersityGW, MinIO and their like.

Small objects go in one request, large ones in parts; what was never completed is not there for
anybody. Each request carries the MD5 of its bytes, so that a part that arrives damaged is refused;
a key is written once. Nothing here lists a bucket, but for the parts that a crash left behind,
which only the sweeper looks for.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import io
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache, cached_property, partial
from http import HTTPStatus
from typing import IO, Any, BinaryIO, Final, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.handlers import add_expect_header
from django.core.exceptions import ImproperlyConfigured
from django.core.files import File as DjangoFile
from django.core.files.storage import Storage

from timba.db.transactions import outside_transactions, refuse_inside_transaction
from timba.failpoints import failpoint
from timba.files.processors.base import ObjectWriter
from timba.files.s3_reader import S3Reader
from timba.files.storage import StorageUnavailable

# The least that S3 takes for all parts but the last is 5 MiB, the most parts are 10,000.
PART_BYTES: Final = 8 * 1024 * 1024
_PARTS_OF_A_SIZE: Final = 1000
# Two tries of this length, and a pause of up to a second: seven seconds.
_READ_SECONDS: Final = 3
# Some servers copy all parts into one before they answer.
_JOIN_SECONDS: Final = 300
_AWAY: Final = "the S3 server does not answer"
_ABSENT: Final = frozenset({"404", "NoSuchKey", "NoSuchUpload", "NotFound"})
_TAKEN: Final = frozenset({"412", "PreconditionFailed", "409", "ConditionalRequestConflict"})
# Whoever set the server up can mend these while files wait: none of them is a file's fault.
_PASSING: Final = frozenset({401, 403, 408, 429})
# It may say these to a request that another one came too near to.
_HURRIED: Final = frozenset({408, 409, 429})
_PROBE: Final = "timba-probe"
_REFUSED: Final = (
    "STORAGE_URL's key may not use the bucket “{bucket}”. Give it the rights to read, write and "
    "delete there."
)
_UNKNOWN_KEY: Final = "STORAGE_URL names a key that the S3 server does not know. Correct it."
_SENTENCES: Final[Mapping[str, str]] = {
    "NoSuchBucket": "STORAGE_URL names the bucket “{bucket}”, which does not exist. Make it first.",
    "InvalidAccessKeyId": _UNKNOWN_KEY,
    "XAdminUserNotFound": _UNKNOWN_KEY,  # VersityGW's word for it
    "SignatureDoesNotMatch": "STORAGE_URL's secret is not that of its key. Correct it.",
    "AccessDenied": _REFUSED,
    "403": _REFUSED,
    "RequestTimeTooSkewed": (
        "The clocks of this machine and of the S3 server differ too much. Set them right."
    ),
}

# It reads what S3 is from large files, once; its clients are safe with threads, it is not.
_session = cache(boto3.session.Session)
_session_lock = threading.Lock()


class S3Storage(Storage):
    """Objects in one bucket."""

    def __init__(self, *, endpoint: str, key: str, secret: str, bucket: str, region: str) -> None:
        self.bucket = bucket
        self._settings = {
            "endpoint_url": endpoint,
            "aws_access_key_id": key,
            "aws_secret_access_key": secret,
            "region_name": region,
        }

    @cached_property
    def client(self) -> Any:
        """The connection pool; made when it is first needed, which is after any fork."""
        return self._connect(read_seconds=_READ_SECONDS, tries=2)

    @cached_property
    def patient_client(self) -> Any:
        """The same for the one request that may take long."""
        return self._connect(read_seconds=_JOIN_SECONDS, tries=1)

    @outside_transactions
    def create(self, key: str) -> ObjectWriter:
        """Open a new object for writing; raise FileExistsError at its commit if `key` is taken."""
        return S3Writer(storage=self, key=key)

    def open_bytes(self, key: str) -> BinaryIO:
        """Return the object's bytes, seekable; raise FileNotFoundError where there is none."""
        size = self.size(key)

        def fetch(start: int, stop: int) -> IO[bytes]:
            with translated():
                answer = self.client.get_object(
                    Bucket=self.bucket, Key=key, Range=f"bytes={start}-{stop - 1}"
                )
            return cast("IO[bytes]", answer["Body"])

        return cast("BinaryIO", io.BufferedReader(S3Reader(fetch=fetch, size=size), 1024 * 1024))

    def delete(self, name: str) -> None:
        """Erase a finished object; what is not there is erased already."""
        with translated():
            self.client.delete_object(Bucket=self.bucket, Key=name)
            failpoint("s3.erased")

    def purge(self, name: str) -> None:
        """Erase an object and every part of it that a crash left: it would cost space for ever."""
        self.delete(name)
        with translated():
            begun = self.client.list_multipart_uploads(Bucket=self.bucket, Prefix=name)
            failpoint("s3.parts_listed")
            for upload in begun.get("Uploads") or ():
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
        """Return what S3 knows of an object; raise FileNotFoundError where there is none."""
        with translated():
            return cast("Mapping[str, Any]", self.client.head_object(Bucket=self.bucket, Key=name))

    def check(self) -> None:
        """Raise StorageUnavailable when the server is away, ImproperlyConfigured when it refuses us."""
        probe = {"Bucket": self.bucket, "Key": _PROBE}
        code = _refusal_of(partial(self.client.put_object, **probe, **_body(b"probe")))
        code = code or _refusal_of(partial(self.client.delete_object, **probe))
        if code:
            sentence = _SENTENCES.get(
                code, "The S3 server refuses STORAGE_URL with the word {code}."
            )
            raise ImproperlyConfigured(sentence.format(bucket=self.bucket, code=code))

    def _connect(self, *, read_seconds: int, tries: int) -> Any:
        config = Config(
            signature_version="s3v4",
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            connect_timeout=2,
            read_timeout=read_seconds,
            retries={"mode": "standard", "total_max_attempts": tries},
            max_pool_connections=32,
            s3={"addressing_style": "path"},
        )
        with _session_lock:
            client = _session().client("s3", **self._settings, config=config)
        # It would wait for a server's leave before each part.
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
        self._place = {"Bucket": storage.bucket, "Key": key}
        # By this an object is known again as ours when the answer to its commit was lost.
        self._mark = {"timba-writer": uuid.uuid4().hex}
        self._rest = bytearray()
        self._written = 0
        self._upload_id = ""
        self._parts: list[dict[str, Any]] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        taken = len(data)
        self._rest += data
        self._written += taken
        while len(self._rest) >= (size := self._part_size()):
            self._send_part(bytes(self._rest[:size]))
            del self._rest[:size]
        return taken

    def tell(self) -> int:
        return self._written

    def commit(self) -> None:
        try:
            if self._upload_id:
                self._join_parts()
            else:
                self._put_whole(bytes(self._rest))
        except (FileExistsError, FileNotFoundError):
            # Perhaps an earlier try did it and its answer was lost.
            if self._storage.head(self._key).get("Metadata") != self._mark:
                raise
        self._upload_id = ""
        self._rest.clear()

    def abort(self) -> None:
        if self._upload_id:
            with suppress(FileNotFoundError), translated():
                self._storage.client.abort_multipart_upload(**self._place, UploadId=self._upload_id)
            self._upload_id = ""

    def _part_size(self) -> int:
        """Return how large the next part is: small ones first, so that most files need no more."""
        return int(PART_BYTES * 2 ** (len(self._parts) // _PARTS_OF_A_SIZE))

    def _put_whole(self, body: bytes) -> None:
        with translated():
            self._storage.client.put_object(
                **self._place, **_body(body), Metadata=self._mark, IfNoneMatch="*"
            )
            failpoint("s3.whole_put")

    def _send_part(self, part: bytes) -> None:
        client = self._storage.client
        with translated():
            if not self._upload_id:
                begun = client.create_multipart_upload(**self._place, Metadata=self._mark)
                failpoint("s3.parts_begun")
                self._upload_id = begun["UploadId"]
            number = len(self._parts) + 1
            sent = client.upload_part(
                **self._place, **_body(part), UploadId=self._upload_id, PartNumber=number
            )
            failpoint("s3.part_sent")
            self._parts.append({"PartNumber": number, "ETag": sent["ETag"]})

    def _join_parts(self) -> None:
        if self._rest:
            self._send_part(bytes(self._rest))
            self._rest.clear()
        with translated():
            self._storage.patient_client.complete_multipart_upload(
                **self._place,
                UploadId=self._upload_id,
                MultipartUpload={"Parts": self._parts},
                IfNoneMatch="*",
            )
            failpoint("s3.parts_joined")


@contextmanager
def translated() -> Iterator[None]:
    """Make requests, and raise what S3 answers as what a store raises."""
    refuse_inside_transaction("A request to S3")
    try:
        yield
    except ClientError as refusal:
        code, status = _code_of(refusal), _status_of(refusal)
        if code in _ABSENT:
            raise FileNotFoundError(code) from refusal
        if code in _TAKEN:
            raise FileExistsError(code) from refusal
        if status >= 500 or status in _PASSING or code == "NoSuchBucket":
            raise StorageUnavailable(f"the S3 server refuses: {code}") from refusal
        raise OSError(str(refusal)) from refusal
    except (BotoCoreError, ConnectionError) as failure:
        raise StorageUnavailable(_AWAY) from failure


def _refusal_of(ask: Callable[[], object]) -> str:
    """Return S3's word for why it refuses, if it does; raise StorageUnavailable where it does not answer."""
    refuse_inside_transaction("A request to S3")
    try:
        ask()
    except ClientError as refusal:
        if _status_of(refusal) == HTTPStatus.INSUFFICIENT_STORAGE:
            raise StorageUnavailable(errno.ENOSPC, "the S3 server is full") from refusal
        if _status_of(refusal) >= 500 or _status_of(refusal) in _HURRIED:
            raise StorageUnavailable(_AWAY) from refusal
        return _code_of(refusal)
    except BotoCoreError as failure:
        raise StorageUnavailable(_AWAY) from failure
    return ""


def _code_of(refusal: ClientError) -> str:
    """Return S3's word for what is wrong."""
    return str(refusal.response.get("Error", {}).get("Code", ""))


def _status_of(refusal: ClientError) -> int:
    return int(refusal.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _body(data: bytes) -> dict[str, Any]:
    """Return what sends bytes in small pieces, so that time limits are for a piece, not for all."""
    digest = hashlib.md5(data, usedforsecurity=False).digest()
    return {"Body": io.BytesIO(data), "ContentMD5": base64.b64encode(digest).decode()}
