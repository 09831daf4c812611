"""The endpoints of notes: `/api/notes/` and `/api/notes/<id>/`."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from timba.api.authentication import actor_of
from timba.api.consignments import get_linked_consignment
from timba.api.http import (
    ACTING_CLIENT_HELP,
    CLIENT_FILTER_HELP,
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
from timba.api.openapi import example_request, page_schema, schema_of
from timba.notes.models import MAX_TITLE, Note, contains_words
from timba.notes.schemas import NoteSchema, serialize_note
from timba.notes.services import change_note, delete_note, write_note


@example_request(
    {"title": "Bark", "content": "Two logs have lost their bark.", "consignment_id": 12}
)
class NoteSerializer(serializers.Serializer[Note]):
    """The fields of a note."""

    title = serializers.CharField(
        max_length=MAX_TITLE, trim_whitespace=False, help_text="Title of the note."
    )
    content = serializers.CharField(
        allow_blank=True, default="", trim_whitespace=False, help_text="Text of the note."
    )
    consignment_id = serializers.IntegerField(
        allow_null=True, default=None, help_text="Id of the consignment that the note is about."
    )


class NewNoteSerializer(NoteSerializer):
    """A new note."""

    client_id = serializers.IntegerField(required=False, help_text=ACTING_CLIENT_HELP)


class NotesQuery(QuerySerializer):
    """Filters of the list."""

    q = serializers.CharField(
        required=False, allow_blank=True, help_text="Only notes with this text in title or content."
    )
    consignment_id = serializers.IntegerField(
        required=False, help_text="Only notes of the consignment with this id."
    )
    client_id = serializers.IntegerField(required=False, help_text=CLIENT_FILTER_HELP)


class NotesView(APIView):
    """All notes."""

    @extend_schema(
        summary="List notes",
        description="Newest first.",
        parameters=[NotesQuery, *PAGE_PARAMETERS],
        responses={200: page_schema(NoteSchema)},
    )
    def get(self, request: Request) -> JSONResponse:
        filters = validated_query(NotesQuery, request)
        notes = filter_by_client(
            Note.objects.visible_to(request.user), actor_of(request), filters.get("client_id")
        )
        if "consignment_id" in filters:
            notes = notes.filter(consignment=get_linked_consignment(actor_of(request), filters))
        if filters.get("q"):
            notes = notes.filter(contains_words(filters["q"]))
        return JSONResponse(paginated(notes, request=request, serialize=serialize_note))

    @extend_schema(
        summary="Write a note", request=NewNoteSerializer, responses={201: schema_of(NoteSchema)}
    )
    @idempotent
    def post(self, request: Request) -> JSONResponse:
        fields = validated(NewNoteSerializer(data=request.data))
        note = write_note(
            actor=actor_of(request),
            client=acting_client(actor_of(request), fields.get("client_id")),
            title=fields["title"],
            content=fields["content"],
            consignment=get_linked_consignment(actor_of(request), fields),
        )
        return JSONResponse(serialize_note(note), status=201)


class NoteView(APIView):
    """One note."""

    @extend_schema(summary="Get a note", responses={200: schema_of(NoteSchema)})
    def get(self, request: Request, pk: int) -> JSONResponse:
        return JSONResponse(serialize_note(_visible_note(request, pk)))

    @extend_schema(
        summary="Replace a note", request=NoteSerializer, responses={200: schema_of(NoteSchema)}
    )
    def put(self, request: Request, pk: int) -> JSONResponse:
        note = _visible_note(request, pk)
        fields = validated(NoteSerializer(data=request.data))
        return self._change(request, note, fields)

    @extend_schema(
        summary="Change a note",
        request=NoteSerializer(partial=True),
        responses={200: schema_of(NoteSchema)},
    )
    def patch(self, request: Request, pk: int) -> JSONResponse:
        note = _visible_note(request, pk)
        fields = validated(NoteSerializer(data=request.data, partial=True))
        return self._change(request, note, fields)

    @extend_schema(summary="Delete a note", responses={204: None})
    def delete(self, request: Request, pk: int) -> JSONResponse:
        delete_note(actor=actor_of(request), note=_visible_note(request, pk))
        return JSONResponse(status=204)

    def _change(self, request: Request, note: Note, fields: dict[str, Any]) -> JSONResponse:
        if "consignment_id" in fields:
            fields["consignment"] = get_linked_consignment(actor_of(request), fields)
            del fields["consignment_id"]
        note = change_note(actor=actor_of(request), note=note, **fields)
        return JSONResponse(serialize_note(note))


def _visible_note(request: Request, pk: int) -> Note:
    return Note.objects.get_visible(actor_of(request), pk, "client__subscription")
