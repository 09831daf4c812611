"""Makes a write that creates safe to repeat: `Idempotency-Key` answers twice what happened once.

The reservation of a key is a short transaction of its own, so that a twin in flight sees it. Then
the request is handled; the commit of its change waits for the answer and takes it along (see
`deferred_commit`). A crash between the two cannot happen, and a reservation without answer means
that nothing was done. No transaction is open while a password is hashed or the store is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import wraps
from typing import Any, Final, TypeGuard

import orjson
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from rest_framework.request import Request
from rest_framework.response import Response

from timba.accounts.models import User
from timba.api.authentication import actor_of
from timba.api.models import IdempotentRequest
from timba.db.transactions import deferred_commit, retry_on_deadlock
from timba.errors import Conflict, Invalid
from timba.failpoints import failpoint
from timba.serialization import dumps

RETENTION: Final = timedelta(hours=24)
# Logs are typed at a gate without reception, on a phone that may sleep for days before it sends.
LOGS_RETENTION: Final = timedelta(days=30)
# Bytes have arrived before the key is reserved: what is left to do takes a moment.
_IN_FLIGHT: Final = timedelta(seconds=60)
_MAX_KEY: Final = 255
_PURGE_BATCH: Final = 500
# What a fingerprint leaves out: two requests that differ in nothing else are the same one.
_SECRETS: Final = frozenset({"password", "current_password", "refresh", "csrfmiddlewaretoken"})

Handler = Callable[..., HttpResponse]


def idempotent(handler: Handler) -> Handler:
    """Let a view's method that creates honour the caller's `Idempotency-Key`.

    The service that it calls opens a `write_transaction`.
    """
    return _honour_key(handler, RETENTION)


def idempotent_for_logs(handler: Handler) -> Handler:
    """Do as `idempotent` does, for as long as a phone may keep logs that it has not sent."""
    return _honour_key(handler, LOGS_RETENTION)


def purge_expired() -> None:
    """Delete a batch of keys whose time is over, whoever used them: see `PURGES`."""
    expired = IdempotentRequest.objects.filter(expires_at__lte=timezone.now())
    batch = list(expired.order_by("expires_at").values_list("pk", flat=True)[:_PURGE_BATCH])
    if batch:
        expired.filter(pk__in=batch).delete()


def _honour_key(handler: Handler, remembered: timedelta) -> Handler:
    @wraps(handler)
    def wrapped(view: Any, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        key = request.headers.get("Idempotency-Key")
        if key is None or not request.user.is_authenticated:
            return handler(view, request, *args, **kwargs)
        if not (1 <= len(key) <= _MAX_KEY and key.isascii() and key.isprintable()):
            raise Invalid(
                f"The Idempotency-Key must be 1 to {_MAX_KEY} printable ASCII characters."
            )
        fingerprint = _fingerprint(view, request)
        reserved = _reserve(actor_of(request), key, fingerprint, remembered)
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


@retry_on_deadlock
def _reserve(actor: User, key: str, fingerprint: str, remembered: timedelta) -> IdempotentRequest:
    """Return a fresh reservation, or the finished twin; raise Conflict for anything else."""
    now = timezone.now()
    mine = IdempotentRequest.objects.filter(user=actor, key=key)
    mine.filter(expires_at__lte=now).delete()
    try:
        with transaction.atomic():
            return IdempotentRequest.objects.create(
                user=actor, key=key, fingerprint=fingerprint, expires_at=now + remembered
            )
    except IntegrityError:
        twin = mine.first()
    if twin is None:
        raise Conflict(
            "The first request with this Idempotency-Key has just failed; send it again."
        )
    if not constant_time_compare(twin.fingerprint, fingerprint):
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
        response = _run_and_store(own, run)
    except BaseException:
        # Where the connection broke at the commit, the answer may be there all the same.
        own.filter(response_status=None).delete()
        raise
    if not _is_success(response):
        own.delete()
    return response


@retry_on_deadlock
def _run_and_store(
    own: QuerySet[IdempotentRequest], run: Callable[[], HttpResponse]
) -> HttpResponse:
    with deferred_commit():
        response = run()
        failpoint("idempotency.effect_written")
        if _is_success(response):
            remembered = own.update(
                response_status=response.status_code, response_body=dumps(response.data)
            )
            if not remembered:
                raise Conflict("Another request with this Idempotency-Key has taken over.")
    failpoint("idempotency.response_committed")
    return response


def _is_success(response: HttpResponse) -> TypeGuard[Response]:
    """Whether this is a success: failures are not remembered."""
    return isinstance(response, Response) and 200 <= response.status_code < 300


def _fingerprint(view: Any, request: Request) -> str:
    """Digest method, path, fields, the hashes of files, and what was refused of them on arrival.

    Keyed, so that nobody who reads the table can try out what was sent; secrets are left out.
    """
    if hasattr(request.data, "lists"):
        fields: Any = {
            name: [getattr(value, "sha256", value) for value in values]
            for name, values in request.data.lists()
        }
    else:
        fields = request.data
    if isinstance(fields, Mapping):
        fields = {name: value for name, value in fields.items() if name not in _SECRETS}
    parts = [
        request.method,
        request.path.rstrip("/"),
        sorted(request.query_params.lists()),
        fields,
        getattr(view, "rejection_sentences", list)(),
    ]
    said = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
    return salted_hmac("timba.api.idempotency", said, algorithm="sha256").hexdigest()
