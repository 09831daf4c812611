"""Shares the metrics of all processes of an installation through files in one folder.

prometheus-client lets each process count in files of its own, and adds them up when Prometheus
asks. Here in addition, the files of processes that have ended are merged into one, so that no
counter goes back, and no disk that fills up can break a process or a request.
"""

from __future__ import annotations

import fcntl
import os
import re
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import structlog
from prometheus_client import values
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector

from timba.folder_lock import folder_lock

_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"  # prometheus-client's own
# Enough for a few thousand values: a file seldom has to grow.
_FILE_BYTES: Final = 256 * 1024
# Containers that share the folder have the same process ids. An underscore would end the name.
_HOST: Final = re.sub("[^A-Za-z0-9.-]", "-", socket.gethostname())
_ENDED: Final = "ended"
_log = structlog.get_logger(__name__)


class ProcessFile(MmapedDict):
    """The values of one process; its lock on the file shows that the process has not ended."""

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        """Open the file; where that fails, as on a full disk, count in memory, unseen by others."""
        try:
            with folder_lock(Path(filename).parent):
                _allocate(filename, _FILE_BYTES)
                super().__init__(filename, read_mode)
                fcntl.flock(self._f, fcntl.LOCK_SH)
        except OSError as error:
            _log.warning("metrics_not_shared", reason=str(error))
            memory = os.memfd_create("metrics")
            super().__init__(f"/proc/self/fd/{memory}")


class ProcessesCollector:
    """The metrics of all processes, as they are now."""

    def collect(self) -> Iterable[Metric]:
        folder = Path(os.environ[_VARIABLE])
        if not folder.is_dir():
            return []
        with folder_lock(folder):
            try:
                _merge_ended(folder)
            except OSError as error:  # the disk is full: the next call tries again
                _log.warning("metrics_not_merged", reason=str(error))
            return list(MultiProcessCollector.merge(map(str, folder.glob("*.db"))))


def share_metrics() -> None:
    """Make the metrics that are defined from now on count in files; settings name the folder."""
    # Both are names that prometheus-client looks up when a metric is used.
    values.MmapedDict = ProcessFile  # type: ignore[attr-defined]
    values.ValueClass = values.MultiProcessValue(_process_name)


def _process_name() -> str:
    return f"{_HOST}-{os.getpid()}"


def _allocate(filename: str, size: int) -> None:
    """Reserve the space of a new file: to write to a sparse one on a full disk kills a process."""
    with Path(filename).open("ab") as file:
        if file.tell() == 0:
            os.posix_fallocate(file.fileno(), 0, size)


def _merge_ended(folder: Path) -> None:
    """Add the files of processes that have ended to those named `ended`, and delete them."""
    for kind in ("counter", "histogram"):
        total = folder / f"{kind}_{_ENDED}.db"
        ended = [path for path in folder.glob(f"{kind}_*.db") if path != total and _is_ended(path)]
        if ended:
            sources = [*ended, *([total] if total.exists() else [])]
            draft = total.with_suffix(".draft")
            draft.unlink(missing_ok=True)
            _allocate(str(draft), sum(map(_used_bytes, sources)))
            _write_sums(sources, MmapedDict(str(draft)))
            draft.replace(total)
            for path in ended:
                path.unlink()


def _write_sums(sources: Iterable[Path], target: Any) -> None:
    metrics = MultiProcessCollector.merge(map(str, sources), accumulate=False)
    for metric in metrics:
        for sample in metric.samples:
            names, labels = list(sample.labels), list(sample.labels.values())
            key = mmap_key(metric.name, sample.name, names, labels, metric.documentation)
            target.write_value(key, sample.value, 0.0)
    target.close()


def _used_bytes(path: Path) -> int:
    """Return how much of a file holds values: its first number."""
    with path.open("rb") as file:
        return int.from_bytes(file.read(4), sys.byteorder)


def _is_ended(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
