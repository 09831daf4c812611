"""The doors, sorted by what the contract says of them: each is found by the walk, none by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.doors import Door, calls

# Pages that change nothing of a client's: signing in and out, what staff look at, the way in.
_NOT_A_CLIENTS = {"", "login/", "logout/", "client/"}

# What everyone may change about themselves, whatever their role.
OWN = {("account/", "POST"), ("account/password/", "POST")}
# Pages for those who manage users; what they show, everyone reads through the API.
MANAGED = {
    ("people/", "GET"),
    ("people/<int:pk>/", "GET"),
    ("people/<int:pk>/delete/", "GET"),
    ("people/<int:pk>/password/", "GET"),
    ("people/roles/", "GET"),
    ("people/roles/<int:pk>/", "GET"),
    ("people/roles/<int:pk>/delete/", "GET"),
}

# What only staff do, who have no subscription; an owner is answered 403.
STAFFS = {
    ("timba/client", "PUT"),
    ("api/clients/", "POST"),
    ("api/clients/<int:pk>/subscription/", "PATCH"),
}


def is_write(door: Door, method: str) -> bool:
    """Whether this call changes something of a client's."""
    operation = door.operation(method)
    if operation is None:
        return method != "GET" and door.route not in _NOT_A_CLIENTS
    return "402" in operation["responses"]


def needs_sign_in(door: Door, method: str) -> bool:
    """Whether OpenAPI says that credentials are needed."""
    operation = door.operation(method) or {}
    return bool(operation.get("security")) and {} not in operation["security"]


def takes_key(door: Door, method: str) -> bool:
    """Whether OpenAPI says that an Idempotency-Key is heeded."""
    parameters = (door.operation(method) or {}).get("parameters", [])
    return any(parameter["name"] == "Idempotency-Key" for parameter in parameters)


def takes_body(door: Door, method: str) -> bool:
    """Whether OpenAPI says that there is a body."""
    return "requestBody" in (door.operation(method) or {})


def named(found: list[tuple[Door, str]]) -> list[Any]:
    """Return the calls as parameters of a test, each under its name."""
    return [pytest.param(*call, id=f"{call[1]} {call[0]}") for call in found]


EVERY = [call for call in calls() if not call[0].is_admin]
DOCUMENTED = calls(documented=True)
GUARDED = [call for call in DOCUMENTED if needs_sign_in(*call)]
WRITES = [call for call in EVERY if is_write(*call)]
KEYED = [call for call in DOCUMENTED if takes_key(*call)]
WITH_BODY = [call for call in DOCUMENTED if takes_body(*call)]
