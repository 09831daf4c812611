"""Environment variables are validated strictly: an invalid value prevents the start."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from timba.config import env

NOBODY = 65534


@pytest.mark.parametrize("text", ["many", "-1", "1.5", "1e3", "²", "0", "65536"])
def test_an_invalid_number_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("TIMBA_SOMETHING", text)
    with pytest.raises(ImproperlyConfigured) as error:
        env.get_int("TIMBA_SOMETHING", default=8, minimum=1, maximum=65_535)
    assert str(error.value) == (
        f"TIMBA_SOMETHING is {text!r}. Give a whole number from 1 to 65,535."
    )


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("65535", 65_535)])
def test_the_bounds_themselves_are_accepted(
    monkeypatch: pytest.MonkeyPatch, text: str, number: int
) -> None:
    monkeypatch.setenv("TIMBA_SOMETHING", text)
    assert env.get_int("TIMBA_SOMETHING", default=8, minimum=1, maximum=65_535) == number


def test_a_number_that_is_not_set_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.get_int("TIMBA_NOT_SET", default=8, minimum=1, maximum=9) == 8
    monkeypatch.setenv("TIMBA_NOT_SET", "")
    assert env.get_int("TIMBA_NOT_SET", default=8, minimum=1, maximum=9) == 8


def test_a_key_comes_from_the_environment_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(env, "DATA_DIR", tmp_path)
    monkeypatch.setenv("TIMBA_SOME_KEY", "from outside")
    assert env.get_or_create_key("TIMBA_SOME_KEY", "some_key") == "from outside"
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_generated_once_and_readable_by_its_owner_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(env, "DATA_DIR", tmp_path)
    first = env.get_or_create_key("TIMBA_NOT_SET", "some_key")
    assert env.get_or_create_key("TIMBA_NOT_SET", "some_key") == first
    assert len(first) >= 64
    [stored] = tmp_path.iterdir()
    assert stored.stat().st_mode & 0o777 == 0o600


@pytest.fixture
def settings_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a settings file that is read instead of the default one."""
    for variable in ("TIMBA_DATA_DIR", "TIMBA_SOMETHING", "TIMBA_SETTINGS"):
        monkeypatch.setenv(variable, "")  # also restores what the file sets
    path = tmp_path / "settings" / "timba.env"
    path.parent.mkdir()
    monkeypatch.setattr(env, "default_settings_file", lambda: path)
    monkeypatch.setattr(env, "default_data_folder", lambda: tmp_path / "default")
    return path


def test_without_a_settings_file_the_data_folder_is_the_default_one(settings_file: Path) -> None:
    default = settings_file.parents[1] / "default"
    assert env.load() == (default, False)
    assert default.is_dir()
    assert env.get_str("TIMBA_DATA_DIR") == str(default), "for the processes that this one starts"


