"""The endpoints of files: upload one, list them, get, link, retry and delete one."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, NotRequired, TypedDict
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from timba.accounts.models import User
from timba.api.answers import READ_AS_EXAMPLE, AnswersField
from timba.api.authentication import actor_of
from timba.api.consignments import get_linked_consignment
from timba.api.http import (
    ACTING_CLIENT_HELP,
    CLIENT_FILTER_HELP,
    CONSIGNMENT_LINK_HELP,
    PAGE_PARAMETERS,
    JSONResponse,
    QuerySerializer,
    acting_client,
    filter_by_client,
    paginated,
    validated,
    validated_query,
)
from timba.api.idempotency import idempotent
from timba.api.legacy_responses import merge_query_and_body
from timba.api.openapi import CONFLICT_RESPONSE, example_request, page_schema, schema_of
from timba.api.uploads import (
    LOG_LINK_HELP,
    FileUploadSerializer,
    OneFileView,
    get_link_targets,
)
from timba.files.kinds import TEMPERATURES
from timba.files.models import File
from timba.files.schemas import FILE_ID, TASK_ID, FileSchema, Status, serialize_file
from timba.files.services import (
    Links,
    delete_file,
    link_file,
    retry_failed_files,
    retry_file,
)

STATUSES = ("PENDING", "SUCCESS", "FAILURE")


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
        required=False, allow_blank=True, help_text="Only files with this text in the name."
    )
    client_id = serializers.IntegerField(required=False, help_text=CLIENT_FILTER_HELP)


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


@example_request({"read_as": READ_AS_EXAMPLE})
class RetrySerializer(serializers.Serializer[Any]):
    """How a file is to be processed again."""

    read_as = AnswersField(
        required=False,
        help_text="Answers to the file's questions, in addition to those given before.",
    )
    dry_run = serializers.BooleanField(
        required=False,
        help_text="Whether a tally is only read, and nothing is recorded. By default, a dry run "
        "that succeeded is recorded unless `read_as` is given; other files stay what they are.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(self.initial_data) - set(self.fields))
        if unknown:
            raise serializers.ValidationError(
                {name: ["A retry has no such field."] for name in unknown}
            )
        return attrs


class RetriedFilesSchema(TypedDict):
    """The number of files that are processed again."""

    retried: Annotated[int, "Number of files that are processed again.", 2]


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
        files = filter_by_client(File.objects.visible_to(actor), actor, filters.get("client_id"))
        for field in ("status", "kind"):
            if field in filters:
                files = files.filter(**{field: filters[field]})
        if "consignment_id" in filters:
            files = files.filter(consignment=get_linked_consignment(actor, filters))
        if filters.get("q"):
            files = files.filter(name_key__finds=filters["q"])
        order = ("-uploaded_at", "-id")
        return JSONResponse(
            paginated(files, request=request, serialize=serialize_file, order=order)
        )

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

    @extend_schema(summary="Get a file", responses={200: schema_of(FileSchema)})
    def get(self, request: Request, pk: str) -> JSONResponse:
        return JSONResponse(serialize_file(visible_file(actor_of(request), pk)))

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

    @extend_schema(summary="Delete a file", responses={204: None})
    def delete(self, request: Request, pk: str) -> JSONResponse:
        actor = actor_of(request)
        delete_file(actor=actor, file=visible_file(actor, pk))
        return JSONResponse(status=HTTPStatus.NO_CONTENT)


class RetryView(APIView):
    """`POST /api/files/<id>/retry/`."""

    @extend_schema(
        summary="Process a file again",
        description=(
            "A file in FAILURE, and a dry run that succeeded. The body may be left out; `read_as` "
            "answers the questions in the file's `result`. With `read_as` a temperature file in "
            "SUCCESS is read otherwise, too; its result stays until the new one stands."
        ),
        request=RetrySerializer,
        responses={202: schema_of(FileSchema), **CONFLICT_RESPONSE},
    )
    def post(self, request: Request, pk: str) -> JSONResponse:
        actor = actor_of(request)
        file = visible_file(actor, pk)
        fields = validated(RetrySerializer(data=request.data))
        file = retry_file(actor=actor, file=file, **fields)
        return JSONResponse(serialize_file(file), status=HTTPStatus.ACCEPTED)


class RetryFailedView(APIView):
    """`POST /api/files/retry-failed/`."""

    @extend_schema(
        summary="Process all failed files again",
        description="Except those that wait for answers to their questions.",
        parameters=[OpenApiParameter("client_id", int, description=ACTING_CLIENT_HELP)],
        request=None,
        responses={202: schema_of(RetriedFilesSchema)},
    )
    def post(self, request: Request) -> JSONResponse:
        actor = actor_of(request)
        client_id = merge_query_and_body(request, noun="file").get("client_id")
        retried = retry_failed_files(actor=actor, client=acting_client(actor, client_id))
        return JSONResponse(RetriedFilesSchema(retried=retried), status=HTTPStatus.ACCEPTED)


def visible_file(actor: User, pk: str) -> File:
    """Return the file with this id; raise NotFound where there is none that `actor` may see."""
    return File.objects.get_visible(actor, pk, "client__subscription")
