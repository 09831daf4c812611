"""Figures, times and states as a person reads them: number and unit never part."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django import template
from django.conf import settings
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.safestring import SafeString

from timba.serialization import format_utc

register = template.Library()

NBSP = "\u00a0"
MINUS = "−"
_STEPS = ("bytes", "kB", "MB", "GB", "TB")
_STATES = {
    "PENDING": ("checking", "checking", "Checking"),
    "SUCCESS": ("ok", "success", "SUCCESS"),
    "FAILURE": ("failure", "failure", "FAILURE"),
}
_KIND_ICONS = {
    "photo": "photo",
    "document": "document",
    "text": "notes",
    "temperatures": "temperatures",
    "tally": "sheet",
}
_TIME_FORMATS = {
    "short": "%-d %b %Y %H:%M UTC",
    "day": "%-d %b %Y",
    "full": "%-d %b %Y, %H:%M:%S UTC",
}


@register.simple_tag
def csrf_cookie() -> str:
    """Name the cookie that the pages' script reads the CSRF token from."""
    return str(settings.CSRF_COOKIE_NAME)


@register.simple_tag
def icon(name: str) -> SafeString:
    return format_html('<svg class="ico" aria-hidden="true"><use href="#i-{}"></use></svg>', name)


@register.simple_tag
def kind_icon(kind: str) -> SafeString:
    return icon(_KIND_ICONS.get(kind, "files"))


@register.simple_tag
def state(status: str) -> SafeString:
    """Show a file's status as icon, word and at most one colour."""
    css, icon_name, word = _STATES[status]
    return format_html(
        '<span class="state {}">{}<span>{}</span></span>', css, icon(icon_name), word
    )


@register.filter
def size(bytes_: int) -> str:
    """Say a size in steps of 1,024, the ones that the limits at the door are written in."""
    if bytes_ < 1024:
        return many(bytes_, "byte")
    figure = float(bytes_)
    step = 0
    while figure >= 1024 and step < len(_STEPS) - 1:
        figure /= 1024
        step += 1
    digits = 0 if step == 1 or figure >= 100 else 1 if step == 2 else 2
    said = f"{figure:.{digits}f}"
    if "." in said:
        said = said.rstrip("0").rstrip(".") if float(said) == int(float(said)) else said
    return f"{said}{NBSP}{_STEPS[step]}"


@register.filter
def count(number: int) -> str:
    return f"{number:,}"


@register.filter
def of(labels: Mapping[str, str], name: str) -> str:
    return labels.get(name, name)


@register.filter
def minus(number: int, less: int) -> int:
    return number - less


@register.filter
def many(number: int, word: str) -> str:
    """Say a number of things: `1 row`, `2,048 rows`; two forms are given as `city|cities`."""
    one, _, others = word.partition("|")
    return f"{number:,}{NBSP}{one if number == 1 else others or one + 's'}"


@register.filter
def celsius(degrees: Any) -> str:
    # Adding zero takes the sign from a minus zero.
    return f"{float(degrees) + 0.0:.2f}".replace("-", MINUS)


@register.filter
def measure(figure: Any, least: int = 0) -> str:
    """Say a log's measure with the decimals it needs, and `least` of them at any rate."""
    whole, _, decimals = f"{Decimal(str(figure)):.3f}".partition(".")
    decimals = decimals.rstrip("0").ljust(least, "0")
    return f"{whole}.{decimals}" if decimals else whole


@register.filter
def cubic(volume: Any) -> str:
    """Say cubic metres to the litre."""
    return f"{Decimal(str(volume)):,.3f}"


@register.filter
def percent(part: float) -> str:
    return f"{int(part * 100)}{NBSP}%"


@register.filter
def when(moment: datetime | str, shape: str = "short") -> SafeString:
    """Show a time; the reader's browser turns it into the reader's zone."""
    at = parse_datetime(moment) if isinstance(moment, str) else moment
    if at is None:
        return format_html("{}", moment)
    return format_html(
        '<time datetime="{}" data-time="{}">{}</time>',
        format_utc(at),
        shape,
        at.astimezone(UTC).strftime(_TIME_FORMATS[shape]),
    )
