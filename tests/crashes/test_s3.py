"""Every failpoint, with a real S3 server as the store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crashes.matrix import Matrix
from tests.servers import S3Server
from timba.failpoints import POINTS

HERE = [point for point in POINTS if not point.startswith("storage.")]


@pytest.fixture(scope="module")
def matrix(versitygw: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    folder = tmp_path_factory.mktemp("crashes")
    with Matrix(folder, STORAGE_URL=versitygw.storage_url("template")) as matrix:
        yield matrix


@pytest.mark.parametrize("point", HERE)
def test_a_crash_loses_and_doubles_nothing(matrix: Matrix, point: str) -> None:
    matrix.crash_at(point)


def test_the_whole_matrix_was_walked(matrix: Matrix) -> None:
    print(f"\nS3 store: {dict(matrix.counts)}")
    if matrix.points != set(HERE):
        pytest.skip("only some of the points were asked for")
    assert matrix.counts["cases"] >= 100
    assert matrix.counts["acknowledged"] >= matrix.counts["cases"]
