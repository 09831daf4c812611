"""Makes requests that create objects safe to repeat, by their `Idempotency-Key` header.

A short transaction of its own reserves the key, so that a concurrent duplicate sees it. Then the
request is handled, and its change is committed together with the response (see `deferred_commit`):
a reservation without a response means that nothing was changed. No transaction is open while a
password is hashed or the object store is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import wraps
from typing import Any, Final

import orjson
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from rest_framework.request import Request

from timba.accounts.models import User
from timba.api.authentication import actor_of
from timba.api.models import IdempotentRequest
from timba.db.transactions import deferred_commit, retry_on_deadlock
from timba.errors import Conflict, Invalid
from timba.failpoints import failpoint

RETENTION: Final = timedelta(hours=24)
# A phone at the gate may be offline for days before it sends the logs that were typed into it.
LOGS_RETENTION: Final = timedelta(days=30)
# After this, a request without a response counts as crashed. The body has been received before the
# key is reserved, so that what remains takes seconds.
_IN_FLIGHT: Final = timedelta(seconds=60)
_MAX_KEY: Final = 255
_PURGE_BATCH: Final = 500
# Fields that are left out of fingerprints: requests that differ only in these count as equal.
_SECRETS: Final = frozenset({"password", "current_password", "refresh", "csrfmiddlewaretoken"})

Handler = Callable[..., HttpResponse]


def idempotent(handler: Handler) -> Handler:
    """Decorate a view's method to honour `Idempotency-Key`.

    The service that the method calls must open a `write_transaction`.
    """
    return _honour_key(handler, RETENTION)


def idempotent_for_logs(handler: Handler) -> Handler:
    """Decorate as `idempotent` does, but store responses for 30 days."""
    return _honour_key(handler, LOGS_RETENTION)


def purge_expired() -> None:
    """Delete a batch of expired keys of all users; see `PURGES`."""
    expired = IdempotentRequest.objects.filter(expires_at__lte=timezone.now())
    batch = list(expired.order_by("expires_at").values_list("pk", flat=True)[:_PURGE_BATCH])
    if batch:
        expired.filter(pk__in=batch).delete()


def _honour_key(handler: Handler, retention: timedelta) -> Handler:
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
        reserved = _reserve(actor_of(request), key, fingerprint, retention)
        if reserved.response_status is not None:
            return HttpResponse(
                bytes(reserved.response_body or b""),
                status=reserved.response_status,
                content_type="application/json",
            )
        return _run_once(reserved, lambda: handler(view, request, *args, **kwargs))

    # OpenAPI documents the header.
    wrapped.takes_idempotency_key = True  # type: ignore[attr-defined]
    return wrapped


@retry_on_deadlock
def _reserve(actor: User, key: str, fingerprint: str, retention: timedelta) -> IdempotentRequest:
    """Return a new reservation, or the stored request with its response.

    Raises Conflict for another request with the key, and while the first is in flight.
    """
    now = timezone.now()
    requests = IdempotentRequest.objects.filter(user=actor, key=key)
    requests.filter(expires_at__lte=now).delete()
    try:
        with transaction.atomic():
            return IdempotentRequest.objects.create(
                user=actor, key=key, fingerprint=fingerprint, expires_at=now + retention
            )
    except IntegrityError:
        stored = requests.first()
    if stored is None:
        raise Conflict(
            "The first request with this Idempotency-Key has just failed; send it again."
        )
    if not constant_time_compare(stored.fingerprint, fingerprint):
        raise Conflict("This Idempotency-Key was used for another request.")
    if stored.response_status is None:
        abandoned = requests.filter(
            pk=stored.pk, created_at=stored.created_at, response_status=None
        )
        if stored.created_at > now - _IN_FLIGHT or not abandoned.update(created_at=now):
            raise Conflict("The first request with this Idempotency-Key is still in flight.")
        stored.created_at = now
    return stored


def _run_once(reserved: IdempotentRequest, run: Callable[[], HttpResponse]) -> HttpResponse:
    reservation = IdempotentRequest.objects.filter(pk=reserved.pk, created_at=reserved.created_at)
    failpoint("idempotency.key_reserved")
    try:
        response = _run_and_store(reservation, run)
    except BaseException:
        # If the connection was lost during the commit, the response may have been stored.
        reservation.filter(response_status=None).delete()
        raise
    if not _is_success(response):
        reservation.delete()
    return response


@retry_on_deadlock
def _run_and_store(
    reservation: QuerySet[IdempotentRequest], run: Callable[[], HttpResponse]
) -> HttpResponse:
    with deferred_commit():
        response = run()
        failpoint("idempotency.effect_written")
        if _is_success(response):
            updated = reservation.update(
                response_status=response.status_code, response_body=response.content
            )
            if not updated:
                raise Conflict("Another request with this Idempotency-Key has taken over.")
    failpoint("idempotency.response_committed")
    return response


def _is_success(response: HttpResponse) -> bool:
    """Whether the response is stored: failures are not."""
    return 200 <= response.status_code < 300


def _fingerprint(view: Any, request: Request) -> str:
    """Return a keyed digest of method, path, query, fields, file hashes and rejections of files.

    The key prevents guessing of values by a reader of the table; secrets are left out.
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
    if headers := getattr(view, "fingerprint_headers", ()):
        parts.append([request.headers.get(name) for name in headers])
    message = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
    return salted_hmac("timba.api.idempotency", message, algorithm="sha256").hexdigest()
