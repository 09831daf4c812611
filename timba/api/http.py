"""Parses and validates requests, finds and paginates the rows that they name, renders JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import IO, Any, Final, Protocol, TypeVar
from urllib.parse import unquote_to_bytes

import orjson
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import models
from django.http import HttpRequest, HttpResponse, QueryDict
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from timba.accounts.models import Client, User
from timba.accounts.tenancy import ScopedManager, TenantQuerySet
from timba.db.pagination import NEWEST_FIRST, Page, paginate
from timba.db.text import is_storable
from timba.errors import Invalid, NotFound
from timba.serialization import MAX_DEPTH, NestedTooDeeply, dumps, loads

M = TypeVar("M", bound=models.Model)
T = TypeVar("T")

UNSTORABLE_TEXT: Final = "Text may not contain NUL or half of a surrogate pair."
# Descriptions in OpenAPI of parameters that several endpoints have.
ACTING_CLIENT_HELP: Final = (
    "Id of the client to act for. Staff must give it; other users act for their own client."
)
CLIENT_FILTER_HELP: Final = "Only objects of the client with this id."
CONSIGNMENT_LINK_HELP: Final = "Id of the consignment to link the file to."
DEFAULT_LIMIT, MAX_LIMIT = 100, 1000
LIMIT_PARAMETER: Final = OpenApiParameter(
    "limit",
    {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    description="Largest number of objects on a page.",
)
PAGE_PARAMETERS: Final = [
    LIMIT_PARAMETER,
    OpenApiParameter(
        "cursor",
        str,
        description="Where the page starts: part of the `next` URL of the page before it.",
    ),
]


class QuerySerializer(serializers.Serializer[Any]):
    """The query parameters of a list; unknown parameters are ignored."""


@extend_schema_field({"type": "integer"})
class IdField(serializers.CharField):
    """An id in a form, where every value is text; a blank one names no row."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_blank=True, **kwargs)


class RepeatedField(serializers.ListField):
    """A parameter that may be repeated; what is wrong with a value is said of the parameter."""

    def run_child_validation(self, data: list[Any]) -> list[Any]:
        return [self.child.run_validation(value) for value in data]


class _RowOfClient(Protocol):
    client_id: Any


def validated_query(serializer_class: type[QuerySerializer], request: Request) -> dict[str, Any]:
    """Return the valid query parameters of a request; raise ValidationError for an invalid one."""
    try:
        unquote_to_bytes(request.META["QUERY_STRING"]).decode()
    except UnicodeDecodeError:
        raise ParseError("The query is not in UTF-8.") from None
    check_storable(request.query_params)
    serializer = serializer_class(data=request.query_params)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def validated(serializer: serializers.Serializer[Any]) -> dict[str, Any]:
    """Return the valid fields of a body; raise ValidationError for an invalid one."""
    if not isinstance(serializer.initial_data, Mapping):
        raise Invalid("The body is not a JSON object.")
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def acting_client(actor: User, client_id: Any = None) -> Client:
    """Return the client to act for: the requested one, else the actor's own.

    Raises Invalid when staff give no `client_id`, NotFound as `requested_client` does.
    """
    client = requested_client(actor, client_id)
    if client is not None:
        return client
    if actor.client is None:
        raise Invalid(fields={"client_id": ["Say for which client: give its client_id."]})
    return actor.client


def requested_client(actor: User, client_id: Any) -> Client | None:
    """Return the client with the requested id, or None where the id is null or blank.

    Raises the same NotFound for a client that is absent and one that the actor may not see.
    """
    return get_optional_row(Client.objects, actor, client_id, "client_id", "subscription")


def filter_by_client(rows: TenantQuerySet[M], actor: User, client_id: Any) -> TenantQuerySet[M]:
    """Filter rows by the requested client, if there is one."""
    client = requested_client(actor, client_id)
    return rows if client is None else rows.filter(client_id=client.pk)


def check_same_client(actor: User, row: _RowOfClient, client_id: Any, sentence: str) -> None:
    """Raise Invalid with the sentence where a change requests another client than the row's."""
    client = requested_client(actor, client_id)
    if client is not None and client.pk != row.client_id:
        raise Invalid(fields={"client_id": [sentence]})


