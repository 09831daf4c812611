"""The URLs of the JSON API."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

from timba.api.archive import ArchiveView
from timba.api.batches import BatchView, TaskStatusView
from timba.api.bulk import BulkView
from timba.api.clients import ClientView, RestClientsView, RestClientView, SubscriptionView
from timba.api.consignments import (
    ConsignmentsView,
    ConsignmentView,
    RestConsignmentsView,
    RestConsignmentView,
    RestoreConsignmentView,
)
from timba.api.docs import DocsView, IndexView, SchemaView
from timba.api.downloads import (
    AnnotatedView,
    ContentView,
    CsvView,
    PdfView,
    RejectsView,
    WorkbookView,
)
from timba.api.events import EventsView
from timba.api.files import (
    FilesView,
    FileView,
    RestoreView,
    TemperatureUploadView,
)
from timba.api.import_profiles import ImportProfilesView, ImportProfileView
from timba.api.logs import LogsView, LogView, RestLogsView, RestLogView
from timba.api.notes import NotesView, NoteView
from timba.api.previews import PreviewView
from timba.api.retries import RetryFailedView, RetryView
from timba.api.roles import RestRolesView, RestRoleView, RolesView, RoleView
from timba.api.statistics import CityStatisticsView
from timba.api.temperatures import CitiesView, CityNameView, CitySeriesView
from timba.api.tokens import RefreshView, RevokeView, TokenView
from timba.api.tus import TusUploadsView, TusUploadView
from timba.api.users import RestUsersView, RestUserView, UsersView, UserView
from timba.urls import path

app_name = "api"

urlpatterns: list[URLPattern | URLResolver] = [
    # First, because routes are tried one after the other, and this endpoint is asked most.
    path(
        "temperature-readings/<int:city_id>/",
        CityStatisticsView.as_view(),
        name="city-statistics",
    ),
    path("api/", IndexView.as_view(), name="index"),
    path("api/schema/", SchemaView.as_view(), name="schema"),
    path("api/docs/", DocsView.as_view(), name="docs"),
    path("api/token/", TokenView.as_view(), name="token"),
    path("api/token/refresh/", RefreshView.as_view(), name="token-refresh"),
    path("api/token/revoke/", RevokeView.as_view(), name="token-revoke"),
    path("timba/client", ClientView.as_view(), name="client"),
    path("timba/user", UserView.as_view(), name="user"),
    path("timba/users", UsersView.as_view(), name="users"),
    path("timba/role", RoleView.as_view(), name="role"),
    path("timba/roles", RolesView.as_view(), name="roles"),
    path("timba/consignment", ConsignmentView.as_view(), name="consignment"),
    path("timba/consignments", ConsignmentsView.as_view(), name="consignments"),
    path("timba/log", LogView.as_view(), name="log"),
    path("timba/logs", LogsView.as_view(), name="logs"),
    path("api/clients/", RestClientsView.as_view(), name="rest-clients"),
    path("api/clients/<int:pk>/", RestClientView.as_view(), name="rest-client"),
    path(
        "api/clients/<int:pk>/subscription/", SubscriptionView.as_view(), name="rest-subscription"
    ),
    path("api/users/", RestUsersView.as_view(), name="rest-users"),
    path("api/users/<int:pk>/", RestUserView.as_view(), name="rest-user"),
    path("api/roles/", RestRolesView.as_view(), name="rest-roles"),
    path("api/roles/<int:pk>/", RestRoleView.as_view(), name="rest-role"),
    path("api/consignments/<int:pk>/tally.xlsx", WorkbookView.as_view(), name="tally-workbook"),
    path("api/consignments/<int:pk>/tally.csv", CsvView.as_view(), name="tally-csv"),
    path("api/consignments/<int:pk>/tally.pdf", PdfView.as_view(), name="tally-pdf"),
    path("api/consignments/", RestConsignmentsView.as_view(), name="rest-consignments"),
    path("api/consignments/<int:pk>/", RestConsignmentView.as_view(), name="rest-consignment"),
    path(
        "api/consignments/<int:pk>/restore/",
        RestoreConsignmentView.as_view(),
        name="restore-consignment",
    ),
    path("api/consignments/<int:pk>/logs/", RestLogsView.as_view(), name="rest-logs"),
    path("api/logs/<int:pk>/", RestLogView.as_view(), name="rest-log"),
    path("upload/", TemperatureUploadView.as_view(), name="upload-temperatures"),
    path("api/upload/", BatchView.as_view(), name="upload"),
    path("api/task-status/", TaskStatusView.as_view(), name="task-status"),
    path("api/files/", FilesView.as_view(), name="files"),
    path("api/files/archive/", ArchiveView.as_view(), name="archive"),
    path("api/files/bulk/", BulkView.as_view(), name="bulk"),
    path("api/files/retry-failed/", RetryFailedView.as_view(), name="retry-failed"),
    path("api/files/<uuid:pk>/", FileView.as_view(), name="file"),
    path("api/files/<uuid:pk>/content/", ContentView.as_view(), name="content"),
    path("api/files/<uuid:pk>/rejects/", RejectsView.as_view(), name="rejects"),
    path("api/files/<uuid:pk>/annotated/", AnnotatedView.as_view(), name="annotated"),
    path("api/files/<uuid:pk>/preview/", PreviewView.as_view(), name="preview"),
    path("api/files/<uuid:pk>/retry/", RetryView.as_view(), name="retry"),
    path("api/files/<uuid:pk>/restore/", RestoreView.as_view(), name="restore-file"),
    path("api/files/tus/", TusUploadsView.as_view(), name="tus-uploads"),
    path("api/files/tus/<uuid:pk>/", TusUploadView.as_view(), name="tus-upload"),
    path("api/import-profiles/", ImportProfilesView.as_view(), name="import-profiles"),
    path("api/import-profiles/<int:pk>/", ImportProfileView.as_view(), name="import-profile"),
    path("temperature-readings/", CitiesView.as_view(), name="cities"),
    path(
        "temperature-readings/<int:city_id>/series/", CitySeriesView.as_view(), name="city-series"
    ),
    path("api/cities/<int:city_id>/", CityNameView.as_view(), name="city"),
    path("api/notes/", NotesView.as_view(), name="notes"),
    path("api/notes/<int:pk>/", NoteView.as_view(), name="note"),
    path("api/events/", EventsView.as_view(), name="events"),
]
