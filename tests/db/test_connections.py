"""The database settings that follow from the environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_TELL = (
    "from timba.config.settings.base import DATABASES as found;"
    "print(found['default']['OPTIONS']['pool']['max_size'])"
)


@pytest.mark.parametrize(
    ("web", "worker", "connections"), [("16", "2", 20), ("4", "8", 14), ("16", "64", 70)]
)
def test_every_thread_of_a_process_finds_a_connection_in_its_pool(
    tmp_path: Path, web: str, worker: str, connections: int
) -> None:
    """The embedded worker has one thread more than files at once, and a sweeper beside them."""
    told = subprocess.run(
        [sys.executable, "-c", _TELL],
        env={
            **os.environ,
            "DATABASE_URL": "postgres://timba@127.0.0.1/timba",
            "TIMBA_DATA_DIR": str(tmp_path),
            "TIMBA_WEB_THREADS": web,
            "TIMBA_WORKER_THREADS": worker,
        },
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert int(told.stdout) == connections
