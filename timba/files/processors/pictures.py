"""Makes previews of pictures: WebP in sRGB, without metadata, transparent parts on white.

Runs in the sandbox, where no module can be imported later.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from PIL import Image, ImageCms, WebPImagePlugin  # noqa: F401 - for Image.save

# The longest side of a preview in pixels; a smaller picture is not enlarged.
SIZES: Final = (256, 1024)
MAX_SIZE: Final = max(SIZES)
PREVIEW: Final = "preview_{}"
_QUALITY: Final = 80
# In 0.6 of the CPU of method 2, with the same quality: see decision 32.
_METHOD: Final = 1
# Pixels that are converted at once: the copies of a whole large picture would not fit into memory.
_STRIP_PIXELS: Final = 4_000_000
_SRGB: Final = ImageCms.createProfile("sRGB")


def draft_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return the least size at which a picture of `size` pixels may be decoded for its previews."""
    return _fit(size, MAX_SIZE * 3 // 2)


def encode_previews(picture: Image.Image, sizes: Iterable[int] = SIZES) -> dict[str, bytes]:
    """Return the previews of an upright picture in RGB, by name, as WebP.

    Smaller ones are made of the larger.
    """
    previews = {}
    for size in sorted(sizes, reverse=True):
        picture = _resized(picture, _fit(picture.size, size), picture.size)
        file = io.BytesIO()
        # By default the picture's own profile and texts are written too.
        picture.save(
            file, "WEBP", quality=_QUALITY, method=_METHOD, icc_profile=b"", exif=b"", xmp=b""
        )
        previews[PREVIEW.format(size)] = file.getvalue()
    return previews


def shrink(image: Image.Image) -> Image.Image:
    """Return a picture of any mode in sRGB, its longest side at most `MAX_SIZE` pixels."""
    factor = max(1, max(image.size) // (2 * MAX_SIZE))
    whole = _flattened(image) if factor == 1 else _reduced(image, factor)
    exact = (image.width / factor, image.height / factor)
    small = _resized(whole, _fit(image.size, MAX_SIZE), exact)
    return _to_srgb(small, image.info.get("icc_profile"))


def to_eight_bits(image: Image.Image) -> Image.Image:
    """Return a picture of 16-bit grey in 8 bits; `convert` would clip its pixels."""
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))


def _fit(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """Return the size with this longest side and the same proportions, if it is smaller."""
    scale = min(1.0, longest / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _resized(image: Image.Image, size: tuple[int, int], exact: tuple[float, float]) -> Image.Image:
    """Return the picture, of which the part up to `exact` is filled, in another size."""
    if image.size == size:
        return image
    # Nearly as good as bicubic, in half the time.
    return image.resize(size, Image.Resampling.HAMMING, box=(0, 0, *exact), reducing_gap=2.0)


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    """Return the means of squares of `factor` pixels; those at the ends may be of fewer."""
    width, height = image.size
    rows = factor * max(1, _STRIP_PIXELS // (width * factor))
    strips = [
        _flattened(image.crop((0, top, width, min(top + rows, height)))).reduce(factor)
        for top in range(0, height, rows)
    ]
    whole = Image.new(strips[0].mode, (strips[0].width, math.ceil(height / factor)))
    for number, strip in enumerate(strips):
        whole.paste(strip, (0, number * rows // factor))
    return whole


def _flattened(image: Image.Image) -> Image.Image:
    """Return the picture in RGB, CMYK or 8-bit grey, its transparent parts on white."""
    if image.mode.startswith("I"):
        return to_eight_bits(image)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    if image.mode == "1":
        return image.convert("L")
    return image if image.mode in {"RGB", "CMYK", "L"} else image.convert("RGB")


def _to_srgb(picture: Image.Image, profile: Any) -> Image.Image:
    """Return the picture in RGB; a colour profile that cannot be used is ignored."""
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "sRGB" not in ImageCms.getProfileDescription(source):
                converted = ImageCms.profileToProfile(picture, source, _SRGB, outputMode="RGB")
                assert converted is not None  # noqa: S101 - it is not converted in place
                return converted
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    return picture.convert("RGB")
