"""NOTICE has the notices of everything in Timba's packages that others have written."""

from __future__ import annotations

import json
import re

import pytest

from timba.installation import IMPORT_PATH

# Packages that only build or test the front end.
TOOLS = {"axe-core", "esbuild"}


def npm_packages() -> set[str]:
    package = json.loads((IMPORT_PATH / "package.json").read_text())
    return {name for key in ("dependencies", "devDependencies") for name in package.get(key, {})}


@pytest.mark.parametrize("name", sorted(npm_packages() - TOOLS))
def test_notice_has_the_licence_of_each_npm_package_that_is_shipped(name: str) -> None:
    licence = (IMPORT_PATH / "node_modules" / name / "LICENSE").read_text().strip()
    assert licence in (IMPORT_PATH / "NOTICE").read_text()


def test_the_script_and_the_style_sheet_contain_no_package_used_as_a_tool_only() -> None:
    sources = [*(IMPORT_PATH / "timba/web/assets").rglob("*.js")]
    sources += (IMPORT_PATH / "timba/web/assets").rglob("*.css")
    imported = {
        "/".join(name.split("/")[: 2 if name.startswith("@") else 1])
        for source in sources
        for name in re.findall(r"(?:from|@?import) [\"']([^\"'.][^\"']*)[\"']", source.read_text())
    }
    assert imported - {"style"} <= npm_packages() - TOOLS
