"""Keys by which names, titles, barcodes and vehicle numbers are found however they are typed.

Databases fold letters differently, and some not at all: what is searched is folded here, and kept
in a column of its own beside the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final
from unicodedata import category, normalize

from django.core.exceptions import EmptyResultSet
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.compiler import SQLCompiler

# No character's key is longer.
KEY_LENGTH_RATIO: Final = 3

_ACCENTS: Final = re.compile("[\u0300-\u036f]")
# Letters with a stroke and ligatures, which Unicode does not decompose.
_PLAIN_LETTERS: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe"}
)
_BLANKS_AND_HYPHENS: Final = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Pd"})
_MINUS: Final = "\u2212"


def search_key(text: str) -> str:
    """Return the same key for texts that differ in letter case, accents, form or blanks."""
    letters = _ACCENTS.sub("", normalize("NFD", text.casefold())).translate(_PLAIN_LETTERS)
    return " ".join(normalize("NFC", letters).split())


def compact_key(text: str) -> str:
    """Return the search key without blanks, hyphens and characters that are not seen."""
    return "".join(
        character
        for character in search_key(text)
        if category(character) not in _BLANKS_AND_HYPHENS and character != _MINUS
    )


class SearchKeyField(models.CharField):  # type: ignore[type-arg]  # generic in its stubs only
    """The key of another field of the row, `of`, set whenever the row is saved.

    The lookup `name_key__finds=words` matches rows whose text contains the words. A save that
    names its fields must name this one with the other.
    """

    def __init__(self, *, of: str, is_compact: bool = False, **options: Any) -> None:
        self.of, self.is_compact = of, is_compact
        super().__init__(**{"db_default": "", "editable": False, **options})

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, path, args, options = super().deconstruct()
        return name, path, args, {**options, "of": self.of, "is_compact": self.is_compact}

    def key(self, text: str) -> str:
        return compact_key(text) if self.is_compact else search_key(text)

    def pre_save(self, model_instance: models.Model, add: bool) -> str:  # noqa: ARG002 - Django's signature
        key = self.key(getattr(model_instance, self.of))
        setattr(model_instance, self.attname, key)
        return key


@SearchKeyField.register_lookup
class Finds(models.Lookup):
    """Whether the text contains the words; words without a letter or digit are found nowhere.

    LIKE would refuse long words on SQLite.
    """

    lookup_name = "finds"

    def get_prep_lookup(self) -> str:
        field: SearchKeyField = self.lhs.output_field
        return field.key(str(self.rhs))

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        if not self.rhs:
            raise EmptyResultSet
        column, column_params = self.process_lhs(compiler, connection)
        words, words_params = self.process_rhs(compiler, connection)
        function = "STRPOS" if connection.vendor == "postgresql" else "INSTR"
        return f"{function}({column}, {words}) > 0", [*column_params, *words_params]
