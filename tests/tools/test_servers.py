"""What is shared by all tests: servers, or the reason why one is missing."""

from __future__ import annotations

import os

import pytest

from tests.servers import S3Server, _s3_server, pytest_report_header

REASON = "MinIO is built with Go, and there is no Go here."


@pytest.fixture(autouse=True)
def _no_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("TIMBA_TEST_") or name == "CI":
            monkeypatch.delenv(name)


def test_a_test_gets_the_server_that_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIMBA_TEST_MINIO_URL", "http://timba:x@127.0.0.1:1")
    assert _s3_server("minio") == S3Server("http://timba:x@127.0.0.1:1")
    assert _s3_server("minio").storage_url("b") == "s3+http://timba:x@127.0.0.1:1/b"


def test_a_missing_server_skips_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pytest.skip.Exception) as skipped:
        _s3_server("minio")
    assert skipped.value.msg == (
        "TIMBA_TEST_MINIO_URL is not set. Start it: tools/services run --tests minio -- pytest …"
    )
    monkeypatch.setenv("TIMBA_TEST_MINIO_MISSING", REASON)
    with pytest.raises(pytest.skip.Exception) as skipped:
        _s3_server("minio")
    assert skipped.value.msg == REASON


def test_a_missing_server_fails_the_test_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("TIMBA_TEST_MINIO_MISSING", REASON)
    with pytest.raises(pytest.fail.Exception) as failed:
        _s3_server("minio")
    assert failed.value.msg == REASON


def test_the_output_names_each_server(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pytest_report_header() == ["real servers: none (tools/services run)"]
    monkeypatch.setenv("TIMBA_TEST_SERVERS", "PostgreSQL 15.18, Redis 7.0.15")
    monkeypatch.setenv("TIMBA_TEST_MINIO_MISSING", REASON)
    assert pytest_report_header() == [
        "real servers: PostgreSQL 15.18, Redis 7.0.15",
        f"missing: {REASON}",
    ]