def test_the_environment_prevails_over_the_settings_file(
    settings_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings_file.write_text("TIMBA_DATA_DIR=/nowhere\nTIMBA_SOMETHING=9\n")
    monkeypatch.chdir(settings_file.parents[1])
    monkeypatch.setenv("TIMBA_DATA_DIR", "data")
    assert env.load() == (settings_file.parents[1] / "data", True)
    assert env.get_str("TIMBA_SOMETHING") == "9"


def test_a_relative_data_folder_counts_from_the_settings_file(settings_file: Path) -> None:
    settings_file.write_text("TIMBA_DATA_DIR=../data\n")
    assert env.load() == (settings_file.parents[1] / "data", True)


def test_another_settings_file_may_be_named(
    settings_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings_file.write_text("TIMBA_SOMETHING=9\n")
    other = settings_file.with_name("other.env")
    monkeypatch.setenv("TIMBA_SETTINGS", str(other))
    with pytest.raises(ImproperlyConfigured) as error:
        env.load()
    assert str(error.value) == f"TIMBA_SETTINGS is {other}, which does not exist."
    other.write_text("TIMBA_SOMETHING=10\n")
    env.load()
    assert env.get_str("TIMBA_SOMETHING") == "10"


def test_root_does_not_store_in_the_data_folder_of_another_account(
    settings_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = settings_file.parents[1] / "default"
    data.mkdir()
    if os.getuid() == 0:
        os.chown(data, NOBODY, -1)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert env.load() == (data, False), "in a clone"
    monkeypatch.setattr(env, "IS_CLONE", False)
    with pytest.raises(ImproperlyConfigured) as error:
        env.load()
    account = data.owner()
    assert str(error.value) == (
        f"The data folder {data} belongs to the account “{account}”, which could not read what "
        f"root stores there. Run the command as this account: runuser -u {account} -- timba …"
    )


def test_a_settings_file_that_cannot_be_read_is_refused_with_a_sentence(
    settings_file: Path,
) -> None:
    settings_file.mkdir()
    with pytest.raises(ImproperlyConfigured) as error:
        env.load()
    assert str(error.value) == (
        f"The settings file {settings_file} cannot be read: Is a directory. Timba needs it: run "
        "this command as the account that Timba runs as."
    )


def test_a_data_folder_that_cannot_be_created_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ImproperlyConfigured) as error:
        env.create_data_folder(tmp_path / "file" / "data")
    assert str(error.value) == (
        f"TIMBA_DATA_DIR is {tmp_path / 'file' / 'data'}, which cannot be made: Not a directory."
    )


def test_a_key_may_come_from_a_file_that_the_variable_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from a file\n")
    monkeypatch.setenv("TIMBA_FILED_KEY_FILE", str(secret))
    assert env.get_or_create_key("TIMBA_FILED_KEY", "some_key") == "from a file"


def test_a_file_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TIMBA_LOST_KEY_FILE", str(tmp_path / "none"))
    with pytest.raises(ImproperlyConfigured) as error:
        env.get_str("TIMBA_LOST_KEY")
    assert str(error.value) == (
        f"TIMBA_LOST_KEY_FILE names a file that cannot be read: {tmp_path / 'none'}."
    )


def test_a_secret_is_taken_literally(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ecret", "what a reference would find")
    monkeypatch.setenv("TIMBA_SOME_PASSWORD", "$ecret")
    assert env.get_str("TIMBA_SOME_PASSWORD") == "$ecret"


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "http://127.0.0.1:8001"), ("::1", "http://[::1]:8001")],
)
def test_the_public_address_defaults_to_the_served_one(host: str, address: str) -> None:
    assert env.get_public_url(host, 8001).geturl() == address


def test_with_tls_the_public_address_is_https() -> None:
    assert env.get_public_url("127.0.0.1", 8001, tls=True).geturl() == "https://127.0.0.1:8001"


@pytest.mark.parametrize("unset", ["TIMBA_TLS_CERT", "TIMBA_TLS_KEY"])
def test_tls_with_one_of_its_files_is_refused(monkeypatch: pytest.MonkeyPatch, unset: str) -> None:
    for name in {"TIMBA_TLS_CERT", "TIMBA_TLS_KEY"} - {unset}:
        monkeypatch.setenv(name, "/etc/timba/file.pem")
    with pytest.raises(ImproperlyConfigured) as error:
        env.get_tls_files()
    assert str(error.value) == (
        f"{unset} is not set. TLS needs both: TIMBA_TLS_CERT names the file of the certificate, "
        "TIMBA_TLS_KEY that of its key."
    )


@pytest.mark.parametrize("url", ["http://[timba", "https://timba.example:443x"])
def test_an_invalid_address_is_refused_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("TIMBA_URL", url)
    with pytest.raises(ImproperlyConfigured) as error:
        env.get_public_url("127.0.0.1", 8000)
    assert str(error.value) == (
        f"TIMBA_URL is {url!r}, which is no address of a site. Give it as people type it, without "
        "a path: https://timba.example"
    )


def test_blanks_in_a_list_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIMBA_NAMES", " timba.example, .yard.example,,")
    assert env.get_list("TIMBA_NAMES") == ["timba.example", ".yard.example"]
    assert env.get_list("TIMBA_NOT_SET") == []


def test_an_invalid_network_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIMBA_NETWORKS", "10.0.0.5, 192.168.7.9/24,fe80::/10")
    assert env.get_networks("TIMBA_NETWORKS") == ["10.0.0.5", "192.168.7.9/24", "fe80::/10"]
    monkeypatch.setenv("TIMBA_NETWORKS", "10.0.0.5,proxy.local")
    with pytest.raises(ImproperlyConfigured) as error:
        env.get_networks("TIMBA_NETWORKS")
    assert str(error.value) == (
        "TIMBA_NETWORKS names 'proxy.local', which is no address or network. Give addresses or "
        "networks with commas between: 10.0.0.5,192.168.7.0/24"
    )
