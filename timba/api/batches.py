"""The batch door `/api/upload/`, and `/api/task-status/` that tells how far the work is."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final, Literal, TypedDict

from django.db import transaction
from django.http import HttpResponse, QueryDict
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from timba.api.authentication import actor_of
from timba.api.http import acting_client, get_or_400, validated
from timba.api.idempotency import idempotent
from timba.api.multipart import Part
from timba.api.openapi import schema_of
from timba.api.problems import problem
from timba.api.uploads import MAX_FILES, Arrived, UploadView
from timba.consignments.models import Consignment
from timba.errors import Invalid, NotFound
from timba.files.kinds import DOCUMENT, KINDS_OF, PHOTO, ending_of
from timba.files.models import File
from timba.files.receiving import (
    Accepted,
    UploadRejected,
    accept_files,
    check_kind,
    check_name,
    discard,
    identify,
)
from timba.files.schemas import TaskSchema, serialize_task

IMAGES, FILES = "images", "files"
MAX_TASKS: Final = 100


class RefusedSchema(TypedDict):
    name: str
    error: str


class _AcceptedSchema(TypedDict):
    name: str
    file_id: uuid.UUID
    task_id: uuid.UUID
    status: Literal["PENDING", "SUCCESS", "FAILURE"]


class AcceptedSchema(_AcceptedSchema, total=False):
    duplicate: bool


class BatchSchema(TypedDict):
    task_ids: list[uuid.UUID]
    valid_images: list[str]
    files: list[AcceptedSchema]
    errors: list[RefusedSchema]


class BatchInput(serializers.Serializer[Any]):
    """A form with up to 100 files."""

    images = serializers.ListField(
        child=serializers.FileField(), required=False, help_text="jpg, png, webp, pdf"
    )
    files = serializers.ListField(
        child=serializers.FileField(), required=False, help_text="any kind"
    )
    consignment_id = serializers.IntegerField(required=False)
    client_id = serializers.IntegerField(required=False, help_text="for staff")


class BatchFields(serializers.Serializer[Any]):
    """The fields beside the files."""

    consignment_id = serializers.CharField(required=False, allow_blank=True)
    client_id = serializers.CharField(required=False, allow_blank=True)


class BatchView(UploadView):
    """`POST /api/upload/`: many files at once, each with its own fate."""

    def check_before(self, part: Part, fields: QueryDict, unread: int) -> None:  # noqa: ARG002
        name = part.file_name or ""
        if self._has_too_many:
            raise UploadRejected(name, "There are too many files.")
        if part.name not in {IMAGES, FILES}:
            sentence = f"“{name}” came under the field “{part.name}”: send it as images or files."
            raise UploadRejected(name, sentence)
        check_name(name)
        check_kind(name)
        if part.name == IMAGES:
            _check_image(name, *KINDS_OF[ending_of(name)])

    def refuse(self, refusal: UploadRejected) -> None:
        self.intake.refused[self.intake.count] = refusal

    @property
    def _has_too_many(self) -> bool:
        return self.intake.count > MAX_FILES

    @extend_schema(
        request={"multipart/form-data": BatchInput},
        responses={202: schema_of(BatchSchema), 200: schema_of(BatchSchema)},
    )
    @idempotent
    def post(self, request: Request) -> HttpResponse:
        fields = validated(BatchFields(data=request.data))
        actor = actor_of(request)
        client = acting_client(actor, fields.get("client_id"))
        consignment = None
        if fields.get("consignment_id"):
            consignments = Consignment.objects.visible_to(actor)
            consignment = get_or_400(consignments, fields["consignment_id"], "consignment_id")
        if self._has_too_many:
            return _refuse_all(f"{self.intake.count} files are too many: send at most {MAX_FILES}.")
        good = self._identified()
        if not good:
            return _refuse_all(self._why_none(request), self._refusals())
        accepted = accept_files(
            actor=actor,
            client=client,
            received=[one.received for one in good],
            consignment=consignment,
        )
        transaction.on_commit(self.intake.release)
        return Response(self._answer(good, accepted), status=_status(accepted))

    def _why_none(self, request: Request) -> str:
        for field in (IMAGES, FILES):
            if field in request.data and not self.intake.count:
                return f"The field `{field}` came without a file name: send it as a file."
        return "No file was accepted." if self.intake.refused else "No file was sent."

    def _identified(self) -> list[Arrived]:
        """Return what can be accepted; the others are discarded and their refusals noted."""
        good = []
        for one in self.intake.arrived:
            try:
                identify(one.received)
                if one.field == IMAGES:
                    _check_image(one.received.name, one.received.row.kind)
            except UploadRejected as refusal:
                discard(one.received)
                self.intake.refused[one.number] = refusal
            else:
                good.append(one)
        self.intake.arrived = list(good)
        return good

    def _refusals(self) -> list[RefusedSchema]:
        """Tell of what was refused, in the order in which it was sent."""
        refused = sorted(self.intake.refused.items())
        return [RefusedSchema(name=one.name, error=str(one)) for _, one in refused]

    def _answer(self, good: list[Arrived], accepted: list[Accepted]) -> BatchSchema:
        files = []
        for one, outcome in zip(good, accepted, strict=True):
            entry = AcceptedSchema(
                name=one.received.name,
                file_id=outcome.file.pk,
                task_id=outcome.file.task_id,
                status=serialize_task(outcome.file)["status"],
            )
            if outcome.duplicate:
                entry["duplicate"] = True
            files.append(entry)
        return BatchSchema(
            task_ids=[entry["task_id"] for entry in files],
            valid_images=[one.received.name for one in good if one.field == IMAGES],
            files=files,
            errors=self._refusals(),
        )


_UNKNOWN_TASK: Final = {
    "title": "UnknownTask",
    "type": "object",
    "properties": {
        "task_id": {"type": "string", "format": "uuid"},
        "status": {"const": "UNKNOWN"},
        "progress": {"const": 0},
        "result": {"type": "null"},
        "error": {"type": "null"},
    },
    "required": ["task_id", "status", "progress", "result", "error"],
}
_TASKS: Final = {
    "type": "object",
    "properties": {
        "tasks": {
            "type": "array",
            "items": {"oneOf": [schema_of(TaskSchema), _UNKNOWN_TASK]},
        }
    },
    "required": ["tasks"],
}


class TaskStatusView(APIView):
    """`GET /api/task-status/?task_id=…`, for one or many."""

    @extend_schema(
        parameters=[OpenApiParameter("task_id", uuid.UUID, many=True, required=True)],
        responses={200: {"oneOf": [schema_of(TaskSchema), _TASKS]}},
        description="One id answers one task; several answer `{“tasks”: […]}`.",
    )
    def get(self, request: Request) -> Response:
        task_ids = _task_ids(request.query_params.getlist("task_id"))
        files = File.objects.visible_to(request.user).filter(task_id__in=task_ids)
        found = {file.task_id: serialize_task(file) for file in files}
        if len(task_ids) > 1:
            return Response({"tasks": [found.get(one) or _unknown(one) for one in task_ids]})
        if not found:
            raise NotFound("There is no such task.")
        return Response(found[task_ids[0]])


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
    return {"task_id": task_id, "status": "UNKNOWN", "progress": 0, "result": None, "error": None}


def _check_image(name: str, *kinds: str) -> None:
    """Raise Refused unless one of the kinds that a file may be of is an image's."""
    if not {PHOTO, DOCUMENT} & set(kinds):
        sentence = f"“{name}” is not an image: jpg, png, webp and pdf are. Send it as files."
        raise UploadRejected(name, sentence)


def _refuse_all(detail: str, refusals: Iterable[RefusedSchema] = ()) -> HttpResponse:
    errors = list(refusals) or [RefusedSchema(name="", error=detail)]
    return problem(HTTPStatus.BAD_REQUEST, detail, errors=errors)


def _status(accepted: list[Accepted]) -> int:
    only_twins = all(one.duplicate for one in accepted)
    return HTTPStatus.OK if only_twins else HTTPStatus.ACCEPTED
