"""Resumable uploads by tus 1.0.0: the requests of its protocol, for one file each.

`Upload-Metadata` holds the fields of the form at `/api/files/`, which are validated alike, when an
upload is created and again when its last byte has arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, wraps
from http import HTTPStatus
from typing import Any, Final, cast
from uuid import UUID

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import http_date
from rest_framework.exceptions import APIException, UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.views import APIView

from timba.accounts.authorization import require
from timba.accounts.permissions import Permission
from timba.api.answers import reading_of
from timba.api.authentication import actor_of
from timba.api.file_fields import accept_upload, refusal_of, target_of
from timba.api.http import JSONResponse
from timba.api.idempotency import idempotent
from timba.api.tus_openapi import (
    CreatedUploadSchema,
    describe_chunk,
    describe_creation,
    describe_deletion,
)
from timba.api.tus_requests import (
    ALGORITHMS,
    CHUNK_TYPE,
    VERSION,
    body_reader,
    checksum_of,
    declared_length,
    media_type_of,
    number_in,
    parse_metadata,
    response_with,
    validated_fields,
)
from timba.errors import Forbidden, Invalid, Lapsed, Locked, Unavailable
from timba.files.entry import UploadRejected
from timba.files.models import File
from timba.files.receiving import Accepted, Upload, identify
from timba.files.resumable.models import ResumableUpload
from timba.files.resumable.parts import OffsetMismatch, UploadGone
from timba.files.resumable.purging import purge_expired
from timba.files.resumable.services import (
    ChecksumMismatch,
    append_bytes,
    begin_upload,
    check_length,
    delete_upload,
    finish_upload,
    received_bytes,
    suppress_finished,
)

EXTENSIONS: Final = "creation,creation-with-upload,termination,checksum,expiration"
CUT_OFF: Final = "The body broke off before its end. Ask for the upload's offset, and go on there."
_OVERRIDABLE: Final = frozenset({"HEAD", "PATCH", "DELETE"})
_METHODS: Final = _OVERRIDABLE | {"POST"}


class PreconditionFailed(APIException):
    """The request is of another version of the protocol."""

    status_code = HTTPStatus.PRECONDITION_FAILED
    default_detail = f"Send the header Tus-Resumable: {VERSION}."


class ChecksumRefused(APIException):
    """A chunk is not what its checksum says."""

    status_code = 460
    default_detail = "The bytes are not those of Upload-Checksum: send them again."


class ChunkParser(BaseParser):
    """Chunks of a file, which the view reads itself."""

    media_type = CHUNK_TYPE

    def parse(self, *_: Any, **__: Any) -> Any:
        return {}


class TusView(APIView):
    """What all requests of the protocol have in common."""

    parser_classes = [ChunkParser]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # Programs behind proxies that know GET and POST only.
        override = request.headers.get("X-HTTP-Method-Override", "").upper()
        if request.method == "POST" and override in _OVERRIDABLE:
            request.method = override
        return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        is_known = request.method in _METHODS and hasattr(self, str(request.method).lower())
        if is_known and request.headers.get("Tus-Resumable") != VERSION:
            raise PreconditionFailed

    def options(self, *_: Any, **__: Any) -> HttpResponse:  # type: ignore[override]
        return response_with(
            {
                "Tus-Version": VERSION,
                "Tus-Extension": EXTENSIONS,
                "Tus-Max-Size": str(settings.TIMBA_MAX_UPLOAD_BYTES),
                "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
            }
        )

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Tus-Resumable"] = VERSION
        if response.status_code == HTTPStatus.PRECONDITION_FAILED:
            response["Tus-Version"] = VERSION
        return response

    def receive(self, request: Request, upload: ResumableUpload, offset: int) -> dict[str, str]:
        """Append the body at `offset`; return the headers that tell what has become of it."""
        if media_type_of(request) != CHUNK_TYPE:
            raise UnsupportedMediaType(request.content_type)
        declared, checksum = declared_length(request), checksum_of(request)
        fields = validated_fields(parse_metadata(upload.metadata))
        try:
            received = append_bytes(
                actor=actor_of(request),
                upload=upload,
                offset=offset,
                size=declared,
                read=body_reader(request, declared),
                check_head=partial(_check_head, upload.name, fields),
                checksum=checksum,
            )
        except UploadRejected as rejection:
            raise refusal_of(rejection) from rejection
        except UnreadablePostError as error:
            raise Invalid(CUT_OFF) from error
        except ChecksumMismatch as error:
            raise ChecksumRefused from error
        return self.state(request, upload, received)

    def state(self, request: Request, upload: ResumableUpload, received: int) -> dict[str, str]:
        """Return the headers of an upload; accept its file if all bytes are there."""
        headers = {
            "Upload-Offset": str(received),
            "Upload-Expires": http_date(upload.expires_at.timestamp()),
        }
        if received < upload.length:
            return headers
        if upload.file is None:
            headers |= self._finish(request, upload)
        file = cast("File", upload.file)
        return headers | {"Timba-File-Id": str(file.pk), "Timba-Task-Id": str(file.task_id)}

    def _finish(self, request: Request, upload: ResumableUpload) -> dict[str, str]:
        """Accept the file of a complete upload; return what is told this once."""
        # It belongs to the user who began the upload, not to one who sends the last byte.
        actor = upload.created_by or actor_of(request)
        fields = validated_fields(parse_metadata(upload.metadata))
        headers: dict[str, str] = {}

        def accept(received: Upload) -> Accepted:
            target = target_of(actor, {**fields, "client_id": upload.client_id})
            accepted = accept_upload(actor, received, target, fields)
            if accepted.duplicate:
                headers["Timba-Duplicate"] = "true"
            return accepted

        try:
            finish_upload(upload=upload, kind=fields.get("kind"), accept=accept)
        except UploadRejected as rejection:
            raise refusal_of(rejection) from rejection
        return headers


def _with_first_chunk(create: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Decorate the creation of an upload to add its headers, and to append the request's body.

    Outside of what `Idempotency-Key` repeats: bytes that arrived before are not appended again.
    """

    @wraps(create)
    def created(view: TusView, request: Request) -> HttpResponse:
        # Otherwise the body is none, as most creations have it.
        has_chunk = declared_length(request) != 0
        if has_chunk and media_type_of(request) != CHUNK_TYPE:
            raise UnsupportedMediaType(request.content_type)
        response = create(view, request)
        body = orjson.loads(response.content)
        upload = _get_upload(request, body["id"])
        received = received_bytes(upload)
        if has_chunk and not received:
            headers = view.receive(request, upload, 0)
        else:
            headers = view.state(request, upload, received)
        headers["Location"] = request.build_absolute_uri(body["upload_url"])
        for name, value in headers.items():
            response[name] = value
        return response

    return created


