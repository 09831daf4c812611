"""Where each page stands."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver
from django.views.generic import RedirectView

from timba.urls import path
from timba.web.views import (
    account,
    consignment,
    consignments,
    files,
    logs,
    notes,
    people,
    roles,
    sessions,
    temperatures,
)

app_name = "web"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="web:consignments"), name="home"),
    path("login/", sessions.sign_in, name="login"),
    path("logout/", sessions.sign_out, name="logout"),
    path("client/", sessions.choose_client, name="client"),
    path("clients/", sessions.clients, name="clients"),
    path("consignments/", consignments.consignments, name="consignments"),
    path("consignments/<int:pk>/", consignment.consignment, name="consignment"),
    path("consignments/<int:pk>/edit/", consignments.edit_consignment, name="edit-consignment"),
    path(
        "consignments/<int:pk>/delete/", consignments.remove_consignment, name="delete-consignment"
    ),
    path("consignments/<int:pk>/logs/", logs.add_at_desk, name="add-log"),
    path("consignments/<int:pk>/gate/", logs.add_at_gate, name="gate"),
    path("consignments/<int:pk>/notes/", consignment.add_note, name="add-note"),
    path("consignments/<int:pk>/history/", consignment.history, name="consignment-history"),
    path("consignments/<int:pk>/paper/", consignment.paper, name="paper"),
    path("logs/<int:pk>/edit/", logs.edit_log, name="edit-log"),
    path("logs/<int:pk>/delete/", logs.remove_log, name="delete-log"),
    path("files/", files.files, name="files"),
    path("files/rows/", files.file_rows, name="file-rows"),
    path("files/retry-failed/", files.retry_all, name="retry-failed"),
    path("files/<uuid:pk>/", files.file, name="file"),
    path("files/<uuid:pk>/place/", files.place, name="place-file"),
    path("files/<uuid:pk>/retry/", files.retry, name="retry"),
    path("files/<uuid:pk>/delete/", files.remove, name="delete-file"),
    path("temperatures/", temperatures.temperatures, name="temperatures"),
    path("temperatures/<int:city_id>/", temperatures.temperatures, name="city"),
    path("temperatures/<int:city_id>/name/", temperatures.rename, name="rename-city"),
    path("notes/", notes.notes, name="notes"),
    path("notes/<int:pk>/", notes.note, name="note"),
    path("notes/<int:pk>/edit/", notes.edit_note, name="edit-note"),
    path("notes/<int:pk>/delete/", notes.remove_note, name="delete-note"),
    path("people/", people.people, name="people"),
    path("people/roles/", people.new_role, name="new-role"),
    path("people/roles/<int:pk>/", roles.role, name="role"),
    path("people/roles/<int:pk>/delete/", roles.remove_role, name="delete-role"),
    path("people/<int:pk>/", people.person, name="person"),
    path("people/<int:pk>/password/", people.set_password, name="set-password"),
    path("people/<int:pk>/delete/", people.remove_person, name="delete-person"),
    path("account/", account.account, name="account"),
    path("account/password/", account.own_password, name="own-password"),
]
