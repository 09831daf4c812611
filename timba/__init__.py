"""Timba, the system of record for timber companies."""

from typing import Final

__version__: Final = "0.1.0"
