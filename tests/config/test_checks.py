"""Each system check reports the unsafe setting that it is for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import rest_framework
from django.core.checks import CheckMessage, run_checks

from tests.journeys.timba_process import ROOT
from timba.config import checks

GOOD_KEY = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def ids(problems: list[CheckMessage]) -> list[str | None]:
    return [problem.id for problem in problems]


def test_the_test_settings_have_no_problems(db: None) -> None:
    problems = run_checks(databases=["default"])
    assert [problem for problem in problems if not problem.is_silenced()] == []


def test_the_checks_are_registered(settings: Any) -> None:
    settings.TIMBA_URL = "timba"
    assert "timba.E003" in ids(run_checks())


@pytest.mark.parametrize(
    "key",
    ["", "short", "a" * 60, "django-insecure-" + GOOD_KEY],
    ids=["none", "short", "one letter", "Django's mark of a generated key"],
)
def test_a_key_that_can_be_guessed_is_refused(settings: Any, key: str) -> None:
    settings.SECRET_KEY, settings.TIMBA_JWT_KEY = GOOD_KEY, key
    [problem] = checks.check_secret_keys(None)
    assert (problem.id, problem.msg) == ("timba.E001", "TIMBA_JWT_KEY can be guessed.")


def test_one_key_for_both_is_refused(settings: Any) -> None:
    settings.SECRET_KEY = settings.TIMBA_JWT_KEY = GOOD_KEY
    assert ids(checks.check_secret_keys(None)) == ["timba.E002"]


def test_generated_keys_are_refused_where_machines_share_data(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TIMBA_KEY_FILES = {"TIMBA_JWT_KEY": Path("/srv/timba/jwt_key")}
    monkeypatch.setitem(settings.DATABASES["default"], "HOST", "db.example")
    [problem] = checks.check_keys_are_shared(None)
    assert problem.id == "timba.E031"
    assert problem.msg == (
        "TIMBA_JWT_KEY is not set, and the database is on db.example: another machine with the "
        "same data would not accept what this one signs."
    )
    assert problem.hint == (
        "Set it to the same value on every machine: the content of /srv/timba/jwt_key, or a new "
        "key from: openssl rand -base64 48"
    )
    assert problem in run_checks()
    settings.TIMBA_KEY_FILES = {}
    assert checks.check_keys_are_shared(None) == []


@pytest.mark.parametrize(
    ("database", "endpoint", "expected"),
    [
        ("", "", []),
        ("127.0.0.1", "http://127.0.0.1:7070", []),
        ("localhost", "http://localhost:7070", []),
        ("/run/postgresql", "http://[::1]:7070", []),
        ("10.0.0.5", "", ["the database is on 10.0.0.5"]),
        ("", "https://s3.example", ["the bucket is on s3.example"]),
    ],
)
def test_servers_on_this_machine_are_distinguished(
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    database: str,
    endpoint: str,
    expected: list[str],
) -> None:
    settings.TIMBA_KEY_FILES = {"TIMBA_JWT_KEY": Path("/srv/timba/jwt_key")}
    monkeypatch.setitem(settings.DATABASES["default"], "HOST", database)
    settings.STORAGES = {"default": {"OPTIONS": {"endpoint": endpoint}}}
    problems = checks.check_keys_are_shared(None)
    assert [problem.msg.split(":")[0] for problem in problems] == [
        f"TIMBA_JWT_KEY is not set, and {clause}" for clause in expected
    ]


def test_a_folder_of_files_beside_a_remote_database_is_reported(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "HOST", "db.example")
    settings.STORAGES = {"default": {"OPTIONS": {"location": Path("/srv/timba/files")}}}
    [problem] = checks.check_files_are_shared(None)
    assert problem.id == "timba.W032"
    assert problem.msg == (
        "Files are stored in the folder /srv/timba/files, and the database is on db.example: "
        "another machine with this database finds no file unless it has the same folder."
    )
    assert problem in run_checks(include_deployment_checks=True)
    monkeypatch.setitem(settings.DATABASES["default"], "HOST", "127.0.0.1")
    assert checks.check_files_are_shared(None) == []


def test_any_key_is_accepted_in_debug_mode(settings: Any) -> None:
    settings.DEBUG, settings.SECRET_KEY = True, "x"
    assert checks.check_secret_keys(None) == []


@pytest.mark.parametrize(
    "url",
    [
        "timba.example",
        "ftp://timba.example",
        "https://",
        "https://:443",
        "https://timba.example/app",
        "https://timba.example?a=1",
        "https://anna@timba.example",
    ],
)
def test_an_invalid_public_address_is_refused(settings: Any, url: str) -> None:
    settings.TIMBA_URL = url
    assert ids(checks.check_public_url(None)) == ["timba.E003"]


@pytest.mark.parametrize("url", ["https://timba.example", "http://127.0.0.1:8000/"])
def test_a_valid_public_address_is_accepted(settings: Any, url: str) -> None:
    settings.TIMBA_URL = url
    assert checks.check_public_url(None) == []


@pytest.mark.parametrize("wide", ["0.0.0.0/0", "0.0.0.0/1", "8.0.0.0/7", "::/0", "2000::/3"])
def test_a_network_wider_than_private_ones_is_refused(settings: Any, wide: str) -> None:
    own = ["10.0.0.0/8", "192.168.7.9/24", "10.0.0.5", "fc00::/7", "fe80::/10", "::1"]
    settings.TIMBA_TRUSTED_PROXIES = [*own, wide]
    [problem] = checks.check_trusted_proxies(None)
    assert problem.id == "timba.E004"
    assert problem.msg == f"TIMBA_TRUSTED_PROXIES names {wide}: nobody's proxies are so many."


@pytest.mark.parametrize("host", ["*", "*.example"])
def test_a_wildcard_host_is_refused(settings: Any, host: str) -> None:
    settings.ALLOWED_HOSTS = ["timba.example", ".yard.example", "[::1]", host]
    [problem] = checks.check_allowed_hosts(None)
    assert problem.id == "timba.E006"
    assert problem.msg == f"TIMBA_ALLOWED_HOSTS names '{host}', which lets in any host or none."


@pytest.mark.parametrize(
    ("variables", "seconds"), [({}, "0"), ({"TIMBA_HSTS_SECONDS": "3600"}, "3600")]
)
def test_hsts_is_configured_by_the_operator_and_for_this_host_only(
    variables: dict[str, str], seconds: str, tmp_path: Path
) -> None:
    code = (
        "from django.conf import settings as s;"
        "print(s.SECURE_HSTS_SECONDS, s.SECURE_HSTS_INCLUDE_SUBDOMAINS, s.SECURE_HSTS_PRELOAD)"
    )
    own = {
        "DJANGO_SETTINGS_MODULE": "timba.config.settings.base",
        "TIMBA_DATA_DIR": str(tmp_path),
        "TIMBA_URL": "https://timba.example",
    }
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **own, **variables},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.split() == [seconds, "False", "False"]


@pytest.mark.parametrize(
    ("version", "refused"),
    [("3.17.1", True), ("3.9.9", True), ("3.17.2", False), ("3.18.3", False), ("4.0", False)],
)
def test_an_old_rest_framework_is_refused(
    monkeypatch: pytest.MonkeyPatch, version: str, refused: bool
) -> None:
    monkeypatch.setattr(rest_framework, "VERSION", version)
    problem_ids = ids(checks.check_rest_framework_version(None))
    assert problem_ids == (["timba.E005"] if refused else [])
