"""README's table and the example file name every variable that is read, and no other."""

from __future__ import annotations

import re

from tests.journeys.timba_process import ROOT

READERS = r"(?:text|whole_number|kept_key|env\.\w+)\(\s*\"([A-Z_]+)\""


def variables_read() -> set[str]:
    sources = [ROOT / "timba/config/env.py", ROOT / "timba/config/settings/base.py"]
    return {name for source in sources for name in re.findall(READERS, source.read_text())}


def test_readme_names_every_variable() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(rows) == len(set(rows))
    assert set(rows) == variables_read()
    assert "TIMBA_PORT" in rows


def test_the_example_file_names_every_variable() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    named = [match[1] for line in lines if (match := re.match(r"#?([A-Z_]+)=", line))]
    assert sorted(named) == sorted(variables_read())
