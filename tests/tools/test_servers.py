"""The fixtures that lead tests to real servers: shared, named once, absent with a reason."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ENVIRONMENT = {
    "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # only what the fixtures need, for it is quicker
}
PLUGINS = ("-p", "tests.servers", "-p", "xdist.plugin")


@pytest.fixture
def run_test(tmp_path: Path) -> RunTest:
    return RunTest(tmp_path)


class RunTest:
    """Runs a test of its own with the fixtures, in an environment that names these servers only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, source: str, *options: str, **variables: str) -> str:
        (self.folder / "test_it.py").write_text(source)
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TIMBA_", "PYTEST_", "DJANGO_")) and name != "CI"
        }
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *PLUGINS, "-ra", *options],
            cwd=self.folder,
            env={**kept, **ENVIRONMENT, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr


ASKS_FOR_REDIS = "def test_it(redis_url):\n    print('given', redis_url)\n"


def test_a_test_gets_the_server_that_is_up(run_test: RunTest) -> None:
    said = run_test(ASKS_FOR_REDIS, "-s", TIMBA_TEST_REDIS_URL="redis://:x@127.0.0.1:1")
    assert "given redis://:x@127.0.0.1:1/2\n" in said
    assert "1 passed" in said


def test_a_server_that_is_not_there_is_a_skip_that_says_why(run_test: RunTest) -> None:
    said = run_test(ASKS_FOR_REDIS, TIMBA_TEST_REDIS_MISSING="There is no Redis in this house.")
    assert "1 skipped" in said
    assert "There is no Redis in this house." in said.partition("short test summary")[2]
    said = run_test(ASKS_FOR_REDIS)
    assert "TIMBA_TEST_REDIS_URL is not set. Bring the server up: tools/services up redis" in said


def test_in_ci_it_is_a_failure_that_says_why(run_test: RunTest) -> None:
    reason = "There is no Redis in this house."
    said = run_test(ASKS_FOR_REDIS, TIMBA_TEST_REDIS_MISSING=reason, CI="true")
    assert "1 error" in said
    assert reason in said
    assert "skipped" not in said


def test_each_test_process_has_a_redis_database_of_its_own(run_test: RunTest) -> None:
    source = (
        "import pathlib, pytest\n"
        "@pytest.mark.parametrize('number', range(8))\n"
        "def test_it(redis_url, worker_id, number):\n"
        "    pathlib.Path(worker_id).write_text(redis_url)\n"
    )
    said = run_test(source, "-n", "2", TIMBA_TEST_REDIS_URL="redis://127.0.0.1:1")
    assert "8 passed" in said
    urls = {name: (run_test.folder / name).read_text() for name in ("gw0", "gw1")}
    assert urls == {"gw0": "redis://127.0.0.1:1/2", "gw1": "redis://127.0.0.1:1/3"}


@pytest.mark.parametrize("processes", ["0", "2"])
def test_the_output_names_each_server_once(run_test: RunTest, processes: str) -> None:
    said = run_test(
        "def test_it(): pass\n",
        *("-n", processes),
        TIMBA_TEST_SERVERS="PostgreSQL 15.18, Redis 7.0.15",
        TIMBA_TEST_KAFKA_MISSING="There is no Java in this house.",
    )
    assert said.count("real servers: PostgreSQL 15.18, Redis 7.0.15\n") == 1
    assert said.count("missing: There is no Java in this house.\n") == 1


def test_s3_and_kafka_come_with_all_that_it_takes(run_test: RunTest) -> None:
    said = run_test(
        "def test_it(minio, kafka):\n"
        "    assert minio.endpoint == 'http://127.0.0.1:1'\n"
        "    assert (minio.access_key, minio.secret_key) == ('timba', 'x')\n"
        "    assert minio.storage_url('b') == 's3+http://timba:x@127.0.0.1:1/b'\n"
        "    assert kafka.bootstrap_servers == '127.0.0.1:2'\n"
        "    assert str(kafka.jars) == '/jars'\n",
        TIMBA_TEST_MINIO_URL="http://timba:x@127.0.0.1:1",
        TIMBA_TEST_KAFKA="127.0.0.1:2",
        TIMBA_TEST_KAFKA_JARS="/jars",
    )
    assert "1 passed" in said
