"""The table of all endpoints: what each needs, and the exact status that each caller gets.

`tests.test_endpoints` calls every row as every caller. A URL without a row fails there, and a
method without a row must be answered 405. The pages' rows are in `tests.pages`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

# In a body: the id of a row of the caller's client, and a temperature file with one bad line.
ID: Final = object()
READINGS: Final = b"city_id,temperature,timestamp\n7,21.5,2026-01-01T00:00:00Z\nno reading\n"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one path.

    GET and DELETE send `body` in the query. `permission` is "" for none, "staff" for platform
    staff only. The numbers are statuses, 0 for a call that does not exist: for the client's owner,
    without credentials, with every other permission only, for the owner after the subscription
    has lapsed, with another client's ids, and with a JSON body that breaks off.
    """

    method: str
    path: str
    permission: str
    body: Mapping[str, Any]
    owner: int
    anonymous: int
    no_permission: int
    lapsed: int
    other_client: int
    malformed: int
    is_page: bool = False

    @property
    def parameters(self) -> list[str]:
        """The names of the ids in the path."""
        return re.findall(r"{(\w+)}", self.path)

    @property
    def is_form(self) -> bool:
        return self.is_page or READINGS in self.body.values()

    def url(self, ids: Mapping[str, Any]) -> str:
        return "/" + self.path.format_map(ids)

    def __str__(self) -> str:
        return f"{self.method} {self.path or '/'}"


