"""Violations of a constraint become the same domain error on each database."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.db import IntegrityError, transaction

from tests.conftest import MakeUser
from tests.factories import ClientFactory, UserFactory
from timba.accounts.models import Role, User
from timba.db.integrity import get_violated_constraint, translate_integrity_errors
from timba.errors import Conflict

# What the servers say; the last argument of MySQL's and MariaDB's errors is the text.
TEXTS = {
    ("UNIQUE constraint failed: accounts_user.username",): "username_is_unique",
    (
        "UNIQUE constraint failed: accounts_role.client_id, accounts_role.name",
    ): "role_name_is_unique",
    ("CHECK constraint failed: log_measures_are_positive",): "log_measures_are_positive",
    (1062, "Duplicate entry 'anna' for key 'username_is_unique'"): "username_is_unique",
    (1062, "Duplicate entry 'anna' for key 'accounts_user.username_is_unique'"): (
        "username_is_unique"
    ),
    (1062, "Duplicate entry 'x' for key 'role_name_is_unique' for key 'username_is_unique'"): (
        "username_is_unique"
    ),
    (4025, "CONSTRAINT `note_title_is_not_empty` failed for `timba`.`notes_note`"): (
        "note_title_is_not_empty"
    ),
    (3819, "Check constraint 'note_title_is_not_empty' is violated."): "note_title_is_not_empty",
    ("UNIQUE constraint failed: accounts_user.id",): None,
    ("FOREIGN KEY constraint failed",): None,
    ("NOT NULL constraint failed: accounts_user.name",): None,
    (): None,
}


@pytest.mark.parametrize(("arguments", "name"), TEXTS.items())
def test_the_constraint_is_found_by_name(arguments: tuple[object, ...], name: str | None) -> None:
    assert get_violated_constraint(IntegrityError(*arguments)) == name


def test_postgresql_reports_the_name() -> None:
    failure = IntegrityError("duplicate key value …")
    failure.__cause__ = Exception()
    failure.__cause__.diag = SimpleNamespace(constraint_name="username_is_unique")
    assert get_violated_constraint(failure) == "username_is_unique"


def test_a_taken_username_becomes_its_sentence(make_user: MakeUser) -> None:
    make_user(username="anna")
    with (
        pytest.raises(Conflict, match=r"^Taken\.$") as refused,
        translate_integrity_errors({"username_is_unique": Conflict("Taken.")}),
        transaction.atomic(),
    ):
        make_user(username="anna")
    assert isinstance(refused.value.__cause__, IntegrityError)


def test_a_constraint_over_several_columns_is_told_from_others(make_user: MakeUser) -> None:
    client = ClientFactory()
    Role.unscoped.create(client=client, name="gate")
    expected = {"username_is_unique": Conflict("Wrong."), "role_name_is_unique": Conflict("Right.")}
    with (
        pytest.raises(Conflict, match=r"^Right\.$"),
        translate_integrity_errors(expected),
        transaction.atomic(),
    ):
        Role.unscoped.create(client=client, name="gate")


def test_a_check_becomes_its_sentence(make_user: MakeUser) -> None:
    user = make_user()
    with (
        pytest.raises(Conflict, match=r"^Staff or member\.$"),
        translate_integrity_errors(
            {"user_is_staff_or_has_client_and_role": Conflict("Staff or member.")}
        ),
        transaction.atomic(),
    ):
        User.unscoped.filter(pk=user.pk).update(client=None)


def test_a_violation_without_a_translation_passes_unchanged(make_user: MakeUser) -> None:
    make_user(username="anna")
    with (
        pytest.raises(IntegrityError),
        translate_integrity_errors({"role_name_is_unique": Conflict("Wrong.")}),
        transaction.atomic(),
    ):
        UserFactory(username="anna")
