"""Unsafe set-ups are refused with a sentence; each check was seen to refuse."""

from __future__ import annotations

from typing import Any

import pytest
import rest_framework
from django.core.checks import CheckMessage, run_checks

from timba.config import checks

GOOD_KEY = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def ids(problems: list[CheckMessage]) -> list[str | None]:
    return [problem.id for problem in problems]


def test_the_checks_are_registered_and_find_nothing_here(db: None) -> None:
    found = run_checks(databases=["default"])
    assert [problem for problem in found if not problem.is_silenced()] == []


def test_a_registered_check_refuses(settings: Any) -> None:
    settings.TIMBA_URL = "timba"
    assert "timba.E003" in ids(run_checks())


@pytest.mark.parametrize(
    "key",
    ["", "short", "a" * 60, "django-insecure-" + GOOD_KEY],
    ids=["none", "short", "one letter", "Django's mark of a made-up key"],
)
def test_a_key_that_can_be_guessed_is_refused(settings: Any, key: str) -> None:
    settings.SECRET_KEY, settings.TIMBA_JWT_KEY = GOOD_KEY, key
    [problem] = checks.keys_are_secret(None)
    assert (problem.id, problem.msg) == ("timba.E001", "TIMBA_JWT_KEY can be guessed.")


def test_one_key_for_both_is_refused(settings: Any) -> None:
    settings.SECRET_KEY = settings.TIMBA_JWT_KEY = GOOD_KEY
    assert ids(checks.keys_are_secret(None)) == ["timba.E002"]


def test_a_developer_may_use_any_key(settings: Any) -> None:
    settings.DEBUG, settings.SECRET_KEY = True, "x"
    assert checks.keys_are_secret(None) == []


@pytest.mark.parametrize(
    "url", ["timba.example", "ftp://timba.example", "https://", "https://timba.example/app"]
)
def test_an_address_that_is_none_is_refused(settings: Any, url: str) -> None:
    settings.TIMBA_URL = url
    assert ids(checks.address_is_an_address(None)) == ["timba.E003"]


@pytest.mark.parametrize("url", ["https://timba.example", "http://127.0.0.1:8000/"])
def test_an_address_is_accepted(settings: Any, url: str) -> None:
    settings.TIMBA_URL = url
    assert checks.address_is_an_address(None) == []


def test_a_proxy_that_is_no_network_is_refused_by_name(settings: Any) -> None:
    settings.TIMBA_TRUSTED_PROXIES = ["10.0.0.5", "192.168.7.9/24", "fe80::/10", "proxy.local"]
    [problem] = checks.proxies_are_networks(None)
    assert problem.id == "timba.E004"
    assert "'proxy.local'" in problem.msg


@pytest.mark.parametrize(
    ("version", "refused"),
    [("3.17.1", True), ("3.9.9", True), ("3.17.2", False), ("3.18.3", False), ("4.0", False)],
)
def test_a_rest_framework_that_reads_bodies_of_any_size_is_refused(
    monkeypatch: pytest.MonkeyPatch, version: str, refused: bool
) -> None:
    monkeypatch.setattr(rest_framework, "VERSION", version)
    found = ids(checks.rest_framework_bounds_bodies(None))
    assert found == (["timba.E005"] if refused else [])
