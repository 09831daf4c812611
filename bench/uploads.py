"""An upload of 200 MB by a form and by tus, against the sha256 of the same file.

    .venv/bin/python bench/uploads.py [--megabytes 200] [--rounds 5]
    tools/services run --durable versitygw -- .venv/bin/python bench/uploads.py

Timba's web server runs on a new SQLite database, with a folder or the S3 of `STORAGE_URL`. Each
round computes the sha256 of the file, uploads it by a form, by tus in one request, and by tus in
parts of 16 MB. Prints MB/s, the ratio to the sha256's, and by how much the memory of the web server
grew at most. An S3 server hashes and writes all bytes once more on the same machine, so ratios are
then those to the same file stored there by boto3, in ten threads and without Timba. An upload by
tus is written to a local file first, and read from there. Ratios are medians of the rounds' ratios:
absolute rates mean nothing on shared machines. Each bar is then `met` or `missed`.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import io
import os
import statistics
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import urlsplit

import boto3

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.journeys.processes import child_pids
from tests.journeys.timba_process import SERVE, ApiClient, TimbaProcess

MEGABYTE: Final = 1024 * 1024
PART_BYTES: Final = 16 * MEGABYTE
_BLOCK_BYTES: Final = 256 * 1024
MIN_RATIO: Final = 0.3
MAX_GROWTH: Final = 32  # MB
# As long as a browser's.
_BOUNDARY: Final = "----TimbaBenchBoundary0123456789abcdef"


class Sender:
    """Uploads one file in several ways, and measures each."""

    def __init__(
        self, timba: TimbaProcess, owner: ApiClient, path: Path, storage_url: str = ""
    ) -> None:
        self._timba, self._owner, self._path = timba, owner, path
        self.storage_url = storage_url
        self._size = path.stat().st_size

    def hash(self) -> None:
        digest = hashlib.sha256()
        with self._path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)

    def put(self) -> None:
        """Store the file in the S3 of Timba without Timba."""
        client, bucket = _connect(self.storage_url)
        client.upload_file(str(self._path), bucket, "bare")

    def form(self) -> None:
        head = (
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; '
            f'filename="{self._path.name}"\r\n\r\n'
        ).encode()
        end = f"\r\n--{_BOUNDARY}--\r\n".encode()

        def body() -> Iterator[bytes]:
            yield head
            with self._path.open("rb") as file:
                while block := file.read(_BLOCK_BYTES):
                    yield block
            yield end

        content_type = f"multipart/form-data; boundary={_BOUNDARY}"
        length = str(len(head) + self._size + len(end))
        headers = {"Content-Type": content_type, "Content-Length": length}
        self._request("POST", "/api/files/", 201, headers, body())

    def tus(self, part_bytes: int | None = None) -> None:
        metadata = f"filename {b64encode(self._path.name.encode()).decode()}"
        headers = {"Upload-Length": str(self._size), "Upload-Metadata": metadata}
        location = self._request("POST", "/api/files/tus/", 201, headers)["Location"]
        url = str(location).removeprefix(self._timba.url)
        part_bytes = part_bytes or self._size
        with self._path.open("rb") as file:
            for offset in range(0, self._size, part_bytes):
                length = min(part_bytes, self._size - offset)
                headers = {
                    "Content-Type": "application/offset+octet-stream",
                    "Content-Length": str(length),
                    "Upload-Offset": str(offset),
                }
                body = file if length == self._size else io.BytesIO(file.read(length))
                last = self._request("PATCH", url, 204, headers, body)
        assert last["Timba-File-Id"], last

    def tus_in_parts(self) -> None:
        self.tus(PART_BYTES)

    def measure(self, way: Callable[[], None]) -> tuple[float, float]:
        """Return the MB/s of one way, and the MB by which the web server's memory grew at most."""
        mains = [pid for pid, line in self._timba.mains().items() if " granian " in line]
        pids = [*mains, *child_pids(*mains)]
        for pid in pids:
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # forget the highest use so far
        before = sum(_memory(pid, "VmRSS") for pid in pids)
        started = time.perf_counter()
        way()
        seconds = time.perf_counter() - started
        self._delete_stored()
        growth = sum(_memory(pid, "VmHWM") for pid in pids) - before
        return self._size / MEGABYTE / seconds, growth

    def _delete_stored(self) -> None:
        """Free the cached pages of what was stored, for the next upload.

        A virtual machine may have to get each other page from its host first, which takes ten times
        as long as to write it.
        """
        for path in self._timba.data_folder.rglob("*"):
            if path.is_file() and path.stat().st_size == self._size:
                path.unlink()

    def _request(
        self,
        method: str,
        url: str,
        status: int,
        headers: dict[str, str],
        body: Iterator[bytes] | IO[bytes] | None = None,
    ) -> http.client.HTTPMessage:
        connection = http.client.HTTPConnection(
            "127.0.0.1", self._timba.port, timeout=600, blocksize=_BLOCK_BYTES
        )
        headers = {"Authorization": self._owner.authorization, "Tus-Resumable": "1.0.0", **headers}
        connection.request(method, url, body=body, headers=headers)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        assert response.status == status, content
        return response.headers


