"""Finds words in texts whatever their letter case: every alphabet, and alike on every database.

Left to themselves SQLite folds ASCII only, PostgreSQL what its locale knows, and MariaDB nothing
in a column that is compared to the letter. So both sides are lower-cased by Unicode's tables, and
what those leave to context or to a choice is settled here: a sigma is one letter wherever it
stands, and the dotted capital I is an i with its dot.
"""

from __future__ import annotations

import math
import re
from itertools import product
from typing import Any, Final
from unicodedata import category, normalize

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Func, Q, TextField, Value
from django.db.models.functions import StrIndex
from django.db.models.lookups import GreaterThan
from django.db.models.sql.compiler import SQLCompiler

MAX_JSON_TEXT: Final = 1000
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

# SQLite has no such function: `timba.db.sqlite` gives this one to each connection.
SQLITE_FOLD: Final = "timba_fold"
_DOTTED, _DOTTED_SMALL = "\u0130", "i\u0307"
_FINAL_SIGMA, _SIGMA = "\u03c2", "\u03c3"
_UNICODE_LOWER: Final = (
    f"REPLACE(LOWER(REPLACE(%(expressions)s, '{_DOTTED}', '{_DOTTED_SMALL}')"
    f" COLLATE {{collation}}), '{_FINAL_SIGMA}', '{_SIGMA}')"
)
_POSTGRESQL: Final = _UNICODE_LOWER.format(collation='"und-x-icu"')
# Compared byte by byte.
_MARIADB: Final = f"CAST({_UNICODE_LOWER.format(collation='utf8mb4_uca1400_as_cs')} AS BINARY)"
_MYSQL: Final = f"CAST({_UNICODE_LOWER.format(collation='utf8mb4_0900_as_cs')} AS BINARY)"


def text_contains(words: str, *fields: str) -> Q:
    """Return the condition that one of the fields contains `words`, in any letter case.

    Letters may be composed with their accents, or stand before them, as macOS writes names.
    """
    forms = {fold_case(form) for form in (words, normalize("NFC", words), normalize("NFD", words))}
    condition = Q(pk__in=[])
    for field, form in product(fields, sorted(forms)):
        place = StrIndex(_Folded(F(field)), Value(form, output_field=TextField()))
        condition |= Q(GreaterThan(place, 0))
    return condition


def fold_case(text: str) -> str:
    """Return `text` as it is compared: equal for all that differs in letter case only."""
    return text.replace(_DOTTED, _DOTTED_SMALL).lower().replace(_FINAL_SIGMA, _SIGMA)


class _Folded(Func):
    """The same as `fold_case`, of a column."""

    function = SQLITE_FOLD
    arity = 1
    output_field = TextField()

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> Any:
        return self.as_sql(compiler, connection, template=_POSTGRESQL, **context)

    def as_mysql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> Any:
        is_mariadb = connection.mysql_is_mariadb  # type: ignore[attr-defined]  # of that backend
        template = _MARIADB if is_mariadb else _MYSQL
        return self.as_sql(compiler, connection, template=template, **context)


def is_storable(text: str) -> bool:
    """Return whether every database can store `text`: no NUL and no lone surrogate."""
    return not _UNSTORABLE.search(text)


def has_control_characters(text: str) -> bool:
    """Return whether `text` contains a control character (Unicode category Cc)."""
    return any(category(character) == "Cc" for character in text)


def replace_unstorable(text: str) -> str:
    """Return `text` with what no database stores shown by replacement characters."""
    return _UNSTORABLE.sub("\ufffd", text)


def clean_json(value: Any) -> Any:
    """Return a JSON value with every text in it cleaned and cut, and null for what is no number."""
    if isinstance(value, str):
        return replace_unstorable(
            value if len(value) <= MAX_JSON_TEXT else f"{value[: MAX_JSON_TEXT - 1]}…"
        )
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {replace_unstorable(str(name)): clean_json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [clean_json(inner) for inner in value]
    return value
