"""Facts and previews of a 12 MP JPEG through the sandbox, against the bare decode at a quarter.

    .venv/bin/python bench/photos.py

The photo has detail of every size and the grain of a sensor, as a phone's has. CPU of this process
and of the warm sandbox child is counted; writing the previews to the store is not.
"""

# ruff: noqa: E402 - Django must be configured before Timba is imported

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageFilter

_FOLDER: Final = tempfile.TemporaryDirectory()
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "timba.config.settings.base",
    "TIMBA_DATA_DIR": _FOLDER.name,
    "DATABASE_URL": f"sqlite:///{_FOLDER.name}/timba.sqlite3",
    "STORAGE_URL": "",
    "BROKER_URL": "",
}
ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import django

django.setup()

from tests.files.samples import MemorySource
from timba.files import sandbox
from timba.files.processors.photo import read_photo
from timba.files.sandbox import close_sandbox, run_in_sandbox

WIDTH, HEIGHT = 4032, 3024
ROUNDS: Final = 15
MAX_RATIO: Final = 2.5


def main() -> None:
    """Print the milliseconds of CPU of both, and their ratio; exit with 1 above the bar."""
    content = photo()
    print(f"  {WIDTH} × {HEIGHT} pixels, {len(content):,} bytes; medians of {ROUNDS}, ms of CPU")
    source = MemorySource(content, name="load.jpg")
    read = run_in_sandbox(read_photo, source)  # starts the child
    sizes = {name: len(preview) for name, preview in read.objects.items()}
    assert sorted(sizes) == ["preview_1024", "preview_256"]
    child = sandbox._local.child.process.pid  # noqa: SLF001 - there is no public name

    def cpu() -> float:
        on_cpu = Path(f"/proc/{child}/schedstat").read_text().split()[0]
        return time.process_time() + int(on_cpu) / 1e9

    decoding, reading = [], []
    for _ in range(ROUNDS):
        decoding.append(cost_of(cpu, lambda: decode_quarter(content)))
        reading.append(cost_of(cpu, lambda: run_in_sandbox(read_photo, source)))
    close_sandbox()
    bare, whole = sorted(decoding)[ROUNDS // 2], sorted(reading)[ROUNDS // 2]
    print(f"  bare decode at a quarter       {bare * 1e3:6.1f}")
    print(f"  facts and previews, sandboxed  {whole * 1e3:6.1f}  {sizes}")
    ratio = whole / bare
    print(f"  {ratio:.2f} × the bare decode; at most {MAX_RATIO}")
    if ratio > MAX_RATIO:
        sys.exit("  more CPU than allowed")


def photo() -> bytes:
    """Return a JPEG with blotches of all sizes, the smaller the fainter, and grain."""
    rng = np.random.default_rng(7)
    picture = np.full((HEIGHT, WIDTH, 3), 120, np.float32)
    cells = 4
    while cells < 2 * WIDTH:
        shape = (cells * HEIGHT // WIDTH, cells, 3)
        colours = rng.normal(0, 1, shape) * 0.3 + rng.normal(0, 1, (*shape[:2], 1))
        strength = 40 / (cells / 4) ** 0.75
        for band in range(3):
            blotches = Image.fromarray(colours[:, :, band].astype(np.float32))
            enlarged = blotches.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
            picture[:, :, band] += strength * np.asarray(enlarged)
        cells *= 2
    picture += 10 * rng.normal(0, 1, (HEIGHT, WIDTH, 1)) + 5 * rng.normal(0, 1, picture.shape)
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    file = io.BytesIO()
    image.filter(ImageFilter.GaussianBlur(0.6)).save(file, "JPEG", quality=92)
    return file.getvalue()


def decode_quarter(content: bytes) -> None:
    """Decode a JPEG at a quarter of its size."""
    with Image.open(io.BytesIO(content)) as image:
        image.draft("RGB", (WIDTH // 4, HEIGHT // 4))
        image.load()


def cost_of(cpu: Callable[[], float], work: Callable[[], object]) -> float:
    """Return the seconds of CPU that `work` takes in this process and the child."""
    before = cpu()
    work()
    return cpu() - before


if __name__ == "__main__":
    main()
