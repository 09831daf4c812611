"""What a camera recorded in a photo's EXIF data: facts, or nothing where there is a doubt.

Tags and their forms: EXIF 2.32. A pure module, which runs in the sandbox.
"""

from __future__ import annotations

import codecs
import contextlib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final, TypeVar

from PIL import ExifTags, Image

from timba.files.text_encoding import detect_single_byte, sample_words
from timba.serialization import format_local, format_utc

_Directory = Mapping[int, Any]
_Fact = TypeVar("_Fact")
_BASE, _GPS = ExifTags.Base, ExifTags.GPS
# Times, the surest first, with the offset from UTC that belongs to each.
_TIMES: Final = (
    (_BASE.DateTimeOriginal, _BASE.OffsetTimeOriginal),
    (_BASE.DateTimeDigitized, _BASE.OffsetTimeDigitized),
    (_BASE.DateTime, _BASE.OffsetTime),
)
_MOMENT: Final = re.compile(
    r"(\d{4})[:/.-] ?(\d\d?)[:/.-] ?(\d\d?)[ T]+"
    r"(\d\d?): ?(\d\d?): ?(\d\d?)(?:[.,]\d*)? ?(.*)",
    re.ASCII,
)
_OFFSET: Final = re.compile(r"(?:UTC|GMT)?([+-])(\d\d?):?(\d\d)?", re.ASCII)
_FIRST_YEAR, _LAST_HOUR = 1826, 24  # of the oldest photo; 24:08 is eight past midnight
_WEST, _EAST = -timedelta(hours=12), timedelta(hours=14)
_QUARTER: Final = timedelta(minutes=15)
# A position may be some minutes older than the photo. Offsets that are no whole hours are in use
# in few places, so the clocks must agree there.
_MAX_AGE, _MAX_AGE_BETWEEN_HOURS = timedelta(minutes=5), timedelta(minutes=1)
_VOID: Final = "V"
_DECIMALS: Final = 6  # of a position in degrees: 11 cm
# Chinese characters of GB 2312, level 1: the 3,755 that are in use.
_COMMON_CHINESE: Final = re.compile(rb"(?:[\x20-\x7e]|[\xb0-\xd7][\xa1-\xfe])+")
_BESIDE_CHINESE: Final = ("cp1250", "cp1251", "cp1252", "cp1257")
codecs.lookup("gb18030")  # imports it, which is too late in the sandbox


@dataclass(frozen=True, kw_only=True, slots=True)
class Camera:
    """What a camera recorded: `taken_at` ends in `Z` where the time in UTC is known."""

    orientation: int = 1
    taken_at: str | None = None
    name: str | None = None
    latitude: float | None = None  # in degrees, if the position is valid
    longitude: float | None = None


def read_camera(image: Image.Image) -> Camera:
    """Return what can be read; damaged EXIF data does not fail a photo."""
    exif = _fact(image.getexif)
    if exif is None:
        return Camera()
    details = _fact(lambda: exif.get_ifd(ExifTags.IFD.Exif)) or {}
    place = _fact(lambda: exif.get_ifd(ExifTags.IFD.GPSInfo)) or {}
    orientation = _fact(lambda: exif.get(_BASE.Orientation))
    latitude, longitude = _fact(lambda: _position(place)) or (None, None)
    return Camera(
        orientation=orientation if isinstance(orientation, int) else 1,
        taken_at=_fact(lambda: _taken_at({**exif, **details}, place)),
        name=_fact(lambda: _camera_name(exif)),
        latitude=latitude,
        longitude=longitude,
    )


def _fact(read: Callable[[], _Fact]) -> _Fact | None:
    try:
        return read()
    except (ImportError, MemoryError, RecursionError):
        raise
    except Exception:  # noqa: BLE001 - anything may be wrong with damaged data
        return None


def _camera_name(exif: _Directory) -> str | None:
    """Return make and model, the make once where the model repeats it."""
    make, model = _text(exif.get(_BASE.Make)), _text(exif.get(_BASE.Model))
    if re.match(rf"{re.escape(make)}\b", model, re.IGNORECASE):
        make = ""
    return " ".join(name for name in (make, model) if name) or None


def _text(value: object) -> str:
    """Return a text up to its first NUL, without padding; "" where its encoding is unknown."""
    raw = value.encode("latin-1", "replace") if isinstance(value, str) else value
    if not isinstance(raw, bytes):
        return ""
    text = _decode(raw.partition(b"\0")[0])
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _decode(raw: bytes) -> str:
    with contextlib.suppress(UnicodeDecodeError):
        return raw.decode("utf-8")
    encoding = "gb18030" if _is_chinese(raw) else detect_single_byte(sample_words([raw]))
    return raw.decode(encoding) if encoding else ""


