"""The endpoints of files: upload one, list them, get, link, delete and restore one."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, NotRequired, TypedDict
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from timba.accounts.models import User
from timba.api.authentication import actor_of
from timba.api.consignments import get_linked_consignment
from timba.api.file_fields import LOG_LINK_HELP, get_link_targets
from timba.api.http import (
    CLIENT_FILTER_HELP,
    CONSIGNMENT_LINK_HELP,
    PAGE_PARAMETERS,
    JSONResponse,
    QuerySerializer,
    RepeatedField,
    filter_by_client,
    get_page,
    next_url,
    validated,
    validated_query,
)
from timba.api.idempotency import idempotent
from timba.api.openapi import CONFLICT_RESPONSE, example_request, page_schema, schema_of
from timba.api.uploads import FileUploadSerializer, OneFileView
from timba.files.changes import Links
from timba.files.kinds import TEMPERATURES
from timba.files.models import File
from timba.files.schemas import FILE_ID, TASK_ID, FileSchema, Status, serialize_file
from timba.files.search import add_passages, search_files
from timba.files.services import delete_file, link_file
from timba.files.similar import find_similar
from timba.files.trash import deleted_files, get_restorable, restore_file

STATUSES = ("PENDING", "SUCCESS", "FAILURE")
SHA256 = r"^[0-9a-fA-F]{64}\Z"
MAX_DIGESTS = 100


class FilesQuery(QuerySerializer):
    """Filters of the list."""

    status = serializers.ChoiceField(
        choices=STATUSES, required=False, help_text="Only files with this status."
    )
    kind = serializers.ChoiceField(
        choices=File.Kind.choices, required=False, help_text="Only files of this kind."
    )
    consignment_id = serializers.IntegerField(
        required=False, help_text="Only files of the consignment with this id."
    )
    q = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text=(
            "Only files with all of these words in their name, or all of them in their text. In a "
            "text, words are found by their beginnings; “words in quotes” are found side by side. "
            "Letter case, accents and Unicode form do not matter."
        ),
    )
    sha256 = RepeatedField(
        child=serializers.RegexField(
            SHA256, error_messages={"invalid": "A SHA-256 has 64 hexadecimal digits."}
        ),
        required=False,
        max_length=MAX_DIGESTS,
        help_text="Only files with these bytes: their SHA-256, in hexadecimal; repeated for more.",
    )
    client_id = serializers.IntegerField(required=False, help_text=CLIENT_FILTER_HELP)
    deleted = serializers.BooleanField(
        required=False,
        help_text="true lists the trash, last deleted first: files that can be restored.",
    )


@example_request({"consignment_id": 12, "log_id": None})
class FileLinksSerializer(serializers.Serializer[Any]):
    """The consignment and the log that a file is linked to."""

    consignment_id = serializers.IntegerField(
        allow_null=True, required=False, help_text=CONSIGNMENT_LINK_HELP
    )
    log_id = serializers.IntegerField(allow_null=True, required=False, help_text=LOG_LINK_HELP)


class UploadedFileSchema(TypedDict):
    """An accepted temperature file."""

    file_id: Annotated[UUID, "Id of the file.", FILE_ID]
    task_id: Annotated[UUID, "Id of the task that processes the file.", TASK_ID]
    file_url: Annotated[str, "Path to download the bytes from.", f"/api/files/{FILE_ID}/content/"]
    status: Annotated[Status, "Status of the task.", "PENDING"]
    duplicate: NotRequired[
        Annotated[bool, "True where the same bytes were uploaded before; else absent.", False]
    ]


class FilesView(OneFileView):
    """All files."""

    @extend_schema(
        summary="List files",
        description="Newest first.",
        parameters=[FilesQuery, *PAGE_PARAMETERS],
        responses={200: page_schema(FileSchema)},
    )
    def get(self, request: Request) -> JSONResponse:
        filters = validated_query(FilesQuery, request)
        actor = actor_of(request)
        is_trash = filters.get("deleted", False)
        files = deleted_files(actor) if is_trash else File.objects.visible_to(actor)
        files = filter_by_client(files, actor, filters.get("client_id"))
        for field in ("status", "kind"):
            if field in filters:
                files = files.filter(**{field: filters[field]})
        if "consignment_id" in filters:
            files = files.filter(consignment=get_linked_consignment(actor, filters))
        if "sha256" in filters:
            files = files.filter(sha256__in=[digest.lower() for digest in filters["sha256"]])
        if filters.get("q"):
            files = search_files(
                files, filters["q"], viewer=actor, client_id=filters.get("client_id")
            )
        order = ("-deleted_at" if is_trash else "-uploaded_at", "-id")
        page = get_page(files, request=request, order=order)
        add_passages(page.rows, filters.get("q", ""))
        results = [serialize_file(file) for file in page.rows]
        return JSONResponse({"results": results, "next": next_url(request, page)})

    @extend_schema(
        summary="Upload a file",
        description="Status 200: the same temperature file was uploaded before, and is returned.",
        request={"multipart/form-data": FileUploadSerializer},
        responses={201: schema_of(FileSchema), 200: schema_of(FileSchema)},
    )
    @idempotent
    def post(self, request: Request) -> JSONResponse:
        accepted = self.accept_one(request)
        body: dict[str, Any] = {**serialize_file(accepted.file)}
        if accepted.duplicate:
            return JSONResponse({**body, "duplicate": True})
        return JSONResponse(body, status=HTTPStatus.CREATED)


class TemperatureUploadView(OneFileView):
    """`POST /upload/`: a temperature file, with any extension."""

    kind = TEMPERATURES

    @extend_schema(
        summary="Upload a temperature file",
        description="Status 200: the same bytes were uploaded before, and that file is returned.",
        request={"multipart/form-data": FileUploadSerializer},
        examples=[
            OpenApiExample(
                "Example",
                {"file": "temperatures.csv"},
                request_only=True,
                media_type="multipart/form-data",
            )
        ],
        responses={201: schema_of(UploadedFileSchema), 200: schema_of(UploadedFileSchema)},
    )
    @idempotent
    def post(self, request: Request) -> JSONResponse:
        accepted = self.accept_one(request)
        file = serialize_file(accepted.file)
        body = UploadedFileSchema(
            file_id=file["id"],
            task_id=file["task_id"],
            file_url=file["file_url"],
            status=file["status"],
        )
        if accepted.duplicate:
            return JSONResponse({**body, "duplicate": True})
        return JSONResponse(body, status=HTTPStatus.CREATED)


class FileView(APIView):
    """One file."""

    @extend_schema(
        summary="Get a file",
        description=(
            "Here alone, and not in lists and events, the `result` of a photo has `similar`: up to "
            "5 other photos of the client that look the same now, nearest first, with `id`, `name` "
            "and `distance` (bits in which the perceptual hashes differ, 0 to 8)."
        ),
        responses={200: schema_of(FileSchema)},
    )
    def get(self, request: Request, pk: str) -> JSONResponse:
        file = visible_file(actor_of(request), pk)
        body = serialize_file(file)
        if file.kind == File.Kind.PHOTO and body["result"] is not None:
            body["result"] = {**body["result"], "similar": find_similar(file)}
        return JSONResponse(body)

    @extend_schema(
        summary="Link a file to a consignment or a log",
        description="Null removes a link; a link that is left out stays.",
        request=FileLinksSerializer,
        responses={200: schema_of(FileSchema)},
    )
    def patch(self, request: Request, pk: str) -> JSONResponse:
        actor = actor_of(request)
        file = visible_file(actor, pk)
        fields = validated(FileLinksSerializer(data=request.data))
        consignment, log = get_link_targets(actor, fields)
        links: Links = {}
        if "consignment_id" in fields:
            links["consignment"] = consignment
        if "log_id" in fields:
            links["log"] = log
        file = link_file(actor=actor, file=file, **links)
        return JSONResponse(serialize_file(file))

    @extend_schema(
        summary="Delete a file",
        description="It is in the trash, and can be restored, for the days of TIMBA_TRASH_DAYS.",
        responses={204: None},
    )
    def delete(self, request: Request, pk: str) -> JSONResponse:
        actor = actor_of(request)
        delete_file(actor=actor, file=visible_file(actor, pk))
        return JSONResponse(status=HTTPStatus.NO_CONTENT)


class RestoreView(APIView):
    """`POST /api/files/<id>/restore/`."""

    @extend_schema(
        summary="Restore a deleted file",
        description=(
            "As it was, with its result, and with its consignment and log unless these were "
            "deleted. Its readings count again at once. Status 409: its bytes are gone, it is not "
            "deleted, or its readings were uploaded again meanwhile."
        ),
        request=None,
        responses={200: schema_of(FileSchema), **CONFLICT_RESPONSE},
    )
    @idempotent
    def post(self, request: Request, pk: str) -> JSONResponse:
        actor = actor_of(request)
        file = restore_file(actor=actor, file=get_restorable(actor, pk))
        return JSONResponse(serialize_file(file))


def visible_file(actor: User, pk: str) -> File:
    """Return the file with this id; raise NotFound where there is none that `actor` may see."""
    return File.objects.get_visible(actor, pk, "client__subscription")
