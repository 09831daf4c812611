"""Every alert rule reads metrics that `/metrics` has, and leads to instructions."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from django.test import Client
from pytest_django.fixtures import Settings

from timba.metrics import (
    FILE_SECONDS,
    REQUEST_SECONDS,
    REQUESTS,
    SANDBOX_KILLS,
    SIGN_IN_REFUSALS,
)

DOCS = Path(__file__).parents[1] / "docs"
[GROUP] = yaml.safe_load((DOCS / "alerts.yaml").read_text())["groups"]
RULES: list[dict[str, Any]] = GROUP["rules"]
every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])


@pytest.fixture
def exported(client: Client, db: None, settings: Settings) -> dict[str, set[str]]:
    """Return the labels of each metric by its name, as `/metrics` writes them."""
    settings.TIMBA_METRICS_ALLOW = ["127.0.0.1"]
    settings.TIMBA_EVENT_PUBLISHER = "timba.events.publishers.KafkaPublisher"
    REQUESTS.labels("/api/notes/", "GET", "2xx").inc()
    REQUEST_SECONDS.labels("/api/notes/").observe(0.1)
    FILE_SECONDS.labels("photo", "SUCCESS").observe(0.1)
    SANDBOX_KILLS.labels("crash").inc()
    SIGN_IN_REFUSALS.labels("credentials").inc()
    metrics: dict[str, set[str]] = {"up": {"job", "instance"}}
    for line in client.get("/metrics").content.decode().splitlines():
        if line.startswith("# TYPE "):
            metrics.setdefault(line.split()[2], set())
        elif not line.startswith("#"):
            name, labels = re.fullmatch(r"(\w+)(?:{(.*)})? \S+", line).groups()  # type: ignore[union-attr]
            metrics[name] = set(re.findall(r'(\w+)="', labels or ""))
    return metrics


@pytest.mark.only_on("sqlite")
def test_rules_read_metrics_and_labels_that_exist(exported: dict[str, set[str]]) -> None:
    for rule in RULES:
        read = re.findall(r"\b(timba_\w+|up)(?:{([^}]*)})?", rule["expr"])
        assert read, rule["alert"]
        for name, matchers in read:
            assert name in exported, f"{rule['alert']} reads {name}"
            labels = set(re.findall(r"(\w+)[=!]", matchers))
            assert labels <= exported[name], f"{rule['alert']} reads {labels} of {name}"


@every_rule
def test_a_rule_is_one_that_prometheus_can_load(rule: dict[str, Any]) -> None:
    promql_parser.parse(rule["expr"])  # also the types; ValueError says what is wrong
    if "for" in rule:
        assert promql_parser.parse_duration(rule["for"]) > timedelta(0)


@every_rule
def test_a_rule_is_complete_and_its_runbook_exists(rule: dict[str, Any]) -> None:
    assert set(rule) - {"for"} == {"alert", "expr", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert set(rule["annotations"]) == {"summary", "runbook"}
    page, _, heading = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^### (\w+)$", (DOCS / page).read_text(), re.MULTILINE)
    assert heading == rule["alert"].lower()
    assert rule["alert"] in headings


def test_every_runbook_belongs_to_a_rule() -> None:
    chapter = (DOCS / "operations.md").read_text().split("\n## Alerts\n")[1].split("\n## ")[0]
    headings = re.findall(r"^### (\w+)$", chapter, re.MULTILINE)
    assert headings == [rule["alert"] for rule in RULES]
