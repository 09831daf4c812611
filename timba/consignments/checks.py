"""Start-up checks: whatever belongs to consignments or logs lets go of them when they go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.utils.module_loading import import_string

from timba.consignments.models import Consignment, Log


def check_followers(app_configs: Any, **_: Any) -> Sequence[CheckMessage]:  # noqa: ARG001 - Django's signature
    """Refuse to start unless `CONSIGNMENT_FOLLOWERS` names one function of every app above."""
    errors: list[CheckMessage] = []
    followed: list[str] = []
    for name in settings.CONSIGNMENT_FOLLOWERS:
        try:
            follower = import_string(name)
        except ImportError as reason:
            errors.append(Error(f"CONSIGNMENT_FOLLOWERS: {reason}.", id="timba.E021"))
            continue
        app = apps.get_containing_app_config(follower.__module__)
        followed.append(follower.__module__ if app is None else app.label)
    above = _apps_that_point_here()
    return errors + [
        Error(
            f"CONSIGNMENT_FOLLOWERS names {followed.count(label)} functions of “{label}”; "
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
