"""Case-insensitive text search in every alphabet, and the rules for text that can be stored.

By default SQLite folds ASCII only, PostgreSQL depends on its locale, and MariaDB folds nothing in
a column with a binary collation. Here every database lower-cases both sides by Unicode's tables.
Where those depend on context or locale, the result is fixed: a final sigma (U+03C2) becomes a
sigma, and a dotted capital I (U+0130) becomes an i with a combining dot.
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

MAX_JSON_TEXT: Final = 1000  # characters
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")

# The function that `timba.db.sqlite` registers on each connection.
SQLITE_FOLD: Final = "timba_fold"
_DOTTED, _DOTTED_SMALL = "\u0130", "i\u0307"
_FINAL_SIGMA, _SIGMA = "\u03c2", "\u03c3"
_UNICODE_LOWER: Final = (
    f"REPLACE(LOWER(REPLACE(%(expressions)s, '{_DOTTED}', '{_DOTTED_SMALL}')"
    f" COLLATE {{collation}}), '{_FINAL_SIGMA}', '{_SIGMA}')"
)
_POSTGRESQL_TEMPLATE: Final = _UNICODE_LOWER.format(collation='"und-x-icu"')
# Cast to bytes, so that the comparison is exact.
_MARIADB_TEMPLATE: Final = (
    f"CAST({_UNICODE_LOWER.format(collation='utf8mb4_uca1400_as_cs')} AS BINARY)"
)
_MYSQL_TEMPLATE: Final = f"CAST({_UNICODE_LOWER.format(collation='utf8mb4_0900_as_cs')} AS BINARY)"


def text_contains(words: str, *fields: str) -> Q:
    """Return the condition that one of the fields contains `words`, in any letter case.

    It matches composed (NFC) and decomposed (NFD) text; macOS writes file names in NFD.
    """
    forms = {fold_case(form) for form in (words, normalize("NFC", words), normalize("NFD", words))}
    condition = Q(pk__in=[])
    for field, form in product(fields, sorted(forms)):
        index = StrIndex(_FoldCase(F(field)), Value(form, output_field=TextField()))
        condition |= Q(GreaterThan(index, 0))
    return condition


def fold_case(text: str) -> str:
    """Return `text` case-folded: texts that differ only in letter case become equal."""
    return text.replace(_DOTTED, _DOTTED_SMALL).lower().replace(_FINAL_SIGMA, _SIGMA)


class _FoldCase(Func):
    """`fold_case` as a database function."""

    function = SQLITE_FOLD
    arity = 1
    output_field = TextField()

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> Any:
        return self.as_sql(compiler, connection, template=_POSTGRESQL_TEMPLATE, **context)

    def as_mysql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> Any:
        is_mariadb = connection.mysql_is_mariadb  # type: ignore[attr-defined]  # of that backend
        template = _MARIADB_TEMPLATE if is_mariadb else _MYSQL_TEMPLATE
        return self.as_sql(compiler, connection, template=template, **context)


def is_storable(text: str) -> bool:
    """Return whether every database can store `text`: no NUL and no lone surrogate."""
    return not _UNSTORABLE.search(text)


def has_control_characters(text: str) -> bool:
    """Return whether `text` contains a control character (Unicode category Cc)."""
    return any(category(character) == "Cc" for character in text)


def replace_unstorable(text: str) -> str:
    """Return `text` with NUL and lone surrogates replaced by U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def clean_json(value: Any) -> Any:
    """Return a JSON value that can be stored: texts cleaned and cut, NaN and infinity as null."""
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
