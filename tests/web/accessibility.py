"""What axe finds on a page, in the widths and colours that people use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Only the contrast depends on width and scheme together.
AXE_RUNS: list[tuple[int, Any, Any]] = [
    (1280, "light", RULES),
    (360, "dark", RULES),
    (1280, "dark", {"type": "rule", "values": ["color-contrast"]}),
    (360, "light", {"type": "rule", "values": ["color-contrast"]}),
]


def find_violations(page: Page) -> list[tuple[Any, ...]]:
    """Return what is wrong on a page: the width, the scheme, the rule and the elements."""
    page.evaluate(AXE.read_text())
    found: list[tuple[Any, ...]] = []
    for width, scheme, rules in AXE_RUNS:
        page.set_viewport_size({"width": width, "height": 800})
        # Colours in transition would fail the contrast rules.
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        report = page.evaluate(
            "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", rules
        )
        for violation in report["violations"]:
            nodes = [node["html"] for node in violation["nodes"]]
            found.append((width, scheme, violation["id"], nodes))
    for width in (1280, 360, 320):
        page.set_viewport_size({"width": width, "height": 640})
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append((width, "scrolls sideways"))
    return found
