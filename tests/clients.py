"""Test clients, and calls of an endpoint that leave the database as it was."""

from __future__ import annotations

from collections.abc import Mapping
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

import orjson
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from tests.endpoints import ID, READINGS, Endpoint
from timba.accounts.models import User
from timba.accounts.tokens import issue_tokens


def access_token(user: User) -> str:
    return issue_tokens(user=user).access


def api_client(user: User | None = None) -> Client:
    """Return a program, with an access token of this user if there is one."""
    headers = {"accept": "application/json"}
    if user is not None:
        headers["authorization"] = f"Bearer {access_token(user)}"
    return Client(headers=headers)


def browser(user: User | None = None, **options: Any) -> Client:
    """Return a browser, signed in as this user if there is one."""
    client = Client(headers={"accept": "text/html"}, **options)
    if user is not None:
        client.force_login(user)
    return client


def client_for(endpoint: Endpoint, user: User) -> Client:
    """Return what a user calls this endpoint with: a browser for a page, else a program."""
    return browser(user) if endpoint.is_page else api_client(user)


def call(
    client: Client,
    endpoint: Endpoint,
    ids: Mapping[str, Any],
    *,
    query: Mapping[str, Any] | None = None,
    body: Mapping[str, Any] | None = None,
    url: str | None = None,
    commit: bool = False,
    **request: Any,
) -> Any:
    """Call an endpoint with its minimal body; return the response, whose content is read.

    `query` and `body` replace or add single parameters. `ids` are the rows that the path and the
    body name. Changes are rolled back unless `commit` is true.
    """
    body = {**filled(endpoint, ids), **(body or {})}
    if endpoint.method in ("GET", "DELETE"):
        query, body = {**body, **(query or {})}, {}
    url = endpoint.url(ids) if url is None else url
    url = f"{url}?{urlencode(query, doseq=True)}" if query else url
    if endpoint.is_form:
        data, content_type = encode_multipart(BOUNDARY, body), MULTIPART_CONTENT
    else:
        data, content_type = orjson.dumps(body, default=str) if body else b"", "application/json"
    return send(client, endpoint.method, url, data, content_type, commit=commit, **request)


def send(
    client: Client,
    method: str,
    url: str,
    data: bytes = b"",
    content_type: str = "application/json",
    *,
    commit: bool = False,
    **request: Any,
) -> Any:
    """Send raw bytes; return the response, whose content is read. Roll back unless `commit`."""
    cookies = client.cookies
    client.cookies = SimpleCookie(cookies.output(attrs=[], header="", sep=";"))
    block = transaction.atomic()
    block._from_testcase = True  # type: ignore[attr-defined] # permits durable blocks within
    with block:
        response = client.generic(method, url, data, content_type=content_type, **request)
        if response.streaming:
            content = b"".join(response)
            response = HttpResponse(content, status=response.status_code, headers=response.headers)
        transaction.set_rollback(not commit)
    if not commit:
        client.cookies = cookies
    return response


def filled(endpoint: Endpoint, ids: Mapping[str, Any]) -> dict[str, Any]:
    """Return the endpoint's minimal body: ids in place of ID, a file in place of READINGS."""
    body = {}
    for name, value in endpoint.body.items():
        if value is ID:
            body[name] = ids[f"{name}_id" if name == "role" else name]
        elif value is READINGS:
            body[name] = SimpleUploadedFile("walked.csv", READINGS, content_type="text/csv")
        else:
            body[name] = value
    return body
