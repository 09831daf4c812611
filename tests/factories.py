"""Makes the people that tests need: clients with a subscription, users in a role, staff."""

from __future__ import annotations

from typing import Any

import factory
from factory.django import DjangoModelFactory

from timba.accounts.models import Client, Role, Subscription, User
from timba.accounts.permissions import BUILT_IN_ROLES

PASSWORD = "larch-and-alder-48"


class SubscriptionFactory(DjangoModelFactory):
    class Meta:
        model = Subscription

    seats = 50


class ClientFactory(DjangoModelFactory):
    """A client whose trial has begun, with seats to spare."""

    class Meta:
        model = Client
        skip_postgeneration_save = True

    name = factory.Sequence(lambda n: f"Sawmill {n}")
    subscription = factory.RelatedFactory(SubscriptionFactory, factory_related_name="client")


class UserFactory(DjangoModelFactory):
    """A user of a client, by default its owner; `role` is a role or a built-in one's name."""

    class Meta:
        model = User

    client = factory.SubFactory(ClientFactory)
    role = "owner"
    username = factory.Sequence(lambda n: f"user-{n}")
    name = factory.Faker("name")
    password = PASSWORD

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **fields: Any) -> User:
        if isinstance(fields["role"], str):
            fields["role"] = Role.unscoped.get(client=None, name=fields["role"])
        password = fields.pop("password")
        user = model_class(**fields)
        user.set_password(password)
        user.save()
        return user


class StaffFactory(UserFactory):
    """Platform staff: no client, no role, sees all."""

    client = None
    role = None
    username = factory.Sequence(lambda n: f"staff-{n}")
    is_staff = True
    is_superuser = True


def add_built_in_roles() -> None:
    """Put back what the migrations made: a test with real transactions empties every table."""
    if Role.unscoped.filter(client=None).exists():
        return
    for number, (name, permissions) in enumerate(BUILT_IN_ROLES.items(), start=1):
        # The first numbers, as ever: lists are by number, and these stand at their head.
        Role.unscoped.create(pk=number, client=None, name=name, permissions=list(permissions))
