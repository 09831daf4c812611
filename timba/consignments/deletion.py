"""Who lets go when a consignment or a log is deleted: what `CONSIGNMENT_DELETION_HOOKS` lists.

Consignments know nothing of the nouns above them. Each of those says by one function what becomes
of its rows; a system check fails start-up when one is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Protocol

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.utils.module_loading import import_string

from timba.accounts.models import User
from timba.consignments.models import Consignment, Log
from timba.events.outbox import Event


class DeletionHook(Protocol):
    """Lets go of `log`, or of the consignment and all its logs when that is None.

    It is called inside the deleting transaction, under the lock of the consignment, and returns
    what there is to tell: the events are published together, last.
    """

    def __call__(
        self, *, actor: User, consignment: Consignment, log: Log | None
    ) -> Iterable[Event]: ...


@cache
def deletion_hooks() -> tuple[DeletionHook, ...]:
    """Return every follower of `CONSIGNMENT_DELETION_HOOKS`."""
    return tuple(import_string(name) for name in settings.CONSIGNMENT_DELETION_HOOKS)


def detach_related(*, actor: User, consignment: Consignment, log: Log | None = None) -> list[Event]:
    """Let every follower go; return the events of what that changed."""
    return [
        event
        for follower in deletion_hooks()
        for event in follower(actor=actor, consignment=consignment, log=log)
    ]


def check_deletion_hooks(app_configs: Any, **_: Any) -> Sequence[CheckMessage]:  # noqa: ARG001 - Django's signature
    """Refuse to start unless `CONSIGNMENT_DELETION_HOOKS` names one function of every app above."""
    errors: list[CheckMessage] = []
    followed: list[str] = []
    for name in settings.CONSIGNMENT_DELETION_HOOKS:
        try:
            follower = import_string(name)
        except ImportError as reason:
            errors.append(Error(f"CONSIGNMENT_DELETION_HOOKS: {reason}.", id="timba.E021"))
            continue
        app = apps.get_containing_app_config(follower.__module__)
        followed.append(follower.__module__ if app is None else app.label)
    above = _apps_that_point_here()
    return errors + [
        Error(
            f"CONSIGNMENT_DELETION_HOOKS names {followed.count(label)} functions of “{label}”; "
            "it must name exactly one of every app whose rows belong to consignments or logs.",
            id="timba.E021",
        )
        for label in sorted(above | set(followed))
        if followed.count(label) != 1 or label not in above
    ]


def _apps_that_point_here() -> set[str]:
    relations = [*Consignment._meta.related_objects, *Log._meta.related_objects]
    labels = {relation.related_model._meta.app_label for relation in relations}
    return labels - {Consignment._meta.app_label}
