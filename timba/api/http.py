"""Reads what a request sends, query and body, into checked values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import IO, Any, TypeVar

import orjson
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import models
from django.http import QueryDict
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from timba.accounts.models import Client, User
from timba.accounts.tenancy import TenantQuerySet
from timba.db.text import is_storable
from timba.errors import Invalid, NotFound
from timba.serialization import MAX_DEPTH, NestedTooDeeply, dumps, loads

M = TypeVar("M", bound=models.Model)
# What OpenAPI says of parameters that several endpoints have.
FOR_STAFF = "Id of the client; staff must give it, other users need not."
ONLY_CLIENT = "Only rows of the client with this id."
CONSIGNMENT_LINK = "Id of the consignment to link to."
UNSTORABLE_TEXT = "Text may not contain NUL or half of a surrogate pair."


class QuerySerializer(serializers.Serializer[Any]):
    """The parameters of one list; unknown ones are ignored."""


@extend_schema_field({"type": "integer"})
class IdField(serializers.CharField):
    """An id in a form, where every value is text; a blank one names no row. See `get_or_400`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_blank=True, **kwargs)


def validated_query(kind: type[QuerySerializer], request: Request) -> dict[str, Any]:
    """Return the parameters that were given; raise ValidationError naming a bad one."""
    check_storable(request.query_params)
    given = kind(data=request.query_params)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


def validated(sent: serializers.Serializer[Any]) -> dict[str, Any]:
    """Return the checked values of a body; raise ValidationError naming a bad one."""
    if not isinstance(sent.initial_data, Mapping):
        raise Invalid("The body is not a JSON object.")
    sent.is_valid(raise_exception=True)
    return dict(sent.validated_data)


def requested_client(actor: User, client_id: Any) -> Client | None:
    """Return the client a parameter names, None where it names none.

    Raises NotFound alike for an absent client and for another one than the member's own.
    """
    if client_id in (None, ""):
        return None
    clients = Client.objects.visible_to(actor).select_related("subscription")
    return get_or_400(clients, client_id, "client_id")


def acting_client(actor: User, client_id: Any = None) -> Client:
    """Return the client that a write or a statistic is for.

    Raises Invalid when staff name none, NotFound as `requested_client` does.
    """
    client = requested_client(actor, client_id)
    if client is not None:
        return client
    if actor.client is None:
        raise Invalid(fields={"client_id": ["Say for which client: give its client_id."]})
    return actor.client


def filter_by_client(rows: TenantQuerySet[M], actor: User, client_id: Any) -> TenantQuerySet[M]:
    """Narrow visible rows to the client a list's `client_id` names, if it names one."""
    client = requested_client(actor, client_id)
    return rows if client is None else rows.filter(client_id=client.pk)


def get_or_400(rows: TenantQuerySet[M], value: Any, field: str) -> M:
    """Return the visible row that the id in a query or a body names.

    Raises Invalid for what is no id, NotFound alike for foreign and absent rows.
    """
    return rows.get_or_not_found(pk=parse_id(value, field))


def parse_id(value: Any, name: str) -> int:
    """Return an id from a query, a path or a body; raise Invalid naming the field.

    A number that no row can have names nothing: NotFound.
    """
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()):
        raise Invalid(fields={name: ["Give a whole number."]})
    if len(text) > len(str(2**63)) or int(text) >= 2**63:
        raise NotFound(f"There is no such {name.removesuffix('_id') or 'row'}.")
    return int(text)


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


def check_storable(values: QueryDict) -> None:
    """Raise ParseError for text that cannot be stored everywhere, in a form or a query."""
    for key, texts in values.lists():
        for text in (key, *texts):
            if not is_storable(str(text)):
                raise ParseError(UNSTORABLE_TEXT)


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


class OrjsonRenderer(BaseRenderer):
    """JSON in UTF-8."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,  # noqa: ARG002 - DRF's signature
        renderer_context: Mapping[str, Any] | None = None,  # noqa: ARG002 - DRF's signature
    ) -> bytes:
        return b"" if data is None else dumps(data)


class IgnoreAcceptNegotiation(BaseContentNegotiation):
    """Answer JSON also to those who ask for something else: there is no 406 in the contract."""

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


def _same_type(media_type: str | None, content_type: str) -> bool:
    return content_type.split(";", maxsplit=1)[0].strip().lower() == media_type
