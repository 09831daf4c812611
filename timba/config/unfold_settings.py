"""The settings of django-unfold, for the admin site: title, icon, style sheet, side bar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy

from timba import __version__


def _static_url(path: str) -> Callable[[HttpRequest], str]:
    """Return a function of the request, as django-unfold expects it."""
    return lambda _: static(path)


def _changelist(title: str, symbol: str, model: str) -> dict[str, Any]:
    return {"title": title, "icon": symbol, "link": reverse_lazy(f"admin:{model}_changelist")}


_ICON: Final = _static_url("images/icon.svg")
UNFOLD_SETTINGS: Final[dict[str, Any]] = {
    "SITE_TITLE": "Timba",
    "SITE_HEADER": "Timba",
    "SITE_SUBHEADER": f"Version {__version__}",
    "SITE_ICON": _ICON,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _ICON}],
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "STYLES": [_static_url("staff/staff.css")],
    "SCRIPTS": [_static_url("staff/staff.js")],
    "SIDEBAR": {
        "navigation": [
            {
                "title": "People",
                "items": [
                    _changelist("Clients", "apartment", "accounts_client"),
                    _changelist("Subscriptions", "event_repeat", "accounts_subscription"),
                    _changelist("Users", "group", "accounts_user"),
                    _changelist("Roles", "badge", "accounts_role"),
                ],
            },
            {
                "title": "Timber",
                "items": [
                    _changelist("Consignments", "local_shipping", "consignments_consignment"),
                    _changelist("Logs", "forest", "consignments_log"),
                ],
            },
            {
                "title": "Evidence",
                "items": [
                    _changelist("Files", "draft", "files_file"),
                    _changelist("Notes", "sticky_note_2", "notes_note"),
                    _changelist("Cities", "location_on", "places_city"),
                ],
            },
            {
                "title": "History",
                "items": [_changelist("Events", "history", "events_outboxevent")],
            },
        ],
    },
}
