"""Where an installation has its settings file and its data folder.

Both are in a clone, in the home directory of an account, or machine-wide. A machine-wide
installation is one that root runs, or that has the folder /etc/timba. All accounts then read the
same settings file, so that a command an administrator runs has the settings of the service.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

# The folder that contains the package: a clone, or an environment's site-packages.
IMPORT_PATH: Final = Path(__file__).resolve().parents[1]
IS_CLONE: Final = all((IMPORT_PATH / name).is_file() for name in ("manage.py", "pyproject.toml"))
# How messages to an administrator name Timba's command.
COMMAND: Final = "python manage.py" if IS_CLONE else "timba"
_MACHINE_SETTINGS: Final = Path("/etc/timba")
_MACHINE_DATA: Final = Path("/var/lib/timba")


def default_settings_file() -> Path:
    """Return the file with environment variables that is read unless TIMBA_SETTINGS names one."""
    if IS_CLONE:
        return IMPORT_PATH / ".env"
    home = _home()
    if home is None:
        return _MACHINE_SETTINGS / "timba.env"
    return _base_folder("XDG_CONFIG_HOME", home / ".config") / "timba" / "timba.env"


def default_data_folder() -> Path:
    """Return the folder of stored data that is used unless TIMBA_DATA_DIR names one."""
    if IS_CLONE:
        return IMPORT_PATH / "var"
    home = _home()
    if home is None:
        return _MACHINE_DATA
    return _base_folder("XDG_DATA_HOME", home / ".local" / "share") / "timba"


def enclosing_git_tree(folder: Path) -> Path | None:
    """Return the git work tree that contains a folder, or is this folder; None outside any."""
    return next((tree for tree in (folder, *folder.parents) if (tree / ".git").exists()), None)


def _home() -> Path | None:
    """Return the home directory of this account; None in a machine-wide installation."""
    if os.geteuid() == 0 or _MACHINE_SETTINGS.is_dir():
        return None
    try:
        return Path.home()
    except RuntimeError:  # an account without an entry in /etc/passwd, as in a container
        return None


def _base_folder(variable: str, default: Path) -> Path:
    """Return the folder in a variable of the XDG specification, which ignores relative ones."""
    folder = Path(os.environ.get(variable, ""))
    return folder if folder.is_absolute() else default