def _is_chinese(raw: bytes) -> bool:
    """Return whether a text is Chinese, and would be no letters in encodings of one byte each."""
    if not _COMMON_CHINESE.fullmatch(raw):
        return False
    high = bytes(byte for byte in raw if byte >= 0x80)
    return not any(
        all(c.isalpha() and c not in "ªºµ" for c in high.decode(encoding, "replace"))
        for encoding in _BESIDE_CHINESE
    )


def _taken_at(tags: _Directory, place: _Directory) -> str | None:
    """Return the time of exposure in UTC where the offset is known, else the local time."""
    satellite = _satellite_time(place)
    for time_tag, offset_tag in _TIMES:
        local, own_offset = _parse_moment(_text(tags.get(time_tag)))
        if local is None:
            continue
        offset = _first(
            own_offset,
            _parse_offset(_text(tags.get(offset_tag))),
            *_offsets_of_same_time(tags, local),
            _satellite_offset(local, satellite),
        )
        if offset is None:
            return format_local(local)
        with contextlib.suppress(OverflowError):
            return format_utc(local.replace(tzinfo=timezone(offset)))
    return format_utc(satellite) if satellite else None


def _offsets_of_same_time(tags: _Directory, local: datetime) -> list[timedelta | None]:
    """Return the offsets beside times that are absent or the same: others may be of an editor."""
    return [
        _parse_offset(_text(tags.get(offset_tag)))
        for time_tag, offset_tag in _TIMES
        if _parse_moment(_text(tags.get(time_tag)))[0] in {None, local}
    ]


def _first(*offsets: timedelta | None) -> timedelta | None:
    return next((offset for offset in offsets if offset is not None), None)


def _parse_moment(text: str) -> tuple[datetime | None, timedelta | None]:
    """Return a local time, and the offset behind it; None for what is not there or no time."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        return None, None
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    offset = _parse_offset(match[7])
    if year < _FIRST_YEAR or hour > _LAST_HOUR or (match[7] and offset is None):
        return None, None
    try:
        moment = datetime(year, month, day, hour % 24, minute, second)  # noqa: DTZ001 - a local time
        return moment + timedelta(days=hour // 24), offset
    except (ValueError, OverflowError):
        return None, None


def _parse_offset(text: str) -> timedelta | None:
    text = text.replace(" ", "").replace("−", "-").upper()
    if text in {"Z", "UTC", "GMT"}:
        return timedelta(0)
    match = _OFFSET.fullmatch(text)
    if match is None:
        return None
    offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    offset = -offset if match[1] == "-" else offset
    return offset if _is_offset(offset) else None


def _is_offset(offset: timedelta) -> bool:
    """Return whether clocks may be set so: to quarters of an hour, from UTC−12 to UTC+14."""
    return _WEST <= offset <= _EAST and not offset % _QUARTER


def _satellite_time(place: _Directory) -> datetime | None:
    """Return the time of the position, which is in UTC."""
    if _text(place.get(_GPS.GPSStatus)) == _VOID:
        return None
    date, time = _text(place.get(_GPS.GPSDateStamp)), place.get(_GPS.GPSTimeStamp)
    if not isinstance(time, tuple) or len(time) != 3:
        return None
    hour, minute, second = (int(part) for part in time)
    moment, _ = _parse_moment(f"{date} {hour:02}:{minute:02}:{second:02}")
    return moment.replace(tzinfo=UTC) if moment else None


def _satellite_offset(local: datetime, satellite: datetime | None) -> timedelta | None:
    if satellite is None:
        return None
    difference = local - satellite.replace(tzinfo=None)
    offset = round(difference / _QUARTER) * _QUARTER
    whole = not offset % timedelta(hours=1)
    age = _MAX_AGE if whole else _MAX_AGE_BETWEEN_HOURS
    return offset if _is_offset(offset) and abs(difference - offset) <= age else None


def _position(place: _Directory) -> tuple[float, float] | None:
    """Return latitude and longitude, or None: 0, 0 stands for none too."""
    if _text(place.get(_GPS.GPSStatus)) == _VOID:
        return None
    latitude = _degrees(place.get(_GPS.GPSLatitude), place.get(_GPS.GPSLatitudeRef), "NS", 90)
    longitude = _degrees(place.get(_GPS.GPSLongitude), place.get(_GPS.GPSLongitudeRef), "EW", 180)
    if latitude is None or longitude is None or (latitude, longitude) == (0, 0):
        return None
    # Adding 0.0 makes -0.0 positive.
    return round(latitude, _DECIMALS) + 0.0, round(longitude, _DECIMALS) + 0.0


def _degrees(value: object, reference: object, sides: str, most: int) -> float | None:
    """Return degrees, minutes and seconds as degrees, negative on the second of two sides.

    Returns None where they are not valid.
    """
    parts = [float(part) for part in (value if isinstance(value, tuple) else (value,))]
    side = _text(reference).upper()
    if len(side) != 1 or side not in sides or not all(0 <= part <= most for part in parts):
        return None
    degrees = math.fsum(part / 60**place for place, part in enumerate(parts))
    if degrees > most:
        return None
    return degrees if side == sides[0] else -degrees
