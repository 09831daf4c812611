"""Clients that are signed in, and calls of an endpoint that leave the database as it was."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

import orjson
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.http import QueryDict
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from rest_framework.test import APIClient

from tests.endpoints import ID, Endpoint
from timba.accounts.models import User
from timba.accounts.tokens import issue_tokens


def api_client_of(user: User) -> APIClient:
    """Return an API client with an access token of this user."""
    return APIClient(headers={"authorization": f"Bearer {issue_tokens(user=user).access}"})


def browser_of(user: User | None = None, **options: Any) -> Client:
    """Return a client that accepts HTML, signed in as this user if there is one."""
    browser = Client(headers={"accept": "text/html"}, **options)
    if user is not None:
        browser.force_login(user)
    return browser


def filled(endpoint: Endpoint, ids: Mapping[str, Any]) -> dict[str, Any]:
    """Return the endpoint's minimal body: ids in place of ID, a file in place of bytes."""
    body = {name: ids[name] if value is ID else value for name, value in endpoint.body.items()}
    if body.get("ids") == [ID]:
        body["ids"] = [ids["file_id"]]
    return {
        name: SimpleUploadedFile("walked.csv", value) if isinstance(value, bytes) else value
        for name, value in body.items()
    }


def call(
    client: Client,
    endpoint: Endpoint,
    ids: Mapping[str, Any],
    *,
    query: Mapping[str, Any] | None = None,
    body: Mapping[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Send an endpoint its minimal body, changed by `query` and `body`; return the response.

    `ids` are the rows that the path and the body name.
    """
    body, query = {**filled(endpoint, ids), **(body or {})}, query or {}
    if endpoint.is_tus:
        options["headers"] = {**tus_headers(body), **options.get("headers", {})}
        body = {}
    if endpoint.method in ("GET", "DELETE"):
        query, body = {**body, **query}, {}
    url = f"{endpoint.url(ids)}?{urlencode(query, doseq=True)}" if query else endpoint.url(ids)
    if endpoint.is_form:
        data, content_type = encode_multipart(BOUNDARY, body), MULTIPART_CONTENT
    else:
        data, content_type = orjson.dumps(body, default=str) if body else b"", "application/json"
    return send(client, endpoint.method, url, data, content_type, **options)


def tus_headers(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers of any request of tus, with these fields as `Upload-Metadata`."""
    pairs = [f"{name} {b64encode(str(text).encode()).decode()}" for name, text in fields.items()]
    return {
        "Content-Type": "application/offset+octet-stream",
        "Tus-Resumable": "1.0.0",
        "Upload-Length": "5",
        "Upload-Metadata": ",".join(pairs),
        "Upload-Offset": "0",
    }


def send(
    client: Client,
    method: str,
    url: str,
    data: bytes = b"",
    content_type: str = "application/json",
    *,
    commit: bool = False,
    **options: Any,
) -> Any:
    """Send raw bytes; return the response, whose content is read. Roll back unless `commit`."""
    cookies, savepoint = deepcopy(client.cookies), transaction.savepoint()
    response: Any = client.generic(method, url, data, content_type=content_type, **options)
    if response.streaming:
        response.streaming_content = [response.getvalue()]
    if not commit:
        transaction.savepoint_rollback(savepoint)
        client.cookies = cookies
    return response


@contextmanager
def recorded_names() -> Iterator[set[str]]:
    """Yield the set of names that views look up in queries and forms meanwhile."""
    names: set[str] = set()

    def recording(method: Any) -> Any:
        def lookup(self: QueryDict, name: str, *arguments: Any) -> Any:
            names.add(name)
            return method(self, name, *arguments)

        return lookup

    with (
        patch.object(QueryDict, "__getitem__", recording(QueryDict.__getitem__)),
        patch.object(QueryDict, "getlist", recording(QueryDict.getlist)),
    ):
        yield names
