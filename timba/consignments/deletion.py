"""Deletion hooks: what happens to related rows when a consignment or a log is deleted.

This app cannot import the apps whose rows refer to consignments or logs. Each of them provides one
function, listed in `CONSIGNMENT_DELETION_HOOKS`; a system check fails if one is missing.
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
    """Detaches an app's rows from `log`, or if it is None, from the consignment and all its logs.

    It is called inside the transaction of the deletion, with the consignment locked. The returned
    events are published at the end of the transaction.
    """

    def __call__(
        self, *, actor: User, consignment: Consignment, log: Log | None
    ) -> Iterable[Event]: ...


@cache
def deletion_hooks() -> tuple[DeletionHook, ...]:
    """Return the functions that `CONSIGNMENT_DELETION_HOOKS` lists."""
    return tuple(import_string(name) for name in settings.CONSIGNMENT_DELETION_HOOKS)


def detach_related(*, actor: User, consignment: Consignment, log: Log | None = None) -> list[Event]:
    """Call every deletion hook; return the events of their changes."""
    return [
        event
        for hook in deletion_hooks()
        for event in hook(actor=actor, consignment=consignment, log=log)
    ]


def check_deletion_hooks(app_configs: Any, **_: Any) -> Sequence[CheckMessage]:  # noqa: ARG001 - Django's signature
    """Check that `CONSIGNMENT_DELETION_HOOKS` names one function of every app with related rows."""
    errors: list[CheckMessage] = []
    labels: list[str] = []
    for name in settings.CONSIGNMENT_DELETION_HOOKS:
        try:
            hook = import_string(name)
        except ImportError as error:
            errors.append(Error(f"CONSIGNMENT_DELETION_HOOKS: {error}.", id="timba.E021"))
            continue
        app = apps.get_containing_app_config(hook.__module__)
        labels.append(hook.__module__ if app is None else app.label)
    related = _related_apps()
    return errors + [
        Error(
            f"CONSIGNMENT_DELETION_HOOKS names {labels.count(label)} functions of “{label}”; "
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
