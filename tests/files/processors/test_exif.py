"""What a camera recorded: facts where they are certain, else nothing."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import pytest
from PIL.ExifTags import IFD

from tests.files.samples import MemorySource, photo
from timba.files.processors.photo import read_photo

MAKE, MODEL = 0x010F, 0x0110
DATE_TIME, ORIGINAL, DIGITIZED = 0x0132, 0x9003, 0x9004
OFFSET, OFFSET_ORIGINAL, OFFSET_DIGITIZED = 0x9010, 0x9011, 0x9012
MORNING = "2024:05:06 07:08:09"
PLACE = {1: "N", 2: (56.0, 57.0, 0.0), 3: "E", 4: (24.0, 6.0, 0.0)}


def facts_of(exif: Mapping[int, Any], kind: str = "JPEG") -> Mapping[str, Any]:
    return read_photo(MemorySource(photo(exif=exif, kind=kind))).findings


def taken_at(
    details: Mapping[int, str], *, place: Mapping[int, Any] | None = None, date_time: str = ""
) -> str | None:
    exif = {DATE_TIME: date_time, IFD.Exif: details, IFD.GPSInfo: place}
    found: str | None = facts_of({tag: value for tag, value in exif.items() if value})["taken_at"]
    return found


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (MORNING, "2024-05-06T07:08:09"),
        ("2024-05-06T07:08:09", "2024-05-06T07:08:09"),
        ("2024:05:06 07:08:09.123", "2024-05-06T07:08:09"),
        ("2024:05:06  7: 8: 9\0\0", "2024-05-06T07:08:09"),
        ("2015:08:22 24:08:19", "2015-08-23T00:08:19"),
        ("2023:12:31 24:00:00", "2024-01-01T00:00:00"),
        ("2024:02:28 24:59:59", "2024-02-29T00:59:59"),
        ("2024:05:06 25:08:09", None),
        ("2024:05:06 07:60:09", None),
        ("2023:02:29 07:08:09", None),
        ("0000:00:00 00:00:00", None),
        ("0001:01:01 00:00:00", None),
        ("    :  :     :  :  ", None),
        ("2024:05:06", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_a_time_without_an_offset_is_local(text: str, moment: str | None) -> None:
    assert taken_at({ORIGINAL: text}) == moment


@pytest.mark.parametrize(
    ("details", "moment"),
    [
        ({ORIGINAL: MORNING, OFFSET_ORIGINAL: "+02:00"}, "2024-05-06T05:08:09Z"),
        ({ORIGINAL: MORNING, OFFSET_ORIGINAL: "+00:00\0"}, "2024-05-06T07:08:09Z"),
        ({ORIGINAL: MORNING, OFFSET_ORIGINAL: "-03:30"}, "2024-05-06T10:38:09Z"),
        ({ORIGINAL: MORNING, OFFSET_ORIGINAL: "+2:00"}, "2024-05-06T05:08:09Z"),
        ({ORIGINAL: MORNING, OFFSET_ORIGINAL: "+0300"}, "2024-05-06T04:08:09Z"),
        ({ORIGINAL: MORNING, OFFSET_ORIGINAL: "Z"}, "2024-05-06T07:08:09Z"),
        ({ORIGINAL: MORNING + "+02:00"}, "2024-05-06T05:08:09Z"),
        ({ORIGINAL: MORNING + "+02:00", OFFSET_ORIGINAL: "+02:00"}, "2024-05-06T05:08:09Z"),
        ({ORIGINAL: MORNING + "Z"}, "2024-05-06T07:08:09Z"),
        ({ORIGINAL: MORNING + ".5 +0545"}, "2024-05-06T01:23:09Z"),
        ({ORIGINAL: MORNING, OFFSET: "+03:00"}, "2024-05-06T04:08:09Z"),
        ({ORIGINAL: MORNING, OFFSET_DIGITIZED: "+03:00"}, "2024-05-06T04:08:09Z"),
        # The offset that is given with a time comes first.
        (
            {ORIGINAL: MORNING, OFFSET: "+03:00", OFFSET_ORIGINAL: "+01:00"},
            "2024-05-06T06:08:09Z",
        ),
        ({ORIGINAL: MORNING, OFFSET_ORIGINAL: "somewhere"}, "2024-05-06T07:08:09"),
        ({ORIGINAL: MORNING, OFFSET_ORIGINAL: "   :  "}, "2024-05-06T07:08:09"),
        ({ORIGINAL: MORNING, OFFSET_ORIGINAL: "+15:00"}, "2024-05-06T07:08:09"),
        ({ORIGINAL: MORNING, OFFSET_ORIGINAL: "+02:07"}, "2024-05-06T07:08:09"),
    ],
)
def test_a_time_with_an_offset_is_in_utc(details: dict[int, str], moment: str) -> None:
    assert taken_at(details) == moment


def test_an_offset_of_another_time_is_not_taken() -> None:
    """A program that changed the photo elsewhere has written both."""
    details = {ORIGINAL: MORNING, OFFSET: "+09:00"}
    assert taken_at(details, date_time="2024:06:01 12:00:00") == "2024-05-06T07:08:09"
    assert taken_at(details, date_time=MORNING) == "2024-05-05T22:08:09Z"


@pytest.mark.parametrize(
    ("details", "date_time", "moment"),
    [
        ({DIGITIZED: MORNING}, "2024:06:01 12:00:00", "2024-05-06T07:08:09"),
        ({DIGITIZED: MORNING, OFFSET_DIGITIZED: "+01:00"}, "", "2024-05-06T06:08:09Z"),
        ({}, MORNING, "2024-05-06T07:08:09"),
        ({OFFSET: "-05:00"}, MORNING, "2024-05-06T12:08:09Z"),
        ({ORIGINAL: "    :  :     :  :  "}, MORNING, "2024-05-06T07:08:09"),
        ({ORIGINAL: "0000:00:00 00:00:00", DIGITIZED: MORNING}, "", "2024-05-06T07:08:09"),
    ],
)
def test_other_times_stand_in_for_that_of_exposure(
    details: dict[int, str], date_time: str, moment: str
) -> None:
    assert taken_at(details, date_time=date_time) == moment


@pytest.mark.parametrize(
    ("local", "date", "time", "moment"),
    [
        ("2024:05:06 10:08:09", "2024:05:06", (7.0, 8.0, 9.0), "2024-05-06T07:08:09Z"),
        ("2024:05:06 10:08:09", "2024:05:06", (7.0, 6.0, 40.0), "2024-05-06T07:08:09Z"),
        ("2024:05:06 12:53:09", "2024:05:06", (7.0, 8.0, 9.0), "2024-05-06T07:08:09Z"),
        ("2024:05:05 22:08:09", "2024:05:06", (3.0, 8.0, 9.0), "2024-05-06T03:08:09Z"),
        # The position is too old, or of another day.
        ("2024:05:06 10:38:09", "2024:05:06", (7.0, 5.0, 9.0), "2024-05-06T10:38:09"),
        ("2024:05:06 10:28:09", "2024:05:06", (7.0, 20.0, 9.0), "2024-05-06T10:28:09"),
        ("2024:05:06 10:08:09", "2024:05:04", (7.0, 8.0, 9.0), "2024-05-06T10:08:09"),
        ("2024:05:06 10:08:09", "", (7.0, 8.0, 9.0), "2024-05-06T10:08:09"),
        # Without any other time, it is that of the satellites.
        ("", "2024:05:06", (7.0, 8.0, 9.0), "2024-05-06T07:08:09Z"),
    ],
)
def test_the_time_of_satellites_gives_the_offset(
    local: str, date: str, time: tuple[float, ...], moment: str
) -> None:
    place = {**PLACE, 7: time, 29: date}
    assert taken_at({ORIGINAL: local}, place=place) == moment
    void = moment if local and not moment.endswith("Z") else None
    assert taken_at({}, place={**place, 9: "V"}) is None
    if void:
        assert taken_at({ORIGINAL: local}, place={**place, 9: "V"}) == void


@pytest.mark.parametrize(
    ("place", "latitude", "longitude"),
    [
        (PLACE, 56.95, 24.1),
        ({**PLACE, 9: "A"}, 56.95, 24.1),
        ({**PLACE, 1: "S", 3: "W"}, -56.95, -24.1),
        ({**PLACE, 1: "s", 3: "w"}, -56.95, -24.1),
        ({**PLACE, 2: (56.0, 57.0, 59.1234)}, 56.966423, 24.1),
        ({**PLACE, 1: "S", 3: "W", 2: (0.0, 0.0, 0.0)}, 0.0, -24.1),
        ({**PLACE, 2: (0.0, 0.0, 0.001), 4: (0.0, 0.0, 0.0)}, 0.0, 0.0),
        ({**PLACE, 2: (90.0, 0.0, 0.0), 4: (180.0, 0.0, 0.0)}, 90.0, 180.0),
    ],
)
def test_a_valid_position_is_in_degrees_with_six_decimals(
    place: Mapping[int, Any], latitude: float, longitude: float
) -> None:
    facts = facts_of({IFD.GPSInfo: place})
    assert facts["has_gps"] is True
    # As text, in which -0.0 is not 0.0.
    assert [str(facts["latitude"]), str(facts["longitude"])] == [str(latitude), str(longitude)]


@pytest.mark.parametrize(
    "place",
    [
        {**PLACE, 9: "V"},
        {0: b"\2\3\0\0"},
        {18: "WGS-84"},
        {**PLACE, 2: (0.0, 0.0, 0.0), 4: (0.0, 0.0, 0.0)},
        {1: "N", 2: (56.0, 57.0, 0.0)},
        {**PLACE, 2: (91.0, 0.0, 0.0)},
        {**PLACE, 4: (181.0, 0.0, 0.0)},
        {**PLACE, 2: (90.0, 30.0, 0.0)},
        {**PLACE, 1: "?"},
        {**PLACE, 1: ""},
    ],
)
def test_of_an_invalid_position_nothing_is_told(place: Mapping[int, Any]) -> None:
    facts = facts_of({IFD.GPSInfo: place})
    assert (facts["has_gps"], facts["latitude"], facts["longitude"]) == (False, None, None)


def test_a_position_with_a_zero_denominator_is_none() -> None:
    content = photo(exif={IFD.GPSInfo: PLACE})
    whole = struct.pack(">IIIIII", 56, 1, 57, 1, 0, 1)
    assert whole in content
    content = content.replace(whole, struct.pack(">IIIIII", 56, 0, 57, 0, 0, 0))
    assert read_photo(MemorySource(content)).findings["has_gps"] is False


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("Nikon", None, "Nikon"),
        (None, "D750", "D750"),
        (" Nikon \0", "D750\0", "Nikon D750"),
        ("Canon", "Canon EOS 5D", "Canon EOS 5D"),
        ("CANON", "Canon  EOS\t5D ", "Canon EOS 5D"),
        ("Can", "Canon EOS 5D", "Can Canon EOS 5D"),
        ("Sony\0garbage", b"ILCE-7\0\7\xff\xff", "Sony ILCE-7"),
        ("Sony", b"\xff" * 5, "Sony"),
        (b"ACME\0", b"Cam 5\0", "ACME Cam 5"),
        ("Хуавей".encode(), "荣耀 30".encode(), "Хуавей 荣耀 30"),
        ("华为".encode("gb18030"), "Mate 60", "华为 Mate 60"),
        ("海康威视".encode("gb18030"), "DS-2", "海康威视 DS-2"),
        ("Зенит Красногорский завод".encode("cp1251"), None, "Зенит Красногорский завод"),
        ("ЗЕНИТ ".encode("cp1251"), "E", "ЗЕНИТ E"),
        # Chinese characters, or Cyrillic letters: nobody can tell.
        ("小米".encode("gb18030"), "Mi 11", "Mi 11"),
        ("\0", " ", None),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_camera_has_the_names_that_are_known(
    make: str | bytes | None, model: str | bytes | None, camera: str | None, kind: str
) -> None:
    exif = {tag: value for tag, value in ((MAKE, make), (MODEL, model)) if value}
    assert facts_of(exif, kind)["camera"] == camera
