"""How clients, subscriptions, users and roles look to callers.

OpenAPI describes them by these types: a field is `Annotated[type, description, example]`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypedDict

from timba.accounts.models import Client, Role, Subscription, User

# Times in the examples of all schemas.
CREATED, UPDATED = "2026-03-02T08:15:00Z", "2026-03-05T14:30:00Z"


class SubscriptionSchema(TypedDict):
    """The subscription of a client: until when its users may write, and how many they may be."""

    plan: Annotated[str, "The plan: trial or standard.", "standard"]
    seats: Annotated[int, "How many users may be active at once.", 5]
    status: Annotated[
        Literal["trial", "active", "lapsed"],
        "Whether the client may write: not when lapsed.",
        "active",
    ]
    current_period_end: Annotated[
        datetime, "When the paid or trial period ends (UTC, ISO 8601).", "2026-12-31T00:00:00Z"
    ]
    quota_bytes: Annotated[
        int | None, "How many bytes the client's files may take; null for no limit.", 5368709120
    ]
    used_bytes: Annotated[
        int, "How many bytes the client's files take, those in the trash included.", 1288490189
    ]


class ClientSchema(TypedDict):
    """A timber company: the tenant that everything else belongs to."""

    id: Annotated[int, "Id of the client.", 1]
    name: Annotated[str, "Name of the company.", "Baltic Timber"]
    address: Annotated[str, "Postal address; may be empty.", "Dock Road 4, Riga"]
    contact: Annotated[
        str, "Person or telephone number to contact; may be empty.", "+371 2000 0000"
    ]
    email: Annotated[str, "E-mail address; may be empty.", "office@baltic-timber.example"]
    time_zone: Annotated[
        str, "Zone of the times in the client's PDFs and on paper, by its IANA name.", "Europe/Riga"
    ]
    is_active: Annotated[bool, "False while the client is suspended.", True]
    subscription: Annotated[SubscriptionSchema, "The client's subscription."]
    created_at: Annotated[datetime, "When the client was created (UTC, ISO 8601).", CREATED]
    updated_at: Annotated[datetime, "When the client was last changed (UTC, ISO 8601).", UPDATED]


class UserSchema(TypedDict):
    """A person who signs in."""

    id: Annotated[int, "Id of the user.", 3]
    name: Annotated[str, "Full name.", "Anna Ozola"]
    username: Annotated[str, "Name to sign in with, unique across all clients.", "anna"]
    role_id: Annotated[int | None, "Id of the user's role; null for staff.", 2]
    contact: Annotated[str, "Telephone number or e-mail address; may be empty.", "+371 2000 0001"]
    address: Annotated[str, "Postal address; may be empty.", "Mill Lane 2, Riga"]
    client_id: Annotated[int | None, "Id of the user's client; null for staff.", 1]
    is_active: Annotated[bool, "Whether the user may sign in and takes a seat.", True]
    created_at: Annotated[datetime, "When the user was created (UTC, ISO 8601).", CREATED]
    updated_at: Annotated[datetime, "When the user was last changed (UTC, ISO 8601).", UPDATED]


class RoleSchema(TypedDict):
    """A set of permissions that users are given."""

    id: Annotated[int, "Id of the role.", 9]
    name: Annotated[str, "Name of the role, unique within its client.", "gatekeeper"]
    permissions: Annotated[
        list[str],
        "What its users may do; reading needs no permission.",
        ["logs.write", "files.write"],
    ]


def serialize_client(client: Client) -> ClientSchema:
    """Return the client as callers see it."""
    return ClientSchema(
        id=client.pk,
        name=client.name,
        address=client.address,
        contact=client.contact,
        email=client.email,
        time_zone=client.time_zone,
        is_active=client.is_active,
        subscription=serialize_subscription(client.subscription),
        created_at=client.created_at,
        updated_at=client.updated_at,
    )


def serialize_subscription(subscription: Subscription) -> SubscriptionSchema:
    """Return the subscription as callers see it, with today's status."""
    return SubscriptionSchema(
        plan=subscription.plan,
        seats=subscription.seats,
        status=subscription.status,
        current_period_end=subscription.current_period_end,
        quota_bytes=subscription.quota_bytes,
        used_bytes=subscription.used_bytes,
    )


def serialize_user(user: User) -> UserSchema:
    """Return the user as callers see it, without the password."""
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
