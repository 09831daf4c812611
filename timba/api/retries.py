"""The endpoints that process files again: one, or all failed ones."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final, TypedDict

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from timba.api.answers import READ_AS_EXAMPLE, AnswersField
from timba.api.authentication import actor_of
from timba.api.files import visible_file
from timba.api.http import ACTING_CLIENT_HELP, JSONResponse, acting_client, validated
from timba.api.legacy_responses import merge_query_and_body
from timba.api.openapi import CONFLICT_RESPONSE, example_request, schema_of
from timba.errors import Conflict
from timba.files.changes import CannotBeRetried
from timba.files.schemas import FileSchema, serialize_file
from timba.files.services import retry_failed_files, retry_file

OR_READ_OTHERWISE: Final = "A temperature file in SUCCESS is read otherwise with “read_as”."


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
        try:
            file = retry_file(actor=actor, file=file, **fields)
        except CannotBeRetried as refusal:
            raise Conflict(f"{refusal} {OR_READ_OTHERWISE}") from refusal
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
