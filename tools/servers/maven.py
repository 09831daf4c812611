"""Downloads jars by Maven, once: they are cached outside the tree."""

from __future__ import annotations

import hashlib
import re
from functools import partial
from pathlib import Path
from typing import Final

from tools.servers.machine import ServerUnavailable, find_executable, run
from tools.servers.packages import cached, install_packages

_COPY: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


def check_java(java: str, title: str, *, oldest: int) -> None:
    """Raise ServerUnavailable if the Java at this path is older than what `title` runs on."""
    match = re.search(r'version "(\d+)', run((java, "-version")))
    if match is None or int(match.group(1)) < oldest:
        raise ServerUnavailable(
            f"{title} runs on Java {oldest} or later, and {java} is older. "
            "Put a later one first on the search path."
        )


def download_jars(pom: Path, title: str) -> Path:
    """Return the folder of the jars that `pom` lists; download them on first use.

    The folder is named by that of the pom. Raises ServerUnavailable.
    """
    name = f"{pom.parent.name}-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"
    return cached(name, partial(_download, pom, title))


def _download(pom: Path, title: str, folder: Path) -> None:
    if not find_executable("mvn") and (failures := install_packages(["maven"])):
        raise ServerUnavailable(f"{title} is downloaded by Maven. {failures['maven']}")
    print(f"Downloading {title} with Maven, once.", flush=True)
    run(
        (
            *("nice", "-n", "10", "mvn", "-q", "-B", "-f", pom, _COPY),
            *("-DincludeScope=runtime", f"-DoutputDirectory={folder}"),
        ),
        cwd=folder,
    )
