"""The table of the pages, which a browser calls: its rows are those of `tests.endpoints`."""

from __future__ import annotations

from functools import partial
from typing import Final

from tests.endpoints import CONSIGNMENT, ID, LOG, NAME, NOTE, SIGN_IN, Endpoint
from tests.factories import PASSWORD

E = partial(Endpoint, "POST", is_page=True)
PERSON = {"name": "Walked", "username": "walked", "role": ID}
NEW_PASSWORD = {"password": "spruce-bark-7731"}
COMPANY = {"name": "Walked", "time_zone": "Europe/Riga"}
OWN_PASSWORD = {"current_password": PASSWORD, **NEW_PASSWORD}

# fmt: off
FORMS: Final = [
    E("login/",                                "",                   SIGN_IN,      401),
    E("logout/",                               "",                   {},           302),
    E("client/",                               "",                   {},           302),
    E("consignments/",                         "consignments.write", CONSIGNMENT,  302),
    E("consignments/{consignment_id}/edit/",   "consignments.write", CONSIGNMENT,  302),
    E("consignments/{consignment_id}/delete/", "consignments.write", {},           302),
    E("consignments/{consignment_id}/logs/",   "logs.write",         LOG,          302),
    E("consignments/{consignment_id}/gate/",   "logs.write",         LOG,          302),
    E("consignments/{consignment_id}/notes/",  "notes.write",        NOTE,         302),
    E("logs/{log_id}/edit/",                   "logs.write",         LOG,          302),
    E("logs/{log_id}/delete/",                 "logs.write",         {},           302),
    E("files/retry-failed/",                   "files.write",        {},           302),
    E("files/selected/",                       "files.write",       {"file_id": ID, "action": "delete"}, 302),
    E("files/selected/archive/",               "",                  {"file_id": ID}, 200),
    E("trash/consignments/{deleted_consignment_id}/restore/", "consignments.write", {}, 302),
    E("files/{file_id}/place/",                "files.write",        {},           302),
    E("files/{file_id}/retry/",                "files.write",        {},           409),
    E("files/{file_id}/answers/",              "files.write",        {},           400),
    E("files/{file_id}/record/",               "files.write",        {},           409),
    E("files/{file_id}/delete/",               "files.write",        {},           302),
    E("files/profiles/{import_profile_id}/delete/", "files.write",   {},           302),
    E("temperatures/{city_id}/name/",          "files.write",        NAME,         302),
    E("notes/",                                "notes.write",        NOTE,         302),
    E("notes/{note_id}/edit/",                 "notes.write",        NOTE,         302),
    E("notes/{note_id}/delete/",               "notes.write",        {},           302),
    E("people/",                               "users.manage",       PERSON,       302),
    E("people/roles/",                         "users.manage",       NAME,         302),
    E("people/roles/{role_id}/",               "users.manage",       NAME,         302),
    E("people/roles/{role_id}/delete/",        "users.manage",       {},           302),
    E("people/{user_id}/",                     "users.manage",       PERSON,       302),
    E("people/{user_id}/password/",            "users.manage",       NEW_PASSWORD, 302),
    E("people/{user_id}/delete/",              "users.manage",       {},           302),
    E("account/",                              "",                   NAME,         302),
    E("account/company/",                      "users.manage",       COMPANY,      302),
    E("account/password/",                     "",                   OWN_PASSWORD, 302),
]
# Pages without a form; a GET of the address of a form shows the page that has the form.
OTHERS: Final = [
    "consignments/{consignment_id}/", "consignments/{consignment_id}/history/",
    "consignments/{consignment_id}/paper/", "files/", "files/profiles/", "files/rows/", "files/{file_id}/",
    "consignments/{consignment_id}/chart/", "notes/{note_id}/", "temperatures/", "temperatures/{city_id}/",
    "temperatures/{city_id}/sparkline/", "trash/", "trash/consignments/", "upload/",
]
# fmt: on
REDIRECTS: Final = ["login/", "client/", "clients/"]
SHOWN: Final = sorted({*OTHERS, *(form.path for form in FORMS)} - {*REDIRECTS, "logout/"})
PAGES: Final = [
    *FORMS,
    *(Endpoint(m, "", "", {}, 302, True) for m in ("GET", "POST", "PUT", "PATCH", "DELETE")),
    *(Endpoint("GET", path, "", {}, 302, True) for path in REDIRECTS),
    Endpoint("GET", "temperatures/{city_id}/series.csv", "", {"bucket": "day"}, 200, True),
    *(
        Endpoint("GET", path, "users.manage" if path.startswith("people/") else "", is_page=True)
        for path in SHOWN
    ),
]
