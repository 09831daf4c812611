"""The files that the chaos test uploads, of every kind, with the expected result of each."""

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

PHOTOS, TEXTS, DOCUMENTS, READINGS, MALICIOUS = 60, 50, 25, 50, 15
CITIES = (41, 42, 43, 44)
LINES = 1000
# Repeated lines give a file that is quick to build and slow to process.
REPEATS = 50
_FIRST = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadCase:
    """One file to upload; `lines` are its good lines as (city id, hundredths of a degree)."""

    name: str
    content: bytes
    is_valid: bool = True
    url: str = "/api/files/"
    lines: tuple[tuple[int, int], ...] = ()
    rejected: int = 0


def build_upload_cases(rng: random.Random) -> list[UploadCase]:
    """Return all files in random order; no two have the same bytes."""
    cases = [*_photos(), *_texts(), *_documents(), *_readings(rng), *_malicious(rng)]
    rng.shuffle(cases)
    return cases


def statistics_of(cases: list[UploadCase]) -> dict[int, dict[str, Any]]:
    """Return the expected statistics of every city, calculated independently of Timba."""
    by_city: defaultdict[int, list[int]] = defaultdict(list)
    for case in cases:
        for city_id, hundredths in case.lines:
            by_city[city_id].append(hundredths)
    return {city_id: _statistics(values) for city_id, values in by_city.items()}


def _statistics(hundredths: list[int]) -> dict[str, Any]:
    mean = Decimal(sum(hundredths)) / len(hundredths)
    return {
        "count": len(hundredths) * REPEATS,
        "min_temp": min(hundredths) / 100,
        "max_temp": max(hundredths) / 100,
        "mean_temp": int(mean.quantize(Decimal(1), ROUND_HALF_UP)) / 100,
    }


def _photos() -> Iterator[UploadCase]:
    for number in range(PHOTOS):
        content = samples.photo((1200, 900), exif={ExifTags.Base.ImageDescription: f"{number}"})
        yield UploadCase(name=f"load {number}.jpg", content=content)


def _texts() -> Iterator[UploadCase]:
    for number in range(TEXTS):
        content = f"Lorry {number} at the gate, seal intact.\n" * (1 + 400 * (number % 7))
        yield UploadCase(name=f"gate {number}.txt", content=content.encode())


def _documents() -> Iterator[UploadCase]:
    for number in range(DOCUMENTS):
        yield UploadCase(
            name=f"permit {number}.pdf",
            content=samples.pdf(1 + number % 5, text=f"Permit {number}"),
        )


def _readings(rng: random.Random) -> Iterator[UploadCase]:
    for number in range(READINGS):
        rows: list[str] = []
        lines, rejected = [], 0
        for minute in range(LINES):
            city_id, hundredths = rng.choice(CITIES), rng.randint(-2999, 3999)
            when = (_FIRST + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")
            if minute % 100 == 99:
                rows.append(f"{city_id},warm,{when}\n")
                rejected += 1
            else:
                sign, size = "-" if hundredths < 0 else "", abs(hundredths)
                rows.append(f"{city_id},{sign}{size // 100}.{size % 100:02d},{when}\n")
                lines.append((city_id, hundredths))
        content, compressed = "".join(rows).encode() * REPEATS, number % 5 == 0
        yield UploadCase(
            name=f"yard {number}.csv{'.gz' if compressed else ''}",
            content=gzip.compress(content) if compressed else content,
            url="/upload/",
            lines=tuple(lines),
            rejected=rejected,
        )


def _malicious(rng: random.Random) -> Iterator[UploadCase]:
    for number in range(MALICIOUS):
        name, content, url = (
            ("broken.jpg", b"\xff\xd8\xff\xe0" + rng.randbytes(5000), "/api/files/"),
            ("bomb.png", samples.png(13_000, 4000 + number), "/api/files/"),
            ("locked.pdf", samples.pdf(1, text=str(number), locked=True), "/api/files/"),
            ("broken.pdf", b"%PDF-1.7\n" + rng.randbytes(5000), "/api/files/"),
            ("hopeless.csv", b"41,hot,2026-01-01\n" * (number + 1), "/upload/"),
        )[number % 5]
        yield UploadCase(name=f"{number} {name}", content=content, is_valid=False, url=url)