class TusUploadsView(TusView):
    """`POST /api/files/tus/`: uploads are created here."""

    # What makes two requests with one Idempotency-Key the same.
    fingerprint_headers = ("Upload-Length", "Upload-Metadata")

    @describe_creation
    @_with_first_chunk
    @idempotent
    def post(self, request: Request) -> HttpResponse:
        if "Upload-Defer-Length" in request.headers:
            raise Invalid("Upload-Defer-Length is not supported: send Upload-Length.")
        if "Upload-Concat" in request.headers:
            raise Invalid("Upload-Concat is not supported: send the file in one upload.")
        length = number_in(request, "Upload-Length")
        metadata = request.headers.get("Upload-Metadata", "")
        texts = parse_metadata(metadata)
        fields = validated_fields(texts)
        actor = actor_of(request)
        if actor.client is not None:
            require(actor, Permission.WRITE_FILES, client=actor.client)
        target = target_of(actor, fields)
        name = texts.get("filename", "").replace("\\", "/").rpartition("/")[2]
        # Also here, because the worker that sweeps may be on a machine with another folder.
        purge_expired()
        try:
            upload = begin_upload(
                actor=actor,
                client=target.client,
                name=name,
                kind=fields.get("kind"),
                length=length,
                metadata=metadata,
            )
        except UploadRejected as rejection:
            raise refusal_of(rejection) from rejection
        url = reverse("api:tus-upload", args=[upload.pk])
        body = CreatedUploadSchema(id=upload.pk, upload_url=url)
        return JSONResponse(body, status=HTTPStatus.CREATED)


class TusUploadView(TusView):
    """`/api/files/tus/<id>/`: one upload."""

    def head(self, request: Request, pk: UUID) -> HttpResponse:
        """Respond how far the upload has come; an upload that is complete becomes a file now."""
        upload = _get_upload(request, pk)
        received = received_bytes(upload)
        try:
            headers = self.state(request, upload, received)
        except (Lapsed, Forbidden, Unavailable) as error:
            # Upon most other responses clients give the upload up, and begin another one.
            raise Locked(str(error)) from error
        headers |= {"Upload-Length": str(upload.length), "Upload-Metadata": upload.metadata}
        return response_with(headers, status=HTTPStatus.OK)

    @describe_chunk
    def patch(self, request: Request, pk: UUID) -> HttpResponse:
        upload = _get_upload(request, pk)
        offset = number_in(request, "Upload-Offset")
        if upload.file is None:
            with suppress_finished(upload):
                return response_with(self.receive(request, upload, offset))
        # The response to the last bytes was lost.
        if media_type_of(request) != CHUNK_TYPE:
            raise UnsupportedMediaType(request.content_type)
        if offset != upload.length:
            raise OffsetMismatch(upload.length)
        more = body_reader(request, declared_length(request))(1)
        check_length(upload, offset + len(more))
        return response_with(self.state(request, upload, upload.length))

    @describe_deletion
    def delete(self, request: Request, pk: UUID) -> HttpResponse:
        delete_upload(actor=actor_of(request), upload=_get_upload(request, pk))
        return response_with({})


_RELATED: Final = ("client__subscription", "file", "created_by")


def _get_upload(request: Request, pk: UUID) -> ResumableUpload:
    """Return an upload; raise NotFound where there is none, or its file has been deleted."""
    upload = ResumableUpload.objects.get_visible(actor_of(request), pk, *_RELATED)
    if upload.file is not None and upload.file.deleted_at is not None:
        raise UploadGone
    return upload


def _check_head(name: str, fields: Mapping[str, Any], head: bytes) -> None:
    """Raise UploadRejected or Invalid for a file that begins so."""
    reading_of(identify(name, head, kind=fields.get("kind")).kind, fields)
