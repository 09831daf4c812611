"""Draws photos of log stacks, so that the demo needs no third-party pictures.

Each is a pure function of its `Scene`: a stack of log ends between the stakes of a lorry, under a
grey sky, with EXIF metadata.
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

# Width and height of a photo and places in it, in pixels from the top left corner.
_SIZE = (1600, 1200)
_LEFT, _RIGHT, _STAKE_TOP, _BED = 126, 1474, 220, 1090
_SHADE = (24, 20, 16)
_SPECIES: dict[str, tuple[Colour, Colour, Colour]] = {
    # bark, sapwood, heartwood
    "pinewood": ((74, 52, 40), (222, 188, 132), (198, 140, 88)),
    "hardwood": ((84, 82, 76), (214, 198, 168), (172, 134, 100)),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """The parameters of a photo; `seed` determines everything that is random."""

    seed: int
    species: str
    taken_at: datetime
    camera: tuple[str, str]  # make and model
    log_radius: int = 82  # in pixels
    warmth: float = 0.0  # the colour of the light: 1 is reddish, -1 bluish
    location: tuple[float, float] | None = None  # latitude and longitude in degrees


def draw_photo(scene: Scene) -> bytes:
    """Return the scene as a JPEG with EXIF metadata."""
    rng = random.Random(scene.seed)  # noqa: S311 - a picture needs no secrets
    picture = _draw_background(rng)
    pen = ImageDraw.Draw(picture)
    _draw_stack(pen, scene, rng)
    _draw_stakes(pen)
    return _encode_jpeg(picture, scene)


def _draw_background(rng: random.Random) -> Image.Image:
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
        half_width, top = rng.uniform(24, 60), horizon - rng.uniform(70, 240)
        shade = rng.randint(44, 74)
        pen.polygon(
            [(left - half_width, horizon + 6), (left, top), (left + half_width, horizon + 6)],
            fill=(shade, shade + 14, shade + 2),
        )
        left += rng.uniform(18, 46)
    return picture.filter(ImageFilter.GaussianBlur(5))


def _draw_stack(pen: ImageDraw.ImageDraw, scene: Scene, rng: random.Random) -> None:
    """Draw rows of log ends, each row lying in the hollows of the one below."""
    step, row_height = scene.log_radius * 1.93, scene.log_radius * 1.68
    rows = int((_BED - _STAKE_TOP) / row_height)
    logs = []
    for row in range(rows):
        x = _LEFT + scene.log_radius * (1.9 if row % 2 else 1.0)
        while x < _RIGHT - scene.log_radius * 0.9:
            if row < rows - 1 or rng.random() < 0.6:
                y = _BED - scene.log_radius - row * row_height
                centre = (x + rng.uniform(-6, 6), y + rng.uniform(-5, 5))
                logs.append((centre, scene.log_radius * rng.uniform(0.88, 1.06)))
            x += step
    # The gaps between the log ends are dark.
    for (x, y), radius in logs:
        shadow = radius * 1.12
        pen.ellipse((x - shadow, y - shadow * 0.9, x + shadow, y + shadow), fill=_SHADE)
    for centre, radius in logs:
        _draw_log_end(pen, centre, radius, scene.species, rng)


def _draw_log_end(
    pen: ImageDraw.ImageDraw,
    centre: Point,
    radius: float,
    species: str,
    rng: random.Random,
) -> None:
    """Draw one sawn end: bark, and wood with its growth rings around the pith."""
    bark, sapwood, heartwood = _SPECIES[species]
    brightness = rng.uniform(0.78, 1.06)
    waves = [(rng.uniform(0.01, 0.035), n, rng.uniform(0, math.tau)) for n in (2, 3, 5)]
    pith_offset = (rng.uniform(-0.12, 0.12) * radius, rng.uniform(-0.12, 0.12) * radius)

    edge = [_edge_point(math.radians(degrees), waves) for degrees in range(0, 360, 6)]

    def outline(scale: float) -> list[Point]:
        """Return the edge scaled towards the pith: 1 is the bark, 0 the pith."""
        x = centre[0] + pith_offset[0] * (1 - scale)
        y = centre[1] + pith_offset[1] * (1 - scale)
        return [(x + radius * scale * dx, y + radius * scale * dy) for dx, dy in edge]

    pen.polygon(outline(1.0), fill=_scale_brightness(bark, brightness * 0.9))
    rings = max(8, int(radius / 5))
    for ring in range(rings):
        scale = 0.93 * (1 - ring / rings)
        wood = _blend(sapwood, heartwood, min(1.0, max(0.0, (0.62 - scale) / 0.25)))
        line = outline(scale)
        pen.polygon(line, fill=_scale_brightness(wood, brightness * rng.uniform(0.95, 1.03)))
        latewood = _scale_brightness(_blend(wood, bark, 0.22), brightness)
        pen.line([*line, line[0]], fill=latewood, width=1)
    pith = (centre[0] + pith_offset[0], centre[1] + pith_offset[1])
    _draw_cracks(pen, pith, radius, rng)
    _draw_barcode_tag(pen, centre, rng)


def _draw_cracks(pen: ImageDraw.ImageDraw, pith: Point, radius: float, rng: random.Random) -> None:
    """Draw up to two drying cracks, which begin at the pith."""
    for _ in range(rng.choice((0, 1, 1, 2))):
        angle, length = rng.uniform(0, math.tau), rng.uniform(0.3, 0.8) * radius
        end = (pith[0] + length * math.cos(angle), pith[1] + length * math.sin(angle))
        pen.line([pith, end], fill=(70, 46, 30), width=rng.choice((2, 3)))


def _draw_barcode_tag(pen: ImageDraw.ImageDraw, centre: Point, rng: random.Random) -> None:
    """Draw a barcode tag on about half of the logs."""
    if rng.random() >= 0.55:
        return
    left, top = centre[0] - 19 + rng.uniform(-16, 16), centre[1] - 11 + rng.uniform(4, 22)
    pen.rectangle((left, top, left + 38, top + 24), fill=(238, 236, 226))
    for bar in range(9):
        x = left + 4 + bar * 3.4
        pen.rectangle((x, top + 4, x + rng.choice((0.6, 1.6)), top + 16), fill=(24, 24, 24))


def _edge_point(angle: float, waves: list[tuple[float, int, float]]) -> Point:
    """Return a point of the outline, whose mean radius is 1, at `angle` in radians.

    Each of `waves` is an amplitude, a frequency and a phase by which the radius varies.
    """
    radius = 1 + sum(amplitude * math.sin(n * angle + phase) for amplitude, n, phase in waves)
    return (radius * math.cos(angle), radius * math.sin(angle))


def _draw_stakes(pen: ImageDraw.ImageDraw) -> None:
    """Draw two steel stakes and the bed of the lorry."""
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


def _encode_jpeg(picture: Image.Image, scene: Scene) -> bytes:
    """Add blur, vignette and grain; return a JPEG with EXIF metadata."""
    pixels = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.9)), np.float64)
    grain = np.random.default_rng(scene.seed)
    width, height = _SIZE
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    pixels *= (1 - 0.22 * (y**2 + x**2) / 2)[..., None]  # the vignette
    pixels *= 1 + scene.warmth * np.array([0.08, 0.0, -0.10])
    pixels += grain.normal(0, 5, (height, width, 1))
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = scene.camera
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = scene.taken_at.strftime(
        "%Y:%m:%d %H:%M:%S"
    )
    if scene.location is not None:
        exif.get_ifd(ExifTags.IFD.GPSInfo).update(_gps(*scene.location))
    out = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(
        out, "JPEG", quality=86, exif=exif
    )
    return out.getvalue()


def _gps(latitude: float, longitude: float) -> dict[int, object]:
    def degrees_minutes_seconds(value: float) -> tuple[float, float, float]:
        minutes = value % 1 * 60
        return (float(int(value)), float(int(minutes)), round(minutes % 1 * 60, 2))

    return {
        ExifTags.GPS.GPSLatitudeRef: "N",
        ExifTags.GPS.GPSLatitude: degrees_minutes_seconds(latitude),
        ExifTags.GPS.GPSLongitudeRef: "E",
        ExifTags.GPS.GPSLongitude: degrees_minutes_seconds(longitude),
    }


def _scale_brightness(colour: Colour, factor: float) -> Colour:
    red, green, blue = (min(255, int(part * factor)) for part in colour)
    return red, green, blue


def _blend(first: Colour, second: Colour, weight: float) -> Colour:
    """Return a mix of two colours; `weight` is that of the second, from 0 to 1."""
    red, green, blue = (
        int(a * (1 - weight) + b * weight) for a, b in zip(first, second, strict=True)
    )
    return red, green, blue
