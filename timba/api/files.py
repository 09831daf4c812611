"""The files' doors: one upload at a time, the list, one file, and what people do with it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, TypedDict
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.http import QueryDict
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from timba.accounts.models import User
from timba.api.authentication import actor_of
from timba.api.http import Query, acting_client, named, narrowed, query, read
from timba.api.idempotency import idempotent
from timba.api.legacy_responses import parameters
from timba.api.multipart import Part
from timba.api.openapi import CONFLICT, listing, shape
from timba.api.pagination import PAGE_PARAMETERS, page
from timba.api.uploads import UploadDoor
from timba.consignments.models import Consignment, Log
from timba.db.text import containing
from timba.errors import Invalid, TooLarge
from timba.files.kinds import TEMPERATURES
from timba.files.models import File
from timba.files.receiving import (
    Accepted,
    Received,
    Refused,
    accept_files,
    check_kind,
    check_name,
    check_size,
    identify,
)
from timba.files.schemas import FileShape, Status, file_shape
from timba.files.services import (
    Places,
    delete_file,
    place_file,
    retry_failed_files,
    retry_file,
)

FILE = "file"
STATUSES = ("PENDING", "SUCCESS", "FAILURE")


class FilesQuery(Query):
    """What narrows the list."""

    status = serializers.ChoiceField(choices=STATUSES, required=False)
    kind = serializers.ChoiceField(choices=File.Kind.choices, required=False)
    consignment_id = serializers.IntegerField(required=False)
    q = serializers.CharField(required=False, allow_blank=True, help_text="in the name")
    client_id = serializers.IntegerField(required=False, help_text="for staff")


class FileInput(serializers.Serializer[Any]):
    """A form with one file."""

    file = serializers.FileField()
    kind = serializers.ChoiceField(choices=File.Kind.choices, required=False)
    consignment_id = serializers.IntegerField(required=False)
    log_id = serializers.IntegerField(required=False)
    client_id = serializers.IntegerField(required=False, help_text="for staff")


class FileFields(serializers.Serializer[Any]):
    """The fields beside the file."""

    kind = serializers.ChoiceField(choices=File.Kind.choices, required=False)
    consignment_id = serializers.CharField(required=False, allow_blank=True)
    log_id = serializers.CharField(required=False, allow_blank=True)
    client_id = serializers.CharField(required=False, allow_blank=True)


class PlaceInput(serializers.Serializer[Any]):
    """Where a file belongs."""

    consignment_id = serializers.IntegerField(allow_null=True, required=False)
    log_id = serializers.IntegerField(allow_null=True, required=False)


class _UploadedShape(TypedDict):
    file_id: UUID
    task_id: UUID
    file_url: str
    status: Status


class UploadedShape(_UploadedShape, total=False):
    duplicate: bool


class RetriedShape(TypedDict):
    retried: int


class OneFileDoor(UploadDoor):
    """A door for one file under the field `file`."""

    def accept_one(self, request: Request) -> Accepted:
        """Accept the file that came; raise Invalid with the reason it is refused."""
        fields = read(FileFields(data=request.data))
        actor = actor_of(request)
        client = acting_client(actor, fields.get("client_id"))
        consignment, log = _places(actor, fields)
        received = self._only_file(request)
        try:
            identify(received, kind=self.kind or fields.get("kind"))
        except Refused as refusal:
            raise Invalid(fields={"file": [str(refusal)]}) from refusal
        [accepted] = accept_files(
            actor=actor, client=client, received=[received], consignment=consignment, log=log
        )
        transaction.on_commit(self.intake.release)
        return accepted

    def check_before(self, part: Part, fields: QueryDict, unread: int) -> None:
        name = part.file_name or ""
        if part.name != FILE:
            sentence = f"“{name}” came under “{part.name}”: the form names no file field `{FILE}`."
            raise Refused(name, sentence)
        if self.intake.count > 1:
            raise Refused(name, "Send one file at a time here.")
        check_name(name)
        sent = fields.get("kind")
        # A kind may follow the file, and lets in names that tell none: a short form is read on.
        is_short = unread <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if sent is not None or not (is_short and self.request.META.get("CONTENT_LENGTH")):
            check_kind(name, kind=self.kind or (sent if sent in File.Kind.values else None))
        # Fields may follow it, but no other file.
        check_size(name, unread - settings.DATA_UPLOAD_MAX_MEMORY_SIZE)

    def refuse(self, refusal: Refused) -> None:
        if refusal.too_large:
            raise TooLarge(str(refusal)) from refusal
        raise Invalid(fields={FILE: [str(refusal)]}) from refusal

    def _only_file(self, request: Request) -> Received:
        if self.intake.arrived:
            return self.intake.arrived[0].received
        sentence = f"No file was sent: send it as “{FILE}” in a multipart form."
        if FILE in request.data:
            sentence = f"The field `{FILE}` came without a file name: send it as a file."
        raise Invalid(fields={FILE: [sentence]})


class FilesDoor(OneFileDoor):
    """All files."""

    @extend_schema(parameters=[FilesQuery, *PAGE_PARAMETERS], responses={200: listing(FileShape)})
    def get(self, request: Request) -> Response:
        wanted = query(FilesQuery, request)
        actor = actor_of(request)
        files = narrowed(File.objects.visible_to(actor), actor, wanted.get("client_id"))
        for field in ("status", "kind"):
            if field in wanted:
                files = files.filter(**{field: wanted[field]})
        if "consignment_id" in wanted:
            consignments = Consignment.objects.visible_to(actor)
            files = files.filter(
                consignment=named(consignments, wanted["consignment_id"], "consignment_id")
            )
        if wanted.get("q"):
            files = files.filter(containing(wanted["q"], "name"))
        order = ("-uploaded_at", "-id")
        return Response(page(files, request=request, look=file_shape, order=order))

    @extend_schema(
        request={"multipart/form-data": FileInput},
        responses={201: shape(FileShape), 200: shape(FileShape)},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        accepted = self.accept_one(request)
        body: dict[str, Any] = {**file_shape(accepted.file)}
        if accepted.duplicate:
            return Response({**body, "duplicate": True})
        return Response(body, status=HTTPStatus.CREATED)


class TemperatureUploadDoor(OneFileDoor):
    """`POST /upload/`: a temperature file, whatever its name ends in."""

    kind = TEMPERATURES

    @extend_schema(
        request={"multipart/form-data": FileInput},
        responses={201: shape(UploadedShape), 200: shape(UploadedShape)},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        accepted = self.accept_one(request)
        look = file_shape(accepted.file)
        body = UploadedShape(
            file_id=look["id"],
            task_id=look["task_id"],
            file_url=look["file_url"],
            status=look["status"],
        )
        if accepted.duplicate:
            return Response({**body, "duplicate": True})
        return Response(body, status=HTTPStatus.CREATED)


class FileDoor(APIView):
    """One file."""

    @extend_schema(responses={200: shape(FileShape)})
    def get(self, request: Request, pk: str) -> Response:
        return Response(file_shape(visible_file(actor_of(request), pk)))

    @extend_schema(request=PlaceInput, responses={200: shape(FileShape)})
    def patch(self, request: Request, pk: str) -> Response:
        actor = actor_of(request)
        file = visible_file(actor, pk)
        sent = read(PlaceInput(data=request.data))
        consignment, log = _places(actor, sent)
        places: Places = {}
        if "consignment_id" in sent:
            places["consignment"] = consignment
        if "log_id" in sent:
            places["log"] = log
        file = place_file(actor=actor, file=file, **places)
        return Response(file_shape(file))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: str) -> Response:
        actor = actor_of(request)
        delete_file(actor=actor, file=visible_file(actor, pk))
        return Response(status=HTTPStatus.NO_CONTENT)


class RetryDoor(APIView):
    """`POST /api/files/<id>/retry/`."""

    @extend_schema(request=None, responses={202: shape(FileShape), **CONFLICT})
    def post(self, request: Request, pk: str) -> Response:
        actor = actor_of(request)
        file = retry_file(actor=actor, file=visible_file(actor, pk))
        return Response(file_shape(file), status=HTTPStatus.ACCEPTED)


class RetryFailedDoor(APIView):
    """`POST /api/files/retry-failed/`."""

    @extend_schema(
        parameters=[OpenApiParameter("client_id", int, description="needed by staff")],
        request=None,
        responses={202: shape(RetriedShape)},
    )
    def post(self, request: Request) -> Response:
        actor = actor_of(request)
        client_id = parameters(request, noun="file").get("client_id")
        retried = retry_failed_files(actor=actor, client=acting_client(actor, client_id))
        return Response(RetriedShape(retried=retried), status=HTTPStatus.ACCEPTED)


def visible_file(actor: User, pk: str) -> File:
    """Return the file that `actor` may see under this id; raise NotFound."""
    files = File.objects.visible_to(actor).select_related("client__subscription")
    return files.one_or_not_found(pk=pk)


def _places(actor: User, fields: dict[str, Any]) -> tuple[Consignment | None, Log | None]:
    """Return the consignment and the log that fields name; blank and null name none."""
    consignment = log = None
    if fields.get("consignment_id") not in (None, ""):
        consignments = Consignment.objects.visible_to(actor)
        consignment = named(consignments, fields["consignment_id"], "consignment_id")
    if fields.get("log_id") not in (None, ""):
        log = named(Log.objects.visible_to(actor), fields["log_id"], "log_id")
    return consignment, log
