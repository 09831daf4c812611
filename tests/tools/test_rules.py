"""tools/rules finds what breaks a rule of this code base, and nothing else."""

from __future__ import annotations

import importlib.util
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools/rules"
SETTINGS: dict[str, Any] = {
    "not_in_transactions": ["store", "hash_password"],
    "unscoped": ["timba/files/sweeping.py"],
    "words": ["gadget"],
}


def broken_rules(source: str, path: str = "timba/notes/services.py") -> list[str]:
    loader = SourceFileLoader("rules", str(TOOL))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("rules", loader))
    loader.exec_module(module)
    return list(module.broken_rules(path, source, SETTINGS))


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (
            "with transaction.atomic():\n    store().delete(key)",
            "timba/notes/services.py:2: store() inside a transaction: it may take long.",
        ),
        (
            "with a, write_transaction():\n    user.password = hash_password(text, user=user)",
            "timba/notes/services.py:2: hash_password() inside a transaction: it may take long.",
        ),
        (
            "rows = Note.unscoped.all()",
            "timba/notes/services.py:1: `unscoped` in a module that pyproject.toml does not list.",
        ),
        (
            "def add():\n    from timba.files import store",
            "timba/notes/services.py:2: A function imports a module of Timba.",
        ),
        (
            "class ParentGadget:\n    pass",
            "timba/notes/services.py:1: “gadget” was replaced by a standard term.",
        ),
        (
            "# keeps the gadget short",
            "timba/notes/services.py:1: “gadget” was replaced by a standard term.",
        ),
        (
            '"""Holds the gadget."""',
            "timba/notes/services.py:1: “gadget” was replaced by a standard term.",
        ),
    ],
)
def test_a_broken_rule_is_named_with_its_line(source: str, sentence: str) -> None:
    assert broken_rules(source) == [sentence]


def test_what_keeps_the_rules_is_not_named() -> None:
    source = "store().delete(key)\nwith transaction.atomic():\n    row.save()\nx = 'gadget'\n"
    assert broken_rules(source) == []
    assert broken_rules("File.unscoped.all()", "timba/files/sweeping.py") == []
