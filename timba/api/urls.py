"""Where each JSON door stands."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

from timba.api.batches import BatchDoor, TaskStatusDoor
from timba.api.clients import ClientDoor, RestClientDoor, RestClientsDoor, SubscriptionDoor
from timba.api.consignments import (
    ConsignmentDoor,
    ConsignmentsDoor,
    RestConsignmentDoor,
    RestConsignmentsDoor,
)
from timba.api.docs import DocsDoor, IndexDoor, SchemaDoor
from timba.api.downloads import (
    AnnotatedDoor,
    ContentDoor,
    CsvDoor,
    PdfDoor,
    RejectsDoor,
    WorkbookDoor,
)
from timba.api.events import EventsDoor
from timba.api.files import FileDoor, FilesDoor, RetryDoor, RetryFailedDoor, TemperatureUploadDoor
from timba.api.logs import LogDoor, LogsDoor, RestLogDoor, RestLogsDoor
from timba.api.notes import NoteDoor, NotesDoor
from timba.api.roles import RestRoleDoor, RestRolesDoor, RoleDoor, RolesDoor
from timba.api.temperatures import CitiesDoor, CityNameDoor, CityStatisticsDoor
from timba.api.tokens import RefreshDoor, RevokeDoor, TokenDoor
from timba.api.users import RestUserDoor, RestUsersDoor, UserDoor, UsersDoor
from timba.urls import path

app_name = "api"

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/", IndexDoor.as_view(), name="index"),
    path("api/schema/", SchemaDoor.as_view(), name="schema"),
    path("api/docs/", DocsDoor.as_view(), name="docs"),
    path("api/token/", TokenDoor.as_view(), name="token"),
    path("api/token/refresh/", RefreshDoor.as_view(), name="token-refresh"),
    path("api/token/revoke/", RevokeDoor.as_view(), name="token-revoke"),
    path("timba/client", ClientDoor.as_view(), name="client"),
    path("timba/user", UserDoor.as_view(), name="user"),
    path("timba/users", UsersDoor.as_view(), name="users"),
    path("timba/role", RoleDoor.as_view(), name="role"),
    path("timba/roles", RolesDoor.as_view(), name="roles"),
    path("timba/consignment", ConsignmentDoor.as_view(), name="consignment"),
    path("timba/consignments", ConsignmentsDoor.as_view(), name="consignments"),
    path("timba/log", LogDoor.as_view(), name="log"),
    path("timba/logs", LogsDoor.as_view(), name="logs"),
    path("api/clients/", RestClientsDoor.as_view(), name="rest-clients"),
    path("api/clients/<int:pk>/", RestClientDoor.as_view(), name="rest-client"),
    path(
        "api/clients/<int:pk>/subscription/", SubscriptionDoor.as_view(), name="rest-subscription"
    ),
    path("api/users/", RestUsersDoor.as_view(), name="rest-users"),
    path("api/users/<int:pk>/", RestUserDoor.as_view(), name="rest-user"),
    path("api/roles/", RestRolesDoor.as_view(), name="rest-roles"),
    path("api/roles/<int:pk>/", RestRoleDoor.as_view(), name="rest-role"),
    path("api/consignments/<int:pk>/tally.xlsx", WorkbookDoor.as_view(), name="tally-workbook"),
    path("api/consignments/<int:pk>/tally.csv", CsvDoor.as_view(), name="tally-csv"),
    path("api/consignments/<int:pk>/tally.pdf", PdfDoor.as_view(), name="tally-pdf"),
    path("api/consignments/", RestConsignmentsDoor.as_view(), name="rest-consignments"),
    path("api/consignments/<int:pk>/", RestConsignmentDoor.as_view(), name="rest-consignment"),
    path("api/consignments/<int:pk>/logs/", RestLogsDoor.as_view(), name="rest-logs"),
    path("api/logs/<int:pk>/", RestLogDoor.as_view(), name="rest-log"),
    path("upload/", TemperatureUploadDoor.as_view(), name="upload-temperatures"),
    path("api/upload/", BatchDoor.as_view(), name="upload"),
    path("api/task-status/", TaskStatusDoor.as_view(), name="task-status"),
    path("api/files/", FilesDoor.as_view(), name="files"),
    path("api/files/retry-failed/", RetryFailedDoor.as_view(), name="retry-failed"),
    path("api/files/<uuid:pk>/", FileDoor.as_view(), name="file"),
    path("api/files/<uuid:pk>/content/", ContentDoor.as_view(), name="content"),
    path("api/files/<uuid:pk>/rejects/", RejectsDoor.as_view(), name="rejects"),
    path("api/files/<uuid:pk>/annotated/", AnnotatedDoor.as_view(), name="annotated"),
    path("api/files/<uuid:pk>/retry/", RetryDoor.as_view(), name="retry"),
    path("temperature-readings/", CitiesDoor.as_view(), name="cities"),
    path(
        "temperature-readings/<int:city_id>/",
        CityStatisticsDoor.as_view(),
        name="city-statistics",
    ),
    path("api/cities/<int:city_id>/", CityNameDoor.as_view(), name="city"),
    path("api/notes/", NotesDoor.as_view(), name="notes"),
    path("api/notes/<int:pk>/", NoteDoor.as_view(), name="note"),
    path("api/events/", EventsDoor.as_view(), name="events"),
]
