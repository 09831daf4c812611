"""Naming a client's cities, and the rules for their numbers and names.

This app cannot import the apps that cache names of cities. Each of them provides one function,
listed in `CITY_NAME_HOOKS`.
"""

from __future__ import annotations

from functools import cache
from typing import Protocol

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from timba.accounts.authorization import require
from timba.accounts.models import Client, User
from timba.accounts.permissions import Permission
from timba.db.text import has_control_characters
from timba.db.transactions import apply_changes, retry_on_deadlock
from timba.errors import Invalid, NotFound
from timba.places.city_numbers import CITY_NUMBERS
from timba.places.models import MAX_CITY_NAME, City


class CityNameHook(Protocol):
    """Makes an app forget the names of the client's cities that it has cached.

    It is called inside the transaction that changes a name.
    """

    def __call__(self, *, client_id: int) -> None: ...


@retry_on_deadlock
def name_city(*, actor: User, client: Client, city_id: int, name: str) -> City:
    """Name or rename a city, and call the hooks if its name changes.

    Raises NotFound for an impossible number and Invalid for an impossible name.
    """
    require(actor, Permission.WRITE_FILES, client=client)
    if city_id not in CITY_NUMBERS:
        raise NotFound("There is no such city.")
    _check_city_name(name)
    with transaction.atomic():
        city, is_new = City.unscoped.select_for_update().get_or_create(
            client=client, number=city_id, defaults={"name": name}
        )
        is_changed = apply_changes(city, {"name": name})
        if is_changed:
            city.save()
        if is_new or is_changed:
            for hook in _city_name_hooks():
                hook(client_id=client.pk)
    return city


def check_city_number(number: int) -> None:
    """Raise Invalid for a number that no city can have."""
    if number not in CITY_NUMBERS:
        sentence = f"A city's number is from {CITY_NUMBERS[0]} to {CITY_NUMBERS[-1]}."
        raise Invalid(fields={"city_id": [sentence]})


@cache
def _city_name_hooks() -> tuple[CityNameHook, ...]:
    return tuple(import_string(name) for name in settings.CITY_NAME_HOOKS)


def _check_city_name(name: str) -> None:
    if not name.strip():
        raise Invalid(fields={"name": ["A city needs a name."]})
    if len(name) > MAX_CITY_NAME:
        raise Invalid(fields={"name": [f"A name has at most {MAX_CITY_NAME} characters."]})
    if has_control_characters(name):
        raise Invalid(fields={"name": ["A name has no line breaks or other control characters."]})
