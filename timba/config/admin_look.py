"""How the staff's pages look: Timba's name, sign and colours, and the rooms in the side bar."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy

# The tokens of `timba/web/assets/style/tokens.css`, with the steps between them.
_BASE: Final = {
    "50": "#f5f6f4",
    "100": "#eef0ed",
    "200": "#dfe3de",
    "300": "#c5cbc6",
    "400": "#a2ada5",
    "500": "#66706a",
    "600": "#566059",
    "700": "#2d342f",
    "800": "#222823",
    "900": "#161a17",
    "950": "#101311",
}
_PRIMARY: Final = {
    "50": "#f1f7f4",
    "100": "#e5f0ea",
    "200": "#c9e2d5",
    "300": "#95d6b7",
    "400": "#7cc7a4",
    "500": "#5cae89",
    "600": "#1a5e48",
    "700": "#134a38",
    "800": "#0f3b2d",
    "900": "#1b3127",
    "950": "#0a1f16",
}


def icon(request: HttpRequest) -> str:  # noqa: ARG001 - django-unfold's signature
    return static("images/icon.svg")


def _room(title: str, symbol: str, noun: str) -> dict[str, Any]:
    return {"title": title, "icon": symbol, "link": reverse_lazy(f"admin:{noun}_changelist")}


LOOK: Final[dict[str, Any]] = {
    "SITE_TITLE": "Timba",
    "SITE_HEADER": "Timba",
    "SITE_ICON": icon,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": icon}],
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "BORDER_RADIUS": "6px",
    "COLORS": {"base": _BASE, "primary": _PRIMARY},
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
