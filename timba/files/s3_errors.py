"""Translates what S3 answers into what an object store raises."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from timba.db.transactions import refuse_inside_transaction
from timba.files.storage import StorageUnavailable

_NO_RESPONSE: Final = "the S3 server does not answer"
_NOT_FOUND_CODES: Final = frozenset({"404", "NoSuchKey", "NoSuchUpload", "NotFound"})
_CONFLICT_CODES: Final = frozenset(
    {"412", "PreconditionFailed", "409", "ConditionalRequestConflict"}
)
# An operator can correct these while files wait: none of them is caused by a file.
_TEMPORARY_STATUSES: Final = frozenset({401, 403, 408, 429})
# The server may answer a probe with these when another request comes too soon before it.
_RETRY_STATUSES: Final = frozenset({408, 409, 429})
_ACCESS_DENIED: Final = (
    "STORAGE_URL's key may not use the bucket “{bucket}”. Give it the rights to read, write and "
    "delete there."
)
_UNKNOWN_KEY: Final = "STORAGE_URL names a key that the S3 server does not know. Correct it."
_CONFIGURATION_ERRORS: Final[Mapping[str, str]] = {
    "NoSuchBucket": "STORAGE_URL names the bucket “{bucket}”, which does not exist. Make it first.",
    "InvalidAccessKeyId": _UNKNOWN_KEY,
    "XAdminUserNotFound": _UNKNOWN_KEY,  # VersityGW's code for it
    "SignatureDoesNotMatch": "STORAGE_URL's secret is not that of its key. Correct it.",
    "AccessDenied": _ACCESS_DENIED,
    "403": _ACCESS_DENIED,
    "RequestTimeTooSkewed": (
        "The clocks of this machine and of the S3 server differ too much. Set them right."
    ),
}
_OTHER_ERROR: Final = "The S3 server refuses STORAGE_URL with the code {code}."


@contextmanager
def translate_errors() -> Iterator[None]:
    """Translate the errors of S3 requests in this block into those of an ObjectStore.

    Raises RuntimeError inside a transaction.
    """
    refuse_inside_transaction("A request to S3")
    try:
        yield
    except ClientError as error:
        code, status = _code_of(error), _status_of(error)
        if code in _NOT_FOUND_CODES:
            raise FileNotFoundError(code) from error
        if code in _CONFLICT_CODES:
            raise FileExistsError(code) from error
        if status >= 500 or status in _TEMPORARY_STATUSES or code == "NoSuchBucket":
            raise StorageUnavailable(f"the S3 server refuses: {code}") from error
        raise OSError(str(error)) from error
    except (BotoCoreError, ConnectionError) as error:
        raise StorageUnavailable(_NO_RESPONSE) from error


def configuration_error(request: Callable[[], object], *, bucket: str) -> str:
    """Make a request; return a sentence about the setting that makes S3 refuse it, or "".

    Raises StorageUnavailable where the server does not answer or cannot store anything now.
    """
    refuse_inside_transaction("A request to S3")
    try:
        request()
    except ClientError as error:
        code, status = _code_of(error), _status_of(error)
        if status == HTTPStatus.INSUFFICIENT_STORAGE:
            raise StorageUnavailable(errno.ENOSPC, "the S3 server is full") from error
        if status >= 500 or status in _RETRY_STATUSES:
            raise StorageUnavailable(_NO_RESPONSE) from error
        return _CONFIGURATION_ERRORS.get(code, _OTHER_ERROR).format(bucket=bucket, code=code)
    except BotoCoreError as error:
        raise StorageUnavailable(_NO_RESPONSE) from error
    return ""


def _code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _status_of(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
