"""Streams the files of a form from a request into the object store.

No file is held in memory, and a file that is not accepted is deleted.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
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
from timba.api.http import check_storable
from timba.api.multipart import CUT_OFF, FormError, FormReader, Part
from timba.files.receiving import Upload, UploadRejected, discard, touch_uploads

MAX_FILES: Final = 100
_TOUCH_SECONDS: Final = 60.0


class _Fields:
    """The text fields of a form; their total size is limited."""

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
    """Multipart forms whose files are handed to the view while the form is read.

    A form that ends early, as when a connection breaks, is rejected as a whole.
    """

    media_type = "multipart/form-data"

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        view: UploadView = (parser_context or {})["view"]
        fields, files = _Fields(), MultiValueDict[str, Upload]()
        try:
            form = FormReader(stream, content_type=media_type or "")
            for part in form:
                if part.file_name is None:
                    fields.add(part)
                elif (upload := view.receive(part, fields.data, form)) is not None:
                    files.appendlist(part.name, upload)
        except FormError as error:
            raise ParseError(str(error)) from error
        except UnreadablePostError as error:
            raise ParseError(CUT_OFF) from error
        check_storable(fields.data)
        return DataAndFiles(fields.data, files)


class UploadView(APIView):
    """A view that stores the files of a form while the form is read.

    `uploads` are the files that were stored, `rejections` those that were not, by their place in
    the form. What is still in `uploads` when the response is ready is discarded.
    """

    parser_classes = [UploadParser]
    # The kind of every file, in a view that accepts one kind alone.
    kind: str | None = None
    uploads: list[Upload]
    rejections: dict[int, UploadRejected]
    file_count: int
    _touched_at: float

    def check_part(self, part: Part, fields: QueryDict, unread: int) -> None:
        """Raise UploadRejected for a file that can be rejected before its bytes are read.

        `fields` came before the file; at least `unread` bytes of the body are still to come.
        """
        raise NotImplementedError

    def reject(self, number: int, rejection: UploadRejected) -> None:
        """Reject the file at this place in the form: with the whole request, or alone."""
        raise NotImplementedError

    def receive(self, part: Part, fields: QueryDict, form: FormReader) -> Upload | None:
        """Store the file of a part; return None for one that is rejected or was not chosen."""
        if not part.file_name and not any(part.content):
            return None  # browsers send an empty part where no file was chosen
        self.file_count += 1
        if self.file_count > settings.DATA_UPLOAD_MAX_NUMBER_FILES:
            raise TooManyFilesSent
        declared = int(self.request.META.get("CONTENT_LENGTH") or 0)
        try:
            self.check_part(part, fields, declared - form.bytes_read)
            return self._store(part)
        except UploadRejected as rejection:
            self.reject(self.file_count, rejection)
            return None

    def _store(self, part: Part) -> Upload:
        upload = Upload(
            name=part.file_name or "", kind=self.kind, field=part.name, number=self.file_count
        )
        self.uploads.append(upload)
        try:
            for chunk in part.content:
                upload.write(chunk)
                self._touch()
            upload.finish()
        except UploadRejected:
            self.discard(upload)
            raise
        return upload

    def rejection_sentences(self) -> list[str]:
        """Return why files were rejected, which the request's data does not contain."""
        return [str(rejection) for rejection in self.rejections.values()]

    def discard(self, upload: Upload) -> None:
        """Delete an upload that was rejected."""
        self.uploads.remove(upload)
        discard(upload)

    def _touch(self) -> None:
        """Keep the uploads of this request from the sweeper, however long the rest takes."""
        if time.monotonic() - self._touched_at >= _TOUCH_SECONDS:
            self._touched_at = time.monotonic()
            touch_uploads([upload.id for upload in self.uploads])

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        self.uploads = []
        self.rejections = {}
        self.file_count = 0
        self._touched_at = time.monotonic()
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        actor = actor_of(request)
        if request.method == "POST" and actor.client is not None:
            # Before the body is read: a user who may not upload need not send it all first.
            require(actor, Permission.WRITE_FILES, client=actor.client)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return super().dispatch(request, *args, **kwargs)
        finally:
            discard(*self.uploads)
