"""Sign-in, refresh and sign-out of programs at `/api/token/`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.conftest import MakeUser
from tests.factories import PASSWORD
from timba.accounts.models import Client, Role, User
from timba.accounts.services import change_user

NOT_RIGHT = {
    "type": "about:blank",
    "title": "Unauthorized",
    "status": 401,
    "detail": "The username or the password is not right.",
}


def sign_in(username: str, password: str = PASSWORD, api_client: APIClient | None = None) -> Any:
    return (api_client or APIClient()).post(
        "/api/token/", {"username": username, "password": password}
    )


def with_token(access: str) -> APIClient:
    api_client = APIClient()
    api_client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    return api_client


def test_token_of_a_sign_in_is_accepted(make_user: MakeUser) -> None:
    user = make_user()
    response = sign_in(user.username)
    assert response.status_code == 200
    assert set(response.json()) == {"access", "refresh"}
    assert response["Cache-Control"] == "no-store"
    own = with_token(response.json()["access"]).get("/timba/client")
    assert own.json()["id"] == user.client_id


def test_unknown_wrong_and_inactive_get_the_same_response(make_user: MakeUser) -> None:
    user = make_user()
    make_user(username="asleep", is_active=False)
    responses = [sign_in(user.username, "wrong"), sign_in("nobody"), sign_in("asleep"), sign_in("")]
    for response in responses:
        assert response.status_code == 401
        assert response.json() == NOT_RIGHT
        assert response["Content-Type"] == "application/problem+json"
        assert response["WWW-Authenticate"] == "Bearer"
    assert len({response.content for response in responses}) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"username": "anna"},
        {"password": "x"},
        {"username": None, "password": "x"},
        {"username": ["anna"], "password": {"x": 1}},
        [],
        "anna",
    ],
)
def test_malformed_credentials_are_400(body: Any, db: None) -> None:
    response = APIClient().post("/api/token/", body)
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "body",
    [
        rb'{"username":"a\u0000","password":"x"}',
        rb'{"username":"\ud800","password":"x"}',
        rb'{"username":"a","password":"\ud800"}',
        b'{"username":"a","password":"x"',
        b"\xff",
    ],
)
def test_undecodable_credentials_are_400(body: bytes, db: None) -> None:
    response = APIClient().post("/api/token/", body, content_type="application/json")
    assert response.status_code == 400


def test_form_credentials_are_415(db: None) -> None:
    response = APIClient().post(
        "/api/token/", "username=a&password=b", content_type="application/x-www-form-urlencoded"
    )
    assert response.status_code == 415


def test_sixth_failure_is_429_for_any_user(make_user: MakeUser) -> None:
    user = make_user()
    for username in (user.username, "nobody"):
        assert [sign_in(username, "wrong").status_code for _ in range(5)] == [401] * 5
        for password in ("wrong", PASSWORD):
            response = sign_in(username, password)
            assert response.status_code == 429
            assert 890 <= int(response["Retry-After"]) <= 900
            assert response.json()["detail"] == (
                "There were too many attempts to sign in with this username: wait 15 minutes."
            )


def test_untrusted_forwarding_header_does_not_lift_the_lock(make_user: MakeUser) -> None:
    user = make_user()
    for number in range(6):
        api_client = APIClient(HTTP_X_FORWARDED_FOR=f"192.0.2.{number}")
        response = sign_in(user.username, "wrong", api_client)
    assert response.status_code == 429


def test_refreshing_rotates(make_user: MakeUser) -> None:
    first = sign_in(make_user().username).json()
    response = APIClient().post("/api/token/refresh/", {"refresh": first["refresh"]})
    assert response.status_code == 200
    assert set(response.json()) == {"access", "refresh"}
    again = APIClient().post("/api/token/refresh/", {"refresh": first["refresh"]})
    assert again.status_code == 401
    assert with_token(response.json()["access"]).get("/timba/client").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_twenty_parallel_refreshes_give_one_pair(make_user: MakeUser) -> None:
    refresh = sign_in(make_user().username).json()["refresh"]

    def attempt(_: int) -> int:
        try:
            return APIClient().post("/api/token/refresh/", {"refresh": refresh}).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        statuses = sorted(pool.map(attempt, range(20)))
    assert statuses == [200] + [401] * 19


def test_revoking_ends_the_sign_in(make_user: MakeUser) -> None:
    pair = sign_in(make_user().username).json()
    response = APIClient().post("/api/token/revoke/", {"refresh": pair["refresh"]})
    assert (response.status_code, response.content) == (204, b"")
    assert with_token(pair["access"]).get("/timba/client").status_code == 401
    after = APIClient().post("/api/token/refresh/", {"refresh": pair["refresh"]})
    assert after.status_code == 401


@pytest.mark.parametrize("url", ["/api/token/refresh/", "/api/token/revoke/"])
def test_invalid_refresh_token_is_rejected(url: str, make_user: MakeUser) -> None:
    access = sign_in(make_user().username).json()["access"]
    assert APIClient().post(url, {"refresh": access}).status_code == 401
    assert APIClient().post(url, {"refresh": "x"}).status_code == 401
    for body in ({}, {"refresh": None}, {"refresh": [1]}, []):
        assert APIClient().post(url, body).status_code == 400


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer x", "Bearer a b", "bearer x.y.z", "Basic YTpi", "Bearer \xe4", "x"],
)
def test_bad_credentials_are_401(header: str, db: None) -> None:
    response = APIClient(HTTP_AUTHORIZATION=header).get("/timba/client")
    assert response.status_code == 401
    assert response["Content-Type"] == "application/problem+json"
    assert response["WWW-Authenticate"] == "Bearer"


def test_refresh_token_is_not_an_access_token(make_user: MakeUser) -> None:
    refresh = sign_in(make_user().username).json()["refresh"]
    assert with_token(refresh).get("/timba/client").status_code == 401


def test_change_of_role_applies_to_the_next_request(make_user: MakeUser) -> None:
    user, owner = make_user(role="viewer"), make_user()
    api_client = api_client_of(user)
    assert api_client.post("/api/notes/", {"title": "Now"}).status_code == 403
    operator = Role.unscoped.get(client=None, name="operator")
    change_user(actor=owner, user=user, role=operator)
    assert api_client.post("/api/notes/", {"title": "Now"}).status_code == 201


@pytest.mark.parametrize("body", [{"is_active": False}, {"password": "spruce-bark-7731"}])
def test_deactivation_applies_to_the_next_request(
    body: dict[str, Any], make_user: MakeUser
) -> None:
    user = make_user(role="viewer")
    api_client, owner = api_client_of(user), api_client_of(make_user())
    assert api_client.get("/timba/client").status_code == 200
    assert owner.patch("/timba/user", {"user_id": user.pk, **body}).status_code == 200
    assert api_client.get("/timba/client").status_code == 401


def test_deletion_of_a_user_applies_to_the_next_request(make_user: MakeUser) -> None:
    user = make_user()
    api_client, owner = api_client_of(user), api_client_of(make_user())
    assert owner.delete(f"/timba/user?user_id={user.pk}").status_code == 200
    assert api_client.get("/timba/client").status_code == 401


def test_suspension_of_a_client_applies_to_the_next_request(
    make_user: MakeUser, client_company: Client, staff: User
) -> None:
    api_client = api_client_of(make_user())
    Client.unscoped.filter(pk=client_company.pk).update(is_active=False)
    assert api_client.get("/timba/client").status_code == 401
    assert (
        api_client_of(staff).get(f"/timba/client?id={client_company.pk}").json()["is_active"]
        is False
    )
