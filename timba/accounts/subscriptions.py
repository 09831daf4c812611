"""Subscriptions: their period, seats and storage. Staff change them; Timba records no payments.

The status follows from the plan and the period, so no job is needed when a period ends.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Literal, TypedDict, Unpack, get_args

from django.utils import timezone

from timba.accounts.authorization import require_staff
from timba.accounts.models import Client, Subscription, User
from timba.accounts.token_cache import forget_users
from timba.db.transactions import retry_on_deadlock, write_transaction
from timba.errors import Conflict, Invalid, SeatsTaken

MAX_SEATS: Final = 100_000
MAX_QUOTA_BYTES: Final = 1024**5
_FIRST_END: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_END: Final = datetime(2200, 1, 1, tzinfo=UTC)

Status = Literal["trial", "active", "lapsed"]
STATUSES: Final[tuple[Status, ...]] = get_args(Status)


class SubscriptionChanges(TypedDict, total=False):
    """The fields of a subscription to change.

    `status` sets the plan and the end of the period, unless these are given too.
    """

    plan: str
    seats: int
    status: Status
    current_period_end: datetime
    quota_bytes: int | None


@retry_on_deadlock
def change_subscription(
    *, actor: User, client: Client, **changes: Unpack[SubscriptionChanges]
) -> Subscription:
    """Extend, end or resize a subscription; raise Conflict for fewer seats than active users."""
    require_staff(actor, to="change subscriptions")
    with write_transaction():
        subscription = lock_subscription(client.pk)
        _apply(subscription, changes)
        taken = count_seats_taken(client)
        if "seats" in changes and subscription.seats < taken:
            raise Conflict(f"{taken} users are active: deactivate some, or leave as many seats.")
        subscription.save()
        forget_users()
    return subscription


def _apply(subscription: Subscription, changes: SubscriptionChanges) -> None:
    status = changes.get("status")
    if "seats" in changes:
        subscription.seats = changes["seats"]
    if "quota_bytes" in changes:
        subscription.quota_bytes = changes["quota_bytes"]
    if "plan" in changes:
        subscription.plan = changes["plan"]
    elif status in ("trial", "active"):
        plan = Subscription.Plan.TRIAL if status == "trial" else Subscription.Plan.STANDARD
        subscription.plan = plan
    if "current_period_end" in changes:
        subscription.current_period_end = changes["current_period_end"]
    elif status == "lapsed" and not subscription.is_lapsed:
        subscription.current_period_end = timezone.now()
    _check(subscription)
    if status is not None and subscription.status != status:
        sentence = (
            f"With this plan and this current_period_end it is “{subscription.status}”: "
            "change those too, or leave the status out."
        )
        raise Invalid(fields={"status": [sentence]})


def _check(subscription: Subscription) -> None:
    if subscription.plan not in Subscription.Plan.values:
        known = ", ".join(Subscription.Plan.values)
        raise Invalid(fields={"plan": [f"A plan is one of: {known}."]})
    if not 1 <= subscription.seats <= MAX_SEATS:
        raise Invalid(fields={"seats": [f"Give a whole number from 1 to {MAX_SEATS}."]})
    quota = subscription.quota_bytes
    if quota is not None and not 0 <= quota <= MAX_QUOTA_BYTES:
        sentence = f"Give a whole number of bytes from 0 to {MAX_QUOTA_BYTES}, or null."
        raise Invalid(fields={"quota_bytes": [sentence]})
    if not _FIRST_END <= subscription.current_period_end < _LAST_END:
        raise Invalid(fields={"current_period_end": ["Give a time in the years 1970 to 2199."]})


def lock_subscription(client_id: int) -> Subscription:
    """Lock a client's subscription: one transaction at a time changes what it limits."""
    return Subscription.objects.select_for_update().get(client_id=client_id)


def lock_seats(client: Client | None) -> None:
    """Lock the client's subscription: only one transaction at a time changes its active users."""
    if client is not None:
        lock_subscription(client.pk)


def count_seats_taken(client: Client) -> int:
    """Return the number of the client's active users."""
    return User.unscoped.filter(client=client, is_active=True).count()


def check_seats(client: Client | None) -> None:
    """Raise SeatsTaken if there are more active users than seats; requires `lock_seats`."""
    if client is None:
        return
    if count_seats_taken(client) > Subscription.objects.get(client=client).seats:
        raise SeatsTaken
