"""No client can see that another client's row exists: every door, asked by a stranger.

The walk finds the doors by itself (see `tests.doors`). A stranger puts the ids of another client's
rows wherever an id may stand, then ids that no row has; the two answers must be the same, byte for
byte but for the id that was asked.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import time_machine
from django.contrib.contenttypes.models import ContentType
from django.forms import Form
from django.test import Client as Program

from tests.callers import FORM, Caller, caller
from tests.conftest import AsUser
from tests.contract.every import STAFFS
from tests.doors import Door, ask, calls, doors, fields_of, heard
from tests.factories import Tenant
from tests.reading import names_read
from timba.consignments.models import Consignment
from timba.web import forms, people_forms

pytestmark = pytest.mark.django_db

MONDAY = "2026-03-02T08:00:00Z"
# Every name by which a query or a body may mean a row, and whose ids are tried there.
NAMES: Mapping[str, tuple[str, ...]] = {
    "id": ("client_id", "user_id", "role_id", "consignment_id", "log_id", "note_id", "file_id"),
    "role": ("role_id",),
    "client_id": ("client_id",),
    "user_id": ("user_id",),
    "consignment_id": ("consignment_id",),
    "log_id": ("log_id",),
    "city_id": ("city_id",),
    "task_id": ("task_id",),
}
# What the stranger's own, harmless call is answered where that is no success.
REFUSED = {
    **dict.fromkeys(STAFFS, 403),
    ("api/token/", "POST"): 401,
    ("api/token/refresh/", "POST"): 401,
    ("api/token/revoke/", "POST"): 401,
    ("api/files/<uuid:pk>/retry/", "POST"): 409,
    ("files/<uuid:pk>/retry/", "POST"): 409,
    ("login/", "POST"): 401,
}
# These ask nobody who they are.
OPEN = {"api/schema/", "api/docs/", "health/live", "health/ready", "login/"}
# This leads on to a door that asks, unless a form is sent to it.
HOME = ""

CALLS = [pytest.param(*call, id=f"{call[1]} {call[0]}") for call in calls()]
OURS = [call for call in CALLS if not call.values[0].is_admin]
GUARDED = [
    call
    for call in OURS
    if call.values[0].route not in OPEN
    and {} not in (call.values[0].operation(call.values[1]) or {}).get("security", [])
]
ADMIN = [call for call in CALLS if call.values[0].is_admin]


@pytest.fixture(scope="module", autouse=True)
def _time_stands_still() -> Iterator[None]:
    with time_machine.travel(MONDAY, tick=False):
        yield


@pytest.fixture
def theirs(other_tenant: Tenant) -> Tenant:
    """Return the client that nobody else may know of."""
    return other_tenant


@pytest.fixture
def own(tenant: Tenant) -> Tenant:
    """Return the stranger's own client."""
    return tenant


@pytest.fixture
def absent(theirs: Tenant) -> dict[str, Any]:
    """Return ids that no row has."""
    return {
        name: uuid.UUID(int=number) if isinstance(known, uuid.UUID) else 8_000_000 + number
        for number, (name, known) in enumerate(theirs.ids.items(), start=1)
    }


@pytest.fixture
def stranger(door: Door, method: str, own: Tenant) -> Caller:
    """Return the owner of another client, at the door that the test is about."""
    return caller(door, method, user=own.user, tenant=own)


