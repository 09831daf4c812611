"""What is sent is what is moved, and nothing is given up that can still be sent."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from pytest_django.live_server_helper import LiveServer
from requests.adapters import BaseAdapter

from tests.conftest import MakeUser
from tests.factories import PASSWORD
from timba.consignments.services import open_consignment
from timba.files.models import File
from timba.files.storage import store
from timba.sending import commands
from timba.sending.commands import _send_complete_files
from timba.sending.connection import Interrupted, Server
from timba.sending.folder import WatchedFolder
from timba.sending.transfers import Transfer

pytestmark = pytest.mark.django_db(transaction=True)


class SlowNetwork(BaseAdapter):
    """A proxy that answers instead of the server: a body came too slowly."""

    def send(self, request: Any, *_: Any, **__: Any) -> requests.Response:
        response = requests.Response()
        response.request, response.url, response.status_code = request, request.url, 408
        response.reason = "Request Timeout"
        return response

    def close(self) -> None:
        pass


@pytest.fixture
def server(
    live_server: LiveServer, make_user: MakeUser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Server:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Server(live_server.url, username=make_user().username, password=PASSWORD)


@pytest.fixture
def folder(tmp_path: Path) -> WatchedFolder:
    watched = WatchedFolder(tmp_path / "scans", still_seconds=0)
    with watched.locked():
        return watched


def send(server: Server, folder: WatchedFolder) -> None:
    _send_complete_files(folder, server, {}, threading.Event())


def contents() -> list[bytes]:
    found = []
    for file in File.unscoped.order_by("uploaded_at"):
        with store().open_bytes(file.storage_key) as stream:
            found.append(stream.read())
    return found


def rewrite(path: Path) -> None:
    path.write_bytes(b"second scan")


def replace(path: Path) -> None:
    other = path.with_name(".new")
    other.write_bytes(b"second scan")
    other.replace(path)


@pytest.mark.parametrize("change", [rewrite, replace])
@pytest.mark.parametrize("during", ["GET", "PATCH"])
def test_a_file_that_changes_while_it_is_sent_stays_until_it_is_sent_too(
    server: Server,
    folder: WatchedFolder,
    change: Callable[[Path], None],
    during: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = folder.path / "scan.txt"
    path.write_bytes(b"first scan")
    if during == "GET":  # it is there already
        Transfer(server=server, path=path).send()
    ask = server.request

    def ask_while_it_changes(method: str, address: str, **options: Any) -> Any:
        response = ask(method, address, **options)
        if method == during:
            change(path)
        return response

    with monkeypatch.context() as patch:
        patch.setattr(server, "request", ask_while_it_changes)
        with pytest.raises(Interrupted, match=r"^“scan\.txt” changed while it was sent\.$"):
            send(server, folder)
    assert path.read_bytes() == b"second scan"
    send(server, folder)
    assert contents() == [b"first scan", b"second scan"]
    assert (folder.path / "done" / "scan.txt").read_bytes() == b"second scan"


def test_a_file_that_cannot_be_read_does_not_hold_up_the_others(
    server: Server, folder: WatchedFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.txt", "b.txt"):
        (folder.path / name).write_text(name)
    for holder in (os, Path):
        open_file = holder.open

        def deny(path: Any, *arguments: Any, open_file: Any = open_file, **options: Any) -> Any:
            if str(path).endswith("a.txt"):
                raise PermissionError(13, "Permission denied", str(path))
            return open_file(path, *arguments, **options)

        monkeypatch.setattr(holder, "open", deny)
    with pytest.raises(Interrupted, match=r"a\.txt”: Permission denied\."):
        send(server, folder)
    assert [file.name for file in File.unscoped.all()] == ["b.txt"]
    assert (folder.path / "a.txt").exists()


def test_a_server_that_stays_away_is_given_up_once_for_all_files(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(commands, "_GIVE_UP_SECONDS", -1.0)
    files = [tmp_path / name for name in ("none.txt", "a.txt", "b.txt")]
    for file in files[1:]:
        file.write_text(file.name)
    server._session.mount(f"{server.url}api/files/tus/", SlowNetwork())
    monkeypatch.setattr(commands, "_server", lambda _options: server)
    assert commands.run(["upload", *map(str, files)]) == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        f"not sent: {files[0]}: No such file or directory.",
        "0 sent, 0 there already, 1 not sent.",
    ]
    assert (
        printed.err == "The server answered 408 Request Timeout. The same command sends the rest.\n"
    )


def test_an_upload_goes_on_after_a_body_that_came_too_slowly(
    server: Server, tmp_path: Path, live_server: LiveServer
) -> None:
    path = tmp_path / "gate.txt"
    path.write_bytes(b"Seal ok")
    transfer, ask = Transfer(server=server, path=path), server.request

    def ask_slowly(method: str, address: str, **options: Any) -> Any:
        if method == "PATCH":
            server._session.mount(live_server.url, SlowNetwork())
        return ask(method, address, **options)

    server.request = ask_slowly  # type: ignore[method-assign]
    with pytest.raises(Interrupted, match=r"^The server answered 408"):
        transfer.send()
    server.request = ask  # type: ignore[method-assign]
    server._session.mount(live_server.url, requests.adapters.HTTPAdapter())
    created = []
    asked = server._session.request

    def count(method: str, *arguments: Any, **options: Any) -> Any:
        created.append(method)
        return asked(method, *arguments, **options)

    server._session.request = count  # type: ignore[assignment]
    assert transfer.send().is_new
    assert created == ["GET", "HEAD", "PATCH"]


def test_a_file_that_is_there_but_in_no_consignment_is_sent_into_one(
    server: Server, tmp_path: Path
) -> None:
    path = tmp_path / "gate.txt"
    path.write_bytes(b"Seal ok")
    first = Transfer(server=server, path=path).send()
    owner = File.unscoped.get().uploaded_by
    assert owner is not None
    assert owner.client is not None
    load = open_consignment(actor=owner, client=owner.client, name="AB-1", type="pinewood")
    details = {"consignment_id": str(load.pk)}
    second = Transfer(server=server, path=path, details=details).send()
    assert second.is_new
    assert File.unscoped.get(pk=second.file_id).consignment == load
    assert not Transfer(server=server, path=path, details=details).send().is_new
    assert Transfer(server=server, path=path).send().file_id in {first.file_id, second.file_id}
