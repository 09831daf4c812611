"""The files of the small chaos, of every sort, and what each of them must come to."""

from __future__ import annotations

import gzip
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from PIL import ExifTags

from tests.files import samples

PHOTOS, TEXTS, PAPERS, READINGS, HOSTILE = 60, 50, 25, 50, 15
CITIES = (41, 42, 43, 44)
LINES = 1000
# The same lines again and again: a file that takes its time, made in no time.
REPEATS = 50
_FIRST = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Parcel:
    """One file to send; `lines` are its good lines, city and hundredths."""

    name: str
    content: bytes
    good: bool = True
    door: str = "/api/files/"
    lines: tuple[tuple[int, int], ...] = ()
    rejected: int = 0


def parcels(chance: random.Random) -> list[Parcel]:
    """Return all the files, in the order of chance; no two are alike."""
    found = [*_photos(), *_texts(), *_papers(), *_readings(chance), *_hostile(chance)]
    chance.shuffle(found)
    return found


def statistics_of(sent: list[Parcel]) -> dict[int, dict[str, Any]]:
    """Return what the cities' readings come to, by plain counting."""
    by_city: defaultdict[int, list[int]] = defaultdict(list)
    for parcel in sent:
        for city_id, hundredths in parcel.lines:
            by_city[city_id].append(hundredths)
    return {city_id: _statistics(all_of_it) for city_id, all_of_it in by_city.items()}


def _statistics(hundredths: list[int]) -> dict[str, Any]:
    mean = Decimal(sum(hundredths)) / len(hundredths)
    return {
        "count": len(hundredths) * REPEATS,
        "min_temp": min(hundredths) / 100,
        "max_temp": max(hundredths) / 100,
        "mean_temp": int(mean.quantize(Decimal(1), ROUND_HALF_UP)) / 100,
    }


def _photos() -> Iterator[Parcel]:
    for number in range(PHOTOS):
        content = samples.photo((1200, 900), exif={ExifTags.Base.ImageDescription: f"{number}"})
        yield Parcel(name=f"load {number}.jpg", content=content)


def _texts() -> Iterator[Parcel]:
    for number in range(TEXTS):
        content = f"Lorry {number} at the gate, seal intact.\n" * (1 + 400 * (number % 7))
        yield Parcel(name=f"gate {number}.txt", content=content.encode())


def _papers() -> Iterator[Parcel]:
    for number in range(PAPERS):
        yield Parcel(
            name=f"permit {number}.pdf",
            content=samples.pdf(1 + number % 5, text=f"Permit {number}"),
        )


def _readings(chance: random.Random) -> Iterator[Parcel]:
    for number in range(READINGS):
        rows: list[str] = []
        lines, rejected = [], 0
        for minute in range(LINES):
            city_id, hundredths = chance.choice(CITIES), chance.randint(-2999, 3999)
            when = (_FIRST + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")
            if minute % 100 == 99:
                rows.append(f"{city_id},warm,{when}\n")
                rejected += 1
            else:
                sign, size = "-" if hundredths < 0 else "", abs(hundredths)
                rows.append(f"{city_id},{sign}{size // 100}.{size % 100:02d},{when}\n")
                lines.append((city_id, hundredths))
        content, packed = "".join(rows).encode() * REPEATS, number % 5 == 0
        yield Parcel(
            name=f"yard {number}.csv{'.gz' if packed else ''}",
            content=gzip.compress(content) if packed else content,
            door="/upload/",
            lines=tuple(lines),
            rejected=rejected,
        )


def _hostile(chance: random.Random) -> Iterator[Parcel]:
    for number in range(HOSTILE):
        name, content, door = (
            ("broken.jpg", b"\xff\xd8\xff\xe0" + chance.randbytes(5000), "/api/files/"),
            ("bomb.png", samples.black_png(13_000, 4000 + number), "/api/files/"),
            ("locked.pdf", samples.pdf(1, text=str(number), locked=True), "/api/files/"),
            ("broken.pdf", b"%PDF-1.7\n" + chance.randbytes(5000), "/api/files/"),
            ("hopeless.csv", b"41,hot,2026-01-01\n" * (number + 1), "/upload/"),
        )[number % 5]
        yield Parcel(name=f"{number} {name}", content=content, good=False, door=door)
