"""Writes large temperature files in every plain way, for benchmarks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

START: Final = np.datetime64("2025-01-01T00:00:00", "s")
# A bad line of every sort, at every hundredth line.
_BAD: Final = (
    *("7,21.5", "x,21.50,2025-01-01T00:00:00Z", "0,21.50,2025-01-01T00:00:00Z", "7,21.50,"),
    *("7,n/a,2025-01-01T00:00:00Z", "7,1000,2025-01-01T00:00:00Z", "7,1.5,2025-02-29T00:00:00Z"),
    *(
        "7,21.50,2025-01-01T24:00:00Z",
        "7,21.50,2025-01-01T00:00:00+25:00",
        "7,1.5,1969-01-01T00:00",
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """How the lines of a file are written."""

    timestamp: str = "{}Z"
    delimiter: str = ","
    decimal: str = "."
    end: str = "\n"
    bad: bool = False

    def line(self, city: str, temperature: str, at: object) -> str:
        """Return one line."""
        fields = city, temperature.replace(".", self.decimal), self.timestamp.format(at)
        return self.delimiter.join(fields) + self.end


PLAIN: Final = Written()


def write_readings(
    path: Path, readings: int, cities: int, step: int, written: Written = PLAIN
) -> None:
    """Write readings of each city every `step` seconds, in order of time."""
    rng = np.random.default_rng(7)
    names = [str(city) for city in range(1, cities + 1)]
    number = 0
    with path.open("w", newline="") as file:
        for at in range(-(-readings // cities)):
            values = rng.integers(-2500, 3500, min(cities, readings - number)).tolist()
            lines = []
            for city, value in zip(names, values, strict=False):
                number += 1
                if written.bad and number % 100 == 0:
                    lines.append(_BAD[number // 100 % len(_BAD)] + written.end)
                    continue
                temperature = f"{value / 100:.1f}" if number % 10 == 0 else f"{value / 100:.2f}"
                lines.append(written.line(city, temperature, START + at * step))
            file.write("".join(lines))
