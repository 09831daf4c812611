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


def public_url() -> SplitResult:
    """Return `TIMBA_URL`, the address that people type; by default the one served here."""
    host = env.str("TIMBA_HOST", default="127.0.0.1")
    port = env.int("TIMBA_PORT", default=8000)
    return urlsplit(env.str("TIMBA_URL", default=f"http://{host}:{port}"))
