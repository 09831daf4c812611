"""TLS without a proxy: `serve` with a certificate, and what it says about files that do not fit."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core.management import CommandError

from tests.journeys.timba_process import SERVE, TimbaProcess
from timba.demo.management.commands import demo
from timba.runtime.certificate import check_certificate

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a self-signed certificate, its key, and the key of another one."""
    folder = tmp_path_factory.mktemp("tls")
    for name in ("timba", "other"):
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
        names = ["-subj", "/CN=timba", "-addext", "subjectAltName=IP:127.0.0.1"]
        files = ["-keyout", f"{name}.key", "-out", f"{name}.pem"]
        subprocess.run([*command, *names, *files], cwd=folder, check=True, capture_output=True)
    (folder / "timba.key").chmod(0o600)
    return folder


@pytest.fixture
def timba(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TimbaProcess]:
    certificate = str(folder / "timba.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate)
    timba = TimbaProcess(
        tmp_path, SERVE, TIMBA_TLS_CERT=certificate, TIMBA_TLS_KEY=str(folder / "timba.key")
    )
    timba.url = f"https://127.0.0.1:{timba.port}"
    with timba:
        yield timba


def test_pages_are_served_over_tls(timba: TimbaProcess, folder: Path, settings: Any) -> None:
    # A redirect to https, which would follow if Timba took the request for one over http, loops.
    page = requests.get(f"{timba.url}/login/", timeout=60)
    assert page.status_code == 200
    assert page.history == []
    [cookie] = page.cookies
    assert (cookie.name, cookie.secure) == ("__Host-csrftoken", True)
    owner = timba.create_owner()
    assert owner.get("/api/notes/").status_code == 200
    settings.TIMBA_PORT, settings.TIMBA_TLS_CERT = timba.port, str(folder / "timba.pem")
    assert demo._is_ready()


def test_a_key_that_cannot_be_read_is_refused_with_a_sentence(folder: Path, tmp_path: Path) -> None:
    timba = TimbaProcess(
        tmp_path, TIMBA_TLS_CERT=str(folder / "timba.pem"), TIMBA_TLS_KEY="/nowhere/timba.key"
    )
    refused = subprocess.run(
        SERVE, env=timba.environment(), stderr=subprocess.PIPE, text=True, timeout=120, check=False
    )
    assert refused.returncode == 1
    assert refused.stderr == (
        "CommandError: TIMBA_TLS_KEY is /nowhere/timba.key, which cannot be read: No such file or "
        "directory. The account that Timba runs as needs the right to.\n"
    )


@pytest.mark.parametrize(
    ("certificate", "key"),
    [("timba.pem", "other.key"), ("timba.key", "timba.pem"), ("timba.pem", "timba.pem")],
    ids=["the key of another certificate", "swapped", "no key"],
)
def test_files_that_do_not_fit_are_refused(
    settings: Any, folder: Path, certificate: str, key: str
) -> None:
    settings.TIMBA_TLS_CERT, settings.TIMBA_TLS_KEY = str(folder / certificate), str(folder / key)
    with pytest.raises(CommandError) as error:
        check_certificate()
    assert str(error.value) == (
        f"TIMBA_TLS_CERT, {folder / certificate}, and TIMBA_TLS_KEY, {folder / key}, are not a "
        "certificate and its own key. Both must be PEM files, the key without a password."
    )
