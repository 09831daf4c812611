"""How clients, users and roles look to every caller; the API's schema is made from these types."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypedDict

from timba.accounts.models import Client, Role, Subscription, User


class SubscriptionSchema(TypedDict):
    plan: str
    seats: int
    status: Literal["trial", "active", "lapsed"]
    current_period_end: datetime


class ClientSchema(TypedDict):
    id: int
    name: str
    address: str
    contact: str
    email: str
    is_active: bool
    subscription: SubscriptionSchema
    created_at: datetime
    updated_at: datetime


class UserSchema(TypedDict):
    id: int
    name: str
    username: str
    role_id: int | None
    contact: str
    address: str
    client_id: int | None
    is_active: bool
    created_at: datetime
    updated_at: datetime


class RoleSchema(TypedDict):
    id: int
    name: str
    permissions: list[str]


def serialize_client(client: Client) -> ClientSchema:
    """Return the client as callers see it."""
    return ClientSchema(
        id=client.pk,
        name=client.name,
        address=client.address,
        contact=client.contact,
        email=client.email,
        is_active=client.is_active,
        subscription=serialize_subscription(client.subscription),
        created_at=client.created_at,
        updated_at=client.updated_at,
    )


def serialize_subscription(subscription: Subscription) -> SubscriptionSchema:
    """Return the subscription as callers see it, and where it stands today."""
    return SubscriptionSchema(
        plan=subscription.plan,
        seats=subscription.seats,
        status=subscription.status,
        current_period_end=subscription.current_period_end,
    )


def serialize_user(user: User) -> UserSchema:
    """Return the user as callers see it: never the password."""
    return UserSchema(
        id=user.pk,
        name=user.name,
        username=user.username,
        role_id=user.role_id,
        contact=user.contact,
        address=user.address,
        client_id=user.client_id,
        is_active=user.is_active,
        created_at=user.created_at,
        updated_at=user.updated_at,
    )


def serialize_role(role: Role) -> RoleSchema:
    """Return the role as callers see it."""
    return RoleSchema(id=role.pk, name=role.name, permissions=list(role.permissions))
