"""Cached statistics: one query each, of the caller's own client, and never stale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client as Browser
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.factories import ClientFactory, UserFactory
from tests.temperatures.uploads import settle_readings
from timba.accounts import token_cache
from timba.accounts.models import User
from timba.api import statistics
from timba.files.services import delete_file
from timba.places.services import name_city

# HTTP alone: the contract suite proves these endpoints on every database.
pytestmark = [pytest.mark.django_db, pytest.mark.only_on("sqlite")]

SEVEN = "/temperature-readings/7/"
JUNE = {"from": "2025-06-01", "to": "2025-07-01"}


@pytest.fixture(autouse=True)
def _frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clock that limits how long users are remembered."""
    monkeypatch.setattr(token_cache, "monotonic", lambda: 0.0)


@pytest.fixture
def owner(make_user: Callable[..., User]) -> User:
    """Return the owner of a client that has two readings of city 7."""
    user = make_user()
    settle_readings("7,21.5,2025-06-01T12:00\n7,-3,2025-07-01T13:00\n", actor=user)
    return user


@pytest.fixture
def api_client(owner: User) -> APIClient:
    """Return an API client that is signed in as the owner."""
    return api_client_of(owner)


@pytest.mark.parametrize("bounds", [{}, JUNE])
def test_a_cached_answer_costs_the_query_of_the_version(
    api_client: APIClient, bounds: dict[str, str], django_assert_num_queries: Any
) -> None:
    first = api_client.get(SEVEN, bounds)
    with django_assert_num_queries(1):
        again = api_client.get(SEVEN, bounds)
    assert (again.content, again["ETag"]) == (first.content, first["ETag"])
    with django_assert_num_queries(1):
        unchanged = api_client.get(SEVEN, bounds, headers={"If-None-Match": first["ETag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert api_client.head(SEVEN, bounds)["ETag"] == first["ETag"]


def test_a_change_renames_counts_or_uncounts_at_once(api_client: APIClient, owner: User) -> None:
    assert api_client.get(SEVEN).json()["count"] == 2
    file = settle_readings("7,5,2025-06-02T12:00\n", actor=owner)
    assert api_client.get(SEVEN).json()["count"] == 3
    assert api_client.get(SEVEN, JUNE).json()["count"] == 2
    assert owner.client is not None
    name_city(actor=owner, client=owner.client, city_id=7, name="Cēsis")
    assert api_client.get(SEVEN).json()["name"] == "Cēsis"
    delete_file(actor=owner, file=file)
    assert api_client.get(SEVEN).json()["count"] == 2
    assert api_client.get(SEVEN, JUNE).json()["count"] == 1


def test_a_file_settled_after_the_version_was_read_counts_in_the_next_answer(
    api_client: APIClient, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_version = statistics.get_data_version
    coming = ["7,5,2025-06-02T12:00\n"]

    def settle_after_reading(client_id: int) -> Any:
        version = read_version(client_id)
        if coming:
            settle_readings(coming.pop(), actor=owner)
        return version

    monkeypatch.setattr(statistics, "get_data_version", settle_after_reading)
    assert api_client.get(SEVEN).json()["count"] == 3  # computed after the file was settled
    assert api_client.get(SEVEN).json()["count"] == 3
    coming.append("7,6,2025-06-03T12:00\n")
    assert api_client.get(SEVEN).json()["count"] == 3  # cached before
    assert api_client.get(SEVEN).json()["count"] == 4


def test_equal_questions_of_two_clients_have_their_own_answers(api_client: APIClient) -> None:
    other = UserFactory(client=ClientFactory())
    settle_readings("7,1,2025-06-01T12:00\n", actor=other)
    for _ in range(2):
        assert api_client.get(SEVEN).json()["count"] == 2
        assert api_client_of(other).get(SEVEN).json()["count"] == 1
        assert api_client.get(SEVEN, JUNE).json()["max_temp"] == 21.5
        assert api_client_of(other).get(SEVEN, JUNE).json()["max_temp"] == 1


def test_a_cached_answer_is_refused_without_credentials(api_client: APIClient) -> None:
    etag = api_client.get(SEVEN)["ETag"]
    for credentials in ({}, {"Authorization": "Bearer x"}):
        response = Browser().get(SEVEN, headers={"If-None-Match": etag, **credentials})
        assert (response.status_code, "ETag" in response) == (401, False)


def test_answers_do_without_the_shared_cache(
    api_client: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*_: Any, **__: Any) -> None:
        raise ConnectionError("nothing listens there")

    for name in ("get", "set"):
        monkeypatch.setattr(cache, name, unavailable)
    for _ in range(2):
        assert api_client.get(SEVEN).json()["count"] == 2
        assert api_client.get(SEVEN, JUNE).json()["count"] == 1


def test_answers_are_cached_up_to_a_number_of_bytes(
    api_client: APIClient, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    answers = statistics._answer_at
    answers.cache_clear()
    api_client.get(SEVEN)
    size = answers.size_bytes
    assert size == statistics.OVERHEAD_BYTES + len(api_client.get(SEVEN).content)
    monkeypatch.setattr(answers, "_max_bytes", 3 * size)
    for day in range(1, 10):
        api_client.get(SEVEN, {"from": f"2025-06-0{day}"})
        assert answers.size_bytes <= 3 * size
    with django_assert_num_queries(1):
        api_client.get(SEVEN, {"from": "2025-06-09"})
