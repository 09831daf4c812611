"""The table of the API's endpoints: what each needs, and the status that the client's owner gets.

`tests.test_endpoints` calls every row as every caller. A URL without a row fails there, and a
method without a row must be answered 405. The pages' rows are in `tests.pages`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from timba.api.docs import openapi_document

# In a body: the id of a row of the caller's client, and a temperature file with one bad line.
ID: Final = object()
READINGS: Final = b"city_id,temperature,timestamp\n7,21.5,2026-01-01T00:00:00Z\nno reading\n"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one path, with the smallest valid body; GET and DELETE send it in the query.

    `permission` is "" for none, "staff" for platform staff only.
    """

    method: str
    path: str
    permission: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    is_page: bool = False

    @property
    def parameters(self) -> list[str]:
        """The names of the ids in the path."""
        return re.findall(r"{(\w+)}", self.path)

    @property
    def is_form(self) -> bool:
        return self.is_page or READINGS in self.body.values()

    @property
    def is_tus(self) -> bool:
        """Whether its body is the fields of `Upload-Metadata`."""
        return self.path.startswith("api/files/tus/")

    def url(self, ids: Mapping[str, Any]) -> str:
        return "/" + self.path.format_map(ids)

    def __str__(self) -> str:
        return f"{self.method} {self.path or '/'}"


