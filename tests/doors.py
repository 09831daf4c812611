"""Finds every door by walking the root URLconf, and knows how to knock at it.

What the walk does not know how to fill makes the test that walks red, so a new URL, a new path
parameter or a new field is covered, or noticed, without anyone remembering.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode
from zipfile import ZipFile

import orjson
from django.contrib.admindocs.views import simplify_regex
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

from timba.api.docs import openapi_document

ZIP = b"PK\3\4"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
READINGS = b"city_id,temperature,timestamp\n7,21.5,2026-01-01T00:00:00Z\nno reading\n"
# A good value for every field that any door takes and that names no row.
VALUES: Mapping[str, Any] = {
    "address": "Mežaparks 3",
    "contact": "+371 200",
    "content": "bark on one side",
    "barcode": "TB-walked",
    "breadth": 30,
    "current_password": "larch-and-alder-48",
    "current_period_end": "2190-01-01T00:00:00Z",
    "email": "office@sawmill.example",
    "from": "2026-01-01T00:00:00Z",
    "height": 31.5,
    "is_active": True,
    "kind": "temperatures",
    "length": "4.125",
    "name": "Walked",
    "password": "spruce-bark-7731",
    "permissions": ["logs.write"],
    "plan": "standard",
    "refresh": "not a token",
    "role": "viewer",
    "seats": 9,
    "status": "active",
    "title": "Lorry 7",
    "to": "2026-02-01T00:00:00Z",
    "type": "hardwood",
    "username": "walked",
    "vehicle_number": "LV-1234",
}
# Which noun the `pk` of a route is an id of.
_NOUNS: Mapping[str, str] = {
    "api/clients/": "client_id",
    "api/consignments/": "consignment_id",
    "api/files/": "file_id",
    "api/logs/": "log_id",
    "api/notes/": "note_id",
    "api/roles/": "role_id",
    "api/users/": "user_id",
    "consignments/": "consignment_id",
    "files/": "file_id",
    "logs/": "log_id",
    "notes/": "note_id",
    "people/": "user_id",
    "people/roles/": "role_id",
}
_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
_UUID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LEADS_TO = re.compile(rb"('Location': '/\w+)/\d+/'")
_CSRF_TOKEN = re.compile(rb"\b[A-Za-z0-9]{64}\b")
_PLAIN_DJANGO = ("GET", "POST")


@dataclass(frozen=True, kw_only=True, slots=True)
class Door:
    """One route, and the methods that it answers."""

    route: str
    methods: tuple[str, ...]

    @property
    def parameters(self) -> list[str]:
        return _PARAMETER.findall(self.route)

    @property
    def is_admin(self) -> bool:
        return self.route.startswith("admin/")

    def path(self, ids: Mapping[str, Any]) -> str:
        """Return the address of the rows that have these ids."""
        return "/" + _PARAMETER.sub(lambda found: str(ids[self.names(found[1])]), self.route)

    def names(self, parameter: str) -> str:
        """Return which noun's id a path parameter is: `note_id`, `file_id` and so on."""
        if parameter.endswith("_id") or self.is_admin:
            return parameter
        return noun_id(self.route)

    def operation(self, method: str) -> dict[str, Any] | None:
        """Return what OpenAPI says of this method here; None of a page."""
        template = "/" + _PARAMETER.sub(r"{\1}", self.route).replace("{pk}", "{id}")
        found: dict[str, Any] | None = (
            openapi_document()["paths"].get(template, {}).get(method.lower())
        )
        return found

    def __str__(self) -> str:
        return self.route or "(home)"


def noun_id(route: str) -> str:
    """Return which noun's id stands first in a route, or in its template in OpenAPI."""
    beginning = re.split("[<{]", route.removeprefix("/"))[0]
    assert beginning in _NOUNS, f"The walk does not know whose id stands in {route}"
    return _NOUNS[beginning]


@cache
def doors() -> list[Door]:
    """Return every door; of several routes that are spelled alike it is the first that answers."""
    found: dict[str, Door] = {}
    for route, view in _walk(get_resolver()):
        known = found.get(route)
        methods = set(_methods(view)) | set(known.methods if known else ())
        found[route] = Door(route=route, methods=tuple(m for m in METHODS if m in methods))
    return list(found.values())


def calls(*, documented: bool | None = None) -> list[tuple[Door, str]]:
    """Return every door with each of its methods; the documented ones, the others, or all."""
    return [
        (door, method)
        for door in doors()
        for method in door.methods
        if documented is None or (door.operation(method) is not None) == documented
    ]


