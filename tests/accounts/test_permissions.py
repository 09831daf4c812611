"""Authorization: what each role may do, for which client, and until when."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.conftest import MakeUser
from tests.factories import ClientFactory
from timba.accounts.authorization import require, require_active_subscription
from timba.accounts.models import Client, Role, User
from timba.accounts.permissions import BUILT_IN_ROLES, Permission
from timba.errors import Forbidden, Lapsed, NotFound

ALLOWED = {
    "owner": {"users.manage", "consignments.write", "logs.write", "files.write", "notes.write"},
    "manager": {"consignments.write", "logs.write", "files.write", "notes.write"},
    "operator": {"logs.write", "files.write", "notes.write"},
    "viewer": set(),
}


@pytest.mark.parametrize("permission", list(Permission))
@pytest.mark.parametrize("role", ALLOWED)
def test_a_built_in_role_allows_what_the_contract_says(
    role: str, permission: Permission, make_user: MakeUser
) -> None:
    user = make_user(role=role)
    if permission in ALLOWED[role]:
        require(user, permission, client=user.client)
    else:
        with pytest.raises(Forbidden, match=r"^Your role does not allow this: it may not "):
            require(user, permission, client=user.client)


@pytest.mark.django_db
def test_the_migration_creates_the_built_in_roles() -> None:
    made = {role.name: set(role.permissions) for role in Role.unscoped.filter(client=None)}
    assert made == ALLOWED
    assert {name: set(allowed) for name, allowed in BUILT_IN_ROLES.items()} == ALLOWED


def test_a_foreign_client_does_not_exist(make_user: MakeUser) -> None:
    with pytest.raises(NotFound, match=r"^There is no such client\.$"):
        require(make_user(), Permission.WRITE_NOTES, client=ClientFactory())
    with pytest.raises(NotFound, match=r"^There is no such client\.$"):
        require(make_user(), Permission.WRITE_NOTES, client=None)


def test_a_lapsed_subscription_stops_all_writes_but_those_of_staff(
    make_user: MakeUser, staff: User, client_company: Client
) -> None:
    client_company.subscription.current_period_end = timezone.now() - timedelta(seconds=1)
    client_company.subscription.save()
    owner = User.unscoped.get(pk=make_user().pk)
    assert owner.client.subscription.status == "lapsed"
    with pytest.raises(Lapsed):
        require(owner, Permission.WRITE_NOTES, client=owner.client)
    with pytest.raises(Lapsed):
        require_active_subscription(owner, client=owner.client)
    require(staff, Permission.WRITE_NOTES, client=owner.client)


def test_a_missing_permission_is_reported_before_a_lapsed_subscription(
    make_user: MakeUser, client_company: Client
) -> None:
    client_company.subscription.current_period_end = timezone.now() - timedelta(seconds=1)
    with pytest.raises(Forbidden):
        require(make_user(role="viewer"), Permission.WRITE_NOTES, client=client_company)
