"""The views of the usual way: Django REST framework's own view sets and pagination."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpRequest, JsonResponse
from rest_framework import serializers
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ModelViewSet

from bench.peers.constant import LIVE, LOG, NOTES, STATISTIC
from bench.peers.usual.models import CityTotals, Log, Note


class CityTotalsSerializer(serializers.ModelSerializer[CityTotals]):
    class Meta:
        model = CityTotals
        fields = list(STATISTIC)


class CityTotalsView(APIView):
    def get(self, request: Request, city_id: int) -> Response:  # noqa: ARG002
        return Response(CityTotalsSerializer(CityTotals.objects.get(city_id=city_id)).data)


class LogSerializer(serializers.ModelSerializer[Log]):
    class Meta:
        model = Log
        fields = list(LOG)


class LogViewSet(ModelViewSet[Log]):
    serializer_class = LogSerializer

    def get_queryset(self) -> QuerySet[Log]:
        return Log.objects.filter(client_id=self.request.user.client_id)


class NoteSerializer(serializers.ModelSerializer[Note]):
    class Meta:
        model = Note
        fields = list(NOTES["results"][0])


class NewestFirst(CursorPagination):
    ordering = "-id"
    page_size = 100
    page_size_query_param = "limit"
    max_page_size = 1000


class NoteViewSet(ModelViewSet[Note]):
    serializer_class = NoteSerializer
    pagination_class = NewestFirst

    def get_queryset(self) -> QuerySet[Note]:
        return Note.objects.filter(client_id=self.request.user.client_id)


def live_view(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    return JsonResponse(LIVE)
