"""Draws photos of log stacks, so that the demo has pictures without carrying anybody's.

Each is a pure function of its `View`: a stack of log ends between the stakes of a lorry, under a
grey sky, with the facts a camera writes beside the picture.
"""

from __future__ import annotations

import io
import math
import random
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from PIL import ExifTags, Image, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
Point = tuple[float, float]

_SIZE = (1600, 1200)
_LEFT, _RIGHT, _STAKE_TOP, _BED = 126, 1474, 220, 1090
_SHADE = (24, 20, 16)
_SPECIES: dict[str, tuple[Colour, Colour, Colour]] = {
    # bark, sapwood, heartwood
    "pinewood": ((74, 52, 40), (222, 188, 132), (198, 140, 88)),
    "hardwood": ((84, 82, 76), (214, 198, 168), (172, 134, 100)),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """What the camera saw: `seed` decides everything that is chance."""

    seed: int
    species: str
    taken_at: datetime
    camera: tuple[str, str]
    log_radius: int = 82
    warmth: float = 0.0
    place: tuple[float, float] | None = None


def draw_photo(view: View) -> bytes:
    """Return the view as a JPEG with its EXIF facts."""
    chance = random.Random(view.seed)  # noqa: S311 - a picture needs no secrets
    picture = _yard(chance)
    pen = ImageDraw.Draw(picture)
    _stack(pen, view, chance)
    _stakes(pen)
    return _developed(picture, view)


def _yard(chance: random.Random) -> Image.Image:
    """Return sky, a line of trees and the ground."""
    width, height = _SIZE
    horizon = int(height * 0.34)
    rows = np.linspace(0, 1, horizon)[:, None]
    sky = (1 - rows) * np.array([168, 178, 186]) + rows * np.array([214, 217, 214])
    canvas = np.empty((height, width, 3), np.float64)
    canvas[:horizon] = sky[:, None, :]
    depth = np.linspace(0, 1, height - horizon)[:, None]
    ground = (1 - depth) * np.array([120, 116, 100]) + depth * np.array([86, 76, 62])
    canvas[horizon:] = ground[:, None, :]
    picture = Image.fromarray(canvas.astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    left = -40.0
    while left < width:
        half, top = chance.uniform(24, 60), horizon - chance.uniform(70, 240)
        shade = chance.randint(44, 74)
        pen.polygon(
            [(left - half, horizon + 6), (left, top), (left + half, horizon + 6)],
            fill=(shade, shade + 14, shade + 2),
        )
        left += chance.uniform(18, 46)
    return picture.filter(ImageFilter.GaussianBlur(5))


def _stack(pen: ImageDraw.ImageDraw, view: View, chance: random.Random) -> None:
    """Draw rows of log ends, each row lying in the hollows of the one below."""
    step, rise = view.log_radius * 1.93, view.log_radius * 1.68
    rows = int((_BED - _STAKE_TOP) / rise)
    logs = []
    for row in range(rows):
        across = _LEFT + view.log_radius * (1.9 if row % 2 else 1.0)
        while across < _RIGHT - view.log_radius * 0.9:
            if row < rows - 1 or chance.random() < 0.6:
                up = _BED - view.log_radius - row * rise
                centre = (across + chance.uniform(-6, 6), up + chance.uniform(-5, 5))
                logs.append((centre, view.log_radius * chance.uniform(0.88, 1.06)))
            across += step
    # What lies behind the ends is dark: the shade between them, in the shape of the stack.
    for (across, up), radius in logs:
        reach = radius * 1.12
        pen.ellipse((across - reach, up - reach * 0.9, across + reach, up + reach), fill=_SHADE)
    for centre, radius in logs:
        _log_end(pen, centre, radius, view.species, chance)


def _log_end(
    pen: ImageDraw.ImageDraw,
    centre: Point,
    radius: float,
    species: str,
    chance: random.Random,
) -> None:
    """Draw one sawn end: bark, and wood with its year rings around the heart."""
    bark, sap, heart = _SPECIES[species]
    light = chance.uniform(0.78, 1.06)
    waves = [(chance.uniform(0.01, 0.035), n, chance.uniform(0, math.tau)) for n in (2, 3, 5)]
    off = (chance.uniform(-0.12, 0.12) * radius, chance.uniform(-0.12, 0.12) * radius)

    edge = [_on_edge(math.radians(degrees), waves) for degrees in range(0, 360, 6)]

    def outline(share: float) -> list[Point]:
        left, top = (centre[0] + off[0] * (1 - share), centre[1] + off[1] * (1 - share))
        return [(left + radius * share * x, top + radius * share * y) for x, y in edge]

    pen.polygon(outline(1.0), fill=_lit(bark, light * 0.9))
    rings = max(8, int(radius / 5))
    for ring in range(rings):
        share = 0.93 * (1 - ring / rings)
        blend = min(1.0, max(0.0, (0.62 - share) / 0.25))
        wood = _mixed(sap, heart, blend)
        line = outline(share)
        pen.polygon(line, fill=_lit(wood, light * chance.uniform(0.95, 1.03)))
        late = _lit(_mixed(wood, bark, 0.22), light)
        pen.line([*line, line[0]], fill=late, width=1)
    _marks(pen, centre, radius, off, chance)


def _marks(
    pen: ImageDraw.ImageDraw,
    centre: Point,
    radius: float,
    off: Point,
    chance: random.Random,
) -> None:
    """Draw what tells one log from the next: drying cracks, a barcode tag."""
    heart = (centre[0] + off[0], centre[1] + off[1])
    for _ in range(chance.choice((0, 1, 1, 2))):
        angle, reach = chance.uniform(0, math.tau), chance.uniform(0.3, 0.8) * radius
        tip = (heart[0] + reach * math.cos(angle), heart[1] + reach * math.sin(angle))
        pen.line([heart, tip], fill=(70, 46, 30), width=chance.choice((2, 3)))
    if chance.random() < 0.55:
        left, top = centre[0] - 19 + chance.uniform(-16, 16), centre[1] - 11 + chance.uniform(4, 22)
        pen.rectangle((left, top, left + 38, top + 24), fill=(238, 236, 226))
        for bar in range(9):
            at = left + 4 + bar * 3.4
            pen.rectangle(
                (at, top + 4, at + chance.choice((0.6, 1.6)), top + 16), fill=(24, 24, 24)
            )


def _on_edge(angle: float, waves: list[tuple[float, int, float]]) -> Point:
    """Return where the edge lies at this angle, around a middle and a radius of one."""
    wobble = 1 + sum(size * math.sin(n * angle + phase) for size, n, phase in waves)
    return (wobble * math.cos(angle), wobble * math.sin(angle))


def _stakes(pen: ImageDraw.ImageDraw) -> None:
    """Draw the steel that holds the load: two stakes and the bed of the lorry."""
    width, height = _SIZE
    pen.rectangle((40, _BED - 12, width - 40, height), fill=(44, 46, 48))
    pen.rectangle((40, _BED - 12, width - 40, _BED - 4), fill=(116, 120, 122))
    pen.rectangle((40, _BED + 52, width - 40, height), fill=(30, 29, 28))
    for left in range(130, width - 100, 330):
        pen.rectangle((left, _BED + 16, left + 70, _BED + 30), fill=(196, 92, 36))
    for left in (_LEFT - 38, _RIGHT):
        pen.rectangle((left, _STAKE_TOP, left + 38, _BED), fill=(66, 70, 74))
        pen.rectangle((left, _STAKE_TOP, left + 9, _BED), fill=(124, 128, 130))
        pen.rectangle((left, _STAKE_TOP, left + 38, _STAKE_TOP + 12), fill=(178, 74, 34))


def _developed(picture: Image.Image, view: View) -> bytes:
    """Return the picture with a lens's softness, vignette and grain, as a JPEG with its facts."""
    pixels = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.9)), np.float64)
    grain = np.random.default_rng(view.seed)
    width, height = _SIZE
    down, across = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    pixels *= (1 - 0.22 * (down**2 + across**2) / 2)[..., None]
    pixels *= 1 + view.warmth * np.array([0.08, 0.0, -0.10])
    pixels += grain.normal(0, 5, (height, width, 1))
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = view.camera
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = view.taken_at.strftime(
        "%Y:%m:%d %H:%M:%S"
    )
    if view.place is not None:
        exif.get_ifd(ExifTags.IFD.GPSInfo).update(_gps(*view.place))
    out = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(
        out, "JPEG", quality=86, exif=exif
    )
    return out.getvalue()


def _gps(latitude: float, longitude: float) -> dict[int, object]:
    def degrees(value: float) -> tuple[float, float, float]:
        minutes = value % 1 * 60
        return (float(int(value)), float(int(minutes)), round(minutes % 1 * 60, 2))

    return {
        ExifTags.GPS.GPSLatitudeRef: "N",
        ExifTags.GPS.GPSLatitude: degrees(latitude),
        ExifTags.GPS.GPSLongitudeRef: "E",
        ExifTags.GPS.GPSLongitude: degrees(longitude),
    }


def _lit(colour: Colour, light: float) -> Colour:
    red, green, blue = (min(255, int(part * light)) for part in colour)
    return red, green, blue


def _mixed(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (int(a * (1 - share) + b * share) for a, b in zip(one, other, strict=True))
    return red, green, blue
