"""Views that accept uploads: the files of a form are streamed into the object store.

No file is held in memory, and a file that is not accepted is deleted.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase, QueryDict, UnreadablePostError
from django.utils.datastructures import MultiValueDict
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, DataAndFiles
from rest_framework.request import Request
from rest_framework.views import APIView

from timba.accounts.authorization import require
from timba.accounts.models import Client
from timba.accounts.permissions import Permission
from timba.api.authentication import actor_of
from timba.api.file_fields import FILE, FileFieldsSerializer, accept_upload, refusal_of, target_of
from timba.api.http import (
    check_storable,
    validated,
)
from timba.api.multipart import CUT_OFF, FormError, FormReader, Part
from timba.api.openapi import example_request
from timba.errors import Invalid
from timba.files.disk import check_disk_space
from timba.files.entry import UploadRejected, check_kind, check_name, check_quota, check_size
from timba.files.models import File
from timba.files.receiving import Accepted, Upload, discard, touch_uploads

MAX_FILES: Final = 100
_TOUCH_SECONDS: Final = 60.0


@example_request({"file": "load.jpg", "consignment_id": 12}, media_type="multipart/form-data")
class FileUploadSerializer(FileFieldsSerializer):
    """A form with one file."""

    file = serializers.FileField(help_text="The file, sent with its name.")


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
    _quota_of: Client | None

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
                self.check_quota(upload.name, upload.row.size)
                self._touch()
            upload.finish()
        except UploadRejected:
            self.discard(upload)
            raise
        return upload

    def check_quota(self, name: str, size: int) -> None:
        """Raise UploadRejected where so many bytes do not fit into the quota of the actor's client.

        Only where the client is known: staff name theirs in the form, and a form that holds the
        CSRF token is read before its user is authenticated.
        """
        if self._quota_of is not None:
            check_quota(self._quota_of, name=name, size=size)

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
        self._quota_of = None
        self._touched_at = time.monotonic()
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        actor = actor_of(request)
        if request.method == "POST" and actor.client is not None:
            # Before the body is read: a user who may not upload need not send it all first.
            require(actor, Permission.WRITE_FILES, client=actor.client)
            # With a key, the files may be those that an earlier request has stored.
            if "Idempotency-Key" not in request.headers:
                self._quota_of = actor.client

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return super().dispatch(request, *args, **kwargs)
        finally:
            discard(*self.uploads)


class OneFileView(UploadView):
    """A view that accepts one file, under the field `file`."""

    def accept_one(self, request: Request) -> Accepted:
        """Accept the file of the form; raise Invalid with the reason where it is rejected."""
        fields = validated(FileFieldsSerializer(data=request.data))
        actor = actor_of(request)
        target = target_of(actor, fields)
        upload = self._only_upload(request)
        fields = {**fields, "kind": self.kind or fields.get("kind")}
        accepted = accept_upload(actor, upload, target, fields)
        transaction.on_commit(self.uploads.clear)
        return accepted

    def check_part(self, part: Part, fields: QueryDict, unread: int) -> None:
        name = part.file_name or ""
        if part.name != FILE:
            sentence = f"“{name}” came under “{part.name}”: the form names no file field `{FILE}`."
            raise UploadRejected(name, sentence)
        if self.file_count > 1:
            raise UploadRejected(name, "Send one file at a time here.")
        check_name(name)
        kind = fields.get("kind")
        # The kind may follow the file, and decides for names without a known extension. The check
        # waits for it where the rest of the form is short.
        is_short = unread <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if kind is not None or not (is_short and self.request.META.get("CONTENT_LENGTH")):
            check_kind(name, kind=self.kind or (kind if kind in File.Kind.values else None))
        # Fields may follow the file, but no other file.
        least = unread - settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        check_size(name, least)
        self.check_quota(name, least)
        check_disk_space(least)

    def reject(self, number: int, rejection: UploadRejected) -> None:  # noqa: ARG002
        raise refusal_of(rejection) from rejection

    def _only_upload(self, request: Request) -> Upload:
        if self.uploads:
            return self.uploads[0]
        sentence = f"No file was sent: send it as “{FILE}” in a multipart form."
        if FILE in request.data:
            sentence = f"The field `{FILE}` came without a file name: send it as a file."
        raise Invalid(fields={FILE: [sentence]})
