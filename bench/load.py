"""Requests per second of each kind of call, measured with wrk on a new Timba.

    .venv/bin/python bench/load.py [--connections 32] [--seconds 10] [VARIABLE=value …]

Variables are passed on to Timba, such as `TIMBA_WEB_WORKERS=2` or `DATABASE_URL=postgres://…`. wrk
runs on the same machine with one thread and takes a part of its cores. Prints the rate of each
call, its ratio to that of `/health/live` in the same run, and its median and 99th percentile.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import requests

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.journeys.timba_process import TimbaProcess

# Lua: a request with a fresh body each time; %s is the part that differs between calls.
_SCRIPT: Final = """
local n = 0
math.randomseed(os.time())
local run = math.random(1, 1e9)
request = function()
    n = n + 1
    local id = string.format("%%d-%%d", run, n)
    %s
end
"""
_JSON: Final = """
    wrk.headers["Content-Type"] = "application/json"
    return wrk.format("{method}", nil, nil, {body})
"""
_UPLOAD: Final = """
    wrk.headers["Content-Type"] = "multipart/form-data; boundary=b"
    return wrk.format("POST", nil, nil, "--b\\r\\nContent-Disposition: form-data; "
        .. "name=\\"files\\"; filename=\\"" .. id .. ".txt\\"\\r\\n\\r\\n"
        .. "Seal " .. id .. " intact.\\r\\n--b--\\r\\n")
"""
_LINE: Final = "  {name:<34} {rate:>8.0f} requests/s {ratio:>6.2f} × {p50:>8} {p99:>8}"


def main() -> None:
    """Start Timba, measure each call, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("variables", nargs="*")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        print("wrk is missing here. On Debian: apt-get install wrk")
        return
    variables = dict(variable.split("=", 1) for variable in options.variables)
    with tempfile.TemporaryDirectory() as folder, TimbaProcess(Path(folder), **variables) as timba:
        print(
            f"{os.cpu_count()} cores, {options.connections} connections, {variables or 'defaults'}"
        )
        baseline = 0.0
        for name, path, arguments in _calls(timba, Path(folder)):
            output = _run_wrk(timba.url + path, arguments, options)
            rate = float(_find(r"Requests/sec:\s+([\d.]+)", output))
            baseline = baseline or rate
            print(
                _LINE.format(
                    name=name,
                    rate=rate,
                    ratio=rate / baseline,
                    p50=_find(r"(?m)^\s+50%\s+(\S+)", output),
                    p99=_find(r"(?m)^\s+99%\s+(\S+)", output),
                ),
                flush=True,
            )
            if failed := re.search(r"Non-2xx or 3xx responses: \d+|Socket errors: .*", output):
                print(f"    {failed[0]}")


def _calls(timba: TimbaProcess, folder: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the name, the path and wrk's arguments of each call, the baseline first."""
    api = timba.sign_in("ilze", timba.password_of("ilze"))
    bearer = ["-H", f"Authorization: {api.authorization}"]
    city = api.get("/temperature-readings/").json()["cities"][0]["city_id"]
    loaded = api.get("/api/consignments/").json()["results"][0]["id"]
    log = api.get(f"/api/consignments/{loaded}/logs/").json()["results"][0]["id"]
    consignment = api.post("/api/consignments/", json={"name": "Load", "type": "pinewood"}).json()
    yield "/health/live", "/health/live", []
    yield "a city's statistics", f"/temperature-readings/{city}/", bearer
    yield "a log", f"/timba/log?log_id={log}", bearer
    yield "10 notes", "/api/notes/?limit=10", bearer
    yield "the page of consignments", "/consignments/", ["-H", f"Cookie: {_session(timba)}"]
    yield (
        "add a note",
        "/api/notes/",
        [*bearer, *_script(folder, _json("POST", "'{\"title\": \"' .. id .. '\"}'"))],
    )
    log_body = (
        f'{{"consignment_id": {consignment["id"]}, "length": 4, "breadth": 30, "height": 25}}'
    )
    yield "add a log", "/timba/log", [*bearer, *_script(folder, _json("PUT", f"'{log_body}'"))]
    yield "upload a text", "/api/upload/", [*bearer, *_script(folder, _UPLOAD)]


def _json(method: str, body: str) -> str:
    return _JSON.replace("{method}", method).replace("{body}", body)


def _script(folder: Path, request: str) -> list[str]:
    path = folder / "request.lua"
    path.write_text(_SCRIPT % request)
    return ["-s", str(path)]


def _session(timba: TimbaProcess) -> str:
    """Return the cookie of a browser session."""
    browser = requests.Session()
    page = browser.get(f"{timba.url}/login/", headers={"Accept": "text/html"})
    form = {
        "username": "ilze",
        "password": timba.password_of("ilze"),
        "csrfmiddlewaretoken": _find(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text),
    }
    browser.post(f"{timba.url}/login/", form).raise_for_status()
    return f"timba={browser.cookies['timba']}"


def _run_wrk(url: str, arguments: list[str], options: argparse.Namespace) -> str:
    connections, seconds = options.connections, options.seconds
    command = [
        "wrk",
        "-t1",
        "--timeout=30s",
        f"-c{connections}",
        f"-d{seconds}s",
        "--latency",
        *arguments,
        url,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _find(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None, text
    return match[1]


if __name__ == "__main__":
    main()
