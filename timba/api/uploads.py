"""Lets files stream from a request into the store: nothing is kept in memory, and what nobody
accepts leaves no trace.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http import HttpRequest, HttpResponseBase, QueryDict, UnreadablePostError
from django.utils.datastructures import MultiValueDict
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, DataAndFiles
from rest_framework.request import Request
from rest_framework.views import APIView

from timba.accounts.authorization import require
from timba.accounts.permissions import Permission
from timba.api.authentication import actor_of
from timba.api.http import reject_unstorable
from timba.api.multipart import CUT_OFF, FormError, FormReader, Part
from timba.files.receiving import (
    IncomingFile,
    UploadRejected,
    UploadSession,
    discard,
    touch_uploads,
)

MAX_FILES: Final = 100
_KEEP_WAITING_SECONDS: Final = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrived:
    """A file that came under a field of the form, with its place among the form's files."""

    number: int
    field: str
    received: IncomingFile


class Intake:
    """Receives the files of one request; one that is refused never spoils the others."""

    def __init__(self) -> None:
        self.arrived: list[Arrived] = []
        self.refused: dict[int, UploadRejected] = {}
        self.count = 0
        self._reception: UploadSession | None = None
        self._kept_waiting = time.monotonic()

    def receive(self, part: Part, *, kind: str | None = None) -> IncomingFile:
        """Store the file that a part holds; raise Refused for one that is not taken in."""
        self._reception = UploadSession(name=part.file_name or "", kind=kind)
        try:
            for chunk in part.content:
                self._reception.write(chunk)
                self._keep_waiting()
            received = self._reception.finish()
        except UploadRejected:
            self._abandon()
            raise
        self._reception = None
        self.arrived.append(Arrived(number=self.count, field=part.name, received=received))
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
        touch_uploads([self._reception.file_id, *(one.received.row.pk for one in self.arrived)])

    def _abandon(self) -> None:
        if self._reception is not None:
            self._reception.abandon()
            self._reception = None


class _Fields:
    """The fields of a form, whose texts together have a limit."""

    def __init__(self) -> None:
        self.data = QueryDict(mutable=True)
        self._count = 0
        self._size = 0

    def add(self, part: Part) -> None:
        self._count += 1
        if self._count > settings.DATA_UPLOAD_MAX_NUMBER_FIELDS:
            raise TooManyFieldsSent
        content = b""
        self._size += len(part.name)
        for chunk in part.content:
            self._size += len(chunk)
            if self._size > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
                raise RequestDataTooBig
            content += chunk
        try:
            self.data.appendlist(part.name, content.decode(part.charset))
        except (LookupError, ValueError) as error:
            raise FormError(
                f"The text of “{part.name}” is not in {part.charset.upper()}."
            ) from error


class UploadParser(BaseParser):
    """Multipart forms whose files go straight to the view that takes them in.

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
        view: UploadView = (parser_context or {})["view"]
        fields, files = _Fields(), MultiValueDict[str, IncomingFile]()
        try:
            form = FormReader(stream, content_type=media_type or "")
            for part in form:
                if part.file_name is None:
                    fields.add(part)
                elif (received := view.take_in(part, fields.data, form)) is not None:
                    files.appendlist(part.name, received)
        except FormError as error:
            raise ParseError(str(error)) from error
        except UnreadablePostError as error:
            raise ParseError(CUT_OFF) from error
        reject_unstorable(fields.data)
        return DataAndFiles(fields.data, files)


class UploadView(APIView):
    """A door that takes files in; `intake` holds what arrived."""

    parser_classes = [UploadParser]
    # The kind that files are of here, where they are all of one.
    kind: str | None = None

    def check_before(self, part: Part, fields: QueryDict, unread: int) -> None:
        """Raise Refused for a file of which what comes before its bytes says that it is refused.

        Of the body at least `unread` bytes are still to come.
        """
        raise NotImplementedError

    def refuse(self, refusal: UploadRejected) -> None:
        """Refuse a file: with the whole request, or beside the others."""
        raise NotImplementedError

    def take_in(self, part: Part, fields: QueryDict, form: FormReader) -> IncomingFile | None:
        """Store the file of a part, so far as it is not refused."""
        if not part.file_name and not any(part.content):
            return None  # as browsers send where no file was chosen
        self.intake.count += 1
        if self.intake.count > settings.DATA_UPLOAD_MAX_NUMBER_FILES:
            raise TooManyFilesSent
        declared = int(self.request.META.get("CONTENT_LENGTH") or 0)
        try:
            self.check_before(part, fields, declared - form.bytes_read)
            return self.intake.receive(part, kind=self.kind)
        except UploadRejected as refusal:
            self.refuse(refusal)
            return None

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        self.intake = Intake()
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        actor = actor_of(request)
        if request.method == "POST" and actor.client is not None:
            # Before a byte is taken in: whoever may not upload need not send it all first.
            require(actor, Permission.WRITE_FILES, client=actor.client)

    def refused_already(self) -> list[str]:
        """Return what was refused while it came in, and so is not in the request's data."""
        return [str(refusal) for refusal in self.intake.refused.values()]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return super().dispatch(request, *args, **kwargs)
        finally:
            self.intake.clear()