E = Endpoint
_: dict[str, Any] = {}
SIGN_IN = {"username": "walked", "password": "spruce-bark-7731"}
REFRESH = {"refresh": "not a token"}
USER = {"name": "Walked", "username": "walked", "role": "viewer"}
CONSIGNMENT = {"name": "Walked", "type": "hardwood"}
LOG = {"length": "4.125", "breadth": 30, "height": 31.5}
NOTE, FILE = {"title": "Lorry 7"}, {"file": READINGS}
NAME = {"name": "Walked"}
CONSIGNMENT_ID, LOG_ID, USER_ID = ({f"{noun}_id": ID} for noun in ("consignment", "log", "user"))
# fmt: off
API: Final = [
    # method    path                                            permission            body                              owner, anonymous, no_permission, lapsed, other_client, malformed
    E("GET",    "api/",                                         "",                   _,                                200, 401,   0, 200,   0, 200),
    E("POST",   "upload/",                                      "files.write",        FILE,                             201, 401, 403, 402,   0, 415),
    E("POST",   "api/token/",                                   "",                   SIGN_IN,                          401, 401,   0, 401,   0, 400),
    E("POST",   "api/token/refresh/",                           "",                   REFRESH,                          401, 401,   0, 401,   0, 400),
    E("POST",   "api/token/revoke/",                            "",                   REFRESH,                          401, 401,   0, 401,   0, 400),
    E("GET",    "timba/client",                                 "",                   {"client_id": ID},                200, 401,   0, 200, 404, 400),
    E("PUT",    "timba/client",                                 "staff",              NAME,                             403, 401, 403, 403,   0, 400),
    E("GET",    "timba/user",                                   "",                   USER_ID,                          200, 401,   0, 200, 404, 400),
    E("PUT",    "timba/user",                                   "users.manage",       USER,                             201, 401, 403, 402,   0, 400),
    E("PATCH",  "timba/user",                                   "users.manage",       USER_ID | NAME,                   200, 401, 403, 402, 404, 400),
    E("DELETE", "timba/user",                                   "users.manage",       USER_ID,                          200, 401, 403, 402, 404, 400),
    E("GET",    "timba/users",                                  "",                   _,                                200, 401,   0, 200,   0, 400),
    E("PUT",    "timba/role",                                   "users.manage",       NAME,                             201, 401, 403, 402,   0, 400),
    E("GET",    "timba/roles",                                  "",                   _,                                200, 401,   0, 200,   0, 400),
    E("GET",    "timba/consignment",                            "",                   CONSIGNMENT_ID,                   200, 401,   0, 200, 404, 400),
    E("PUT",    "timba/consignment",                            "consignments.write", CONSIGNMENT,                      201, 401, 403, 402,   0, 400),
    E("PATCH",  "timba/consignment",                            "consignments.write", CONSIGNMENT_ID | NAME,            200, 401, 403, 402, 404, 400),
    E("DELETE", "timba/consignment",                            "consignments.write", CONSIGNMENT_ID,                   200, 401, 403, 402, 404, 400),
    E("GET",    "timba/consignments",                           "",                   _,                                200, 401,   0, 200,   0, 400),
    E("GET",    "timba/log",                                    "",                   LOG_ID,                           200, 401,   0, 200, 404, 400),
    E("PUT",    "timba/log",                                    "logs.write",         CONSIGNMENT_ID | LOG,             201, 401, 403, 402, 404, 400),
    E("PATCH",  "timba/log",                                    "logs.write",         LOG_ID | LOG,                     200, 401, 403, 402, 404, 400),
    E("DELETE", "timba/log",                                    "logs.write",         LOG_ID,                           200, 401, 403, 402, 404, 400),
    E("GET",    "timba/logs",                                   "",                   CONSIGNMENT_ID,                   200, 401,   0, 200, 404, 400),
    E("GET",    "api/clients/",                                 "",                   _,                                200, 401,   0, 200,   0, 200),
    E("POST",   "api/clients/",                                 "staff",              NAME,                             403, 401, 403, 403,   0, 400),
    E("GET",    "api/clients/{client_id}/",                     "",                   _,                                200, 401,   0, 200, 404, 200),
    E("PATCH",  "api/clients/{client_id}/",                     "users.manage",       NAME,                             200, 401, 403, 402, 404, 400),
    E("GET",    "api/clients/{client_id}/subscription/",        "",                   _,                                200, 401,   0, 200, 404, 200),
    E("PATCH",  "api/clients/{client_id}/subscription/",        "staff",              {"seats": 9},                     403, 401, 403, 403, 404, 400),
    E("GET",    "api/users/",                                   "",                   _,                                200, 401,   0, 200,   0, 200),
    E("POST",   "api/users/",                                   "users.manage",       USER,                             201, 401, 403, 402,   0, 400),
    E("GET",    "api/users/{user_id}/",                         "",                   _,                                200, 401,   0, 200, 404, 200),
    E("PATCH",  "api/users/{user_id}/",                         "users.manage",       NAME,                             200, 401, 403, 402, 404, 400),
    E("DELETE", "api/users/{user_id}/",                         "users.manage",       _,                                204, 401, 403, 402, 404, 204),
    E("GET",    "api/roles/",                                   "",                   _,                                200, 401,   0, 200,   0, 200),
    E("POST",   "api/roles/",                                   "users.manage",       NAME,                             201, 401, 403, 402,   0, 400),
    E("GET",    "api/roles/{role_id}/",                         "",                   _,                                200, 401,   0, 200, 404, 200),
    E("PATCH",  "api/roles/{role_id}/",                         "users.manage",       NAME,                             200, 401, 403, 402, 404, 400),
    E("DELETE", "api/roles/{role_id}/",                         "users.manage",       _,                                204, 401, 403, 402, 404, 204),
    E("GET",    "api/consignments/",                            "",                   _,                                200, 401,   0, 200,   0, 200),
    E("POST",   "api/consignments/",                            "consignments.write", CONSIGNMENT,                      201, 401, 403, 402,   0, 400),
    E("GET",    "api/consignments/{consignment_id}/",           "",                   _,                                200, 401,   0, 200, 404, 200),
    E("PATCH",  "api/consignments/{consignment_id}/",           "consignments.write", NAME,                             200, 401, 403, 402, 404, 400),
    E("DELETE", "api/consignments/{consignment_id}/",           "consignments.write", _,                                204, 401, 403, 402, 404, 204),
    E("GET",    "api/consignments/{consignment_id}/tally.xlsx", "",                   _,                                200, 401,   0, 200, 404, 200),
    E("GET",    "api/consignments/{consignment_id}/tally.csv",  "",                   _,                                200, 401,   0, 200, 404, 200),
    E("GET",    "api/consignments/{consignment_id}/tally.pdf",  "",                   _,                                200, 401,   0, 200, 404, 200),
    E("GET",    "api/consignments/{consignment_id}/logs/",      "",                   _,                                200, 401,   0, 200, 404, 200),
    E("POST",   "api/consignments/{consignment_id}/logs/",      "logs.write",         LOG,                              201, 401, 403, 402, 404, 400),
    E("GET",    "api/logs/{log_id}/",                           "",                   _,                                200, 401,   0, 200, 404, 200),
    E("PATCH",  "api/logs/{log_id}/",                           "logs.write",         LOG,                              200, 401, 403, 402, 404, 400),
    E("DELETE", "api/logs/{log_id}/",                           "logs.write",         _,                                204, 401, 403, 402, 404, 204),
    E("POST",   "api/upload/",                                  "files.write",        {"files": READINGS},              202, 401, 403, 402,   0, 415),
    E("GET",    "api/task-status/",                             "",                   {"task_id": ID},                  200, 401,   0, 200, 404, 400),
    E("GET",    "api/files/",                                   "",                   _,                                200, 401,   0, 200,   0, 200),
    E("POST",   "api/files/",                                   "files.write",        FILE,                             201, 401, 403, 402,   0, 415),
    E("POST",   "api/files/retry-failed/",                      "files.write",        _,                                202, 401, 403, 402,   0, 400),
    E("GET",    "api/files/{file_id}/",                         "",                   _,                                200, 401,   0, 200, 404, 200),
    E("PATCH",  "api/files/{file_id}/",                         "files.write",        LOG_ID,                           200, 401, 403, 402, 404, 400),
    E("DELETE", "api/files/{file_id}/",                         "files.write",        _,                                204, 401, 403, 402, 404, 204),
    E("GET",    "api/files/{file_id}/content/",                 "",                   _,                                200, 401,   0, 200, 404, 200),
    E("GET",    "api/files/{file_id}/rejects/",                 "",                   _,                                200, 401,   0, 200, 404, 200),
    E("GET",    "api/files/{file_id}/annotated/",               "",                   _,                                200, 401,   0, 200, 404, 200),
    E("POST",   "api/files/{file_id}/retry/",                   "files.write",        _,                                409, 401, 403, 402, 404, 409),
    E("GET",    "temperature-readings/",                        "",                   _,                                200, 401,   0, 200,   0, 200),
    E("GET",    "temperature-readings/{city_id}/",              "",                   _,                                200, 401,   0, 200, 404, 200),
    E("POST",   "temperature-readings/{city_id}/",              "",                   {"from": "2026-01-01T00:00:00Z"}, 200, 401,   0, 200, 404, 400),
    E("PUT",    "api/cities/{city_id}/",                        "files.write",        NAME,                             200, 401, 403, 402, 200, 400),
    E("GET",    "api/notes/",                                   "",                   _,                                200, 401,   0, 200,   0, 200),
    E("POST",   "api/notes/",                                   "notes.write",        NOTE,                             201, 401, 403, 402,   0, 400),
    E("GET",    "api/notes/{note_id}/",                         "",                   _,                                200, 401,   0, 200, 404, 200),
    E("PUT",    "api/notes/{note_id}/",                         "notes.write",        NOTE,                             200, 401, 403, 402, 404, 400),
    E("PATCH",  "api/notes/{note_id}/",                         "notes.write",        NOTE,                             200, 401, 403, 402, 404, 400),
    E("DELETE", "api/notes/{note_id}/",                         "notes.write",        _,                                204, 401, 403, 402, 404, 204),
    E("GET",    "api/events/",                                  "",                   _,                                200, 401,   0, 200,   0, 200),
    E("GET",    "health/live",                                  "",                   _,                                200, 200,   0, 200,   0, 200),
    E("GET",    "health/ready",                                 "",                   _,                                200, 200,   0, 200,   0, 200),
    E("GET",    "api/schema/",                                  "",                   _,                                200, 200,   0, 200,   0, 200),
    E("GET",    "api/docs/",                                    "",                   _,                                200, 200,   0, 200,   0, 200),
]
