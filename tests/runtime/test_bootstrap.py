"""What is prepared before the processes start, and what prevents the start."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage
from django.core.checks.registry import registry
from django.core.management import BaseCommand, CommandError

from tests.journeys.processes import free_port
from timba.accounts.models import User
from timba.accounts.services import create_administrator
from timba.demo.management.commands import demo
from timba.runtime import bootstrap
from timba.runtime.management.commands import serve


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_the_default_password_is_accepted_on_loopback(settings: Any, host: str) -> None:
    settings.TIMBA_HOST, settings.TIMBA_URL = host, "http://[::1]:8000"
    bootstrap.check_password_is_not_default("admin")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        *(("TIMBA_HOST", host) for host in ("0.0.0.0", "::", "192.168.7.20", "timba.example")),
        *(("TIMBA_URL", url) for url in ("https://timba.example", "http://192.168.7.20:8000")),
    ],
)
def test_the_default_password_is_refused_beyond_this_machine(
    settings: Any, variable: str, value: str
) -> None:
    setattr(settings, variable, value)
    with pytest.raises(CommandError) as error:
        bootstrap.check_password_is_not_default("admin")
    assert str(error.value) == (
        f"With the password “admin” Timba serves this machine only, and {variable} is {value}. "
        "Set TIMBA_ADMIN_PASSWORD to another password first."
    )
    bootstrap.check_password_is_not_default("Another-1-altogether")


def test_an_administrator_with_the_default_password_is_refused_beyond_loopback(
    db: None, settings: Any
) -> None:
    create_administrator(username="admin", password="admin")
    bootstrap.check_administrator_password("admin")
    settings.TIMBA_HOST = "0.0.0.0"
    with pytest.raises(CommandError, match="still has the password “admin”"):
        bootstrap.check_administrator_password("admin")
    administrator = User.unscoped.get(username="admin")
    administrator.set_password("Another-1-altogether")
    administrator.save()
    bootstrap.check_administrator_password("admin")


def test_the_default_data_folder_is_refused_in_a_git_tree(settings: Any, tmp_path: Path) -> None:
    settings.TIMBA_DATA_DIR = tmp_path / "clone" / "var"
    settings.TIMBA_DATA_DIR_IS_NAMED = False
    bootstrap.check_data_folder()
    (tmp_path / "clone" / ".git").mkdir(parents=True)
    with pytest.raises(CommandError) as error:
        serve.Command().handle()
    assert str(error.value) == (
        f"The data folder is {tmp_path}/clone/var, in the git tree {tmp_path}/clone, where git may "
        "delete it. Set TIMBA_DATA_DIR to a folder elsewhere, or to this one to use it."
    )
    settings.TIMBA_DATA_DIR_IS_NAMED = True
    bootstrap.check_data_folder()


def test_a_taken_port_is_refused_with_a_sentence(settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings.TIMBA_PORT = other.getsockname()[1]
        with pytest.raises(CommandError) as error:
            bootstrap.check_port_is_free()
    assert str(error.value) == (
        f"Timba cannot listen on port {settings.TIMBA_PORT} of 127.0.0.1: Address already in use. "
        "Stop what uses that port, or choose another one with TIMBA_PORT."
    )


@pytest.mark.parametrize("command", [serve.Command(), demo.Command()])
def test_system_checks_run_only_once_during_the_preparation(
    settings: Any, monkeypatch: pytest.MonkeyPatch, command: BaseCommand
) -> None:
    def check(**_: Any) -> list[CheckMessage]:
        pytest.fail("The checks ran before `prepare`.")

    monkeypatch.setattr(registry, "registered_checks", {check})
    check.tags = ()
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings.TIMBA_PORT = other.getsockname()[1]
        with pytest.raises(CommandError, match="Timba cannot listen on port"):
            command.execute(force_color=False, no_color=True, skip_checks=False)


def test_a_free_port_is_not_refused(settings: Any) -> None:
    settings.TIMBA_PORT = free_port()
    bootstrap.check_port_is_free()


def test_a_host_that_is_not_this_machine_is_refused_with_a_sentence(settings: Any) -> None:
    settings.TIMBA_HOST = "not a host"
    with pytest.raises(CommandError, match="TIMBA_HOST is not a host, which is no address"):
        bootstrap.check_port_is_free()


def test_an_unwritable_file_store_is_refused_with_a_sentence(settings: Any, tmp_path: Path) -> None:
    in_the_way = tmp_path / "files"
    in_the_way.write_text("a file where the folder should be")
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "timba.files.storage.LocalStorage",
            "OPTIONS": {"location": in_the_way},
        },
    }
    with pytest.raises(CommandError) as error:
        bootstrap._check_store()
    assert str(error.value) == (
        f"Timba cannot write to the folder of files, {in_the_way}: File exists."
    )


def test_static_files_are_collected_again_only_if_they_changed(
    settings: Any, tmp_path: Path
) -> None:
    source = tmp_path / "source" / "one.css"
    source.parent.mkdir()
    source.write_text("a { color: red }")
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATICFILES_DIRS = [source.parent]
    collected = tmp_path / "static" / "one.css"

    bootstrap._collect_static_files()
    assert collected.read_text() == "a { color: red }"
    collected.write_text("kept")
    bootstrap._collect_static_files()
    assert collected.read_text() == "kept"

    later = source.stat().st_mtime + 5
    source.write_text("a { color: tan }")
    os.utime(source, (later, later))
    os.utime(collected, (later - 4, later - 4))
    bootstrap._collect_static_files()
    assert collected.read_text() == "a { color: tan }"
