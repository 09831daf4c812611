"""Counts a client's active users against its seats, one writer at a time.

Whoever changes who is active, who owns, which roles there are, or how many seats, first locks the
client's people: what was counted or looked up then stays true until the transaction ends.
"""

from __future__ import annotations

from timba.accounts.models import Client, Subscription, User
from timba.errors import SeatsTaken


def lock_people(client: Client | None) -> None:
    """Keep everyone else from counting this client's people until the transaction ends."""
    if client is not None:
        Subscription.objects.select_for_update().get(client=client)


def seats_taken(client: Client) -> int:
    """Return how many seats the client's active users take."""
    return User.unscoped.filter(client=client, is_active=True).count()


def check_seats(client: Client | None) -> None:
    """Raise SeatsTaken when there are more active users than seats; call it under the lock."""
    if client is None:
        return
    if seats_taken(client) > Subscription.objects.get(client=client).seats:
        raise SeatsTaken