def fields_of(operation: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Return the properties of an operation's body."""
    content = (operation or {}).get("requestBody", {}).get("content", {})
    for media in content.values():
        properties: dict[str, dict[str, Any]] = resolved(media["schema"])["properties"]
        return properties
    return {}


def resolved(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a part of the schema, its reference followed."""
    if "$ref" not in part:
        return part
    found = openapi_document()["components"]["schemas"][part["$ref"].rpartition("/")[2]]
    return dict(found)


def is_form(operation: Mapping[str, Any] | None) -> bool:
    """Whether the body is a multipart form."""
    return "multipart/form-data" in (operation or {}).get("requestBody", {}).get("content", {})


def body_for(operation: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a good body, but for the fields that name rows: those are the caller's to fill."""
    body: dict[str, Any] = {}
    for name, field in fields_of(operation).items():
        if name.endswith("_id"):
            continue
        if field.get("format") == "binary":
            body[name] = a_file()
        elif field.get("type") == "array" and field["items"].get("format") == "binary":
            body[name] = [a_file()] if name == "files" else []
        else:
            assert name in VALUES, f"The walk does not know how to fill the field {name!r}."
            body[name] = VALUES[name]
    return body


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """An answer as the caller has it in hand."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes

    def __getitem__(self, header: str) -> str:
        return self.headers[header]

    def json(self) -> Any:
        return orjson.loads(self.content)


def ask(
    program: Client,
    method: str,
    path: str,
    *,
    query: Mapping[str, Any] | None = None,
    body: Mapping[str, Any] | None = None,
    form: bool = False,
    headers: Mapping[str, str] | None = None,
    keep: bool = False,
) -> Answer:
    """Knock, and leave everything as it was unless told to `keep` what the answer changed."""
    data, content_type = b"", "application/json"
    if form:
        data, content_type = encode_multipart(BOUNDARY, dict(body or {})), MULTIPART_CONTENT
    elif body is not None:
        data = orjson.dumps(body, default=str)
    address = f"{path}?{urlencode(query, doseq=True)}" if query else path
    cookies = program.cookies
    program.cookies = SimpleCookie(cookies.output(attrs=[], header="", sep=";"))
    undone = transaction.atomic()
    undone._from_testcase = True  # type: ignore[attr-defined] # to Timba it is no transaction
    with undone:
        answer = program.generic(
            method, address, data, content_type=content_type, headers=dict(headers or {})
        )
        content = b"".join(answer) if answer.streaming else answer.content
        transaction.set_rollback(not keep)
    if not keep:
        program.cookies = cookies
    return Answer(status_code=answer.status_code, headers=dict(answer.items()), content=content)


def heard(answer: Answer, *, asked: object = None, secrets: Set[str] = frozenset()) -> bytes:
    """Return all that a caller can hear, the asked id taken out; check that no secret is in it."""
    headers = {
        name: value
        for name, value in answer.headers.items()
        if name not in {"Content-Length", "X-Request-ID"}
    }
    whole = repr((answer.status_code, headers)).encode() + _unpacked(answer.content)
    if asked is not None:
        whole = whole.replace(str(asked).encode(), b"<asked>")
    if (made := _made(answer)) is not None:
        whole = whole.replace(b'"id":%d' % made, b'"id":<made>')
    for secret in secrets:
        assert secret.encode() not in whole, f"{secret!r} is in {whole!r}"
    whole = _LEADS_TO.sub(rb"\1/<made>/'", whole)  # a page leads on to the row that it made
    return _CSRF_TOKEN.sub(b"<token>", _UUID.sub(b"<uuid>", whole))


def _unpacked(content: bytes) -> bytes:
    """Return what is in a workbook, without the time at which each part was packed."""
    if not content.startswith(ZIP):
        return content
    with ZipFile(io.BytesIO(content)) as archive:
        return b"".join(name.encode() + archive.read(name) for name in archive.namelist())


def _made(answer: Answer) -> int | None:
    """Return the id of the row that a call has made: no server gives one out a second time.

    SQLite does, once what took it is rolled back.
    """
    if answer.status_code != HTTPStatus.CREATED:
        return None
    row = answer.json()
    made = row.get("data", row).get("id")
    return made if isinstance(made, int) else None


def a_file() -> SimpleUploadedFile:
    """Return a temperature file with a bad line."""
    return SimpleUploadedFile("walked.csv", READINGS, content_type="text/csv")


def _walk(resolver: URLResolver, before: str = "") -> Iterator[tuple[str, Any]]:
    for part in resolver.url_patterns:
        route = before + _route(part)
        if isinstance(part, URLPattern):
            yield route, part.callback
        else:
            yield from _walk(part, route)


def _route(part: URLPattern | URLResolver) -> str:
    if isinstance(part.pattern, RoutePattern):
        return str(part.pattern)
    return simplify_regex(str(part.pattern)).removeprefix("/")


def _methods(view: Any) -> tuple[str, ...]:
    made_of = getattr(view, "cls", getattr(view, "view_class", None))
    if made_of is None:
        return _PLAIN_DJANGO
    return tuple(method for method in METHODS if hasattr(made_of, method.lower()))