def get_optional_row(
    manager: ScopedManager[M], actor: User, value: Any, field: str, *related: str
) -> M | None:
    """Return the row with an id from a query or a body; None where it is null or blank.

    Raises Invalid where the value is not an id, and the same NotFound for rows that are absent and
    rows that the actor may not see.
    """
    if value in (None, ""):
        return None
    return manager.get_visible(actor, parse_id(value, field), *related)


def parse_id(value: Any, field: str) -> int:
    """Return an id from a query, a path or a body.

    Raises Invalid where the value is not a whole number, NotFound where it is 2**63 or more: no
    database stores such an id.
    """
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()):
        raise Invalid(fields={field: ["Give a whole number."]})
    if len(text) > len(str(2**63)) or int(text) >= 2**63:
        raise NotFound(f"There is no such {field.removesuffix('_id') or 'row'}.")
    return int(text)


def paginated(
    rows: models.QuerySet[M],
    *,
    request: HttpRequest,
    serialize: Callable[[M], Mapping[str, Any]],
    order: tuple[str, ...] = NEWEST_FIRST,
    key: str = "results",
) -> dict[str, Any]:
    """Return `{key: [serialize(row), …], "next": url or None}` for the requested page."""
    page = get_page(rows, request=request, order=order)
    return {key: [serialize(row) for row in page.rows], "next": next_url(request, page)}


def get_page(
    rows: models.QuerySet[M, T], *, request: HttpRequest, order: tuple[str, ...]
) -> Page[T]:
    """Return the page at `?limit=` and `?cursor=`; raise Invalid where one of them is invalid."""
    cursor = request.GET.get("cursor")
    return paginate(rows, order=order, limit=parse_limit(request), cursor=cursor)


def parse_limit(request: HttpRequest) -> int:
    """Return `?limit=`, 100 when it is absent; raise Invalid outside 1..1000."""
    text = request.GET.get("limit", str(DEFAULT_LIMIT))
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_LIMIT))
    if not is_number or not 1 <= int(text) <= MAX_LIMIT:
        raise Invalid(fields={"limit": [f"Give a whole number from 1 to {MAX_LIMIT}."]})
    return int(text)


def next_url(request: HttpRequest, page: Page[Any]) -> str | None:
    """Return the absolute URL of the next page, or None on the last."""
    if page.next_cursor is None:
        return None
    query = request.GET.copy()
    query["cursor"] = page.next_cursor
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")


def check_storable(values: QueryDict) -> None:
    """Raise ParseError for text in a form or a query that not every database can store."""
    for key, texts in values.lists():
        for text in (key, *texts):
            if not is_storable(str(text)):
                raise ParseError(UNSTORABLE_TEXT)


class StrictJSONParser(BaseParser):
    """JSON (RFC 8259) up to `DATA_UPLOAD_MAX_MEMORY_SIZE`, without NUL and lone surrogates."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002 - DRF's signature
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002 - DRF's signature
    ) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise RequestDataTooBig
        if not body.strip():
            return {}
        try:
            data = loads(body)
        except NestedTooDeeply as error:
            raise ParseError(f"The body is nested more than {MAX_DEPTH} levels deep.") from error
        except orjson.JSONDecodeError as error:
            raise ParseError(
                f"The body is not JSON: line {error.lineno}, column {error.colno}."
            ) from error
        if b"\\u0000" in body and _has_nul(data):
            raise ParseError(UNSTORABLE_TEXT)
        return data


class JSONResponse(HttpResponse):
    """A body as JSON in UTF-8, encoded once, without a renderer; empty where there is no body."""

    def __init__(
        self, body: Any = None, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        content = b"" if body is None else dumps(body)
        super().__init__(content, status=status, content_type="application/json", headers=headers)
        if body is None:
            del self.headers["Content-Type"]


class IgnoreAcceptNegotiation(BaseContentNegotiation):
    """Render JSON whatever the Accept header says: the contract has no status 406."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        return next((p for p in parsers if _same_type(p.media_type, request.content_type)), None)

    def select_renderer(
        self,
        request: Request,  # noqa: ARG002 - DRF's signature
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,  # noqa: ARG002 - DRF's signature
    ) -> tuple[BaseRenderer, str]:
        first = next(iter(renderers))
        return first, first.media_type


def _has_nul(value: Any) -> bool:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            if "\0" in item:
                return True
        elif isinstance(item, dict):
            pending.extend(item.keys())
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
    return False


def _same_type(media_type: str | None, content_type: str) -> bool:
    return content_type.split(";", maxsplit=1)[0].strip().lower() == media_type
