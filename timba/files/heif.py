"""Whether HEIC photos can be read here: with the extra `timba[heif]` they can.

Its decoder works in a thread of its own, which the sandbox allows only where it is installed.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

HEIC_IS_READ: Final = find_spec("pillow_heif") is not None
