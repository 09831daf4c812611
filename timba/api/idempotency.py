"""Makes a write that creates safe to repeat: `Idempotency-Key` answers twice what happened once.

The reservation of a key is a short transaction of its own, so that a twin in flight sees it. The
effect and its answer are then committed together: a crash between the two cannot happen, and a
reservation without answer means that nothing was done.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, TypeGuard

import orjson
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from timba.api.authentication import actor_of
from timba.api.models import IdempotentRequest
from timba.contention import again_on_contention
from timba.errors import Conflict, Invalid
from timba.failpoints import failpoint
from timba.wire import dumps

_MEMORY = timedelta(hours=24)
# Bytes have arrived before the key is reserved: what is left to do takes a moment.
_IN_FLIGHT = timedelta(seconds=60)
_MAX_KEY = 255

Handler = Callable[..., HttpResponse]


def idempotent(handler: Handler) -> Handler:
    """Let a view's method that creates honour the caller's `Idempotency-Key`."""

    @wraps(handler)
    def wrapped(view: Any, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        key = request.headers.get("Idempotency-Key")
        if key is None or not request.user.is_authenticated:
            return handler(view, request, *args, **kwargs)
        if not (1 <= len(key) <= _MAX_KEY and key.isascii() and key.isprintable()):
            raise Invalid(
                f"The Idempotency-Key must be 1 to {_MAX_KEY} printable ASCII characters."
            )
        reserved = _reserve(request, key, fingerprint=_fingerprint(view, request))
        if reserved.response_status is not None:
            return HttpResponse(
                bytes(reserved.response_body or b""),
                status=reserved.response_status,
                content_type="application/json",
            )
        return _run_once(reserved, lambda: handler(view, request, *args, **kwargs))

    # The schema shows it.
    wrapped.takes_idempotency_key = True  # type: ignore[attr-defined]
    return wrapped


def _reserve(request: Request, key: str, *, fingerprint: str) -> IdempotentRequest:
    """Return a fresh reservation, or the finished twin; raise Conflict for anything else."""
    now = timezone.now()
    actor = actor_of(request)
    mine = IdempotentRequest.objects.filter(user=actor)
    mine.filter(created_at__lt=now - _MEMORY).delete()
    try:
        with transaction.atomic():
            return IdempotentRequest.objects.create(user=actor, key=key, fingerprint=fingerprint)
    except IntegrityError:
        twin = mine.filter(key=key).first()
    if twin is None:
        raise Conflict(
            "The first request with this Idempotency-Key has just failed; send it again."
        )
    if twin.fingerprint != fingerprint:
        raise Conflict("This Idempotency-Key was used for another request.")
    if twin.response_status is None:
        abandoned = mine.filter(pk=twin.pk, created_at=twin.created_at, response_status=None)
        if twin.created_at > now - _IN_FLIGHT or not abandoned.update(created_at=now):
            raise Conflict("The first request with this Idempotency-Key is still in flight.")
        twin.created_at = now
    return twin


def _run_once(reserved: IdempotentRequest, run: Callable[[], HttpResponse]) -> HttpResponse:
    own = IdempotentRequest.objects.filter(pk=reserved.pk, created_at=reserved.created_at)
    failpoint("idempotency.key_reserved")
    try:
        response = _run_and_remember(own, run)
    except BaseException:
        own.delete()
        raise
    if not _is_remembered(response):
        own.delete()
    return response


@again_on_contention
def _run_and_remember(
    own: QuerySet[IdempotentRequest], run: Callable[[], HttpResponse]
) -> HttpResponse:
    with transaction.atomic():
        response = run()
        failpoint("idempotency.effect_written")
        if _is_remembered(response):
            remembered = own.update(
                response_status=response.status_code, response_body=dumps(response.data)
            )
            if not remembered:
                raise Conflict("Another request with this Idempotency-Key has taken over.")
    failpoint("idempotency.answer_committed")
    return response


def _is_remembered(response: HttpResponse) -> TypeGuard[Response]:
    """Whether this is a success: failures are not remembered."""
    return isinstance(response, Response) and 200 <= response.status_code < 300


def _fingerprint(view: Any, request: Request) -> str:
    """Digest method, path, fields, the hashes of files, and what the door has refused of them."""
    if hasattr(request.data, "lists"):
        fields: Any = {
            name: [getattr(value, "sha256", value) for value in values]
            for name, values in request.data.lists()
        }
    else:
        fields = request.data
    parts = [
        request.method,
        request.path.rstrip("/"),
        sorted(request.query_params.lists()),
        fields,
        getattr(view, "refused_already", list)(),
    ]
    try:
        said = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        # It reads more storeys than it writes.
        raise Invalid(
            "The body is nested too deeply for an Idempotency-Key: send it with fewer levels."
        ) from error
    return hashlib.sha256(said).hexdigest()
