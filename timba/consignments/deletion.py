"""Deletion hooks: what happens to related rows when a consignment or a log is deleted or restored.

This app cannot import the apps whose rows refer to consignments or logs. Each of them provides one
hook, listed in `CONSIGNMENT_DELETION_HOOKS`; a system check fails if one is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.utils.module_loading import import_string

from timba.accounts.models import User
from timba.consignments.models import Consignment, Log
from timba.events.outbox import Event

# Values of JSON that tell an app's `relink` which of its rows were linked, and to what.
Links = list[Any]


class Unlink(Protocol):
    """Unlinks an app's rows from `log`, or if it is None, from the consignment and all its logs.

    It is called inside the transaction of the deletion, with the consignment locked. It returns
    what was linked, and the events of the changes, which are published at the end.
    """

    def __call__(
        self, *, actor: User, consignment: Consignment, log: Log | None
    ) -> tuple[Links, list[Event]]: ...


class Relink(Protocol):
    """Links rows again to a restored consignment and its logs, unless they have another place.

    It is called inside the transaction of the restoration, which publishes the returned events.
    """

    def __call__(self, *, actor: User, consignment: Consignment, links: Links) -> list[Event]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class DeletionHook:
    """What an app does with its rows; deleted consignments keep the links under `app_label`."""

    app_label: str
    unlink: Unlink
    relink: Relink


@cache
def deletion_hooks() -> tuple[DeletionHook, ...]:
    """Return the hooks that `CONSIGNMENT_DELETION_HOOKS` lists."""
    return tuple(import_string(name) for name in settings.CONSIGNMENT_DELETION_HOOKS)


def unlink_related(
    *, actor: User, consignment: Consignment, log: Log | None = None
) -> tuple[dict[str, Links], list[Event]]:
    """Unlink the rows of every app; return their links by app, and the events of the changes."""
    links: dict[str, Links] = {}
    events: list[Event] = []
    for hook in deletion_hooks():
        links[hook.app_label], changes = hook.unlink(actor=actor, consignment=consignment, log=log)
        events += changes
    return links, events


def relink_related(
    *, actor: User, consignment: Consignment, links: Mapping[str, Links]
) -> list[Event]:
    """Link the rows of every app again; return the events of the changes."""
    return [
        event
        for hook in deletion_hooks()
        for event in hook.relink(
            actor=actor, consignment=consignment, links=links.get(hook.app_label, [])
        )
    ]


def check_deletion_hooks(app_configs: Any, **_: Any) -> Sequence[CheckMessage]:  # noqa: ARG001 - Django's signature
    """Check that `CONSIGNMENT_DELETION_HOOKS` names one hook of every app with related rows."""
    errors: list[CheckMessage] = []
    labels: list[str] = []
    for name in settings.CONSIGNMENT_DELETION_HOOKS:
        try:
            hook = import_string(name)
        except ImportError as error:
            errors.append(Error(f"CONSIGNMENT_DELETION_HOOKS: {error}.", id="timba.E021"))
            continue
        if not isinstance(hook, DeletionHook):
            sentence = f"CONSIGNMENT_DELETION_HOOKS: {name} is no DeletionHook."
            errors.append(Error(sentence, id="timba.E021"))
            continue
        labels.append(hook.app_label)
    related = _related_apps()
    return errors + [
        Error(
            f"CONSIGNMENT_DELETION_HOOKS names {labels.count(label)} hooks of “{label}”; "
            "it must name exactly one of every app whose rows belong to consignments or logs.",
            id="timba.E021",
        )
        for label in sorted(related | set(labels))
        if labels.count(label) != 1 or label not in related
    ]


def _related_apps() -> set[str]:
    relations = [*Consignment._meta.related_objects, *Log._meta.related_objects]
    apps_with_relations = {relation.related_model._meta.app_label for relation in relations}
    return apps_with_relations - {Consignment._meta.app_label}
