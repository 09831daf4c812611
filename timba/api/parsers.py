"""Reads bodies strictly: what one database would swallow and another refuse never gets in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

import orjson
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import QueryDict
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from timba.wire import MAX_DEPTH, NestedTooDeeply, loads

UNSTORABLE = "Text may not contain NUL or half of a surrogate pair."


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
            raise ParseError(UNSTORABLE)
        return data


def refuse_unstorable(values: QueryDict) -> None:
    """Raise ParseError for text that cannot be stored everywhere, in a form or a query."""
    for key, texts in values.lists():
        for text in (key, *texts):
            if not is_storable(str(text)):
                raise ParseError(UNSTORABLE)


def is_storable(text: str) -> bool:
    """Whether every database takes this text: no NUL, no lone surrogate."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


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
