"""Turns a database's refusal into the sentence that belongs to the constraint's name.

Asking first whether a name is taken would be a race; the named constraint decides, and this tells
which one it was. Each database says it in its own way, and SQLite names columns instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.apps import apps
from django.db import IntegrityError
from django.db.models import UniqueConstraint

from timba.errors import DomainError

# Anchored at the end, where no text that a caller sent can stand.
_MARIADB_UNIQUE = re.compile(r"for key '(?:[^'.]+\.)?([^'.]+)'\W*$")
_MARIADB_CHECK = re.compile(r"CONSTRAINT `([^`]+)` failed for `[^`]+`\.`[^`]+`\W*$")
_MYSQL_CHECK = re.compile(r"^Check constraint '([^']+)' is violated\.?$")
_SQLITE_CHECK = re.compile(r"^CHECK constraint failed: (\w+)$")
_SQLITE_UNIQUE = re.compile(r"^UNIQUE constraint failed: (.+)$")


@contextmanager
def translate_integrity_errors(errors: Mapping[str, DomainError]) -> Iterator[None]:
    """Raise the error that belongs to the violated constraint; other failures pass unchanged.

    A transaction around it is over: let the error leave it.
    """
    try:
        yield
    except IntegrityError as failure:
        error = errors.get(violated_constraint(failure) or "")
        if error is None:
            raise
        raise error from failure


def violated_constraint(failure: IntegrityError) -> str | None:
    """Return the name of the constraint that a write violated, None where none is named."""
    diagnosis = getattr(failure.__cause__, "diag", None)
    if diagnosis is not None:
        name: str | None = diagnosis.constraint_name
        return name
    text = str(failure.args[-1]) if failure.args else ""
    for pattern in (_SQLITE_CHECK, _MARIADB_UNIQUE, _MARIADB_CHECK, _MYSQL_CHECK):
        if found := pattern.search(text):
            return found[1]
    columns = _SQLITE_UNIQUE.search(text)
    return _unique_on(columns[1].split(", ")) if columns else None


def _unique_on(columns: list[str]) -> str | None:
    """Return the name of the unique constraint on these `table.column`s."""
    for model in apps.get_models():
        column_of = {field.name: field.column for field in model._meta.concrete_fields}
        for constraint in model._meta.constraints:
            if isinstance(constraint, UniqueConstraint):
                own = [f"{model._meta.db_table}.{column_of[name]}" for name in constraint.fields]
                if own == columns:
                    return constraint.name
    return None
