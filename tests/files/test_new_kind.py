"""A kind of file is added as docs/processors.md says, without a change to the pipeline."""

from __future__ import annotations

import pytest

from tests.files.conftest import Receive, UseProcessors
from timba.files import kinds

pytestmark = [pytest.mark.django_db, pytest.mark.only_on("sqlite")]


@pytest.fixture(autouse=True)
def _bark_is_a_kind(use_processors: UseProcessors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(kinds.KINDS_BY_EXTENSION, "txt", (kinds.TEXT, "bark"))
    use_processors("timba.files.processors.text.PROCESSOR", "tests.files.new_kind.PROCESSOR")


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
