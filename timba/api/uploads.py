"""Lets files stream from a request into the store: nothing is kept in memory, and what nobody
accepts leaves no trace."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import HttpRequest, HttpResponseBase, UnreadablePostError
from django.http.multipartparser import MultiPartParser as DjangoMultiPartParser
from django.http.multipartparser import MultiPartParserError
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, DataAndFiles
from rest_framework.request import Request
from rest_framework.views import APIView

from timba.accounts.permissions import Permission, require
from timba.api.authentication import actor_of
from timba.api.parsers import refuse_unstorable
from timba.files.receiving import (
    Received,
    Reception,
    Refused,
    discard,
    keep_waiting,
)

MAX_FILES: Final = 100
CUT_OFF: Final = "The form was cut off before its end. Send it again."
_KEEP_WAITING_SECONDS: Final = 60.0
# Enough for the last boundary, which has at most 200 characters in Django, and some blank lines.
_TAIL_BYTES: Final = 512


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrived:
    """A file that came under a field of the form."""

    field: str
    received: Received


class Intake(FileUploadHandler):
    """Receives the files of one request; one that is refused never spoils the others."""

    chunk_size = 1024 * 1024

    def __init__(self, request: HttpRequest, *, most: int) -> None:
        super().__init__(request)
        self.arrived: list[Arrived] = []
        self.refused: list[Refused] = []
        self.count = 0
        self._most = most
        self._reception: Reception | None = None
        self._kept_waiting = time.monotonic()

    @property
    def too_many(self) -> bool:
        return self.count > self._most

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.count += 1
        if self.too_many:
            raise SkipFile
        try:
            self._reception = Reception(name=self.file_name or "")
        except Refused as refusal:
            self.refused.append(refusal)
            raise SkipFile from None

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:  # noqa: ARG002 - Django's
        if self._reception is None:
            return
        try:
            self._reception.write(raw_data)
            self._keep_waiting()
        except Refused as refusal:
            self.refused.append(refusal)
            self._abandon()
            raise SkipFile from None

    def file_complete(self, file_size: int) -> Any:  # noqa: ARG002 - Django's signature
        if self._reception is None:
            return None
        try:
            received = self._reception.finish()
        except Refused as refusal:
            self.refused.append(refusal)
            self._abandon()
            return None
        self._reception = None
        self.arrived.append(Arrived(field=self.field_name or "", received=received))
        return received

    def release(self) -> None:
        """Let go of what arrived: it was accepted, or discarded already."""
        self.arrived = []

    def clear(self) -> None:
        """Remove everything that nobody accepted."""
        away = self._reception is not None and self._reception.store_is_away
        self._abandon()
        arrived = [one.received for one in self.arrived]
        self.arrived = []
        if not away:  # else the sweeper does it, once the store is back
            discard(*arrived)

    def _keep_waiting(self) -> None:
        """Keep the sweeper from those that are in already, however long the rest takes."""
        if self._reception is None or time.monotonic() - self._kept_waiting < _KEEP_WAITING_SECONDS:
            return
        self._kept_waiting = time.monotonic()
        keep_waiting([self._reception.file_id, *(one.received.row.pk for one in self.arrived)])

    def _abandon(self) -> None:
        if self._reception is not None:
            self._reception.abandon()
            self._reception = None


class _ExactNames(DjangoMultiPartParser):
    """Keeps file names as they are sent; Django would unescape and clean them silently."""

    _boundary: bytes

    @property
    def boundary(self) -> bytes:
        return self._boundary

    def sanitize_file_name(self, file_name: str) -> str | None:
        return file_name.replace("\\", "/").rsplit("/", 1)[-1] or None


class _Tail:
    """A request's body that remembers how it ended."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._end = b""

    def read(self, size: int | None = None, /) -> bytes:
        data: bytes = self._stream.read(size)
        self._end = (self._end + data[-_TAIL_BYTES:])[-_TAIL_BYTES:]
        return data

    def is_whole(self, boundary: bytes) -> bool:
        """Whether the form's last boundary has arrived."""
        return b"--" + boundary + b"--" in self._end


class UploadParser(BaseParser):
    """Multipart forms whose files go straight to the request's upload handlers.

    A form that was cut off, as by a connection that broke, is refused whole: where it ends early is
    chance, and whoever sent it will send it again.
    """

    media_type = "multipart/form-data"

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        request = (parser_context or {})["request"]._request
        meta = {**request.META, "CONTENT_TYPE": media_type}
        body: Any = _Tail(stream)
        try:
            parser = _ExactNames(meta, body, request.upload_handlers, request.encoding or "utf-8")
            data, files = parser.parse()
        except MultiPartParserError as error:
            raise ParseError(
                "The form is malformed: send multipart/form-data with its boundary."
            ) from error
        except UnreadablePostError as error:
            raise ParseError(CUT_OFF) from error
        if not body.is_whole(parser.boundary):
            raise ParseError(CUT_OFF)
        refuse_unstorable(data)
        return DataAndFiles(data, files)


class UploadDoor(APIView):
    """A door that takes files in; `intake` holds what arrived."""

    parser_classes = [UploadParser]
    most_files = 1

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        self.intake = Intake(request, most=self.most_files)
        request.upload_handlers = [self.intake]
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        actor = actor_of(request)
        if request.method == "POST" and actor.client is not None:
            # Before a byte is taken in: whoever may not upload need not send it all first.
            require(actor, Permission.WRITE_FILES, client=actor.client)

    def refused_already(self) -> list[str]:
        """Return what was refused while it came in, and so is not in the request's data."""
        return [str(refusal) for refusal in self.intake.refused]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return super().dispatch(request, *args, **kwargs)
        finally:
            self.intake.clear()
