"""The addresses of the pages."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver
from django.views.generic import RedirectView

from timba.urls import path
from timba.web.views import (
    account,
    answers,
    city_charts,
    consignment,
    consignments,
    files,
    logs,
    notes,
    people,
    selection,
    temperatures,
    trash,
)

app_name = "web"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="web:consignments"), name="home"),
    path("login/", account.sign_in, name="login"),
    path("logout/", account.sign_out, name="logout"),
    path("client/", account.choose_client, name="client"),
    path("clients/", account.clients_page, name="clients"),
    path("consignments/", consignments.consignments_page, name="consignments"),
    path("consignments/<int:pk>/", consignment.consignment_page, name="consignment"),
    path("consignments/<int:pk>/edit/", consignments.edit_consignment, name="edit-consignment"),
    path(
        "consignments/<int:pk>/delete/", consignments.remove_consignment, name="delete-consignment"
    ),
    path("consignments/<int:pk>/logs/", logs.add_log_in_table, name="add-log"),
    path("consignments/<int:pk>/gate/", logs.gate_page, name="gate"),
    path("consignments/<int:pk>/notes/", consignment.add_note, name="add-note"),
    path("consignments/<int:pk>/history/", consignment.timeline_page, name="consignment-history"),
    path("consignments/<int:pk>/chart/", city_charts.consignment_chart, name="consignment-chart"),
    path("consignments/<int:pk>/paper/", consignment.print_page, name="paper"),
    path("logs/<int:pk>/edit/", logs.edit_log, name="edit-log"),
    path("logs/<int:pk>/delete/", logs.remove_log, name="delete-log"),
    path("files/", files.files_page, name="files"),
    path("files/rows/", files.file_rows, name="file-rows"),
    path("files/retry-failed/", files.retry_failed, name="retry-failed"),
    path("files/selected/", selection.change_selected, name="change-files"),
    path("files/selected/archive/", selection.download_selected, name="download-files"),
    path("files/profiles/", answers.profiles_page, name="import-profiles"),
    path("files/profiles/<int:pk>/delete/", answers.remove_profile, name="delete-import-profile"),
    path("files/<uuid:pk>/", files.file_page, name="file"),
    path("files/<uuid:pk>/answers/", answers.answer, name="answer"),
    path("files/<uuid:pk>/record/", answers.record, name="record"),
    path("files/<uuid:pk>/place/", files.link_to_consignment, name="place-file"),
    path("files/<uuid:pk>/retry/", files.retry, name="retry"),
    path("files/<uuid:pk>/delete/", files.remove_file, name="delete-file"),
    path("trash/", trash.deleted_files_page, name="deleted-files"),
    path("trash/consignments/", trash.deleted_consignments_page, name="deleted-consignments"),
    path("trash/consignments/<int:pk>/restore/", trash.restore, name="restore-consignment"),
    path("temperatures/", temperatures.temperatures_page, name="temperatures"),
    path("temperatures/<int:city_id>/", temperatures.temperatures_page, name="city"),
    path("temperatures/<int:city_id>/name/", temperatures.rename_city, name="rename-city"),
    path("temperatures/<int:city_id>/sparkline/", city_charts.city_sparkline, name="sparkline"),
    path("temperatures/<int:city_id>/series.csv", city_charts.series_csv, name="series-csv"),
    path("notes/", notes.notes_page, name="notes"),
    path("notes/<int:pk>/", notes.note_page, name="note"),
    path("notes/<int:pk>/edit/", notes.edit_note, name="edit-note"),
    path("notes/<int:pk>/delete/", notes.remove_note, name="delete-note"),
    path("people/", people.people_page, name="people"),
    path("people/roles/", people.new_role, name="new-role"),
    path("people/roles/<int:pk>/", people.role_page, name="role"),
    path("people/roles/<int:pk>/delete/", people.remove_role, name="delete-role"),
    path("people/<int:pk>/", people.person_page, name="person"),
    path("people/<int:pk>/password/", people.set_password, name="set-password"),
    path("people/<int:pk>/delete/", people.remove_person, name="delete-person"),
    path("account/", account.account_page, name="account"),
    path("account/company/", account.change_company, name="company"),
    path("account/password/", account.change_own_password, name="own-password"),
]
