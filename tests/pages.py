"""The rows of `tests.endpoints` for the pages, which are called by a browser.

A GET of a path that only takes a form leads to the page that has the form.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from tests.endpoints import CONSIGNMENT, ID, LOG, NAME, NOTE, SIGN_IN, Endpoint, _
from tests.factories import PASSWORD

E = partial(Endpoint, is_page=True)
PERSON = {"name": "Walked", "username": "walked", "role": ID}
NEW_PASSWORD = {"password": "spruce-bark-7731"}

# fmt: off
PAGES: Final = [
    # method    path                                      permission            body                                            owner, anonymous, no_permission, lapsed, other_client, malformed
    E("GET",    "upload/",                                "",                   _,                                              200, 302,   0, 200,   0, 200),
    E("GET",    "",                                       "",                   _,                                              302, 302,   0, 302,   0, 302),
    E("POST",   "",                                       "",                   _,                                              302, 302,   0, 302,   0, 302),
    E("PUT",    "",                                       "",                   _,                                              302, 302,   0, 302,   0, 302),
    E("PATCH",  "",                                       "",                   _,                                              302, 302,   0, 302,   0, 302),
    E("DELETE", "",                                       "",                   _,                                              302, 302,   0, 302,   0, 302),
    E("GET",    "login/",                                 "",                   _,                                              302, 200,   0, 302,   0, 302),
    E("POST",   "login/",                                 "",                   SIGN_IN,                                        401, 401,   0, 401,   0, 401),
    E("POST",   "logout/",                                "",                   _,                                              302, 302,   0, 302,   0, 302),
    E("GET",    "client/",                                "",                   _,                                              302, 302,   0, 302,   0, 302),
    E("POST",   "client/",                                "",                   _,                                              302, 302,   0, 302,   0, 302),
    E("GET",    "clients/",                               "",                   _,                                              302, 302,   0, 302,   0, 302),
    E("GET",    "consignments/",                          "",                   _,                                              200, 302,   0, 200,   0, 200),
    E("POST",   "consignments/",                          "consignments.write", CONSIGNMENT,                                    302, 302, 403, 402,   0, 400),
    E("GET",    "consignments/{consignment_id}/",         "",                   _,                                              200, 302,   0, 200, 404, 200),
    E("GET",    "consignments/{consignment_id}/edit/",    "",                   _,                                              200, 302,   0, 200, 404, 200),
    E("POST",   "consignments/{consignment_id}/edit/",    "consignments.write", CONSIGNMENT,                                    302, 302, 403, 402, 404, 400),
    E("GET",    "consignments/{consignment_id}/delete/",  "",                   _,                                              200, 302,   0, 200, 404, 200),
    E("POST",   "consignments/{consignment_id}/delete/",  "consignments.write", _,                                              302, 302, 403, 402, 404, 302),
    E("GET",    "consignments/{consignment_id}/logs/",    "",                   _,                                              200, 302,   0, 200, 404, 200),
    E("POST",   "consignments/{consignment_id}/logs/",    "logs.write",         LOG,                                            302, 302, 403, 402, 404, 400),
    E("GET",    "consignments/{consignment_id}/gate/",    "",                   _,                                              200, 302,   0, 200, 404, 200),
    E("POST",   "consignments/{consignment_id}/gate/",    "logs.write",         LOG,                                            302, 302, 403, 402, 404, 400),
    E("GET",    "consignments/{consignment_id}/notes/",   "",                   _,                                              200, 302,   0, 200, 404, 200),
    E("POST",   "consignments/{consignment_id}/notes/",   "notes.write",        NOTE,                                           302, 302, 403, 402, 404, 400),
    E("GET",    "consignments/{consignment_id}/history/", "",                   _,                                              200, 302,   0, 200, 404, 200),
    E("GET",    "consignments/{consignment_id}/paper/",   "",                   _,                                              200, 302,   0, 200, 404, 200),
    E("GET",    "logs/{log_id}/edit/",                    "",                   _,                                              200, 302,   0, 200, 404, 200),
    E("POST",   "logs/{log_id}/edit/",                    "logs.write",         LOG,                                            302, 302, 403, 402, 404, 400),
    E("GET",    "logs/{log_id}/delete/",                  "",                   _,                                              200, 302,   0, 200, 404, 200),
    E("POST",   "logs/{log_id}/delete/",                  "logs.write",         _,                                              302, 302, 403, 402, 404, 302),
    E("GET",    "files/",                                 "",                   _,                                              200, 302,   0, 200,   0, 200),
    E("GET",    "files/rows/",                            "",                   _,                                              200, 302,   0, 200,   0, 200),
    E("GET",    "files/retry-failed/",                    "",                   _,                                              200, 302,   0, 200,   0, 200),
    E("POST",   "files/retry-failed/",                    "files.write",        _,                                              302, 302, 403, 402,   0, 302),
    E("GET",    "files/{file_id}/",                       "",                   _,                                              200, 302,   0, 200, 404, 200),
    E("GET",    "files/{file_id}/place/",                 "",                   _,                                              200, 302,   0, 200, 404, 200),
    E("POST",   "files/{file_id}/place/",                 "files.write",        _,                                              302, 302, 403, 402, 404, 302),
    E("GET",    "files/{file_id}/retry/",                 "",                   _,                                              200, 302,   0, 200, 404, 200),
    E("POST",   "files/{file_id}/retry/",                 "files.write",        _,                                              409, 302, 403, 402, 404, 409),
    E("GET",    "files/{file_id}/delete/",                "",                   _,                                              200, 302,   0, 200, 404, 200),
    E("POST",   "files/{file_id}/delete/",                "files.write",        _,                                              302, 302, 403, 402, 404, 302),
    E("GET",    "temperatures/",                          "",                   _,                                              200, 302,   0, 200,   0, 200),
    E("GET",    "temperatures/{city_id}/",                "",                   _,                                              200, 302,   0, 200, 404, 200),
    E("GET",    "temperatures/{city_id}/name/",           "",                   _,                                              200, 302,   0, 200, 404, 200),
    E("POST",   "temperatures/{city_id}/name/",           "files.write",        NAME,                                           302, 302, 403, 402, 404, 400),
    E("GET",    "notes/",                                 "",                   _,                                              200, 302,   0, 200,   0, 200),
    E("POST",   "notes/",                                 "notes.write",        NOTE,                                           302, 302, 403, 402,   0, 400),
    E("GET",    "notes/{note_id}/",                       "",                   _,                                              200, 302,   0, 200, 404, 200),
    E("GET",    "notes/{note_id}/edit/",                  "",                   _,                                              200, 302,   0, 200, 404, 200),
    E("POST",   "notes/{note_id}/edit/",                  "notes.write",        NOTE,                                           302, 302, 403, 402, 404, 400),
    E("GET",    "notes/{note_id}/delete/",                "",                   _,                                              200, 302,   0, 200, 404, 200),
    E("POST",   "notes/{note_id}/delete/",                "notes.write",        _,                                              302, 302, 403, 402, 404, 302),
    E("GET",    "people/",                                "users.manage",       _,                                              200, 302, 403, 200,   0, 200),
    E("POST",   "people/",                                "users.manage",       PERSON,                                         302, 302, 403, 402, 400, 400),
    E("GET",    "people/roles/",                          "users.manage",       _,                                              200, 302, 403, 200,   0, 200),
    E("POST",   "people/roles/",                          "users.manage",       NAME,                                           302, 302, 403, 402,   0, 400),
    E("GET",    "people/roles/{role_id}/",                "users.manage",       _,                                              200, 302, 403, 200, 404, 200),
    E("POST",   "people/roles/{role_id}/",                "users.manage",       NAME,                                           302, 302, 403, 402, 404, 400),
    E("GET",    "people/roles/{role_id}/delete/",         "users.manage",       _,                                              200, 302, 403, 200, 404, 200),
    E("POST",   "people/roles/{role_id}/delete/",         "users.manage",       _,                                              302, 302, 403, 402, 404, 302),
    E("GET",    "people/{user_id}/",                      "users.manage",       _,                                              200, 302, 403, 200, 404, 200),
    E("POST",   "people/{user_id}/",                      "users.manage",       PERSON,                                         302, 302, 403, 402, 404, 400),
    E("GET",    "people/{user_id}/password/",             "users.manage",       _,                                              200, 302, 403, 200, 404, 200),
    E("POST",   "people/{user_id}/password/",             "users.manage",       NEW_PASSWORD,                                   302, 302, 403, 402, 404, 400),
    E("GET",    "people/{user_id}/delete/",               "users.manage",       _,                                              200, 302, 403, 200, 404, 200),
    E("POST",   "people/{user_id}/delete/",               "users.manage",       _,                                              302, 302, 403, 402, 404, 302),
    E("GET",    "account/",                               "",                   _,                                              200, 302,   0, 200,   0, 200),
    E("POST",   "account/",                               "",                   NAME,                                           302, 302,   0, 402,   0, 400),
    E("GET",    "account/password/",                      "",                   _,                                              200, 302,   0, 200,   0, 200),
    E("POST",   "account/password/",                      "",                   {"current_password": PASSWORD, **NEW_PASSWORD}, 302, 302,   0, 402,   0, 400),
]
