"""The admin pages: every model is listed in a constant number of queries and changed only through
its services."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import orjson
import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db import OperationalError, connection, transaction
from django.test import Client as HttpClient
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from tests.clients import browser_of
from tests.contract.test_concurrent_updates import change_after_first_read
from tests.factories import PASSWORD, ClientFactory, Tenant, UserFactory, create_tenant
from tests.web.conftest import Open
from timba.accounts.models import Client, Role, Subscription, User
from timba.consignments.logs import add_log
from timba.consignments.models import Consignment, Log
from timba.events.models import OutboxEvent
from timba.events.outbox import publish
from timba.files.models import File
from timba.notes.events import note_event
from timba.notes.models import Note
from timba.places.models import City
from timba.web.admin.site import staff_site

pytestmark = pytest.mark.django_db
MakeUser = Callable[..., User]

MEASURES = {"length": Decimal(1), "breadth": Decimal(9), "height": Decimal(9)}
NOUNS = [pytest.param(model, id=model._meta.model_name) for model in staff_site._registry]


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant(word="Dzirnupe", first_id=7_000_001)


@pytest.fixture
def http_client(staff: User) -> HttpClient:
    """Return the session of a member of platform staff."""
    return browser_of(staff)


def address(row: Any, page: str = "change") -> str:
    meta = row._meta
    name = f"admin:{meta.app_label}_{meta.model_name}_{page}"
    return reverse(name, args=[] if page in {"add", "changelist"} else [row.pk])


def form_of(http_client: HttpClient, page: str) -> dict[str, Any]:
    """Return the values that the form on a page would send unchanged."""
    form = http_client.get(page).context["adminform"].form
    sent: dict[str, Any] = {}
    for bound in form:
        value = bound.value()
        if value is None or value is False:
            continue
        if isinstance(value, datetime):
            sent[f"{bound.name}_0"], sent[f"{bound.name}_1"] = f"{value:%Y-%m-%d %H:%M:%S}".split()
        else:
            sent[bound.name] = getattr(value, "pk", value)
    return sent


def send(http_client: HttpClient, row: Any, **fields: Any) -> Any:
    """Change fields of a row on its page; None leaves a field out, as an unchecked box does."""
    page = address(row)
    sent = {**form_of(http_client, page), **fields}
    return http_client.post(
        page, {name: value for name, value in sent.items() if value is not None}
    )


def add(http_client: HttpClient, model: type[Any], **fields: Any) -> Any:
    return http_client.post(address(model, "add"), fields)


def errors_of(response: Any) -> dict[str, list[str]]:
    """Return the errors of a form by field."""
    assert response.status_code == HTTPStatus.OK
    errors: dict[str, list[str]] = response.context["adminform"].form.errors
    html = response.content.decode()
    for sentences in errors.values():
        assert all(sentence in html.replace("&quot;", '"') for sentence in sentences)
    return {name: list(sentences) for name, sentences in errors.items()}


def events_of(model: type[Any]) -> list[Any]:
    """Return the messages of all events about one model so far."""
    rows = OutboxEvent.objects.filter(topic=f"{model._meta.model_name}_events")
    return [orjson.loads(value) for value in rows.values_list("value", flat=True)]


# --- Every model ---------------------------------------------------------------------------------


def test_exactly_the_expected_models_have_admin_pages() -> None:
    nouns = {Client, Subscription, User, Role, Consignment, Log, File, Note, City, OutboxEvent}
    assert set(staff_site._registry) == nouns
    assert not admin.site._registry


@pytest.mark.parametrize("model", NOUNS)
def test_the_list_the_row_and_its_history_open(
    model: type[Any], tenant: Tenant, http_client: HttpClient
) -> None:
    response = http_client.get(address(model, "changelist"))
    assert response.status_code == HTTPStatus.OK
    assert "Dzirnupe" in response.content.decode()
    row = response.context["cl"].result_list[0]
    for page in ("change", "history"):
        assert http_client.get(address(row, page)).status_code == HTTPStatus.OK


@pytest.mark.parametrize("model", NOUNS)
def test_search_ignores_letter_case(
    model: type[Any], tenant: Tenant, http_client: HttpClient
) -> None:
    words = f"client:{tenant.client.pk}" if model is OutboxEvent else "dZIRNUPE"
    other = create_tenant(word="Ādaži", first_id=5_000_001)
    found = http_client.get(address(model, "changelist"), {"q": words}).context["cl"]
    assert [row for row in found.result_list if "Dzirnupe" in str(vars(row)) + _client_of(row)]
    assert not [row for row in found.result_list if "Ādaži" in str(vars(row)) + _client_of(row)]
    if model is not OutboxEvent:
        folded = http_client.get(address(model, "changelist"), {"q": "āDAŽI"}).context["cl"]
        assert folded.result_list
        assert not [row for row in folded.result_list if "Dzirnupe" in _client_of(row)]
    assert other.client != tenant.client


def _client_of(row: Any) -> str:
    client = getattr(row, "client", "")
    return str(client) if not callable(client) else row.client_name


def test_an_event_is_found_by_its_whole_key_type_or_request(
    tenant: Tenant, http_client: HttpClient
) -> None:
    event = OutboxEvent.objects.filter(type="timba.note.created").get()
    for words in (event.key, event.type, f"client:{tenant.client.pk} {event.type}"):
        found = (
            http_client.get(address(event, "changelist"), {"q": words}).context["cl"].result_list
        )
        assert event in found
    for words in ("timba.note", f"client:{tenant.client.pk + 1}", "client:x"):
        assert (
            not http_client.get(address(event, "changelist"), {"q": words})
            .context["cl"]
            .result_list
        )


def _multiply(tenant: Tenant, times: int) -> None:
    """Create many rows of every model, each with its own client, author and so on."""
    for number in range(times):
        client = ClientFactory(name=f"Sawmill of {number}")
        role = Role.unscoped.create(client=client, name=f"{number}", permissions=["logs.write"])
        user = UserFactory(client=client, role=role)
        consignment = Consignment.objects.create(
            client=client, name=f"{number}", type="pinewood", created_by=user
        )
        add_log(actor=tenant.user, consignment=tenant.consignment, **MEASURES)
        Log.objects.create(
            client=client, consignment=consignment, barcode="1",
            length=1, breadth=1, height=1, volume=1, created_by=user,
        )  # fmt: skip
        note = Note.objects.create(
            client=client, title="Key", consignment=consignment, created_by=user
        )
        City.objects.create(client=client, number=7, name="Town")
        File.unscoped.create(
            client=client, name="a.txt", kind="text", storage_key=str(uuid.uuid4()),
            status="SUCCESS", uploaded_by=user, consignment=consignment,
        )  # fmt: skip
        with transaction.atomic():
            publish(note_event("create", note, actor=user))


def test_a_list_runs_the_same_queries_for_one_row_and_for_many(
    tenant: Tenant, http_client: HttpClient
) -> None:
    def queries(model: type[Any]) -> tuple[int, int]:
        with CaptureQueriesContext(connection) as captured:
            response = http_client.get(address(model, "changelist"))
        return len(captured), len(response.context["cl"].result_list)

    few = {model: queries(model) for model in staff_site._registry}
    _multiply(tenant, 30)
    for model, (before, rows) in few.items():
        after, found = queries(model)
        assert found - rows >= 30, model
        assert after == before, model


@pytest.mark.parametrize("model", NOUNS)
def test_only_staff_open_the_admin_lists(model: type[Any], make_user: MakeUser) -> None:
    page = address(model, "changelist")
    for browser in (browser_of(make_user()), HttpClient(headers={"accept": "text/html"})):
        assert browser.get(page)["Location"].startswith("/admin/login/?next=")
        assert browser.post(page).status_code == HTTPStatus.FOUND


def test_staff_use_the_common_sign_in_page(staff: User) -> None:
    browser = HttpClient(headers={"accept": "text/html"})
    response = browser.get("/admin/notes/note/", follow=True)
    assert unquote(response.redirect_chain[-1][0]) == "/login/?next=/admin/notes/note/"
    form = {"username": staff.username, "password": PASSWORD, "next": "/admin/notes/note/"}
    assert browser.post("/login/", form)["Location"] == "/admin/notes/note/"
    assert browser.get("/admin/notes/note/").status_code == HTTPStatus.OK
    staff.is_active = False
    staff.save()
    assert browser.get("/admin/notes/note/").status_code == HTTPStatus.FOUND


def test_five_wrong_passwords_for_the_admin_site_are_rate_limited(staff: User) -> None:
    form = {"username": staff.username, "password": "wrong"}
    responses = [HttpClient().post("/login/?next=/admin/", form).status_code for _ in range(6)]
    assert responses[-1] == HTTPStatus.TOO_MANY_REQUESTS
    assert HttpClient().post("/admin/login/", form).status_code == HTTPStatus.FOUND


def test_only_admin_pages_allow_unsafe_eval(
    staff: User, http_client: HttpClient, make_user: MakeUser
) -> None:
    policy = http_client.get("/admin/")["Content-Security-Policy"].split("; ")
    assert {part for part in policy if "unsafe" in part} == {
        "script-src 'self' 'unsafe-eval'",
        "style-src-attr 'unsafe-inline'",
    }
    assert {"default-src 'self'", "style-src-elem 'self'", "form-action 'self'"} <= set(policy)
    for browser, page in (
        (http_client, "/notes/"),
        (browser_of(make_user()), "/admin/"),
        (HttpClient(), "/login/"),
    ):
        assert "unsafe" not in browser.get(page)["Content-Security-Policy"]


@pytest.mark.parametrize("page", ["/admin/notes/note", "/admin/notes/note/add", "/admin/jsi18n"])
def test_pages_answer_without_the_final_slash_too(page: str, http_client: HttpClient) -> None:
    assert (
        http_client.get(page).status_code
        == http_client.get(f"{page}/").status_code
        == HTTPStatus.OK
    )


def test_models_are_found_by_name(http_client: HttpClient) -> None:
    page = http_client.get("/admin/search/", {"s": "NOTE", "extended": "1"}).content.decode()
    assert "/admin/notes/note/" in page
    assert "/admin/files/file/" not in page


@pytest.mark.parametrize(
    "page", ["/admin/nowhere", "/admin/nowhere/", "/admin/search/?s=note&page=x"]
)
def test_absent_rows_are_not_found(page: str, http_client: HttpClient) -> None:
    assert http_client.get(page).status_code == HTTPStatus.NOT_FOUND


VALID_QUERIES = [
    *(
        "q=%ED%A0%80",
        f"q={'x' * 5000}",
        "q=client:99999999999999999999",
        "p=x",
        "o=x.9",
        "all=",
        "e=1",
    ),
    "_popup=1",
]
INVALID_QUERIES = [
    *("q=%00", "id__exact=x", "id__exact=%00", "pk=99999999999999999999", "topic__exact=%00"),
    *("password__startswith=a", "_to_field=password", "nothing=1"),
]
# Each with the models whose lists have such a filter, and the status there; elsewhere it is 400.
FILTER_QUERIES: list[tuple[str, set[type[Any]], int]] = [
    ("is_active__exact=2", {Client, User}, 302),  # back to the list, without the filter
    ("lapsed=perhaps", {Subscription}, 200),
    ("status__exact=x", {File}, 200),
]


@pytest.mark.parametrize("model", NOUNS)
def test_no_query_breaks_a_list(model: type[Any], tenant: Tenant, http_client: HttpClient) -> None:
    def status(query: str) -> int:
        return http_client.get(f"{address(model, 'changelist')}?{query}").status_code

    assert {query: status(query) for query in VALID_QUERIES} == dict.fromkeys(VALID_QUERIES, 200)
    assert {query: status(query) for query in INVALID_QUERIES} == dict.fromkeys(
        INVALID_QUERIES, 400
    )
    for query, models, expected in FILTER_QUERIES:
        assert status(query) == (expected if model in models else 400), query
    for query in ("p=-1", "p=99999999999"):
        assert status(query) == (302 if model is OutboxEvent else 200), query


def test_values_that_no_column_can_hold_are_rejected(
    tenant: Tenant, http_client: HttpClient
) -> None:
    for query in ("title__exact=%00", "q=%00"):
        assert http_client.get(f"{address(Note, 'changelist')}?{query}").status_code == 400


@pytest.mark.parametrize(
    ("model", "query"),
    [
        (User, "password__startswith=md5"),
        (User, "password__regex=."),
        (User, "token_version__gt=1"),
        (User, "token_families__refresh_tokens__jti__isnull=False"),
        (User, "idempotentrequest__fingerprint__startswith=a"),
        (User, "_to_field=password"),
        (Client, "users__password__startswith=md5"),
        (Subscription, "client__users__password__startswith=md5"),
        (File, "storage_key__startswith=a"),
        (Note, "client__users__password__startswith=md5"),
        (Note, "title__exact=x"),
    ],
)
def test_lists_reject_lookups_without_a_filter(
    model: type[Any], query: str, tenant: Tenant, http_client: HttpClient
) -> None:
    assert http_client.get(f"{address(model, 'changelist')}?{query}").status_code == 400


@pytest.mark.parametrize(
    ("model", "query"),
    [
        (User, "is_active__exact=1&is_staff__exact=0"),
        (Client, "subscription__plan__exact=trial"),
        (Subscription, "lapsed=no&plan__exact=trial"),
        (File, "status__exact=SUCCESS&kind__exact=text"),
        (Consignment, "type__exact=hardwood"),
        (OutboxEvent, "topic=note_events"),
    ],
)
def test_lists_accept_the_lookups_of_their_filters(
    model: type[Any], query: str, tenant: Tenant, http_client: HttpClient
) -> None:
    assert http_client.get(f"{address(model, 'changelist')}?{query}").status_code == 200


@pytest.mark.parametrize("model", NOUNS)
def test_no_id_breaks_a_page(model: type[Any], http_client: HttpClient) -> None:
    for pk in ("0", "x", "99999999999999999999", "_00", str(uuid.UUID(int=1))):
        page = f"{address(model, 'changelist')}{pk}/change/"
        print("PK", model.__name__, pk, http_client.get(page).status_code)


# --- Clients and subscriptions -------------------------------------------------------------------


def test_a_new_client_has_a_trial_and_its_first_owner(http_client: HttpClient) -> None:
    add(http_client, Client, name="Venta Timber", username="venta", password="Spruce-bark-7731")
    client = Client.unscoped.get(name="Venta Timber")
    assert client.subscription.status == "trial"
    assert client.users.get().is_owner
    assert LogEntry.objects.get().object_repr == "Venta Timber"


def test_a_weak_password_is_rejected_beside_its_field(http_client: HttpClient) -> None:
    response = add(http_client, Client, name="Venta Timber", username="venta", password="123")
    assert "password" in errors_of(response)
    assert not Client.unscoped.exists()


def test_a_client_is_suspended_and_reactivated(tenant: Tenant, http_client: HttpClient) -> None:
    send(http_client, tenant.client, is_active=None)
    assert not Client.unscoped.get(pk=tenant.client.pk).is_active
    send(http_client, Client.unscoped.get(pk=tenant.client.pk), is_active="on")
    assert Client.unscoped.get(pk=tenant.client.pk).is_active


def test_selected_clients_are_suspended_together(tenant: Tenant, http_client: HttpClient) -> None:
    other = ClientFactory()
    chosen = {"action": "suspend", "_selected_action": [tenant.client.pk, other.pk]}
    response = http_client.post(address(Client, "changelist"), chosen, follow=True)
    assert "2\xa0clients were suspended." in response.content.decode()
    assert not Client.unscoped.filter(is_active=True).exists()
    assert LogEntry.objects.count() == 2
    http_client.post(address(Client, "changelist"), {**chosen, "action": "reactivate"})
    assert not Client.unscoped.filter(is_active=False).exists()


def test_nobody_deletes_a_client(tenant: Tenant, http_client: HttpClient) -> None:
    assert http_client.post(address(tenant.client, "delete"), {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [tenant.client.pk], "post": "yes"}
    http_client.post(address(Client, "changelist"), chosen)
    assert Client.unscoped.filter(pk=tenant.client.pk).exists()


def test_a_subscription_lapses_and_is_extended(tenant: Tenant, http_client: HttpClient) -> None:
    subscription = tenant.client.subscription
    send(
        http_client,
        subscription,
        current_period_end_0="2020-01-01",
        current_period_end_1="00:00:00",
    )
    subscription.refresh_from_db()
    assert subscription.status == "lapsed"
    lapsed = http_client.get(address(Subscription, "changelist"), {"lapsed": "yes"})
    assert list(lapsed.context["cl"].result_list) == [subscription]
    soon = timezone.now().astimezone(UTC) + timedelta(days=30)
    ending = {"current_period_end_0": f"{soon:%Y-%m-%d}", "current_period_end_1": "00:00:00"}
    send(http_client, subscription, plan="standard", seats=9, quota_bytes=2048, **ending)
    subscription.refresh_from_db()
    assert (subscription.status, subscription.seats) == ("active", 9)
    assert subscription.quota_bytes == 2048
    assert "of 2\xa0kB" in http_client.get(address(Subscription, "changelist")).content.decode()
    running = http_client.get(address(Subscription, "changelist"), {"lapsed": "no"})
    assert list(running.context["cl"].result_list) == [subscription]


def test_there_are_never_fewer_seats_than_active_users(
    tenant: Tenant, http_client: HttpClient
) -> None:
    errors = errors_of(send(http_client, tenant.client.subscription, seats=1))
    assert errors == {
        "__all__": ["2 users are active: deactivate some, or leave as many seats."],
    }
    assert Subscription.objects.get(client=tenant.client).seats == 50


# --- Users and roles -----------------------------------------------------------------------------


def test_a_user_is_added_changed_and_deleted(tenant: Tenant, http_client: HttpClient) -> None:
    viewer = Role.unscoped.get(client=None, name="viewer")
    fields = {"client": tenant.client.pk, "username": "zane", "name": "Zane", "role": viewer.pk}
    add(http_client, User, **fields, is_active="on", password="Spruce-bark-7731")
    user = User.unscoped.get(username="zane")
    assert user.check_password("Spruce-bark-7731")
    assert (user.client, user.role, user.is_staff) == (tenant.client, viewer, False)
    send(http_client, user, role=tenant.role.pk, password="Larch-bark-7731")
    changed = User.unscoped.get(pk=user.pk)
    assert (changed.role, changed.token_version) == (tenant.role, user.token_version + 1)
    assert changed.check_password("Larch-bark-7731")
    http_client.post(address(user, "delete"), {"post": "yes"})
    assert not User.unscoped.filter(pk=user.pk).exists()


def test_a_user_without_a_password_cannot_sign_in_yet(
    tenant: Tenant, http_client: HttpClient
) -> None:
    viewer = Role.unscoped.get(client=None, name="viewer")
    fields = {"client": tenant.client.pk, "username": "zane", "name": "Zane", "role": viewer.pk}
    add(http_client, User, **fields, is_active="on", password="")
    assert not User.unscoped.get(username="zane").has_usable_password()


def test_a_taken_username_is_refused_and_the_form_keeps_what_was_typed(
    tenant: Tenant, http_client: HttpClient
) -> None:
    response = send(http_client, tenant.colleague, username=tenant.user.username, name="Typed anew")
    assert errors_of(response) == {"__all__": ["This username is taken: choose another one."]}
    page = response.content.decode()
    assert 'value="Typed anew"' in page
    assert "Nothing was saved: correct the errors below." in page
    assert User.unscoped.get(pk=tenant.colleague.pk).name == tenant.word
    assert not LogEntry.objects.exists()


def test_the_last_owner_stays(tenant: Tenant, http_client: HttpClient) -> None:
    http_client.post(address(tenant.colleague, "delete"), {"post": "yes"})
    response = http_client.post(address(tenant.user, "delete"), {"post": "yes"}, follow=True)
    sentence = "This is the client&#x27;s last active owner: make another owner first."
    assert sentence in response.content.decode()
    assert response.redirect_chain[-1][0] == address(tenant.user)
    assert User.unscoped.filter(pk=tenant.user.pk).exists()


def test_selected_users_are_all_deleted_or_none(tenant: Tenant, http_client: HttpClient) -> None:
    both = [tenant.user.pk, tenant.colleague.pk]
    chosen = {"action": "delete_selected", "_selected_action": both}
    response = http_client.post(address(User, "changelist"), chosen)
    assert "What this user made stays." in response.content.decode()
    response = http_client.post(address(User, "changelist"), {**chosen, "post": "yes"}, follow=True)
    assert "Nothing was deleted, because of “Dzirnupe-" in response.content.decode()
    assert User.unscoped.filter(pk__in=both).count() == 2
    assert not LogEntry.objects.exists()


def test_ones_own_password_is_changed_on_the_account_page(
    staff: User, http_client: HttpClient
) -> None:
    assert "password" not in form_of(http_client, address(staff))
    assert http_client.get("/admin/password_change/")["Location"] == reverse("web:account")
    assert http_client.post("/admin/password_change/", {"new_password1": "x"}).status_code == 302
    send(http_client, staff, name="Another name", password="Spruce-bark-7731")
    changed = User.unscoped.get(pk=staff.pk)
    assert changed.name == "Another name"
    assert changed.check_password(PASSWORD)


def test_staff_cannot_deactivate_themselves(staff: User, http_client: HttpClient) -> None:
    errors = errors_of(send(http_client, staff, is_active=None))
    assert errors == {"__all__": ["You cannot deactivate yourself: ask another owner."]}


def test_only_roles_of_the_users_client_are_offered(
    tenant: Tenant, http_client: HttpClient
) -> None:
    foreign = Role.unscoped.create(client=ClientFactory(), name="foreign")
    page = http_client.get(address(tenant.colleague)).content.decode()
    assert "Dzirnupe" in page
    assert "foreign" not in page
    assert "role" in errors_of(send(http_client, tenant.colleague, role=foreign.pk))


def test_a_role_is_added_changed_and_deleted(tenant: Tenant, http_client: HttpClient) -> None:
    add(http_client, Role, client=tenant.client.pk, name="scaler", permissions=["logs.write"])
    role = Role.unscoped.get(name="scaler")
    assert role.permissions == ["logs.write"]
    send(http_client, role, permissions=["notes.write", "logs.write"])
    role.refresh_from_db()
    assert role.permissions == ["logs.write", "notes.write"]
    response = send(http_client, role, name="viewer")
    assert errors_of(response) == {
        "__all__": ["There is a role named “viewer” already: choose another name."]
    }
    http_client.post(address(role, "delete"), {"post": "yes"})
    assert not Role.unscoped.filter(pk=role.pk).exists()


def test_the_built_in_roles_are_read_only(http_client: HttpClient) -> None:
    viewer = Role.unscoped.get(client=None, name="viewer")
    page = http_client.get(address(viewer))
    assert page.status_code == HTTPStatus.OK
    assert not page.context["has_change_permission"]
    assert http_client.post(address(viewer), {"name": "x"}).status_code == HTTPStatus.FORBIDDEN
    assert http_client.post(address(viewer, "delete"), {"post": "yes"}).status_code == 403


# --- Consignments and logs -----------------------------------------------------------------------


def totals(consignment: Consignment) -> tuple[int, str]:
    consignment.refresh_from_db()
    return consignment.log_count, str(consignment.volume)


def test_a_consignment_is_added_changed_and_deleted_with_its_events(
    tenant: Tenant, staff: User, http_client: HttpClient
) -> None:
    fields = {"client": tenant.client.pk, "name": "Load 7", "type": "pinewood"}
    add(http_client, Consignment, **fields, city_id="")
    load = Consignment.unscoped.get(name="Load 7")
    send(http_client, load, vehicle_number="LV-1", city_id=tenant.city_id)
    http_client.post(address(load, "delete"), {"post": "yes"})
    assert not Consignment.unscoped.filter(pk=load.pk).exists()
    events = events_of(Consignment)
    assert [message["action"] for message in events] == ["create", "update", "delete"]
    assert events[-1]["consignment"]["vehicle_number"] == "LV-1"
    assert events[-1]["consignment"]["city_id"] == tenant.city_id
    assert set(OutboxEvent.objects.filter(key=load.pk).values_list("actor_id", flat=True)) == {
        staff.pk
    }


def test_saving_without_a_change_publishes_no_event(
    tenant: Tenant, http_client: HttpClient
) -> None:
    send(http_client, tenant.consignment)
    send(http_client, tenant.note)
    assert events_of(Consignment) == []
    assert len(events_of(Note)) == 1


def test_a_taken_name_is_refused_with_its_sentence(tenant: Tenant, http_client: HttpClient) -> None:
    fields = {"client": tenant.client.pk, "name": tenant.word, "type": "pinewood"}
    response = add(http_client, Consignment, **fields)
    assert errors_of(response) == {"__all__": ["There is a consignment named “Dzirnupe” already."]}


def test_adding_changing_and_deleting_logs_updates_the_totals(
    tenant: Tenant, http_client: HttpClient
) -> None:
    load = Consignment.objects.create(client=tenant.client, name="Load 7", type="pinewood")
    add(http_client, Log, consignment=load.pk, barcode="", length="4", breadth="30", height="30")
    assert totals(load) == (1, "0.360")
    log = load.logs.get()
    assert log.barcode
    send(http_client, log, length="8")
    assert totals(load) == (1, "0.720")
    add(http_client, Log, consignment=load.pk, barcode="B-2", length="1", breadth="10", height="10")
    assert totals(load) == (2, "0.730")
    chosen = {"action": "delete_selected", "_selected_action": [log.pk], "post": "yes"}
    http_client.post(address(Log, "changelist"), chosen)
    assert totals(load) == (1, "0.010")
    http_client.post(address(load.logs.get(), "delete"), {"post": "yes"})
    assert totals(load) == (0, "0.000")
    actions = [message["action"] for message in events_of(Log)]
    assert actions == ["create", "update", "create", "delete", "delete"]


def test_impossible_measures_are_refused_beside_their_field(
    tenant: Tenant, http_client: HttpClient
) -> None:
    assert "length" in errors_of(send(http_client, tenant.log, length="-1"))
    taken = add(
        http_client, Log, consignment=tenant.consignment.pk, barcode=tenant.word,
        length="4", breadth="30", height="30",
    )  # fmt: skip
    assert errors_of(taken) == {"__all__": ["There is a log with the barcode “Dzirnupe” already."]}


# --- Files, notes, cities, events ----------------------------------------------------------------


def test_a_file_is_moved_and_deleted(tenant: Tenant, http_client: HttpClient) -> None:
    load = Consignment.objects.create(client=tenant.client, name="Load 7", type="pinewood")
    page = http_client.get(address(tenant.file)).content.decode()
    assert reverse("web:file", args=[tenant.file.pk]) in page
    assert "random_number" in page
    send(http_client, tenant.file, consignment=load.pk, log="")
    file = File.unscoped.get(pk=tenant.file.pk)
    assert (file.consignment, file.log) == (load, None)
    assert events_of(File)[-1]["file"]["consignment_id"] == load.pk
    http_client.post(address(file, "delete"), {"post": "yes"})
    assert events_of(File)[-1]["action"] == "delete"
    assert not http_client.get(address(File, "changelist")).context["cl"].result_list


def test_a_file_cannot_be_moved_to_another_clients_rows(
    tenant: Tenant, http_client: HttpClient
) -> None:
    other = create_tenant(word="Ādaži", first_id=5_000_001)
    response = send(http_client, tenant.file, consignment=other.consignment.pk)
    assert errors_of(response) == {"__all__": ["There is no such consignment or log."]}


def test_failures_are_processed_again(tenant: Tenant, http_client: HttpClient) -> None:
    File.unscoped.update(status="FAILURE", error="It is damaged.", live_digest=None)
    chosen = {"action": "retry_failed", "_selected_action": [tenant.file.pk]}
    response = http_client.post(address(File, "changelist"), chosen, follow=True)
    assert "1\xa0file is processed again." in response.content.decode()
    assert File.unscoped.get(pk=tenant.file.pk).status == "PENDING"


def test_a_note_is_written_changed_and_deleted_with_its_events(
    tenant: Tenant, http_client: HttpClient
) -> None:
    add(http_client, Note, client=tenant.client.pk, title="Gate key", content="", consignment="")
    note = Note.unscoped.get(title="Gate key")
    send(http_client, note, content="It hangs inside.", consignment=tenant.consignment.pk)
    http_client.post(address(note, "delete"), {"post": "yes"})
    events = events_of(Note)[1:]
    assert [message["action"] for message in events] == ["create", "update", "delete"]
    assert events[-1]["note"]["title"] == "Gate key"
    assert events[-1]["note"]["content"] == "It hangs inside."


def test_a_concurrent_change_of_another_field_is_kept(
    tenant: Tenant, http_client: HttpClient
) -> None:
    notes, files = (type(row).unscoped.filter(pk=row.pk) for row in (tenant.note, tenant.file))
    note, file = (
        form_of(http_client, address(tenant.note)),
        form_of(http_client, address(tenant.file)),
    )
    with change_after_first_read("notes_note", lambda: notes.update(content="Ilze has it")):
        http_client.post(address(tenant.note), {**note, "title": "Key"})
    assert notes.values("title", "content").get() == {"title": "Key", "content": "Ilze has it"}
    with change_after_first_read("files_file", lambda: files.update(log=None)):
        http_client.post(address(tenant.file), {**file, "consignment": ""})
    assert files.values("consignment", "log").get() == {"consignment": None, "log": None}


def test_a_city_gets_another_name_and_keeps_its_number(
    tenant: Tenant, http_client: HttpClient
) -> None:
    city = City.unscoped.get(client=tenant.client)
    send(http_client, city, name="Rīga", number=9)
    assert (City.unscoped.get().name, City.unscoped.get().number) == ("Rīga", tenant.city_id)
    add(http_client, City, client=tenant.client.pk, number=9, name="Ogre")
    assert City.unscoped.get(number=9).name == "Ogre"


def test_events_are_read_only(tenant: Tenant, http_client: HttpClient) -> None:
    event = OutboxEvent.objects.filter(topic="note_events").get()
    page = http_client.get(address(event)).content.decode()
    assert "&quot;action&quot;: &quot;create&quot;" in page
    assert f"{event.time:%-d %b %Y %H:%M} UTC" in page
    assert tenant.user.username in page
    assert http_client.get(address(OutboxEvent, "add")).status_code == HTTPStatus.FORBIDDEN
    assert http_client.post(address(event), {"key": "9"}).status_code == HTTPStatus.FORBIDDEN
    assert http_client.post(address(event, "delete"), {"post": "yes"}).status_code == 403


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", ["add", "delete", "choose"])
def test_a_lost_transaction_is_retried(way: str, tenant: Tenant, http_client: HttpClient) -> None:
    chosen = {"action": "delete_selected", "_selected_action": [tenant.note.pk], "post": "yes"}
    page, sent = {
        "add": (address(Note, "add"), {"client": tenant.client.pk, "title": "Gate key"}),
        "delete": (address(tenant.note, "delete"), {"post": "yes"}),
        "choose": (address(Note, "changelist"), chosen),
    }[way]
    lost: list[str] = []

    def lose_once(execute: Any, sql: str, *rest: Any) -> Any:
        if not lost and "outbox" in sql and sql.startswith("INSERT"):
            lost.append(sql)
            raise OperationalError(1213, "Deadlock found when trying to get lock")
        return execute(sql, *rest)

    with connection.execute_wrapper(lose_once):
        assert http_client.post(page, sent).status_code == HTTPStatus.FOUND
    assert lost
    assert [event["action"] for event in events_of(Note)] == [
        "create",
        "create" if way == "add" else "delete",
    ]
    assert Note.unscoped.count() == (2 if way == "add" else 0)
    assert LogEntry.objects.count() == 1


# --- In the browser ------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
class TestBrowser:
    """The pages in a browser; a violation of the content security policy fails the test."""

    def test_a_client_is_searched_for_and_a_consignment_picked(
        self, tenant: Tenant, staff: User, open_page: Open, browser_errors: list[str]
    ) -> None:
        page = open_page(staff, address(User, "add"))
        page.locator(".select2-selection").first.click()
        page.locator(".select2-search__field").fill("dZIRN")
        page.get_by_role("option", name="Dzirnupe Ltd").click()
        page.locator("#id_username").fill("zane")
        page.locator("#id_name").fill("Zane")
        page.locator("#id_role").select_option(label="viewer")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("The user “zane” was added successfully.")).to_be_visible()

        page.goto(address(Log, "add"))
        with page.expect_popup() as popup:
            page.locator("#lookup_id_consignment").click()
        popup.value.get_by_role("link", name="Dzirnupe", exact=True).click()
        for measure, typed in (("length", "4"), ("breadth", "30"), ("height", "-3")):
            page.locator(f"#id_{measure}").fill(typed)
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("Give a number greater than 0.")).to_be_visible()
        page.locator("#id_height").fill("30")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("was added successfully")).to_be_visible()
        assert tenant.consignment.logs.count() == 2
        assert browser_errors == []

    def test_selected_clients_are_suspended(
        self, tenant: Tenant, staff: User, open_page: Open, browser_errors: list[str]
    ) -> None:
        page = open_page(staff, address(Client, "changelist"))
        page.locator("input.action-select").first.check()
        page.locator("select[name=action]").select_option("suspend")
        page.get_by_role("button", name="Run").click()
        expect(page.get_by_text("1\xa0client was suspended.")).to_be_visible()
        assert browser_errors == []

    @pytest.mark.parametrize("page_of", ["changelist", "change"])
    def test_every_page_fits_a_phone(
        self, page_of: str, tenant: Tenant, staff: User, open_page: Open, browser_errors: list[str]
    ) -> None:
        page = open_page(staff, "/admin/")
        page.set_viewport_size({"width": 360, "height": 740})
        for model in staff_site._registry:
            page.goto(address(model._default_manager.first(), page_of))
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width == 360, model
        assert browser_errors == []
