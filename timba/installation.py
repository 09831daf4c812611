"""What kind of installation this is: a clone of the repository, or an installed package."""

from __future__ import annotations

from pathlib import Path
from typing import Final

# The folder that contains the package: a clone, or an environment's site-packages.
IMPORT_PATH: Final = Path(__file__).resolve().parents[1]
IS_CLONE: Final = all((IMPORT_PATH / name).is_file() for name in ("manage.py", "pyproject.toml"))
# How messages to an administrator name Timba's command.
COMMAND: Final = "python manage.py" if IS_CLONE else "timba"
