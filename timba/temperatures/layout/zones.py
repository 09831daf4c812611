"""Finds the zone that a text names: an offset from UTC, or a name whose meaning is not certain."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_MAX_OFFSET: Final = 14 * 60
# Characters of a text that are searched.
_MAX_TEXT: Final = 120
_SIGN: Final = "[-+−–]"
_ANSWER: Final = re.compile(r"([-+])(\d\d):([0-5]\d)", re.ASCII)
# “UTC+2” and “GMT+02:00”; without such a word the minutes must be there: “+02:00”.
_OFFSET: Final = re.compile(
    rf"(?<![/\w])(?:(?:UTC|GMT)\s*(?P<sign>{_SIGN}|±)\s*(?P<hours>\d{{1,2}})"
    rf"(?::?(?P<minutes>[0-5]\d))?|(?P<sign2>{_SIGN})(?P<hours2>\d\d):?(?P<minutes2>[0-5]\d))"
    r"(?![\d:])",
    re.IGNORECASE | re.ASCII,
)
_UTC: Final = re.compile(r"(?<![/\w])(?:UTC|GMT|Zulu)(?![\w/])", re.IGNORECASE)
_BARE_OFFSET: Final = re.compile(rf"\s*({_SIGN}?)\s*(\d{{1,2}})(?::?([0-5]\d))?\s*h?\s*", re.ASCII)
_STANDARD: Final = {
    **dict.fromkeys(("EET", "EEST", "OEZ", "OESZ", "FLE"), (120, 180)),
    **dict.fromkeys(("CET", "CEST", "MEZ", "MESZ"), (60, 120)),
    **dict.fromkeys(("WET", "WEST", "BST"), (0, 60)),
    **dict.fromkeys(("MSK", "MSD", "МСК"), (180, 240)),
    **dict.fromkeys(("EST", "EDT"), (-300, -240)),
    **dict.fromkeys(("CST", "CDT"), (-360, -300)),
    **dict.fromkeys(("MST", "MDT"), (-420, -360)),
    **dict.fromkeys(("PST", "PDT"), (-480, -420)),
    **dict.fromkeys(("AKST", "HST", "AST", "NST", "IST", "JST", "KST", "AEST", "ACST", "AWST"), ()),
}
_ABBREVIATION: Final = re.compile(rf"(?<![^\W_])(?:{'|'.join(_STANDARD)})(?![^\W_])")
_PLACE: Final = re.compile(
    r"(?:Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Etc|Europe|Indian|Pacific)"
    r"/[\w+/-]+"
)
_LOCAL: Final = re.compile(
    r"\w*(?:local|lokal|locale?|ortszeit|vietej|vietin|kohalik|paikalli|местн|місцев|miejscow)\w*"
    r"|\w+ (?:standard|daylight|summer|winter) time|\w*(?:sommer|winter|normal)zeit"
    r"|(?:sommar|vinter|normal)tid"
    r"|heure d'(?:été|hiver)|\bDST\b",
    re.IGNORECASE,
)
# A remark speaks of a time, not of a local shop.
_LOCAL_TIME: Final = re.compile(
    r"\blocal (?:standard )?times?\b|\bortszeit|\blokal tid|\bheure locale|\bhora local"
    r"|\bczas\w* (?:lokaln|miejscow)|\bviet\w* laik|\bместн\w* врем|\bмісцев\w* час",
    re.IGNORECASE,
)
_USUAL: Final = (0, 60, 120, 180)
# What a setting or a column of time zones is called, folded.
ZONE_WORDS: Final = re.compile(
    r"\b(?:time ?zone|timezone|tz|utc offset|gmt offset|offset from utc|zeitzone|fuseau\b"
    r"|zona horaria|huso horario|strefa czasowa|laika josla|laiko juosta|ajavoond|aikavyohyke"
    r"|tidszon|часовои пояс|часовии пояс)\b"
)


@dataclass(frozen=True, slots=True)
class NamedZone:
    """A zone as a text names it; `offset`, in minutes east of UTC, is None where it is open."""

    offset: int | None
    text: str


def find_zone(text: str) -> NamedZone | None:
    """Return the zone that a text names, or None for one that names none."""
    text = text[:_MAX_TEXT]
    if match := _OFFSET.search(text):
        offset = _minutes(
            match["sign"] or match["sign2"],
            match["hours"] or match["hours2"],
            match["minutes"] or match["minutes2"],
        )
        return NamedZone(offset, match[0].strip())
    for names in (_PLACE, _ABBREVIATION):
        if match := names.search(text):
            return NamedZone(None, match[0])
    if _LOCAL.search(text):
        return NamedZone(None, text.strip())
    if match := _UTC.search(text):
        return NamedZone(0, match[0])
    return None


def find_mention(text: str) -> str:
    """Return the words of a remark that name another zone than UTC, or an empty text."""
    text = text[:_MAX_TEXT]
    zone = find_zone(_LOCAL.sub(" ", text))
    # A mere “-0530” may be any number.
    if zone is not None and zone.offset != 0 and zone.text[0].isalpha():
        return zone.text
    match = _LOCAL_TIME.search(text)
    return match[0] if match else ""


def read_zone(text: str) -> NamedZone:
    """Return the zone that the value of a setting is, such as `UTC+2`, `+2` or `Europe/Riga`."""
    text = text[:_MAX_TEXT]
    if match := _BARE_OFFSET.fullmatch(text):
        return NamedZone(_minutes(*match.groups()) if match[1] else None, text.strip())
    zone = find_zone(text)
    # “(UTC+02:00) Helsinki, Riga” has another offset in summer.
    if zone is None or any(letter.isalpha() for letter in text.replace(zone.text, "")):
        return NamedZone(None, text.strip())
    return zone


def parse_offset(text: str) -> int | None:
    """Return the minutes east of UTC of `UTC` or an offset such as `+02:00`; None for others."""
    if text == "UTC":
        return 0
    match = _ANSWER.fullmatch(text)
    return _minutes(*match.groups()) if match else None


def format_offset(minutes: int) -> str:
    """Return an offset as an answer gives it: `UTC`, `+02:00`."""
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}" if minutes else "UTC"


def choices_for(zone: NamedZone) -> tuple[str, ...]:
    """Return the zones that a name may mean, the most usual first."""
    match = _ABBREVIATION.search(zone.text)
    offsets = (_STANDARD[match[0]] if match else ()) or _USUAL
    stated = find_zone(zone.text)
    if stated is not None and stated.offset is not None and stated.offset not in offsets:
        offsets = (stated.offset, *offsets)
    return tuple(map(format_offset, offsets))


def _minutes(sign: str, hours: str, minutes: str | None) -> int | None:
    total = int(hours) * 60 + int(minutes or 0)
    if total > _MAX_OFFSET:
        return None
    return total if sign == "+" or not total else -total
