"""Ids of rows that were deleted are not given again, whichever database a backup is moved to."""

from __future__ import annotations

import pytest

from timba.accounts.models import Client, Subscription
from timba.db.sequences import has_sequence, last_number, set_last_number


@pytest.mark.django_db(transaction=True)
def test_the_last_number_is_that_of_a_deleted_row() -> None:
    client = Client.unscoped.create(name="gone")
    number = client.pk
    client.delete()
    assert last_number(Client) == number
    assert Client.unscoped.create(name="next").pk == number + 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", [0, 41])
def test_the_next_row_gets_the_number_after_the_last(number: int) -> None:
    Client.unscoped.all().delete()
    set_last_number(Client, number)
    assert last_number(Client) == number
    assert Client.unscoped.create(name="next").pk == number + 1


def test_models_without_numbers_of_their_own_have_no_sequence() -> None:
    assert has_sequence(Client)
    assert not has_sequence(Subscription)
