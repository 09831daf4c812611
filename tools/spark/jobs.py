"""Submits a PySpark job to executors that are processes of their own on this machine.

Spark has an environment of its own, because it weighs half a gigabyte: `make spark` installs it.
All listens on loopback only, and all files are in the folder of the job.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools.servers.machine import (
    LOOPBACK,
    ServerUnavailable,
    dying_with_parent,
    find_executable,
    run,
)
from tools.servers.maven import check_java, download_jars
from tools.servers.packages import install_packages

ROOT: Final = Path(__file__).resolve().parents[2]
EXAMPLES: Final = ROOT / "examples" / "spark"
_POM: Final = Path(__file__).with_name("pom.xml")
_PYTHON: Final = Path(sys.prefix) / "spark" / "bin" / "python"
_STARTS_QUICKLY: Final = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # slower later
_MEMORY: Final = 1200  # megabytes for each executor
_TIMEOUT: Final = 600  # seconds
_LOG_END: Final = 4000  # characters


class JobFailed(Exception):
    """A job ended with an error; the message is the end of its log."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FinishedJob:
    """What a job did: the tasks of each executor, and the seconds before and since the first."""

    tasks: Counter[str]
    starting: float
    working: float


def ensure_spark() -> None:
    """Raise ServerUnavailable unless Spark, Java and what reads Iceberg are on this machine."""
    if not _PYTHON.exists():
        raise ServerUnavailable("Spark is not installed. Install it: make spark")
    if not find_executable("java") and (failures := install_packages(["default-jre-headless"])):
        raise ServerUnavailable(f"Spark runs on Java. {failures['default-jre-headless']}")
    check_java(str(find_executable("java")), "Spark", oldest=17)
    iceberg_jars()


def iceberg_jars() -> Path:
    """Return the folder of the jars that read Iceberg tables; download them on first use."""
    return download_jars(_POM, "Apache Iceberg for Spark")


def build_wheel(folder: Path) -> Path:
    """Build Timba's wheel; return it under a name of the kind that Spark imports from."""
    run((sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder), cwd=ROOT)
    (wheel,) = folder.glob("timba-*.whl")
    return wheel.rename(folder / "timba.zip")


def submit(
    folder: Path,
    script: str,
    *arguments: str | Path,
    executors: int = 2,
    python_files: tuple[Path, ...] = (),
    settings: Mapping[str, str] | None = None,
    java_options: str = _STARTS_QUICKLY,
) -> FinishedJob:
    """Run a job of `examples/spark` to its end; raise JobFailed.

    Each executor is a process with one core. `folder`, which exists, gets all that Spark writes.
    """
    submitted = time.time()
    events = folder / "events"
    events.mkdir()
    configuration = {**_configuration(folder, events), **(settings or {})}
    command = (
        *(f"{_home(folder)}/bin/spark-submit", "--master"),
        f"local-cluster[{executors},1,{_MEMORY}]",
        *(part for item in configuration.items() for part in ("--conf", "=".join(item))),
        *(("--py-files", ",".join(map(str, python_files))) if python_files else ()),
        *(EXAMPLES / script, *arguments),
    )
    with (folder / "log").open("wb") as log:
        result = subprocess.run(
            [*dying_with_parent(signal.SIGTERM), *map(str, command)],
            cwd=folder,
            env=_environment(folder, java_options),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT,
            check=False,
        )
    if result.returncode:
        raise JobFailed((folder / "log").read_text(errors="replace")[-_LOG_END:])
    (path,) = events.iterdir()
    return _summarize([json.loads(line) for line in path.read_text().splitlines()], submitted)


def _configuration(folder: Path, events: Path) -> dict[str, str]:
    return {
        "spark.driver.host": LOOPBACK,
        "spark.driver.bindAddress": LOOPBACK,
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.warehouse.dir": f"{folder}/warehouse",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.compress": "false",
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.dir": events.as_uri(),
    }


def _home(folder: Path) -> Path:
    """Return a home of Spark made of links: executors work in a folder of their home."""
    (package,) = (_PYTHON.parents[1] / "lib").glob("python*/site-packages/pyspark")
    home = folder / "home"
    home.mkdir()
    for entry in package.iterdir():
        (home / entry.name).symlink_to(entry)
    return home


def _environment(folder: Path, java_options: str) -> dict[str, str]:
    temporary = folder / "temporary"
    temporary.mkdir()
    return {
        **{name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME") if name in os.environ},
        "SPARK_HOME": str(folder / "home"),
        "SPARK_LOCAL_IP": LOOPBACK,
        "SPARK_LOCAL_DIRS": str(temporary),
        "JAVA_TOOL_OPTIONS": f"-Djava.io.tmpdir={temporary} {java_options}",
        "TMPDIR": str(temporary),
        "PYSPARK_PYTHON": str(_PYTHON),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _summarize(events: list[dict[str, Any]], submitted: float) -> FinishedJob:
    tasks = [event["Task Info"] for event in events if event["Event"] == "SparkListenerTaskEnd"]
    (end,) = (event for event in events if event["Event"] == "SparkListenerApplicationEnd")
    first = min(task["Launch Time"] for task in tasks) / 1000
    return FinishedJob(
        tasks=Counter(task["Executor ID"] for task in tasks),
        starting=first - submitted,
        working=end["Timestamp"] / 1000 - first,
    )


if __name__ == "__main__":
    try:
        ensure_spark()
    except ServerUnavailable as error:
        sys.exit(str(error))