def main() -> int:
    """Print the figures of each way and each bar; return 1 if a bar was missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    storage_url = os.environ.get("STORAGE_URL", "")
    if storage_url:
        s3, bucket = _connect(storage_url)
        s3.create_bucket(Bucket=bucket)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log book.txt")
        with path.open("wb") as file:
            for _ in range(options.megabytes):
                file.write(os.urandom(MEGABYTE // 2).hex().encode())
        command = (*SERVE, "--only", "web")
        with TimbaProcess(Path(folder, "data"), command, STORAGE_URL=storage_url) as timba:
            sender = Sender(timba, timba.create_owner(), path, storage_url)
            return _compare(sender, options.rounds)


def _connect(storage_url: str) -> tuple[Any, str]:
    """Return a client of the S3, and the name of Timba's bucket."""
    url = urlsplit(storage_url)
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{url.hostname}:{url.port}",
        aws_access_key_id=url.username,
        aws_secret_access_key=url.password,
        region_name="us-east-1",
    )
    return client, url.path.strip("/")


def _compare(sender: Sender, rounds: int) -> int:
    base, of = ("bare S3", sender.put) if sender.storage_url else ("sha256", sender.hash)
    ways = {"sha256": sender.hash, base: of, "form": sender.form, "tus": sender.tus}
    ways["tus, 16 MB parts"] = sender.tus_in_parts
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for way in ways.values():
        way()  # warm
    for _ in range(rounds):
        for name, way in ways.items():
            figures[name].append(sender.measure(way))
    missed = False
    for name, measured in figures.items():
        rates = [rate for rate, _ in measured]
        pairs = zip(rates, figures[base], strict=True)
        ratio = statistics.median(rate / bare for rate, (bare, _) in pairs)
        growth = max(growth for _, growth in measured)
        print(f"  {name:<18}{statistics.median(rates):>7.0f} MB/s{ratio:>6.2f} ×{growth:>7.1f} MB")
        if name == "form":
            missed |= ratio < MIN_RATIO
            what = "met" if ratio >= MIN_RATIO else "missed"
            print(f"    MB/s of the {base}'s: {ratio:.2f}, at least {MIN_RATIO}: {what}")
        if name not in {"sha256", base}:
            missed |= growth > MAX_GROWTH
            what = "met" if growth <= MAX_GROWTH else "missed"
            print(f"    MB of memory more: {growth:.1f}, at most {MAX_GROWTH}: {what}")
    return int(missed)


def _memory(pid: int, name: str) -> float:
    """Return a line of a process's memory, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    [line] = [line for line in lines if line.startswith(f"{name}:")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    sys.exit(main())
