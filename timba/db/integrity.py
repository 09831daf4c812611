"""Translates integrity errors into domain errors by the name of the violated constraint.

Checking beforehand whether a name is taken would be a race condition, so the constraint decides.
Each database reports the constraint's name differently; SQLite reports columns instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.apps import apps
from django.db import IntegrityError
from django.db.models import UniqueConstraint

from timba.errors import DomainError

# Anchored at the end of the message, which never contains text from a request.
_MARIADB_UNIQUE = re.compile(r"for key '(?:[^'.]+\.)?([^'.]+)'\W*$")
_MARIADB_CHECK = re.compile(r"CONSTRAINT `([^`]+)` failed for `[^`]+`\.`[^`]+`\W*$")
_MYSQL_CHECK = re.compile(r"^Check constraint '([^']+)' is violated\.?$")
_SQLITE_CHECK = re.compile(r"^CHECK constraint failed: (\w+)$")
_SQLITE_UNIQUE = re.compile(r"^UNIQUE constraint failed: (.+)$")


@contextmanager
def translate_integrity_errors(errors: Mapping[str, DomainError]) -> Iterator[None]:
    """Raise `errors[name]` for a violation of the constraint `name`; let other errors pass.

    A surrounding transaction is broken: the error must leave its block.
    """
    try:
        yield
    except IntegrityError as failure:
        error = errors.get(get_violated_constraint(failure) or "")
        if error is None:
            raise
        raise error from failure


def get_violated_constraint(failure: IntegrityError) -> str | None:
    """Return the name of the violated constraint, or None if the database does not report it."""
    diagnostics = getattr(failure.__cause__, "diag", None)
    if diagnostics is not None:
        name: str | None = diagnostics.constraint_name
        return name
    text = str(failure.args[-1]) if failure.args else ""
    for pattern in (_SQLITE_CHECK, _MARIADB_UNIQUE, _MARIADB_CHECK, _MYSQL_CHECK):
        if match := pattern.search(text):
            return match[1]
    columns = _SQLITE_UNIQUE.search(text)
    return _find_unique_constraint(columns[1].split(", ")) if columns else None


def _find_unique_constraint(columns: list[str]) -> str | None:
    """Return the name of the unique constraint on these columns, each `table.column`."""
    for model in apps.get_models():
        column_of = {field.name: field.column for field in model._meta.concrete_fields}
        for constraint in model._meta.constraints:
            if isinstance(constraint, UniqueConstraint):
                constrained = [
                    f"{model._meta.db_table}.{column_of[name]}" for name in constraint.fields
                ]
                if constrained == columns:
                    return constraint.name
    return None
