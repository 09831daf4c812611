"""Reads the environment, once: every variable that Timba knows is named here and in README's table.

A secret may also come from a file, named by the same variable with `_FILE` (as Docker and systemd
hand secrets over). A key that is set nowhere is made once and kept in the data folder.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

env = environ.FileAwareEnv()

BASE_DIR = Path(__file__).resolve().parents[2]
if (BASE_DIR / ".env").is_file():
    env.read_env(str(BASE_DIR / ".env"))

DATA_DIR = Path(env.str("TIMBA_DATA_DIR", default=str(BASE_DIR / "var"))).resolve()


def kept_key(variable: str, file_name: str) -> str:
    """Return the key that `variable` holds, else the one kept in the data folder, made if absent.

    The file is linked into place without overwrite, so that two processes that start at once
    agree on one key.
    """
    key: str = env.str(variable, default="")
    if key:
        return key
    path = DATA_DIR / file_name
    if not path.exists():
        DATA_DIR.mkdir(parents=True, exist_ok=True)
        draft = DATA_DIR / f".{file_name}.{os.getpid()}"
        draft.write_text(secrets.token_urlsafe(64))
        draft.chmod(0o600)
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()


def whole_number(variable: str, *, default: int, least: int, most: int) -> int:
    """Return the number that `variable` holds; refuse to start with one that makes no sense."""
    text: str = env.str(variable, default=str(default))
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise ImproperlyConfigured(
            f"{variable} is {text!r}. Give a whole number from {least:,} to {most:,}."
        )
    return int(text)


def public_url(host: str, port: int) -> SplitResult:
    """Return `TIMBA_URL`, the address that people type; by default the one served here."""
    served = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    return urlsplit(env.str("TIMBA_URL", default=served))
