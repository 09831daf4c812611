"""The pages of people, roles and one's own account, without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus

import pytest
from django.db import connection
from django.test import Client as HttpClient
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.clients import browser_of
from tests.factories import PASSWORD, ClientFactory, UserFactory
from timba.accounts.models import Client, Role, Subscription, User
from timba.accounts.permissions import Permission
from timba.accounts.roles import add_role

pytestmark = pytest.mark.django_db
MakeUser = Callable[..., User]
NEW_PASSWORD = "spruce-bark-7731"


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user(name="Anna Liepa", username="anna")


@pytest.fixture
def http_client(owner: User) -> HttpClient:
    return browser_of(owner)


@pytest.fixture
def weigher(owner: User) -> Role:
    return add_role(actor=owner, client=owner.client, name="weigher", permissions=["logs.write"])


def role_id(name: str) -> int:
    return Role.unscoped.get(client=None, name=name).pk


def person_fields(**fields: object) -> dict[str, object]:
    """Return the values of the form of a user."""
    known = {"name": "Ilze Ozola", "username": "ilze", "role": role_id("manager")}
    return {**known, **fields}


def test_page_shows_people_roles_seats_and_subscription(
    http_client: HttpClient, make_user: MakeUser, weigher: Role, client_company: Client
) -> None:
    make_user("viewer", name="Kārlis Vītols", is_active=False)
    UserFactory(client=ClientFactory(), name="Stranger")
    add_role(
        actor=UserFactory(client=ClientFactory()),
        client=Client.unscoped.last(),
        name="theirs",
    )
    page = http_client.get("/people/").content.decode()
    for words in ("Anna Liepa", "Kārlis Vītols", "deactivated", "weigher", "trial"):
        assert words in page
    assert '1 <span class="unit">of 50</span>' in page
    assert "<dt>Storage used</dt><dd>0\xa0bytes</dd>" in page
    assert "Stranger" not in page
    assert "theirs" not in page


def test_page_shows_the_storage_that_is_used_of_the_quota(
    http_client: HttpClient, client_company: Client
) -> None:
    storage = {"quota_bytes": 5 * 1024**3, "used_bytes": 1_288_490_189}
    Subscription.objects.filter(client=client_company).update(**storage)
    page = http_client.get("/people/").content.decode()
    assert ('<dt>Storage used</dt><dd>1.20\xa0GB <span class="unit">of 5\xa0GB</span></dd>') in page


@pytest.mark.parametrize("count", [1, 30])
def test_list_takes_the_same_queries_however_many_there_are(
    http_client: HttpClient, make_user: MakeUser, count: int
) -> None:
    for _ in range(count):
        make_user("viewer")
    with CaptureQueriesContext(connection) as captured:
        http_client.get("/people/")
    assert len(captured) == 6


def test_person_is_added_and_signs_in(http_client: HttpClient) -> None:
    form = person_fields(password=NEW_PASSWORD, contact="+371 200")
    assert http_client.post("/people/", form)["Location"] == "/people/"
    user = User.unscoped.get(username="ilze")
    assert (user.name, user.contact, user.role.name) == ("Ilze Ozola", "+371 200", "manager")
    credentials = {"username": "ilze", "password": NEW_PASSWORD}
    assert HttpClient().post("/login/", credentials).status_code == HTTPStatus.FOUND


@pytest.mark.parametrize(
    ("fields", "status", "sentence"),
    [
        ({"name": ""}, 400, "A person needs a name."),
        ({"username": " ilze"}, 400, "without blanks before or behind them"),
        ({"password": "short"}, 400, "This password is too short."),
        ({"role": ""}, 400, "Give a role."),
        ({"role": "2000000"}, 400, "Choose one of the roles that are offered."),
        ({"username": "anna"}, 409, "This username is taken: choose another one."),
    ],
)
def test_invalid_person_is_rejected_in_place_and_kept_in_the_form(
    http_client: HttpClient, fields: dict[str, object], status: int, sentence: str
) -> None:
    response = http_client.post("/people/", person_fields(contact="+371 200", **fields))
    assert response.status_code == status
    assert sentence in response.content.decode()
    assert 'value="+371 200"' in response.content.decode()
    assert User.unscoped.count() == 1


def test_more_people_than_seats_are_refused_with_the_sentence(
    http_client: HttpClient, client_company: Client
) -> None:
    client_company.subscription.seats = 1
    client_company.subscription.save()
    response = http_client.post("/people/", person_fields())
    assert response.status_code == HTTPStatus.PAYMENT_REQUIRED
    assert "All seats of the subscription are taken" in response.content.decode()
    assert 'value="ilze"' in response.content.decode()


def test_person_is_changed_deactivated_and_deleted(
    http_client: HttpClient, make_user: MakeUser
) -> None:
    user = make_user("viewer", username="ilze", name="Ilze")
    page = f"/people/{user.pk}/"
    assert 'value="ilze"' in http_client.get(page).content.decode()
    assert http_client.post(page, person_fields(is_active="on"))["Location"] == "/people/"
    user.refresh_from_db()
    assert (user.name, user.role.name, user.is_active) == ("Ilze Ozola", "manager", True)
    http_client.post(page, person_fields())
    user.refresh_from_db()
    assert not user.is_active
    assert "What they made stays" in http_client.get(page).content.decode()
    assert http_client.post(f"{page}delete/")["Location"] == "/people/"
    assert not User.unscoped.filter(username="ilze").exists()


def test_last_owner_stays_and_the_page_says_why(http_client: HttpClient, owner: User) -> None:
    form = person_fields(name="Anna", username="anna", is_active="on")
    response = http_client.post(f"/people/{owner.pk}/", form)
    assert response.status_code == HTTPStatus.CONFLICT
    assert "last active owner: make another owner first" in response.content.decode()
    response = http_client.post(f"/people/{owner.pk}/delete/")
    assert response.status_code == HTTPStatus.CONFLICT


def test_new_password_is_set(http_client: HttpClient, make_user: MakeUser) -> None:
    user = make_user("viewer", username="ilze")
    visitor = browser_of(user)
    page = f"/people/{user.pk}/"
    refused = http_client.post(f"{page}password/", {"password": "short"})
    assert refused.status_code == HTTPStatus.BAD_REQUEST
    assert "This password is too short." in refused.content.decode()
    assert (
        http_client.post(f"{page}password/", {"password": NEW_PASSWORD})["Location"] == "/people/"
    )
    assert visitor.get("/account/").status_code == HTTPStatus.FOUND
    credentials = {"username": "ilze", "password": NEW_PASSWORD}
    assert HttpClient().post("/login/", credentials).status_code == HTTPStatus.FOUND


def test_role_of_ones_own_is_added_changed_and_deleted(
    http_client: HttpClient, make_user: MakeUser, client_company: Client
) -> None:
    form = {"name": "weigher", "permissions": ["logs.write"]}
    assert http_client.post("/people/roles/", form)["Location"] == "/people/"
    role = Role.unscoped.get(client=client_company)
    assert (role.name, role.permissions) == ("weigher", ["logs.write"])
    page = f"/people/roles/{role.pk}/"
    assert 'value="logs.write"' in http_client.get(page).content.decode()
    http_client.post(page, {"name": "weigher", "permissions": ["logs.write", "notes.write"]})
    role.refresh_from_db()
    assert role.permissions == ["logs.write", "notes.write"]
    user = make_user(role)
    refused = http_client.post(f"{page}delete/")
    assert refused.status_code == HTTPStatus.CONFLICT
    assert "This role is in use" in refused.content.decode()
    user.delete()
    assert http_client.post(f"{page}delete/")["Location"] == "/people/"


@pytest.mark.parametrize(
    ("form", "status", "sentence"),
    [
        ({"name": ""}, 400, "A role needs a name."),
        ({"name": "viewer"}, 409, "There is a role named “viewer” already"),
        ({"name": "7"}, 400, "A number would look like an id"),
        ({"name": "x", "permissions": ["all"]}, 400, "all is not one of the available choices"),
    ],
)
def test_invalid_role_is_rejected_in_place(
    http_client: HttpClient, weigher: Role, form: dict[str, object], status: int, sentence: str
) -> None:
    for path in ("/people/roles/", f"/people/roles/{weigher.pk}/"):
        response = http_client.post(path, form)
        assert response.status_code == status
        assert sentence in response.content.decode()


def test_built_in_roles_have_no_page(http_client: HttpClient) -> None:
    assert (
        http_client.get(f"/people/roles/{role_id('viewer')}/").status_code == HTTPStatus.NOT_FOUND
    )


def test_roles_with_more_permissions_than_ones_own_are_not_offered(
    owner: User, make_user: MakeUser
) -> None:
    permissions = ["users.manage", "notes.write"]
    clerk = add_role(actor=owner, client=owner.client, name="clerk", permissions=permissions)
    page = browser_of(make_user(clerk)).get("/people/?new=1").content.decode()
    assert re.findall(r"<option value=\"\d+\">(\w+)</option>", page) == ["viewer", "clerk"]


def test_only_owners_may_assign_the_owner_role(owner: User, make_user: MakeUser) -> None:
    everything = add_role(
        actor=owner, client=owner.client, name="deputy", permissions=Permission.values
    )
    for user, is_offered in ((owner, True), (make_user(everything), False)):
        page = browser_of(user).get("/people/?new=1").content.decode()
        assert (">owner</option>" in page) == is_offered
        assert ">deputy</option>" in page


@pytest.mark.parametrize("role", ["manager", "operator", "viewer"])
def test_page_is_forbidden_without_the_permission_to_manage_users(
    make_user: MakeUser, owner: User, weigher: Role, role: str
) -> None:
    visitor = browser_of(make_user(role))
    for path in (
        "/people/",
        f"/people/{owner.pk}/",
        "/people/2000000/",
        f"/people/roles/{weigher.pk}/",
    ):
        response = visitor.get(path)
        assert response.status_code == HTTPStatus.FORBIDDEN
        assert "an owner of your company can change it" in response.content.decode()
        assert "Anna" not in response.content.decode()


def test_staff_choose_a_client_first_and_then_manage_its_people(staff: User, owner: User) -> None:
    ClientFactory()
    visitor = browser_of(staff)
    assert "Choose a client below the menu" in visitor.get("/people/").content.decode()
    assert visitor.post("/people/", person_fields()).status_code == HTTPStatus.BAD_REQUEST
    visitor.post("/client/", {"client_id": owner.client_id})
    assert "Anna Liepa" in visitor.get("/people/").content.decode()
    visitor.post("/people/", person_fields())
    assert User.unscoped.get(username="ilze").client == owner.client


@pytest.mark.parametrize("role", ["owner", "viewer"])
def test_everyone_changes_their_own_name_and_address(make_user: MakeUser, role: str) -> None:
    user = make_user(role, name="Ilze")
    form = {"name": "Ilze Ozola", "contact": "+371 200", "address": "Kuldīga"}
    assert browser_of(user).post("/account/", form)["Location"] == "/account/"
    user.refresh_from_db()
    assert (user.name, user.contact, user.address) == ("Ilze Ozola", "+371 200", "Kuldīga")
    refused = browser_of(user).post("/account/", {**form, "name": ""})
    assert refused.status_code == HTTPStatus.BAD_REQUEST
    assert "A person needs a name." in refused.content.decode()


def test_own_password_needs_the_current_one_and_ends_every_other_sign_in(
    make_user: MakeUser,
) -> None:
    user = make_user("viewer")
    here, elsewhere = browser_of(user), browser_of(user)
    wrong = {"current_password": "wrong", "password": NEW_PASSWORD}
    refused = here.post("/account/password/", wrong)
    assert refused.status_code == HTTPStatus.BAD_REQUEST
    assert "This is not your current password." in refused.content.decode()
    right = {"current_password": PASSWORD, "password": NEW_PASSWORD}
    assert here.post("/account/password/", right)["Location"] == "/account/"
    assert here.get("/account/").status_code == HTTPStatus.OK
    assert elsewhere.get("/account/").status_code == HTTPStatus.FOUND


def test_guessing_ones_own_password_is_rate_limited(make_user: MakeUser) -> None:
    visitor = browser_of(make_user("viewer"))
    wrong = {"current_password": "wrong", "password": NEW_PASSWORD}
    statuses = [visitor.post("/account/password/", wrong).status_code for _ in range(11)]
    assert statuses[-1] == HTTPStatus.TOO_MANY_REQUESTS
    assert set(statuses[:-1]) == {HTTPStatus.BAD_REQUEST}
    assert int(visitor.post("/account/password/", wrong)["Retry-After"]) > 0


def test_lapsed_client_sees_its_people_and_changes_none(
    http_client: HttpClient, owner: User, weigher: Role, client_company: Client
) -> None:
    client_company.subscription.current_period_end = timezone.now() - timedelta(days=1)
    client_company.subscription.save()
    page = http_client.get("/people/").content.decode()
    assert "lapsed" in page
    assert "Add a person" not in page
    forms = {
        "/people/": person_fields(),
        f"/people/{owner.pk}/": person_fields(is_active="on"),
        "/people/roles/": {"name": "x"},
        f"/people/roles/{weigher.pk}/": {"name": "x"},
        "/account/": {"name": "x"},
    }
    for path, form in forms.items():
        assert http_client.post(path, form).status_code == HTTPStatus.PAYMENT_REQUIRED
