"""Template filters for numbers, times and states. A no-break space joins number and unit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import template
from django.conf import settings
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.safestring import SafeString

from timba import __version__
from timba.files.models import File, ImportProfile
from timba.serialization import format_utc
from timba.tallies.words.units import UNIT_WORDS
from timba.web.pictures import has_picture
from timba.web.read_as import Fact, describe_answers, describe_reading

register = template.Library()
register.filter(has_picture)

NBSP = "\u00a0"
MINUS = "−"
_SIZE_UNITS = ("bytes", "kB", "MB", "GB", "TB")
# status: (CSS class, icon, word)
_STATUS_BADGES = {
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
_LEFT_OUT_REASONS = {
    "total": "totals",
    "subtotal": "sub-totals",
    "average": "averages",
    "minimum": "smallest values",
    "maximum": "largest values",
    "carried_forward": "carried forward",
    "signature": "signatures",
    "note": "notes",
    "repeated_header": "headers again",
    "title": "titles",
    "empty": "without values",
    "hidden_row": "hidden",
    "hidden_sheet": "on hidden sheets",
}
_TIME_FORMATS = {
    "short": "%-d %b %Y %H:%M %Z",
    "day": "%-d %b %Y",
    "full": "%-d %b %Y, %H:%M:%S %Z",
}


@register.simple_tag
def csrf_cookie_name() -> str:
    """Return the name of the cookie from which the pages' script reads the CSRF token."""
    return str(settings.CSRF_COOKIE_NAME)


@register.simple_tag
def version() -> str:
    """Return the line at the foot of every page."""
    return f"Timba {__version__}"


@register.simple_tag
def icon(name: str) -> SafeString:
    return format_html('<svg class="ico" aria-hidden="true"><use href="#i-{}"></use></svg>', name)


@register.simple_tag
def kind_icon(kind: str) -> SafeString:
    return icon(_KIND_ICONS.get(kind, "files"))


@register.simple_tag
def thumbnail(file: File, size: int) -> SafeString:
    """Render the icon of a file's kind and over it the small picture, where there is one."""
    if not file.has_preview:
        return kind_icon(file.kind)
    return format_html(
        '{}<img src="/api/files/{}/preview/?size=256" width="{}" height="{}" alt=""'
        ' loading="lazy" decoding="async">',
        kind_icon(file.kind),
        file.pk,
        size,
        size,
    )


@register.simple_tag
def status_badge(status: str) -> SafeString:
    """Render a file's status as an icon and a word."""
    css, icon_name, word = _STATUS_BADGES[status]
    return format_html(
        '<span class="state {}">{}<span>{}</span></span>', css, icon(icon_name), word
    )


@register.filter
def file_size(bytes_: int) -> str:
    """Format a size in steps of 1,024 bytes, as the upload limits are written."""
    if bytes_ < 1024:
        return quantity(bytes_, "byte")
    scaled = float(bytes_)
    unit = 0
    while scaled >= 1024 and unit < len(_SIZE_UNITS) - 1:
        scaled /= 1024
        unit += 1
    digits = 0 if unit == 1 or scaled >= 100 else 1 if unit == 2 else 2
    text = f"{scaled:.{digits}f}"
    if "." in text and float(text) == int(float(text)):
        text = text.rstrip("0").rstrip(".")
    return f"{text}{NBSP}{_SIZE_UNITS[unit]}"


@register.filter
def count(number: int) -> str:
    return f"{number:,}"


@register.filter
def label_of(name: str, labels: Mapping[str, str]) -> str:
    return labels.get(name, name)


@register.filter
def subtract(number: int, subtrahend: int) -> int:
    return number - subtrahend


@register.filter
def quantity(number: int, noun: str) -> str:
    """Format a number of things: `1 row`, `2,048 rows`; an irregular plural is `city|cities`."""
    singular, _, plural = noun.partition("|")
    return f"{number:,}{NBSP}{singular if number == 1 else plural or singular + 's'}"


@register.filter
def celsius(degrees: Any) -> str:
    # Adding zero turns -0.0 into 0.0.
    return f"{float(degrees) + 0.0:.2f}".replace("-", MINUS)


@register.filter
def measure(value: Any, min_decimals: int = 0) -> str:
    """Format a log's measure with as many decimals as it needs, at least `min_decimals`."""
    whole, _, decimals = f"{Decimal(str(value)):.3f}".partition(".")
    decimals = decimals.rstrip("0").ljust(min_decimals, "0")
    return f"{whole}.{decimals}" if decimals else whole


@register.filter
def cubic_metres(volume: Any) -> str:
    """Format a volume in cubic metres with three decimals, that is to the litre."""
    return f"{Decimal(str(volume)):,.3f}"


@register.filter
def percent(part: float) -> str:
    return f"{int(part * 100)}{NBSP}%"


@register.filter
def local_time(moment: datetime | str, time_format: str = "short") -> SafeString:
    """Render a time in Django's current zone; the script shows it in the zone of the browser.

    `time_format` is `short`, `day` or `full`. A time without a zone, such as a camera's, cannot be
    converted: it is shown as it is, and says so.
    """
    at = parse_datetime(moment) if isinstance(moment, str) else moment
    if at is None:
        return format_html("{}", moment)
    if timezone.is_naive(at):
        text = at.strftime(_TIME_FORMATS[time_format]).strip()
        return format_html('<time datetime="{}">{}</time> (zone unknown)', at.isoformat(), text)
    return format_html(
        '<time datetime="{}" data-time="{}">{}</time>',
        format_utc(at),
        time_format,
        timezone.localtime(at).strftime(_TIME_FORMATS[time_format]),
    )


@register.filter
def total_of(items: Iterable[Mapping[str, Any]] | None, name: str) -> int:
    """Return the sum of the items' numbers of this name."""
    return sum(item[name] for item in items or ())


@register.filter
def left_out_reason(reason: str) -> str:
    """Return why rows of a sheet were left out, in words."""
    return _LEFT_OUT_REASONS.get(reason, reason.replace("_", " "))


@register.filter
def read_tables(read_as: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return how each table of a sheet was read, by number; that of one without logs is empty."""
    return read_as.get("tables") or [read_as]


@register.filter
def reading_facts(read_as: Mapping[str, Any]) -> list[Fact]:
    """Return how a temperature file was read."""
    return describe_reading(read_as)


@register.filter
def answers_as_text(profile: ImportProfile) -> list[str]:
    """Return the answers of an import profile as short texts."""
    read_as = profile.read_as
    if profile.kind == File.Kind.TEMPERATURES:
        return describe_answers(read_as)
    texts = []
    for table in read_tables(read_as):
        for field, number in (table.get("columns") or {}).items():
            texts.append(f"no {field}" if number is None else f"{field} in column {number}")
        units = (table.get("units") or {}).items()
        texts += [f"{measure} in {UNIT_WORDS.get(unit, unit)}" for measure, unit in units]
    texts += [f"{name} {read_as[name]}" for name in ("decimal", "encoding") if read_as.get(name)]
    return texts
