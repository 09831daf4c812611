"""Each profile of compose.yaml: sign-in, upload, killed containers, `down` and `up`."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Final

import pypdfium2
import pytest
import requests
from playwright.sync_api import expect, sync_playwright

from tests.containers.stack import Stack
from tests.files.samples import paper, scan
from tests.journeys.processes import wait_until
from tests.journeys.timba_process import PASSWORD, ApiClient
from tests.web.conftest import CHROMIUM, CHROMIUM_ARGUMENTS
from timba import __version__

pytestmark = pytest.mark.slow

TIMBA_UID: Final = 10001  # of the image
SERVERS_WITH_DATA: Final = {"small": (), "mariadb": ("mariadb",), "full": ("postgres", "store")}
READINGS: Final = b"41,-3.20,2026-11-20T06:00:00Z\n41,1.05,2026-11-20T08:00:00Z\n"


def upload(owner: ApiClient, name: str) -> tuple[str, str]:
    """Upload a file of readings of its own; return its address and its task."""
    content = READINGS + f"# {name}\n".encode()
    response = owner.post("/upload/", files={"file": (name, content)})
    assert response.status_code == 201, response.text
    return response.json()["file_url"], response.json()["task_id"]


def test_every_part_is_ready_and_protected(stack: Stack, owner: ApiClient) -> None:
    ready = owner.get("/health/ready").json()
    assert (ready["status"], ready["version"]) == ("ok", __version__)
    for service in stack.services:
        container = stack.inspect(service)
        assert container["EffectiveCaps"] in ([], None) or service == "caddy"
        assert "no-new-privileges" in str(container["HostConfig"]["SecurityOpt"])
        published = any(container["HostConfig"]["PortBindings"].values())
        assert published == (service == "caddy")
    # Neither in a variable nor in the image is there a key.
    assert "secret" not in stack.exec("web", "env").replace("/run/keys/secret_key", "")
    assert stack.exec("web", "id", "-un").strip() == "timba"
    packages = json.loads(stack.exec("web", "cat", "/opt/timba/share/timba/sbom.json"))
    names = {component["name"] for component in packages["components"]}
    assert {"timba", "Django", "mysqlclient"} <= names


def test_a_browser_signs_in_and_uploads_through_tls(stack: Stack, owner: ApiClient) -> None:
    assert CHROMIUM is not None
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(CHROMIUM_ARGUMENTS)
        )
        page = chromium.new_page(base_url=stack.url, ignore_https_errors=True)
        page.goto("/login/?next=/api/")
        page.get_by_label("Username").fill("owner")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        note = {"name": "gate note.txt", "mimeType": "text/plain", "buffer": b"Seal ok\n"}
        page.locator("#choose").set_input_files([note])
        row = page.locator("li", has=page.locator(".name", has_text="gate note.txt"))
        expect(row).to_contain_text("1 line, 2 words", timeout=60_000)
        chromium.close()


def test_the_image_has_fonts_of_many_scripts(stack: Stack, owner: ApiClient) -> None:
    consignment = {"name": "松木 हिन्दी ไม้ বাংলা བོད 🌲", "type": "hardwood"}
    path = f"/api/consignments/{owner.post('/api/consignments/', json=consignment).json()['id']}/"
    [page] = pypdfium2.PdfDocument(owner.get(f"{path}tally.pdf").content)
    text = page.get_textpage().get_text_bounded()
    assert "Total 0 logs" in text
    assert "No font of this server has" not in text


def test_the_image_reads_text_in_pictures(stack: Stack, owner: ApiClient) -> None:
    response = owner.post("/api/files/", files={"file": ("permit.pdf", scan(paper()))})
    assert response.status_code == 201, response.text

    def is_found() -> bool:
        found = owner.get("/api/files/", params={"q": "felling larch"}).json()["results"]
        return [file["name"] for file in found] == ["permit.pdf"]

    wait_until(is_found, seconds=60, what="the scan is found by its text")


def test_events_are_consumed(stack: Stack, owner: ApiClient) -> None:
    """In the profile `full` they come from Kafka, else from the database."""
    note = owner.post("/api/notes/", json={"title": "Seal", "content": "88412, intact"}).json()

    def is_consumed() -> bool:
        try:
            lines = stack.exec("web", "timba", "consume", "note_events").splitlines()
        except AssertionError as error:
            # The relay creates the topic before it delivers the first event.
            assert "Kafka has no topic note_events yet." in str(error)  # noqa: PT017
            return False
        return [json.loads(line)["value"]["note"]["id"] for line in lines] == [note["id"]]

    wait_until(is_consumed, seconds=60, what="the note's event is consumed")


def test_killed_containers_come_back_and_lose_nothing(stack: Stack, owner: ApiClient) -> None:
    _, task = upload(owner, "before.csv")
    killed = {service: stack.kill(service) for service in stack.services}
    for service, pid in killed.items():

        def runs_again(service: str = service, pid: int = pid) -> bool:
            return stack.inspect(service)["State"]["Pid"] not in (0, pid)

        wait_until(runs_again, seconds=180, what=f"{service} runs again")
        stack.wait_until_healthy(service)

    def has_result() -> bool:
        try:
            response = owner.get("/api/task-status/", params={"task_id": task})
        except requests.ConnectionError:
            return False
        return response.ok and response.json()["status"] == "SUCCESS"

    wait_until(has_result, seconds=180, what="the file has its result")


def test_down_and_up_keep_everything(stack: Stack, owner: ApiClient) -> None:
    path, task = upload(owner, "kept.csv")
    assert owner.wait_for_task(task)["status"] == "SUCCESS"
    statistics = owner.get("/temperature-readings/41/").json()
    stack.down()
    stack.up()
    # The same token: its key has been kept too.
    content = owner.get(path).content
    assert content == READINGS + b"# kept.csv\n"
    assert owner.get("/temperature-readings/41/").json() == statistics
    assert hashlib.sha256(content).hexdigest() in owner.get("/api/files/").text


def test_a_backup_is_restored_into_empty_volumes(
    stack: Stack, owner: ApiClient, tmp_path: Path
) -> None:
    """With the commands of docs/operations.md; all have to sign in again afterwards."""
    path, task = upload(owner, "backed up.csv")
    assert owner.wait_for_task(task)["status"] == "SUCCESS"
    statistics = owner.get("/temperature-readings/41/").json()
    os.chown(tmp_path, TIMBA_UID, TIMBA_UID)
    stack.run_in_new(tmp_path, "backup", "/backup")
    [manifest] = tmp_path.glob("snapshots/*/manifest.json")
    assert json.loads(manifest.read_text())["version"] == __version__
    stack.down()
    stack.remove_volumes("data", *SERVERS_WITH_DATA[stack.profile])
    stack.start(*SERVERS_WITH_DATA[stack.profile])
    stack.run_in_new(tmp_path, "restore", "/backup")
    stack.up()
    assert owner.get(path).status_code == 401
    again = stack.sign_in("owner", PASSWORD)
    assert again.get(path).content == READINGS + b"# backed up.csv\n"
    assert again.get("/temperature-readings/41/").json() == statistics
