"""The fixtures of real servers: shared by tests, listed once, and skipped with a reason."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ENVIRONMENT = {
    "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # quicker with only the required plugins
}
PLUGINS = ("-p", "tests.servers", "-p", "xdist.plugin")


@pytest.fixture
def run_test(tmp_path: Path) -> RunTest:
    return RunTest(tmp_path)


class RunTest:
    """Runs a generated test module with the fixtures, in an environment with only these servers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, source: str, *options: str, **variables: str) -> str:
        (self.folder / "test_it.py").write_text(source)
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TIMBA_", "PYTEST_", "DJANGO_")) and name != "CI"
        }
        result = subprocess.run(
            [sys.executable, "-m", "pytest", *PLUGINS, "-ra", *options],
            cwd=self.folder,
            env={**inherited, **ENVIRONMENT, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        return result.stdout + result.stderr


USES_REDIS = "def test_it(redis_url):\n    print('given', redis_url)\n"


def test_a_test_gets_the_server_that_is_up(run_test: RunTest) -> None:
    output = run_test(USES_REDIS, "-s", TIMBA_TEST_REDIS_URL="redis://:x@127.0.0.1:1")
    assert "given redis://:x@127.0.0.1:1/2\n" in output
    assert "1 passed" in output


def test_a_missing_server_skips_the_test_with_a_reason(run_test: RunTest) -> None:
    output = run_test(USES_REDIS, TIMBA_TEST_REDIS_MISSING="There is no Redis on this machine.")
    assert "1 skipped" in output
    assert "There is no Redis on this machine." in output.partition("short test summary")[2]
    output = run_test(USES_REDIS)
    assert "TIMBA_TEST_REDIS_URL is not set. Bring the server up: tools/services up redis" in output


def test_a_missing_server_fails_the_test_in_ci(run_test: RunTest) -> None:
    reason = "There is no Redis on this machine."
    output = run_test(USES_REDIS, TIMBA_TEST_REDIS_MISSING=reason, CI="true")
    assert "1 error" in output
    assert reason in output
    assert "skipped" not in output


def test_each_test_process_has_its_own_redis_database(run_test: RunTest) -> None:
    source = (
        "import pathlib, pytest\n"
        "@pytest.mark.parametrize('number', range(8))\n"
        "def test_it(redis_url, worker_id, number):\n"
        "    pathlib.Path(worker_id).write_text(redis_url)\n"
    )
    output = run_test(source, "-n", "2", TIMBA_TEST_REDIS_URL="redis://127.0.0.1:1")
    assert "8 passed" in output
    urls = {name: (run_test.folder / name).read_text() for name in ("gw0", "gw1")}
    assert urls == {"gw0": "redis://127.0.0.1:1/2", "gw1": "redis://127.0.0.1:1/3"}


@pytest.mark.parametrize("processes", ["0", "2"])
def test_the_output_names_each_server_once(run_test: RunTest, processes: str) -> None:
    output = run_test(
        "def test_it(): pass\n",
        *("-n", processes),
        TIMBA_TEST_SERVERS="PostgreSQL 15.18, Redis 7.0.15",
        TIMBA_TEST_KAFKA_MISSING="There is no Java on this machine.",
    )
    assert output.count("real servers: PostgreSQL 15.18, Redis 7.0.15\n") == 1
    assert output.count("missing: There is no Java on this machine.\n") == 1


def test_s3_and_kafka_have_all_connection_parameters(run_test: RunTest) -> None:
    output = run_test(
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
    assert "1 passed" in output
