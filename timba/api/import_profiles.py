"""The endpoints of import profiles: `/api/import-profiles/` and `/api/import-profiles/<id>/`."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from timba.api.answers import READ_AS_EXAMPLE, AnswersField
from timba.api.authentication import actor_of
from timba.api.http import (
    CLIENT_FILTER_HELP,
    PAGE_PARAMETERS,
    JSONResponse,
    QuerySerializer,
    filter_by_client,
    paginated,
    validated,
    validated_query,
)
from timba.api.openapi import example_request, page_schema, schema_of
from timba.files.models import ImportProfile
from timba.files.profiles import change_profile, delete_profile
from timba.files.schemas import ImportProfileSchema, serialize_profile


@example_request({"read_as": READ_AS_EXAMPLE})
class ImportProfileSerializer(serializers.Serializer[Any]):
    """What can be changed of an import profile."""

    read_as = AnswersField(help_text="The answers, in place of those that it holds.")


class ImportProfilesQuery(QuerySerializer):
    """Filters of the list."""

    client_id = serializers.IntegerField(required=False, help_text=CLIENT_FILTER_HELP)


class ImportProfilesView(APIView):
    """All import profiles."""

    @extend_schema(
        summary="List import profiles",
        description=(
            "Newest first. An import profile holds what was answered to the questions of a file, "
            "for the next files with the same header."
        ),
        parameters=[ImportProfilesQuery, *PAGE_PARAMETERS],
        responses={200: page_schema(ImportProfileSchema)},
    )
    def get(self, request: Request) -> JSONResponse:
        filters = validated_query(ImportProfilesQuery, request)
        actor = actor_of(request)
        profiles = filter_by_client(
            ImportProfile.objects.visible_to(actor), actor, filters.get("client_id")
        )
        return JSONResponse(paginated(profiles, request=request, serialize=serialize_profile))


class ImportProfileView(APIView):
    """One import profile."""

    @extend_schema(summary="Get an import profile", responses={200: schema_of(ImportProfileSchema)})
    def get(self, request: Request, pk: int) -> JSONResponse:
        return JSONResponse(serialize_profile(_visible_profile(request, pk)))

    @extend_schema(
        summary="Change an import profile",
        description="Files that were processed already stay as they are.",
        request=ImportProfileSerializer(partial=True),
        responses={200: schema_of(ImportProfileSchema)},
    )
    def patch(self, request: Request, pk: int) -> JSONResponse:
        profile = _visible_profile(request, pk)
        fields = validated(ImportProfileSerializer(data=request.data, partial=True))
        profile = change_profile(actor=actor_of(request), profile=profile, **fields)
        return JSONResponse(serialize_profile(profile))

    @extend_schema(
        summary="Delete an import profile",
        description="The next file with its header asks again.",
        responses={204: None},
    )
    def delete(self, request: Request, pk: int) -> JSONResponse:
        delete_profile(actor=actor_of(request), profile=_visible_profile(request, pk))
        return JSONResponse(status=204)


def _visible_profile(request: Request, pk: int) -> ImportProfile:
    return ImportProfile.objects.get_visible(actor_of(request), pk, "client__subscription")
