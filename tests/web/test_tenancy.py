"""No client can see that another client's row exists: every door, asked by a stranger.

The walk finds the doors by itself (see `tests.doors`). A stranger puts the ids of another client's
rows wherever an id may stand, and the ids of rows that nobody has; the two answers must be the same,
byte for byte but for the id that was asked.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import time_machine
from django.contrib.contenttypes.models import ContentType
from django.forms import Form
from django.test import Client as Program

from tests.conftest import AsUser
from tests.doors import Answer, Door, ask, body_for, calls, doors, fields_of, is_form
from tests.worlds import World, make_world
from timba.consignments.models import Consignment
from timba.web import forms

pytestmark = pytest.mark.django_db

MONDAY = "2026-03-02T08:00:00Z"
# Every name by which a query or a body may mean a row, and whose id it then is.
NAMES: Mapping[str, tuple[str, ...]] = {
    "id": ("client_id", "user_id", "role_id", "consignment_id", "log_id", "note_id", "file_id"),
    "role": ("role_id",),
    "next": (),
    **{
        name: (name,)
        for name in (
            "client_id",
            "user_id",
            "consignment_id",
            "log_id",
            "city_id",
            "task_id",
        )
    },
}
# What a stranger's own, harmless request is answered where that is not a success.
REFUSED = {
    ("timba/client", "PUT"): 403,
    ("api/token/", "POST"): 401,
    ("api/token/refresh/", "POST"): 401,
    ("api/token/revoke/", "POST"): 401,
    ("api/files/<uuid:pk>/retry/", "POST"): 409,
    ("login/", "POST"): 401,
}
# These ask nobody who they are.
OPEN = {
    "api/schema/",
    "api/docs/",
    "api/token/",
    "api/token/refresh/",
    "api/token/revoke/",
    "health/live",
    "health/ready",
    "login/",
    "admin/login/",
}
_UUID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CSRF_TOKEN = re.compile(rb"\b[A-Za-z0-9]{64}\b")
ALL = [pytest.param(*call, id=f"{call[1]} {call[0]}") for call in calls()]
OURS = [call for call in ALL if not call.values[0].is_admin]


@pytest.fixture(autouse=True)
def _time_stands_still() -> Iterator[None]:
    with time_machine.travel(MONDAY, tick=False):
        yield


@pytest.fixture
def theirs() -> World:
    """Return the client that nobody else may know of."""
    return make_world(word="Dzirnupe", first_id=7_000_001)


@pytest.fixture
def own() -> World:
    """Return the stranger's own client."""
    return make_world(word="Kalnamuiža", first_id=5_000_001)


@pytest.fixture
def absent() -> dict[str, Any]:
    """Return ids that no row has."""
    ids = {name: 8_000_001 + number for number, name in enumerate(sorted(World.ids.fget({})))}
    return ids


def stranger(world: World, door: Door, method: str, as_user: AsUser) -> Program:
    """Return who knocks: a program at the documented doors, a browser at the pages."""
    if door.operation(method) is not None:
        return as_user(world.user)
    browser = Program(headers={"accept": "text/html"})
    browser.force_login(world.user)
    return browser
