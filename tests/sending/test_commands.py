"""`timba upload` and `timba watch` against a real server."""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.journeys.processes import wait_until
from tests.journeys.timba_process import ROOT
from tests.sending.conftest import Sender

pytestmark = pytest.mark.journey

LARGE: bytes = b"".join(
    f"{number},{random.Random(number).randbytes(40).hex()}\n".encode() for number in range(400_000)
)

NOT_ACCEPTED = "“setup.exe” is not accepted: files ending in “.exe” cannot be read here."


def test_files_of_folders_are_sent_once_and_refusals_are_named(sender: Sender) -> None:
    load = sender.folder / "load"
    (load / "papers").mkdir(parents=True)
    (load / "gate.txt").write_text("Seal 88412 intact.\n")
    (load / "papers/permit.txt").write_text("Permit 7.\n")
    (load / "setup.exe").write_bytes(b"MZ\0\0")
    status, lines = sender.upload("load")
    assert (status, lines) == (
        1,
        [
            "sent: load/gate.txt",
            f"not sent: load/setup.exe: {NOT_ACCEPTED}",
            "sent: load/papers/permit.txt",
            "2 sent, 0 there already, 1 not sent.",
        ],
    )
    assert [file["name"] for file in sender.files()] == ["gate.txt", "permit.txt"]
    (load / "setup.exe").unlink()
    status, lines = sender.upload("load")
    assert (status, lines[-1]) == (0, "0 sent, 2 there already, 0 not sent.")
    assert len(sender.files()) == 2


def test_an_upload_that_was_killed_goes_on_where_it_was(sender: Sender) -> None:
    (sender.folder / "long.txt").write_bytes(LARGE)
    state = sender.folder / "state/timba/uploads"
    process = subprocess.Popen(**sender.command("upload", "long.txt", stdout=subprocess.DEVNULL))
    wait_until(lambda: state.is_dir() and any(state.iterdir()), seconds=60, what="it has begun")
    process.kill()
    process.wait()
    [remembered] = state.iterdir()
    address = remembered.read_text().removeprefix(sender.server.url)
    assert sender.owner.head(address, headers={"Tus-Resumable": "1.0.0"}).status_code == 200
    assert sender.upload("long.txt") == (
        0,
        ["sent: long.txt", "1 sent, 0 there already, 0 not sent."],
    )
    [file] = sender.files()
    assert file["sha256"] == hashlib.sha256(LARGE).hexdigest()
    assert (
        file["id"]
        == sender.owner.head(address, headers={"Tus-Resumable": "1.0.0"}).headers["Timba-File-Id"]
    )
    assert list(state.iterdir()) == []


def test_a_server_that_restarts_is_waited_for(sender: Sender) -> None:
    (sender.folder / "long.txt").write_bytes(LARGE)
    state = sender.folder / "state/timba/uploads"
    process = subprocess.Popen(**sender.command("upload", "long.txt", stdout=subprocess.PIPE))
    wait_until(lambda: state.is_dir() and any(state.iterdir()), seconds=60, what="it has begun")
    sender.server.clean_up()
    time.sleep(1)
    sender.server.start()
    output, _ = process.communicate(timeout=120)
    assert output.splitlines() == ["sent: long.txt", "1 sent, 0 there already, 0 not sent."]
    assert [file["sha256"] for file in sender.files()] == [hashlib.sha256(LARGE).hexdigest()]


def test_a_wrong_password_is_one_sentence(sender: Sender) -> None:
    command = sender.command("upload", ROOT / "README.md", capture_output=True)
    command["env"]["TIMBA_PASSWORD"] = "wrong"
    done = subprocess.run(**command, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        f"{sender.server.url}/ knows no user “owner” with this password.\n",
    )


def test_a_server_that_cannot_be_reached_is_one_sentence_at_once(sender: Sender) -> None:
    command = sender.command("upload", ROOT / "README.md", capture_output=True)
    command["env"]["TIMBA_URL"] = "http://127.0.0.1:1"
    done = subprocess.run(**command, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        "http://127.0.0.1:1/ cannot be reached: there is no connection.\n",
    )


def test_ctrl_c_ends_an_upload_with_a_sentence(sender: Sender) -> None:
    (sender.folder / "long.txt").write_bytes(LARGE)
    state = sender.folder / "state/timba/uploads"
    command = sender.command("upload", "long.txt", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with subprocess.Popen(**command) as process:
        wait_until(lambda: state.is_dir() and any(state.iterdir()), seconds=60, what="it has begun")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, output, errors) == (
        130,
        "0 sent, 0 there already, 0 not sent.\n",
        "Stopped. The same command sends the rest.\n",
    )


def test_a_watched_folder_is_emptied_into_done_and_refused(sender: Sender) -> None:
    folder = sender.folder / "scans"
    command = sender.command("watch", folder, "--still", "0.5", stdout=subprocess.PIPE)
    with subprocess.Popen(**command) as process:
        wait_until((folder / "refused").is_dir, seconds=60, what="it watches")
        (folder / "gate.txt").write_text("Seal 88412 intact.\n")
        (folder / "setup.exe").write_bytes(b"MZ\0\0")
        wait_until((folder / "done/gate.txt").is_file, seconds=60, what="the text is sent")
        wait_until((folder / "refused/setup.exe").is_file, seconds=60, what="the other is refused")
        # A file that waits while the server is away.
        sender.server.clean_up()
        (folder / "late.txt").write_text("Late.\n")
        time.sleep(4)
        assert (folder / "late.txt").is_file()
        sender.server.start()
        wait_until((folder / "done/late.txt").is_file, seconds=60, what="the late one is sent")
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert output.splitlines() == [
        "sent: gate.txt",
        f"refused: setup.exe: {NOT_ACCEPTED}",
        f"waiting: {sender.server.url}/ cannot be reached: there is no connection.",
        "sent: late.txt",
    ]
    assert (folder / "refused/setup.exe.txt").read_text() == f"{NOT_ACCEPTED}\n"
    assert [file["name"] for file in sender.files()] == ["gate.txt", "late.txt"]
    assert not [path for path in Path(folder).iterdir() if path.is_file() and path.suffix]
