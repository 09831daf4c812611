"""Every failpoint, with a folder as the store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crashes.matrix import Matrix
from timba.failpoints import POINTS

HERE = [point for point in POINTS if not point.startswith("s3.")]


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    with Matrix(tmp_path_factory.mktemp("crashes")) as matrix:
        yield matrix


@pytest.mark.parametrize("point", HERE)
def test_a_crash_loses_and_doubles_nothing(matrix: Matrix, point: str) -> None:
    matrix.crash_at(point)


def test_the_whole_matrix_was_walked(matrix: Matrix) -> None:
    print(f"\nlocal store: {dict(matrix.counts)}")
    if matrix.points != set(HERE):
        pytest.skip("only some of the points were asked for")
    assert matrix.counts["cases"] >= 100
    assert matrix.counts["acknowledged"] >= matrix.counts["cases"]
