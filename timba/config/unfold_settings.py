"""How the staff's pages look: Timba's name and sign, its style sheet, what the side bar lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _from_here(path: str) -> Callable[[HttpRequest], str]:
    """Return how django-unfold asks for the address of a static file."""
    return lambda _: static(path)


def _room(title: str, symbol: str, noun: str) -> dict[str, Any]:
    return {"title": title, "icon": symbol, "link": reverse_lazy(f"admin:{noun}_changelist")}


_ICON: Final = _from_here("images/icon.svg")
LOOK: Final[dict[str, Any]] = {
    "SITE_TITLE": "Timba",
    "SITE_HEADER": "Timba",
    "SITE_ICON": _ICON,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _ICON}],
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "STYLES": [_from_here("staff/staff.css")],
    "SCRIPTS": [_from_here("staff/staff.js")],
    "SIDEBAR": {
        "navigation": [
            {
                "title": "People",
                "items": [
                    _room("Clients", "apartment", "accounts_client"),
                    _room("Subscriptions", "event_repeat", "accounts_subscription"),
                    _room("Users", "group", "accounts_user"),
                    _room("Roles", "badge", "accounts_role"),
                ],
            },
            {
                "title": "Timber",
                "items": [
                    _room("Consignments", "local_shipping", "consignments_consignment"),
                    _room("Logs", "forest", "consignments_log"),
                ],
            },
            {
                "title": "Beside it",
                "items": [
                    _room("Files", "draft", "files_file"),
                    _room("Notes", "sticky_note_2", "notes_note"),
                    _room("Cities", "location_on", "places_city"),
                ],
            },
            {"title": "History", "items": [_room("Events", "history", "events_outboxevent")]},
        ],
    },
}
