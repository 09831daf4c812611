"""The documents list exactly the variables that are read, and name only files that exist."""

from __future__ import annotations

import re

import pytest

from tests.journeys.timba_process import ROOT

READERS = r"(?:get_str|get_int|get_or_create_key|get_list|get_networks|env\.\w+)\(\s*\"([A-Z_]+)\""


def variables_read() -> set[str]:
    sources = [ROOT / "timba/config/env.py", ROOT / "timba/config/settings/base.py"]
    return {name for source in sources for name in re.findall(READERS, source.read_text())}


def test_readme_names_every_variable() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(rows) == len(set(rows))
    assert set(rows) == variables_read()
    assert "TIMBA_PORT" in rows


@pytest.mark.parametrize(
    "name",
    [
        *("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/architecture.md"),
        *("docs/events.md", "docs/operations.md", "docs/processors.md", "docs/upgrading.md"),
    ],
)
def test_the_docs_name_only_files_that_exist(name: str) -> None:
    text = (ROOT / name).read_text()
    named = re.findall(r"`((?:[\w.-]+/)+[\w.-]+\.py)`", text)
    links = [link for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text) if "://" not in link]
    for path in named:
        assert (ROOT / path).is_file() or (ROOT / "timba" / path).is_file(), path
    for link in links:
        assert (ROOT / name).parent.joinpath(link).exists(), link
    assert named or links


def test_the_example_file_names_every_variable() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    named = [match[1] for line in lines if (match := re.match(r"#?([A-Z_]+)=", line))]
    assert sorted(named) == sorted(variables_read())
