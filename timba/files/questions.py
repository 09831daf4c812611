"""The questions that a file leaves open: its reader asks them, and a retry answers them.

And what every kind of reader says of answers and of encodings.

A pure module, which the sandbox child imports.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from timba.files.wording import encoding_name

PROFILE_USED: Final = {
    "code": "profile_used",
    "sentence": "What the file leaves open was taken from an import profile.",
    "count": 1,
}


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


def ask_encoding(encodings: Iterable[str]) -> Question:
    """Return the question in which of these encodings a text is."""
    return Question(
        field="encoding",
        sentence="The encoding of the text cannot be told. In which one are its letters right?",
        choices=tuple(encodings),
    )


def encoding_by_header(encoding: str) -> str:
    """Return the evidence for an encoding that only the words of the header tell."""
    name = encoding_name(encoding)
    return f"The encoding is {name}, in which alone the words of the header are known."
