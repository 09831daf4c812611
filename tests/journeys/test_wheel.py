"""The wheel, installed into an empty environment on a machine without git, make and Node."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest
import requests
from PIL import Image

from tests.journeys.timba_process import ROOT, ApiClient, TimbaProcess
from timba import __version__

pytestmark = [pytest.mark.journey, pytest.mark.slow]


def build(source: Path, target: str, folder: Path, **variables: str) -> Path:
    """Build the wheel or the sdist of a source folder as `make package` does; return it."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "-d", folder]
    subprocess.run(command, cwd=source, env=os.environ | variables, check=True)
    [built] = folder.glob({"wheel": "*.whl", "sdist": "*.tar.gz"}[target])
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, "wheel", tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return an environment with nothing but the wheel and its dependencies, hashed."""
    folder = tmp_path_factory.mktemp("installed") / "env"
    uv = Path(sys.executable).with_name("uv")
    variables = {"UV_CACHE_DIR": str(ROOT / ".venv/cache/uv")} | os.environ
    install = [uv, "pip", "install", "--quiet", "--python", folder / "bin/python"]
    packages = [*install, "--require-hashes", "-r", ROOT / "requirements/base.txt"]

    def execute(command: list[Path | str], *, check: bool = True) -> int:
        return subprocess.run(command, env=variables, check=check).returncode

    execute([uv, "venv", "--quiet", "--python", sys.executable, folder])
    # The downloads of `make setup` suffice, unless they were deleted.
    if execute([*packages, "--offline"], check=False):
        execute(packages)
    execute([*install, "--no-deps", wheel])
    yield folder
    shutil.rmtree(folder)  # pytest keeps its folders, and this one is large


@pytest.fixture(scope="module")
def timba(environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimbaProcess]:
    """`timba demo` of an account whose PATH has only the programs of the environment."""
    programs, home = environment / "bin", tmp_path_factory.mktemp("home")
    assert [shutil.which(name, path=programs) for name in ("git", "make", "node")] == [None] * 3
    settings = home / "timba.env"
    settings.write_text("TIMBA_WEB_THREADS=8\n")
    # A module of the current folder is not Timba's.
    (home / "timba.py").write_text("raise ImportError('this is not the package')\n")
    with (
        chdir(home),
        TimbaProcess(
            home / "data",
            (str(programs / "timba"), "demo"),
            PATH=str(programs),
            HOME=str(home),
            PYTHONPATH="",
            TIMBA_SETTINGS=str(settings),
        ) as timba,
    ):
        yield timba


def run(timba: TimbaProcess, environment: Path, *command: str) -> str:
    """Return the output of a program of the environment, with the settings of the demo."""
    program, *arguments = command
    done = subprocess.run(
        [environment / "bin" / program, *arguments],
        cwd=timba.data_folder,
        env=timba.environment(),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def manager(timba: TimbaProcess) -> ApiClient:
    return timba.sign_in("ilze", timba.password_of("ilze"))


def test_the_sdist_builds_the_same_wheel_without_node(wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(build(ROOT, "sdist", tmp_path)) as sdist:
        sdist.extractall(tmp_path, filter="data")
    unpacked = tmp_path / f"timba-{__version__}"
    again = build(unpacked, "wheel", tmp_path / "dist", PATH="")
    assert again.name == wheel.name == f"timba-{__version__}-py3-none-any.whl"
    assert again.read_bytes() == wheel.read_bytes()


def test_the_environment_has_the_licence_and_the_notices(environment: Path) -> None:
    [metadata] = environment.glob("lib/python*/site-packages/timba-*.dist-info")
    assert "\nLicense-Expression: Apache-2.0\n" in (metadata / "METADATA").read_text()
    for name in ("LICENSE", "NOTICE"):
        assert (metadata / "licenses" / name).read_text() == (ROOT / name).read_text()


def test_a_person_signs_in_and_sees_the_page_with_its_style_sheet(timba: TimbaProcess) -> None:
    browser = requests.Session()
    browser.headers["Accept"] = "text/html"
    form = browser.get(f"{timba.url}/login/", timeout=60).text
    [token] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
    signed_in = browser.post(
        f"{timba.url}/login/",
        data={
            "csrfmiddlewaretoken": token,
            "username": "ilze",
            "password": timba.password_of("ilze"),
        },
        timeout=60,
    )
    assert signed_in.url == f"{timba.url}/consignments/"
    assert f'<p class="version">Timba {__version__}</p>' in signed_in.text
    [style] = re.findall(r'href="(/static/timba/timba\.\w+\.css)"', signed_in.text)
    served = browser.get(timba.url + style, timeout=60)
    assert served.status_code == 200
    assert served.headers["Content-Type"] == 'text/css; charset="utf-8"'


def test_an_uploaded_photo_is_read_in_the_sandbox(manager: ApiClient) -> None:
    photo = io.BytesIO()
    Image.new("RGB", (640, 480), (120, 90, 60)).save(photo, "JPEG")
    accepted = manager.post("/api/upload/", files={"images": ("load.jpg", photo.getvalue())})
    assert accepted.status_code == 202
    task = manager.wait_for_task(accepted.json()["task_ids"][0])
    assert (task["status"], task["result"]["width"]) == ("SUCCESS", 640)


def test_a_consignment_is_printed_with_the_fonts_of_the_package(manager: ApiClient) -> None:
    consignment = manager.get("/api/consignments/").json()["results"][0]["id"]
    printed = manager.get(f"/api/consignments/{consignment}/tally.pdf")
    assert printed.status_code == 200
    assert b"DejaVuSans" in printed.content


def test_every_version_is_the_same(
    timba: TimbaProcess, environment: Path, manager: ApiClient
) -> None:
    assert run(timba, environment, "timba", "--version") == __version__
    assert run(timba, environment, "python", "-m", "timba", "--version") == __version__
    assert manager.get("/health/ready").json()["version"] == __version__
    schema = manager.get("/api/schema/", params={"format": "json"}).json()
    assert schema["info"]["version"] == __version__


def test_commands_use_the_settings_of_the_demo(timba: TimbaProcess, environment: Path) -> None:
    assert run(timba, environment, "timba", "csu") == (
        "The administrator “admin” exists already: nothing was changed."
    )
    assert run(timba, environment, "timba", "check", "--database", "default") == (
        "System check identified no issues (1 silenced)."
    )
    code = (
        "from django.conf import settings; from timba.installation import IMPORT_PATH; "
        "print(settings.TIMBA_WEB_THREADS, IMPORT_PATH)"
    )
    threads, import_path = run(timba, environment, "timba", "shell", "-v0", "-c", code).split()
    assert threads == "8"
    assert Path(import_path).is_relative_to(environment)


def test_the_demo_is_backed_up_and_everything_agrees(
    timba: TimbaProcess, environment: Path
) -> None:
    run(timba, environment, "timba", "backup", str(timba.data_folder.with_name("backups")))
    run(timba, environment, "timba", "fsck", "--deep")


def test_ctrl_c_ends_it(timba: TimbaProcess) -> None:
    assert timba.stop(signal.SIGINT) == 0
    assert timba.output[-1] == "Timba has stopped."
    assert timba.children() == {}