E = Endpoint
SIGN_IN = {"username": "walked", "password": "spruce-bark-7731"}
REFRESH = {"refresh": "not a token"}
USER = {"name": "Walked", "username": "walked", "role": "viewer"}
CONSIGNMENT = {"name": "Walked", "type": "hardwood"}
LOG = {"length": "4.125", "breadth": 30, "height": 31.5}
NOTE, FILE = {"title": "Lorry 7"}, {"file": READINGS}
NAME = {"name": "Walked"}
BOUNDS = {"from": "2026-01-01T00:00:00Z"}
CONSIGNMENT_ID, LOG_ID, USER_ID = ({f"{noun}_id": ID} for noun in ("consignment", "log", "user"))
# fmt: off
READ_WITHOUT_PARAMETERS: Final = [
    "health/live", "health/ready", "api/", "api/schema/", "api/docs/", "api/events/",
    "timba/users", "timba/roles", "timba/consignments",
    "api/clients/", "api/clients/{client_id}/", "api/clients/{client_id}/subscription/",
    "api/users/", "api/users/{user_id}/", "api/roles/", "api/roles/{role_id}/",
    "api/consignments/", "api/consignments/{consignment_id}/",
    "api/consignments/{consignment_id}/logs/", "api/logs/{log_id}/",
    "api/consignments/{consignment_id}/tally.xlsx", "api/consignments/{consignment_id}/tally.csv",
    "api/consignments/{consignment_id}/tally.pdf",
    "api/files/", "api/files/{file_id}/", "api/files/{file_id}/content/",
    "api/import-profiles/", "api/import-profiles/{import_profile_id}/",
    "api/files/{file_id}/rejects/", "api/files/{file_id}/annotated/",
    "api/files/{file_id}/preview/",
    "temperature-readings/", "temperature-readings/{city_id}/",
    "api/notes/", "api/notes/{note_id}/",
]
API: Final = [
    E("GET",    "metrics",                                 "",                   {},                               403),
    *(E("GET", path) for path in READ_WITHOUT_PARAMETERS),
    E("GET",    "temperature-readings/{city_id}/series/",  "",                   {"bucket": "hour"},               200),
    E("POST",   "upload/",                                 "files.write",        FILE,                             201),
    E("POST",   "api/token/",                              "",                   SIGN_IN,                          401),
    E("POST",   "api/token/refresh/",                      "",                   REFRESH,                          401),
    E("POST",   "api/token/revoke/",                       "",                   REFRESH,                          401),
    E("GET",    "timba/client",                            "",                   {"client_id": ID},                200),
    E("PUT",    "timba/client",                            "staff",              NAME,                             403),
    E("GET",    "timba/user",                              "",                   USER_ID,                          200),
    E("PUT",    "timba/user",                              "users.manage",       USER,                             201),
    E("PATCH",  "timba/user",                              "users.manage",       USER_ID | NAME,                   200),
    E("DELETE", "timba/user",                              "users.manage",       USER_ID,                          200),
    E("PUT",    "timba/role",                              "users.manage",       NAME,                             201),
    E("GET",    "timba/consignment",                       "",                   CONSIGNMENT_ID,                   200),
    E("PUT",    "timba/consignment",                       "consignments.write", CONSIGNMENT,                      201),
    E("PATCH",  "timba/consignment",                       "consignments.write", CONSIGNMENT_ID | NAME,            200),
    E("DELETE", "timba/consignment",                       "consignments.write", CONSIGNMENT_ID,                   200),
    E("GET",    "timba/log",                               "",                   LOG_ID,                           200),
    E("PUT",    "timba/log",                               "logs.write",         CONSIGNMENT_ID | LOG,             201),
    E("PATCH",  "timba/log",                               "logs.write",         LOG_ID | LOG,                     200),
    E("DELETE", "timba/log",                               "logs.write",         LOG_ID,                           200),
    E("GET",    "timba/logs",                              "",                   CONSIGNMENT_ID,                   200),
    E("POST",   "api/clients/",                            "staff",              NAME,                             403),
    E("PATCH",  "api/clients/{client_id}/",                "users.manage",       NAME,                             200),
    E("PATCH",  "api/clients/{client_id}/subscription/",   "staff",              {"seats": 9},                     403),
    E("POST",   "api/users/",                              "users.manage",       USER,                             201),
    E("PATCH",  "api/users/{user_id}/",                    "users.manage",       NAME,                             200),
    E("DELETE", "api/users/{user_id}/",                    "users.manage",       {},                               204),
    E("POST",   "api/roles/",                              "users.manage",       NAME,                             201),
    E("PATCH",  "api/roles/{role_id}/",                    "users.manage",       NAME,                             200),
    E("DELETE", "api/roles/{role_id}/",                    "users.manage",       {},                               204),
    E("POST",   "api/consignments/",                       "consignments.write", CONSIGNMENT,                      201),
    E("PATCH",  "api/consignments/{consignment_id}/",      "consignments.write", NAME,                             200),
    E("DELETE", "api/consignments/{consignment_id}/",      "consignments.write", {},                               204),
    E("POST",   "api/consignments/{deleted_consignment_id}/restore/", "consignments.write", {},                    200),
    E("POST",   "api/consignments/{consignment_id}/logs/", "logs.write",         LOG,                              201),
    E("PATCH",  "api/logs/{log_id}/",                      "logs.write",         LOG,                              200),
    E("DELETE", "api/logs/{log_id}/",                      "logs.write",         {},                               204),
    E("POST",   "api/upload/",                             "files.write",        {"files": READINGS},              202),
    E("GET",    "api/task-status/",                        "",                   {"task_id": ID},                  200),
    E("POST",   "api/files/",                              "files.write",        FILE,                             201),
    E("GET",    "api/files/archive/",                      "",                   {"file_id": ID},                  200),
    E("POST",   "api/files/bulk/",                         "files.write",        {"ids": [ID], "action": "move", "consignment_id": ID}, 200),
    E("POST",   "api/files/retry-failed/",                 "files.write",        {},                               202),
    E("PATCH",  "api/files/{file_id}/",                    "files.write",        LOG_ID,                           200),
    E("DELETE", "api/files/{file_id}/",                    "files.write",        {},                               204),
    E("POST",   "api/files/{file_id}/retry/",              "files.write",        {},                               409),
    E("POST",   "api/files/{file_id}/restore/",            "files.write",        {},                               409),
    E("POST",   "api/files/tus/",                          "files.write",        {"filename": "walked.csv"},       201),
    E("PATCH",  "api/files/tus/{resumable_upload_id}/",    "files.write",        {},                               204),
    E("DELETE", "api/files/tus/{resumable_upload_id}/",    "files.write",        {},                               204),
    E("PATCH",  "api/import-profiles/{import_profile_id}/", "files.write",       {},                               200),
    E("DELETE", "api/import-profiles/{import_profile_id}/", "files.write",       {},                               204),
    E("POST",   "temperature-readings/{city_id}/",         "",                   {"from": "2026-01-01T00:00:00Z"}, 200),
    E("PUT",    "api/cities/{city_id}/",                   "files.write",        NAME,                             200),
    E("POST",   "api/notes/",                              "notes.write",        NOTE,                             201),
    E("PUT",    "api/notes/{note_id}/",                    "notes.write",        NOTE,                             200),
    E("PATCH",  "api/notes/{note_id}/",                    "notes.write",        NOTE,                             200),
    E("DELETE", "api/notes/{note_id}/",                    "notes.write",        {},                               204),
]
# fmt: on
OPERATIONS: Final = {
    re.sub(r"{\w+}", "{}", f"{method.upper()} {path[1:]}"): operation
    for path, operations in openapi_document()["paths"].items()
    for method, operation in operations.items()
}


def operation(endpoint: Endpoint) -> dict[str, Any]:
    """Return what OpenAPI says of an endpoint; an empty dictionary if it is not documented."""
    return OPERATIONS.get(re.sub(r"{\w+}", "{}", str(endpoint)), {})


def fields_of(endpoint: Endpoint) -> dict[str, Any]:
    """Return the properties of an endpoint's body by name."""
    for content in operation(endpoint).get("requestBody", {}).get("content", {}).values():
        name = content["schema"].get("$ref", "").rpartition("/")[2]
        schema = openapi_document()["components"]["schemas"].get(name, content["schema"])
        return dict(schema.get("properties", {}))  # a part of a file has none
    return {}
