"""`/api/upload/`, which takes many files at once, and `/api/task-status/` with their progress."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final, NotRequired, TypedDict

from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from timba.api.authentication import actor_of
from timba.api.consignments import get_linked_consignment
from timba.api.http import (
    ACTING_CLIENT_HELP,
    CONSIGNMENT_LINK_HELP,
    IdField,
    JSONResponse,
    RepeatedField,
    acting_client,
    validated,
)
from timba.api.idempotency import idempotent
from timba.api.multipart import Part
from timba.api.openapi import example_request, schema_of
from timba.api.problems import problem
from timba.api.uploads import MAX_FILES, UploadView
from timba.errors import Invalid, NotFound
from timba.files.entry import UploadRejected, check_kind, check_name
from timba.files.kinds import DOCUMENT, KINDS_BY_EXTENSION, PHOTO, extension_of
from timba.files.models import File
from timba.files.receiving import Accepted, Upload, UploadsDoNotFit, accept_files
from timba.files.schemas import FILE_ID, TASK_ID, Status, TaskSchema, serialize_task

IMAGES, FILES = "images", "files"
MAX_TASKS: Final = 100
_CSV: Final = "csv"
_CSV_KINDS: Final = ", ".join(KINDS_BY_EXTENSION[_CSV])


class RejectedFileSchema(TypedDict):
    """A file that was rejected."""

    name: Annotated[str, "File name as sent.", "notes.exe"]
    error: Annotated[str, "Why it was rejected, in a sentence.", "“notes.exe” cannot be read."]


class AcceptedFileSchema(TypedDict):
    """A file that was accepted."""

    name: Annotated[str, "File name as sent.", "load.jpg"]
    file_id: Annotated[uuid.UUID, "Id of the file.", FILE_ID]
    task_id: Annotated[uuid.UUID, "Id of the task that processes the file.", TASK_ID]
    status: Annotated[Status, "Status of the task.", "PENDING"]
    duplicate: NotRequired[
        Annotated[bool, "True where the same bytes were uploaded before; else absent.", False]
    ]


class BatchSchema(TypedDict):
    """The accepted and the rejected files of a batch."""

    task_ids: Annotated[list[uuid.UUID], "Ids of the tasks, in the order of `files`.", [TASK_ID]]
    valid_images: Annotated[
        list[str],
        "Names of the accepted files that were sent as `images`, in their order.",
        ["load.jpg"],
    ]
    files: Annotated[list[AcceptedFileSchema], "The accepted files."]
    errors: Annotated[list[RejectedFileSchema], "The rejected files, in the order they were sent."]


@extend_schema_field({"type": "string"})
class _KindField(serializers.ChoiceField):
    """A kind in a form, or a blank."""


class BatchFieldsSerializer(serializers.Serializer[Any]):
    """The fields of the form that are not files."""

    consignment_id = IdField(required=False, help_text=CONSIGNMENT_LINK_HELP)
    client_id = IdField(required=False, help_text=ACTING_CLIENT_HELP)
    kind = RepeatedField(
        child=serializers.CharField(allow_blank=True),
        required=False,
        help_text=(
            "Kinds of the files under `files`, in their order: any of "
            f"{', '.join(File.Kind.values)}. A blank one, or none, is detected from the file's "
            "name and bytes."
        ),
    )
    csv_kind = _KindField(
        choices=KINDS_BY_EXTENSION[_CSV],
        allow_blank=True,
        required=False,
        help_text=f"Kind of each CSV under `files` that has none in `kind`: any of {_CSV_KINDS}.",
    )
    dry_run = serializers.BooleanField(
        required=False,
        help_text="Only read the tallies of the batch, and record nothing of them. Files of other "
        "kinds are processed as usual.",
    )


@example_request({"images": ["load.jpg"], "consignment_id": 12}, media_type="multipart/form-data")
class BatchUploadSerializer(BatchFieldsSerializer):
    """A form with up to 100 files."""

    images = serializers.ListField(
        child=serializers.FileField(),
        required=False,
        help_text="Images: jpg, png, webp or pdf, up to 5 MB each; repeat the field for each.",
    )
    files = serializers.ListField(
        child=serializers.FileField(),
        required=False,
        help_text="Files of any kind; repeat the field for each.",
    )


class BatchView(UploadView):
    """`POST /api/upload/`: many files at once, each accepted or rejected by itself."""

    # The name of each file under `files`, by its place in the form.
    _names: dict[int, str]

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        self._names = {}
        return super().initialize_request(request, *args, **kwargs)

    def check_part(self, part: Part, fields: QueryDict, unread: int) -> None:  # noqa: ARG002
        name = part.file_name or ""
        if part.name == FILES:
            self._names[self.file_count] = name
        if self._has_too_many:
            raise UploadRejected(name, "There are too many files.")
        if part.name not in {IMAGES, FILES}:
            sentence = f"“{name}” came under the field “{part.name}”: send it as images or files."
            raise UploadRejected(name, sentence)
        check_name(name)
        kinds = self._kinds(fields.getlist("kind"), fields.get("csv_kind", ""))
        check_kind(name, kind=kinds.get(self.file_count))
        if part.name == IMAGES:
            _check_image(name, *KINDS_BY_EXTENSION[extension_of(name)])

    def reject(self, number: int, rejection: UploadRejected) -> None:
        self.rejections[number] = rejection

    def _kinds(self, kinds: Iterable[str], csv_kind: str) -> dict[int, str]:
        """Return the kind of each file that has one, by its place in the form."""
        csvs = (number for number, name in self._names.items() if extension_of(name) == _CSV)
        named = {number: kind for number, kind in zip(self._names, kinds, strict=False) if kind}
        return (dict.fromkeys(csvs, csv_kind) if csv_kind else {}) | named

    @property
    def _has_too_many(self) -> bool:
        return self.file_count > MAX_FILES

    @extend_schema(
        summary="Upload up to 100 files",
        description=(
            "Each file is accepted or rejected by itself. Status 200: all accepted files were "
            "uploaded before. Status 400: no file was accepted."
        ),
        request={"multipart/form-data": BatchUploadSerializer},
        responses={202: schema_of(BatchSchema), 200: schema_of(BatchSchema)},
    )
    @idempotent
    def post(self, request: Request) -> HttpResponse:
        fields = validated(BatchFieldsSerializer(data=request.data))
        actor = actor_of(request)
        client = acting_client(actor, fields.get("client_id"))
        consignment = get_linked_consignment(actor, fields)
        if self._has_too_many:
            return _reject_all(f"{self.file_count} files are too many: send at most {MAX_FILES}.")
        self._identify(self._kinds(fields.get("kind", ()), fields.get("csv_kind", "")))
        accepted = self._accept(
            actor=actor,
            client=client,
            consignment=consignment,
            dry_run=fields.get("dry_run", False),
        )
        if not accepted:
            return _reject_all(self._why_none(request), self._rejected())
        uploads = list(self.uploads)
        transaction.on_commit(self.uploads.clear)
        status = HTTPStatus.OK if all(a.duplicate for a in accepted) else HTTPStatus.ACCEPTED
        return JSONResponse(self._result(uploads, accepted), status=status)

    def _why_none(self, request: Request) -> str:
        for field in (IMAGES, FILES):
            if field in request.data and not self.file_count:
                return f"The field `{field}` came without a file name: send it as a file."
        return "No file was accepted." if self.rejections else "No file was sent."

    def _identify(self, kinds: Mapping[int, str]) -> None:
        """Detect the kind of every upload; discard those that are rejected."""
        for upload in list(self.uploads):
            try:
                upload.identify(kind=kinds.get(upload.number))
                if upload.field == IMAGES:
                    _check_image(upload.name, upload.row.kind)
            except UploadRejected as rejection:
                self.rejections[upload.number] = rejection
                self.discard(upload)

    def _accept(self, **fields: Any) -> list[Accepted]:
        """Accept the uploads that fit into the quota; discard the others."""
        while self.uploads:
            try:
                return accept_files(uploads=list(self.uploads), **fields)
            except UploadsDoNotFit as error:
                for upload, rejection in error.rejections.items():
                    self.rejections[upload.number] = rejection
                    self.discard(upload)
        return []

    def _rejected(self) -> list[RejectedFileSchema]:
        """Return the rejected files in the order of the form."""
        rejections = sorted(self.rejections.items())
        return [RejectedFileSchema(name=each.name, error=str(each)) for _, each in rejections]

    def _result(self, uploads: list[Upload], accepted: list[Accepted]) -> BatchSchema:
        files = []
        for upload, outcome in zip(uploads, accepted, strict=True):
            entry = AcceptedFileSchema(
                name=upload.name,
                file_id=outcome.file.pk,
                task_id=outcome.file.task_id,
                status=serialize_task(outcome.file)["status"],
            )
            if outcome.duplicate:
                entry["duplicate"] = True
            files.append(entry)
        return BatchSchema(
            task_ids=[entry["task_id"] for entry in files],
            valid_images=[upload.name for upload in uploads if upload.field == IMAGES],
            files=files,
            errors=self._rejected(),
        )


_UNKNOWN_TASK: Final = {
    "title": "UnknownTask",
    "type": "object",
    "description": "An id, among several, of which there is no task.",
    "properties": {
        "task_id": {"type": "string", "format": "uuid", "description": "The id in the request."},
        "status": {"const": "UNKNOWN", "description": "There is no such task."},
        "progress": {"const": 0, "description": "Always 0."},
        "rows_read": {"type": "null", "description": "Always null."},
        "result": {"type": "null", "description": "Always null."},
        "error": {"type": "null", "description": "Always null."},
    },
    "required": ["task_id", "status", "progress", "rows_read", "result", "error"],
}
_TASKS: Final = {
    "type": "object",
    "properties": {
        "tasks": {
            "type": "array",
            "description": "The tasks, in the order of the ids.",
            "items": {"oneOf": [schema_of(TaskSchema), _UNKNOWN_TASK]},
        }
    },
    "required": ["tasks"],
}


class TaskStatusView(APIView):
    """`GET /api/task-status/?task_id=…`, for one or many."""

    @extend_schema(
        summary="Get the status of tasks",
        parameters=[
            OpenApiParameter(
                "task_id",
                uuid.UUID,
                many=True,
                required=True,
                description=f"Id of a task, repeated for more: up to {MAX_TASKS}.",
            )
        ],
        responses={200: {"oneOf": [schema_of(TaskSchema), _TASKS]}},
        description='One id returns one task, several return `{"tasks": […]}`.',
    )
    def get(self, request: Request) -> JSONResponse:
        task_ids = _task_ids(request.query_params.getlist("task_id"))
        files = File.objects.visible_to(request.user).filter(task_id__in=task_ids)
        found = {file.task_id: serialize_task(file) for file in files}
        if len(task_ids) > 1:
            return JSONResponse({"tasks": [found.get(one) or _unknown(one) for one in task_ids]})
        if not found:
            raise NotFound("There is no such task.")
        return JSONResponse(found[task_ids[0]])


def _task_ids(texts: Iterable[str]) -> list[uuid.UUID]:
    task_ids = []
    for text in texts:
        with contextlib.suppress(ValueError):
            task_ids.append(uuid.UUID(text))
            continue
        raise Invalid(fields={"task_id": ["This is not an id of a task: ids are UUIDs."]})
    if not 1 <= len(task_ids) <= MAX_TASKS:
        raise Invalid(fields={"task_id": [f"Give 1 to {MAX_TASKS} ids of tasks."]})
    return task_ids


def _unknown(task_id: uuid.UUID) -> dict[str, Any]:
    nothing = {"progress": 0, "rows_read": None, "result": None, "error": None}
    return {"task_id": task_id, "status": "UNKNOWN", **nothing}


def _check_image(name: str, *kinds: str) -> None:
    """Raise UploadRejected unless one of the file's possible kinds is an image."""
    if not {PHOTO, DOCUMENT} & set(kinds):
        sentence = f"“{name}” is not an image: jpg, png, webp and pdf are. Send it as files."
        raise UploadRejected(name, sentence)


def _reject_all(detail: str, rejected: Iterable[RejectedFileSchema] = ()) -> HttpResponse:
    errors = list(rejected) or [RejectedFileSchema(name="", error=detail)]
    return problem(HTTPStatus.BAD_REQUEST, detail, errors=errors)
