"""Where each JSON door stands."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView

from timba.api.index import IndexDoor
from timba.api.notes import NoteDoor, NotesDoor
from timba.routing import path

app_name = "api"

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/", IndexDoor.as_view(), name="index"),
    path("api/schema/", SpectacularJSONAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="api:schema"), name="docs"),
    path("api/notes/", NotesDoor.as_view(), name="notes"),
    path("api/notes/<int:pk>/", NoteDoor.as_view(), name="note"),
]
