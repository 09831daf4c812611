"""`POST /api/files/bulk/`: one action on many files."""

from __future__ import annotations

from typing import Annotated, Any, Final, TypedDict
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from timba.api.authentication import actor_of
from timba.api.consignments import get_linked_consignment
from timba.api.http import JSONResponse, validated
from timba.api.idempotency import idempotent
from timba.api.openapi import example_request, schema_of
from timba.files.bulk import ACTIONS, MAX_FILES, change_files
from timba.files.schemas import FILE_ID

_HOW_MANY: Final = f"Give a list of 1 to {MAX_FILES} ids of files."


class _FileIdField(serializers.UUIDField):
    """An id of a file, as text: REST framework takes whole numbers too."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


@example_request({"ids": [FILE_ID], "action": "move", "consignment_id": 12})
class BulkSerializer(serializers.Serializer[Any]):
    """An action, and the files that it is done on."""

    ids = serializers.ListField(
        child=_FileIdField(),
        min_length=1,
        max_length=MAX_FILES,
        error_messages={"min_length": _HOW_MANY, "max_length": _HOW_MANY, "not_a_list": _HOW_MANY},
        help_text="Ids of the files; one that is repeated counts once.",
    )
    action = serializers.ChoiceField(
        choices=ACTIONS, help_text="What is done on each of the files."
    )
    consignment_id = serializers.IntegerField(
        allow_null=True,
        required=False,
        help_text="With move: id of the consignment to move the files to, or null for none.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        moves = attrs["action"] == "move"
        if moves and "consignment_id" not in attrs:
            sentence = "Say where to move the files: give a consignment_id, or null for none."
            raise serializers.ValidationError({"consignment_id": [sentence]})
        if not moves and "consignment_id" in attrs:
            sentence = "Only “move” takes a consignment_id."
            raise serializers.ValidationError({"consignment_id": [sentence]})
        return attrs


class RefusedFileSchema(TypedDict):
    """A file that the action was not done on."""

    id: Annotated[UUID, "Id of the file.", FILE_ID]
    error: Annotated[str, "Why, in a sentence.", "There is no such file."]


class BulkSchema(TypedDict):
    """What was done."""

    done: Annotated[list[UUID], "Ids of the files that it was done on, in their order.", [FILE_ID]]
    errors: Annotated[list[RefusedFileSchema], "The other files, in their order.", []]


class BulkView(APIView):
    """`POST /api/files/bulk/`."""

    @extend_schema(
        summary="Move, delete, restore or retry many files",
        description=(
            "Each file by itself, as the endpoint for one does: what is refused for one file stops "
            "no other. `retry` is that without a body. With an Idempotency-Key, all files that "
            "were done are committed at once."
        ),
        request=BulkSerializer,
        responses={200: schema_of(BulkSchema)},
    )
    @idempotent
    def post(self, request: Request) -> JSONResponse:
        actor = actor_of(request)
        fields = validated(BulkSerializer(data=request.data))
        outcome = change_files(
            actor=actor,
            file_ids=fields["ids"],
            action=fields["action"],
            consignment=get_linked_consignment(actor, fields),
        )
        errors = [RefusedFileSchema(id=pk, error=error) for pk, error in outcome.errors.items()]
        return JSONResponse(BulkSchema(done=outcome.done, errors=errors))
