"""Who lets go when a consignment or a log is deleted: what `CONSIGNMENT_FOLLOWERS` lists.

Consignments know nothing of the nouns above them. Each of those says by one function what becomes
of its rows; a system check fails start-up when one is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from timba.accounts.models import User
from timba.consignments.models import Consignment, Log
from timba.events.outbox import Event


class Follower(Protocol):
    """Lets go of `log`, or of the consignment and all its logs when that is None.

    It is called inside the deleting transaction, under the lock of the consignment, and returns
    what there is to tell: the events are published together, last.
    """

    def __call__(
        self, *, actor: User, consignment: Consignment, log: Log | None
    ) -> Iterable[Event]: ...


@cache
def followers() -> tuple[Follower, ...]:
    """Return every follower of `CONSIGNMENT_FOLLOWERS`."""
    return tuple(import_string(name) for name in settings.CONSIGNMENT_FOLLOWERS)


def let_go(*, actor: User, consignment: Consignment, log: Log | None = None) -> list[Event]:
    """Let every follower go; return the events of what that changed."""
    return [
        event
        for follower in followers()
        for event in follower(actor=actor, consignment=consignment, log=log)
    ]
