"""Staff extend, end and resize subscriptions; the status follows from the plan and period."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from tests.conftest import MakeUser
from timba.accounts.models import Client, Role, Subscription, User
from timba.accounts.services import add_user
from timba.accounts.subscriptions import MAX_QUOTA_BYTES, MAX_SEATS, change_subscription
from timba.errors import Conflict, DomainError, Forbidden, Invalid

LATER = datetime(2190, 1, 1, tzinfo=UTC)
BEFORE = datetime(2020, 1, 1, tzinfo=UTC)


def stored(client: Client) -> Subscription:
    return Subscription.objects.get(client=client)


def lapse(client: Client) -> None:
    Subscription.objects.filter(client=client).update(current_period_end=BEFORE)


def test_staff_extend_a_subscription(staff: User, client_company: Client) -> None:
    changed = change_subscription(
        actor=staff, client=client_company, plan="standard", seats=9, current_period_end=LATER
    )
    for subscription in (changed, stored(client_company)):
        assert (subscription.plan, subscription.seats) == ("standard", 9)
        assert (subscription.status, subscription.current_period_end) == ("active", LATER)


def test_omitted_fields_stay_unchanged(staff: User, client_company: Client) -> None:
    before = stored(client_company)
    change_subscription(actor=staff, client=client_company, seats=7)
    after = stored(client_company)
    assert (after.plan, after.seats) == (before.plan, 7)
    assert after.current_period_end == before.current_period_end


@pytest.mark.parametrize("role", ["owner", "viewer"])
def test_only_staff_change_subscriptions(role: str, make_user: MakeUser) -> None:
    user = make_user(role=role)
    with pytest.raises(Forbidden, match=r"only the platform's staff change subscriptions\.$"):
        change_subscription(actor=user, client=user.client, seats=100)
    assert stored(user.client).seats == 50


# --- Status --------------------------------------------------------------------------------------


def test_ending_a_subscription_lapses_it_now(staff: User, client_company: Client) -> None:
    with time_machine.travel(datetime(2026, 3, 2, tzinfo=UTC), tick=False):
        now = timezone.now()
        changed = change_subscription(actor=staff, client=client_company, status="lapsed")
        assert (changed.status, changed.current_period_end) == ("lapsed", now)


def test_ending_it_again_keeps_the_original_end(staff: User, client_company: Client) -> None:
    lapse(client_company)
    change_subscription(actor=staff, client=client_company, status="lapsed")
    assert stored(client_company).current_period_end == BEFORE


def test_a_status_sets_the_plan(staff: User, client_company: Client) -> None:
    for status, plan in (("active", "standard"), ("trial", "trial")):
        changed = change_subscription(actor=staff, client=client_company, status=status)
        assert (changed.status, changed.plan) == (status, plan)


def test_a_lapsed_subscription_is_renewed_with_a_new_end(
    staff: User, client_company: Client
) -> None:
    lapse(client_company)
    changed = change_subscription(
        actor=staff, client=client_company, status="active", current_period_end=LATER
    )
    assert (changed.status, changed.plan) == ("active", "standard")


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "lapsed", "current_period_end": LATER},
        {"status": "active", "current_period_end": BEFORE},
        {"status": "trial", "plan": "standard"},
        {"status": "active", "plan": "trial"},
        {"status": "ended"},
    ],
)
def test_a_status_that_contradicts_the_rest_is_refused(
    changes: dict[str, Any], staff: User, client_company: Client
) -> None:
    before = stored(client_company)
    with pytest.raises(Invalid, match=r"^With this plan and this current_period_end it is “"):
        change_subscription(actor=staff, client=client_company, seats=3, **changes)
    after = stored(client_company)
    assert (after.plan, after.seats, after.current_period_end) == (
        before.plan,
        before.seats,
        before.current_period_end,
    )


def test_a_status_cannot_renew_a_lapsed_subscription_without_a_new_end(
    staff: User, client_company: Client
) -> None:
    lapse(client_company)
    for status in ("active", "trial"):
        with pytest.raises(Invalid):
            change_subscription(actor=staff, client=client_company, status=status)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("plan", "gold"),
        ("seats", 0),
        ("seats", -1),
        ("seats", MAX_SEATS + 1),
        ("quota_bytes", -1),
        ("quota_bytes", MAX_QUOTA_BYTES + 1),
        ("current_period_end", datetime(1969, 12, 31, tzinfo=UTC)),
        ("current_period_end", datetime(2200, 1, 1, tzinfo=UTC)),
    ],
)
def test_an_invalid_value_is_reported_by_field(
    field: str, value: Any, staff: User, client_company: Client
) -> None:
    with pytest.raises(Invalid) as refused:
        change_subscription(actor=staff, client=client_company, **{field: value})
    assert list(refused.value.fields) == [field]
    assert stored(client_company).seats == 50


# --- Seats ---------------------------------------------------------------------------------------


def test_there_are_never_fewer_seats_than_active_users(
    staff: User, client_company: Client, make_user: MakeUser
) -> None:
    for _ in range(3):
        make_user(role="viewer")
    make_user(is_active=False)
    with pytest.raises(
        Conflict, match=r"^3 users are active: deactivate some, or leave as many seats\.$"
    ):
        change_subscription(actor=staff, client=client_company, seats=2)
    assert stored(client_company).seats == 50
    assert change_subscription(actor=staff, client=client_company, seats=3).seats == 3


def test_a_subscription_with_too_many_users_can_still_be_extended(
    staff: User, client_company: Client, make_user: MakeUser
) -> None:
    make_user(), make_user()
    Subscription.objects.filter(client=client_company).update(seats=1)
    changed = change_subscription(actor=staff, client=client_company, current_period_end=LATER)
    assert changed.current_period_end - timezone.now() > timedelta(days=1)


@pytest.mark.django_db(transaction=True)
def test_a_seat_is_either_taken_or_removed(
    staff: User, client_company: Client, make_user: MakeUser
) -> None:
    owner = make_user()
    Subscription.objects.filter(client=client_company).update(seats=2)
    viewer = Role.unscoped.get(client=None, name="viewer")

    def take() -> None:
        add_user(actor=owner, client=client_company, username="new", name="New", role=viewer)

    def take_away() -> None:
        change_subscription(actor=staff, client=client_company, seats=1)

    def attempt(act: Any) -> str | None:
        try:
            act()
        except DomainError as refused:
            return type(refused).__name__
        finally:
            connection.close()
        return None

    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(attempt, [take, take_away]))
    assert ends in ([None, "Conflict"], ["SeatsTaken", None])
    assert client_company.users.filter(is_active=True).count() <= stored(client_company).seats
