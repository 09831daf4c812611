"""A kind of file is added as docs/processors.md says, without a change to the pipeline."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from tests.files.conftest import Receive, use_processors
from timba.files import kinds

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _bark_is_a_kind(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(kinds.KINDS_BY_EXTENSION, "txt", (kinds.TEXT, "bark"))
    before = settings.FILE_PROCESSORS
    use_processors(settings, *before, "tests.files.new_kind.PROCESSOR")
    yield
    use_processors(settings, *before)


def test_a_file_of_a_new_kind_is_detected_read_and_settled(settle: Receive) -> None:
    file = settle("bark larch alder larch\n", name="samples.txt")
    assert (file.kind, file.status, file.error) == ("bark", "SUCCESS", "")
    facts = {name: file.result[name] for name in ("samples", "species")}
    assert facts == {"samples": 4, "species": ["alder", "bark", "larch"]}


def test_other_files_with_the_same_extension_keep_their_kind(settle: Receive) -> None:
    assert settle("larch and alder\n", name="note.txt").kind == "text"


def test_its_processor_may_refuse_a_file(settle: Receive) -> None:
    file = settle(" \n", name="empty.txt", kind="bark")
    assert (file.status, file.error) == ("FAILURE", "It names no species.")
