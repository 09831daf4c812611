"""Keeps objects in any S3: AWS, VersityGW, MinIO and their like.

Small objects go in one request, large ones in parts; what was never completed is not there for
anybody. Each request carries the MD5 of its bytes, so that a part that arrives damaged is refused;
a key is written once. Nothing here lists a bucket, but for the parts that a crash left behind.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import IO, Any, BinaryIO, Final, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.exceptions import ImproperlyConfigured
from django.core.files import File as DjangoFile
from django.core.files.storage import Storage

from timba.files.processors.base import ObjectWriter
from timba.files.storage import StoreAway

# The least that S3 takes for all parts but the last is 5 MiB.
PART_BYTES: Final = 8 * 1024 * 1024
_READ_TRIES: Final = 3
_AWAY: Final = "the S3 server does not answer"
_ABSENT: Final = frozenset({"404", "NoSuchKey", "NotFound"})
_TAKEN: Final = frozenset({"412", "PreconditionFailed", "409", "ConditionalRequestConflict"})
_SENTENCES: Final[Mapping[str, str]] = {
    "NoSuchBucket": "STORAGE_URL names the bucket “{bucket}”, which does not exist. Make it first.",
    "404": "STORAGE_URL names the bucket “{bucket}”, which does not exist. Make it first.",
    "403": "STORAGE_URL's key may not use the bucket “{bucket}”: key, secret or rights are wrong.",
    "RequestTimeTooSkewed": "The clocks of this machine and the S3 server differ. Set them right.",
}


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
        return boto3.session.Session().client(
            "s3",
            **self._settings,
            config=Config(
                signature_version="s3v4",
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                connect_timeout=2,
                read_timeout=10,
                retries={"mode": "standard", "total_max_attempts": 3},
                max_pool_connections=32,
                s3={"addressing_style": "path"},
            ),
        )

    def create(self, key: str) -> ObjectWriter:
        """Open a new object for writing; raise FileExistsError at its commit if `key` is taken."""
        return S3Writer(storage=self, key=key)

    def open_bytes(self, key: str) -> BinaryIO:
        """Return the object's bytes, seekable; raise FileNotFoundError where there is none."""
        return cast("BinaryIO", io.BufferedReader(S3Reader(storage=self, key=key), 1024 * 1024))

    def delete(self, name: str) -> None:
        """Erase an object and every part of it; what is not there is erased already."""
        with translated():
            self.client.delete_object(Bucket=self.bucket, Key=name)
            self._abort_uploads(name)

    def exists(self, name: str) -> bool:
        try:
            self.size(name)
        except FileNotFoundError:
            return False
        return True

    def size(self, name: str) -> int:
        with translated():
            return int(self.client.head_object(Bucket=self.bucket, Key=name)["ContentLength"])

    def check(self) -> None:
        """Raise StoreAway when the server is away, ImproperlyConfigured when it refuses us."""
        try:
            with translated():
                self.client.head_bucket(Bucket=self.bucket)
        except ClientError as refusal:
            sentence = _SENTENCES.get(code_of(refusal), f"The S3 server refuses: {refusal}.")
            raise ImproperlyConfigured(sentence.format(bucket=self.bucket)) from refusal
        except FileNotFoundError as absent:
            raise ImproperlyConfigured(_SENTENCES["404"].format(bucket=self.bucket)) from absent

    def _abort_uploads(self, key: str) -> None:
        """Abort what a crash left open under one key; it would cost space for ever."""
        begun = self.client.list_multipart_uploads(Bucket=self.bucket, Prefix=key)
        for upload in begun.get("Uploads") or ():
            if upload["Key"] == key:
                self.client.abort_multipart_upload(
                    Bucket=self.bucket, Key=key, UploadId=upload["UploadId"]
                )

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
        self._client = storage.client
        self._place = {"Bucket": storage.bucket, "Key": key}
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
        while len(self._rest) >= PART_BYTES:
            self._send_part(bytes(self._rest[:PART_BYTES]))
            del self._rest[:PART_BYTES]
        return taken

    def tell(self) -> int:
        return self._written

    def commit(self) -> None:
        with translated():
            if not self._upload_id:
                body = bytes(self._rest)
                self._client.put_object(
                    **self._place, Body=body, ContentMD5=_md5(body), IfNoneMatch="*"
                )
                return
            if self._rest:
                self._send_part(bytes(self._rest))
            self._client.complete_multipart_upload(
                **self._place,
                UploadId=self._upload_id,
                MultipartUpload={"Parts": self._parts},
                IfNoneMatch="*",
            )

    def abort(self) -> None:
        if self._upload_id:
            with translated():
                self._client.abort_multipart_upload(**self._place, UploadId=self._upload_id)

    def _send_part(self, part: bytes) -> None:
        with translated():
            if not self._upload_id:
                begun = self._client.create_multipart_upload(**self._place)
                self._upload_id = begun["UploadId"]
            number = len(self._parts) + 1
            sent = self._client.upload_part(
                **self._place,
                UploadId=self._upload_id,
                PartNumber=number,
                Body=part,
                ContentMD5=_md5(part),
            )
            self._parts.append({"PartNumber": number, "ETag": sent["ETag"]})


class S3Reader(io.RawIOBase):
    """Reads one object from where it stands; a broken connection is taken up again there."""

    def __init__(self, *, storage: S3Storage, key: str) -> None:
        super().__init__()
        self._client = storage.client
        self._place = {"Bucket": storage.bucket, "Key": key}
        self._size = storage.size(key)
        self._at = 0
        self._body: Any = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        target = max(0, base + offset)
        if target != self._at:
            self._let_go()
            self._at = target
        return self._at

    def readinto(self, buffer: Any) -> int:
        if self._at >= self._size or not len(buffer):
            return 0
        for last_try in (*[False] * (_READ_TRIES - 1), True):
            try:
                with translated():
                    chunk = self._stream().read(len(buffer))
            except StoreAway:
                self._let_go()
                if last_try:
                    raise
                continue
            buffer[: len(chunk)] = chunk
            self._at += len(chunk)
            return len(chunk)
        return 0

    def close(self) -> None:
        self._let_go()
        super().close()

    def _stream(self) -> Any:
        if self._body is None:
            answer = self._client.get_object(**self._place, Range=f"bytes={self._at}-")
            self._body = answer["Body"]
        return self._body

    def _let_go(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None


@contextmanager
def translated() -> Iterator[None]:
    """Raise what S3 answers as what a store raises; other refusals pass as they are."""
    try:
        yield
    except ClientError as refusal:
        code = code_of(refusal)
        if code in _ABSENT:
            raise FileNotFoundError(code) from refusal
        if code in _TAKEN:
            raise FileExistsError(code) from refusal
        if int(refusal.response["ResponseMetadata"].get("HTTPStatusCode", 0)) >= 500:
            raise StoreAway(_AWAY) from refusal
        raise
    except BotoCoreError as failure:
        raise StoreAway(_AWAY) from failure


def code_of(refusal: ClientError) -> str:
    """Return S3's word for what is wrong."""
    return str(refusal.response.get("Error", {}).get("Code", ""))


def _md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
