"""Where each page stands."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver
from django.views.generic import RedirectView

from timba.routing import path
from timba.web.views import files, notes, sessions, temperatures

app_name = "web"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="web:files"), name="home"),
    path("login/", sessions.sign_in, name="login"),
    path("logout/", sessions.sign_out, name="logout"),
    path("client/", sessions.choose_client, name="client"),
    path("files/", files.files, name="files"),
    path("files/rows/", files.file_rows, name="file-rows"),
    path("files/retry-failed/", files.retry_all, name="retry-failed"),
    path("files/<uuid:pk>/", files.file, name="file"),
    path("files/<uuid:pk>/retry/", files.retry, name="retry"),
    path("files/<uuid:pk>/delete/", files.remove, name="delete-file"),
    path("temperatures/", temperatures.temperatures, name="temperatures"),
    path("temperatures/<int:city_id>/", temperatures.temperatures, name="city"),
    path("temperatures/<int:city_id>/name/", temperatures.rename, name="rename-city"),
    path("notes/", notes.notes, name="notes"),
    path("notes/<int:pk>/", notes.note, name="note"),
    path("notes/<int:pk>/edit/", notes.edit_note, name="edit-note"),
    path("notes/<int:pk>/delete/", notes.remove_note, name="delete-note"),
]
