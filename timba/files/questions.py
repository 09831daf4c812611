"""The questions that a file leaves open: its reader asks them, and a retry answers them.

A pure module, which the sandbox child imports.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What a reader cannot decide from the file alone.

    `field` is the place of the answer in `read_as`, such as `units.length`; `choices` are values
    that it takes, the most likely first. Without choices the sentence says what to give.
    """

    field: str
    sentence: str
    choices: tuple[Any, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the question as it is in a file's result."""
        return {"field": self.field, "sentence": self.sentence, "choices": list(self.choices)}
