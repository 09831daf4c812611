"""Somebody at a door, with a good call in hand: the rows of their own tenant, and good values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.test import Client as Program

from tests.doors import Answer, Door, ask, body_for, fields_of, is_form
from tests.factories import PASSWORD, Tenant
from timba.accounts.models import User
from timba.accounts.tokens import issue_tokens

# What the pages' forms send, beside ids.
FORM: Mapping[str, str] = {
    "barcode": "TB-walked",
    "breadth": "30,5",
    "content": "bark on one side",
    "current_password": PASSWORD,
    "height": "31.5",
    "is_active": "on",
    "length": "4,125",
    "name": "Walked",
    "password": PASSWORD,
    "title": "Lorry 7",
    "type": "hardwood",
    "username": "walked",
}


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who makes a call at a door; what it changes is rolled back, unless it is told to keep it."""

    program: Program
    door: Door
    method: str
    tenant: Tenant

    def ask(
        self,
        ids: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        slash: bool | None = None,
        headers: Mapping[str, str] | None = None,
        keep: bool = False,
    ) -> Answer:
        """Make a good call, but with what is given instead in the path, the query or the body."""
        alias = "id" in {**(query or {}), **(body or {})}
        path = self.door.path(ids or self.tenant.ids)
        if slash is not None:
            path = path.rstrip("/") + "/" * slash
        return ask(
            self.program,
            self.method,
            path,
            query={**({} if alias else self._query()), **(query or {})},
            body={**self.body(without_ids=alias), **(body or {})},
            form=is_form(self._operation) or self._operation is None,
            headers=headers,
            keep=keep,
        )

    def body(self, *, without_ids: bool = False) -> dict[str, Any]:
        """Return the body of a good call."""
        if self._operation is None:
            return {**FORM, "role": self.tenant.ids["role_id"]}
        names = [name for name in fields_of(self._operation) if name.endswith("_id")]
        ids = {} if without_ids else {name: self.tenant.ids[name] for name in names}
        return {**body_for(self._operation), **ids}

    @property
    def _operation(self) -> dict[str, Any] | None:
        return self.door.operation(self.method)

    def _query(self) -> dict[str, Any]:
        names = [p["name"] for p in (self._operation or {}).get("parameters", [])]
        return {name: self.tenant.ids[name] for name in names if name in self.tenant.ids}


def caller(door: Door, method: str, *, user: User, tenant: Tenant) -> Caller:
    """Return `user` at this door: with a program, or with a browser where it is a page."""
    if door.operation(method) is None:
        program = Program(headers={"accept": "text/html"})
        program.force_login(user)
    else:
        program = signed_in(user)
    return Caller(program=program, door=door, method=method, tenant=tenant)


def signed_in(user: User) -> Program:
    """Return a program with a token of this user."""
    return Program(headers={"authorization": f"Bearer {issue_tokens(user=user).access}"})