@pytest.mark.parametrize(("door", "method"), OURS)
def test_a_stranger_hears_the_same_of_foreign_and_of_absent_rows(
    door: Door, method: str, stranger: Caller, theirs: Tenant, absent: dict[str, Any]
) -> None:
    secrets = theirs.secrets
    with names_read() as read:
        usual = stranger.ask()
        # With every id that is one's own, and with none of them.
        for sent in (_named(stranger.tenant.ids, *NAMES.keys() - {"id"}), {"id": 1}):
            heard(stranger.ask(query=sent, body=sent), secrets=secrets)
    # A page may take no POST, or no GET.
    expected = REFUSED.get((door.route, method), 405 if door.operation(method) is None else None)
    assert usual.status_code < 400 or usual.status_code == expected, usual.content
    harmless = heard(usual, secrets=secrets)
    for parameter in door.parameters:
        name = door.names(parameter)
        foreign = heard(stranger.ask(theirs.ids), asked=theirs.ids[name], secrets=secrets)
        assert foreign == heard(stranger.ask(absent), asked=absent[name])
    for name in NAMES.keys() & read:
        for noun in NAMES[name]:
            known, unknown = theirs.ids[noun], absent[noun]
            for place in ("query", "body"):
                foreign = heard(
                    stranger.ask(**{place: {name: known}}), asked=known, secrets=secrets
                )
                if foreign != harmless:
                    none = heard(stranger.ask(**{place: {name: unknown}}), asked=unknown)
                    assert foreign == none, (place, name, noun)


def _named(ids: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return by each of these names the id of the first noun that it may mean."""
    return {name: ids[NAMES[name][0]] for name in names}


@pytest.mark.parametrize(("door", "method"), GUARDED)
def test_nobody_hears_anything_without_signing_in(
    door: Door, method: str, own: Tenant, theirs: Tenant, absent: dict[str, Any]
) -> None:
    for accept, status in (("application/json", 401), ("text/html", 302)):
        program = Program(headers={"accept": accept})
        nobody = Caller(program=program, door=door, method=method, tenant=own)
        foreign, none = (nobody.ask(ids, query=ids) for ids in (theirs.ids, absent))
        if door.operation(method) is not None or foreign.status_code != 405:
            leads_on = door.route == HOME and method != "POST"
            assert foreign.status_code == (302 if leads_on else status)
        if foreign.status_code == 302 and door.route != HOME:
            assert foreign.headers["Location"].startswith("/login/?next=")
        # Only the address that was asked may be repeated.
        said = heard(foreign)
        for known, unknown in zip(theirs.ids.values(), absent.values(), strict=True):
            said = said.replace(str(known).encode(), str(unknown).encode())
        assert said == heard(none)


@pytest.mark.parametrize(("door", "method"), ADMIN)
def test_the_admin_pages_are_shut_to_clients(
    door: Door, method: str, theirs: Tenant, absent: dict[str, Any], own: Tenant
) -> None:
    model = ContentType.objects.get_for_model(Consignment).pk
    rows = [
        {
            "object_id": ids["consignment_id"],
            "content_type_id": model,
            "app_label": "auth",
            "url": f"consignments/consignment/{ids['consignment_id']}/",
        }
        for ids in (theirs.ids, absent)
    ]
    member = Program(headers={"accept": "text/html"})
    member.force_login(own.user)
    for browser in (member, Program(headers={"accept": "text/html"})):
        answers = [ask(browser, method, door.path(row), body=FORM, form=True) for row in rows]
        assert answers[0].status_code in {302, 403, 404, 405}
        foreign, none = (
            heard(answer, asked=row["object_id"]) for answer, row in zip(answers, rows, strict=True)
        )
        assert foreign == none
        assert theirs.word.encode() not in foreign


def test_several_tasks_at_once_tell_no_more(own: Tenant, theirs: Tenant, as_user: AsUser) -> None:
    def ask_beside(task_id: object) -> Any:
        query = {"task_id": [own.file.task_id, task_id]}
        answer = ask(as_user(own.user), "GET", "/api/task-status/", query=query)
        return heard(answer, asked=task_id, secrets=theirs.secrets)

    assert ask_beside(theirs.file.task_id) == ask_beside(uuid.UUID(int=1))


def test_every_name_of_an_id_is_tried() -> None:
    operations = [door.operation(method) for door in doors() for method in door.methods]
    named = {
        name
        for operation in operations
        if operation is not None
        for name in (
            *fields_of(operation),
            *(p["name"] for p in operation.get("parameters", []) if p["in"] == "query"),
        )
    }
    for form in [*vars(forms).values(), *vars(people_forms).values()]:
        if isinstance(form, type) and issubclass(form, Form):
            named |= set(form.base_fields)
    assert {name for name in named if name == "id" or name.endswith("_id")} <= NAMES.keys()
