"""No malformed request causes a 500: bodies, forms and headers, before their values are read.

These requests never reach a database, so that they run on the default one only. Invalid values are
in `tests.api.test_malicious_requests`.
"""

from __future__ import annotations

import base64
import io
import re
from typing import Any
from unittest.mock import patch

import pytest
from django.test.client import FakePayload
from rest_framework.test import APIClient

from tests.api.malicious_requests import assert_harmless, send
from tests.callers import Caller, caller, signed_in
from tests.contract.answers import assert_problem
from tests.contract.every import DOCUMENTED, WITH_BODY, named
from tests.doors import Door, is_form
from tests.factories import Tenant

pytestmark = pytest.mark.django_db

WITH_JSON = [call for call in WITH_BODY if not is_form(call[0].operation(call[1]))]
WITH_FORM = [call for call in WITH_BODY if is_form(call[0].operation(call[1]))]
LISTS_OF_OLD = [
    call for call in DOCUMENTED if re.fullmatch(r"timba/\w+s", call[0].route) and call[1] == "GET"
]
DEEP = b'{"client_id":%b,"x":%b}' % (
    b"[" * 1_000 + b"]" * 1_000,
    b'{"a":' * 900 + b"1" + b"}" * 900,
)
WHOLE = [
    b"", b" ", b"null", b"true", b"7", b'"x"', b"[]", b'[{"title": "x"}]', b"{}" * 2, b"{", b"\0",
    b"\xff\xfe{\0}\0", b"\xef\xbb\xbf{}", b"[" * 100_000, b'{"a":' * 100_000,
    b"[" * 100_000 + b"]" * 100_000, b"<a/>", b"a=b", b'{"title": "x", "title": 7}',
    b'{"' + b"a" * 500_000 + b'": 1}',
    b"{" + b",".join(b'"%d":%d' % (n, n) for n in range(60_000)) + b"}",
]  # fmt: skip
# One endpoint for each way of reading headers.
HEADED = [
    ("api/notes/", "GET"),
    ("api/notes/", "POST"),
    ("api/files/<uuid:pk>/content/", "GET"),
    ("temperature-readings/<int:city_id>/", "GET"),
    ("api/files/", "POST"),
    ("api/token/", "POST"),
    ("health/ready", "GET"),
]
HEADERS = [
    "Accept", "Authorization", "Cookie", "Content-Length", "If-Match", "If-None-Match",
    "If-Range", "Range", "Idempotency-Key", "X-Request-ID", "X-Forwarded-For", "X-CSRFToken",
    "Content-Encoding", "HX-Request", "Origin", "Referer",
]  # fmt: skip
HEADER_TEXTS = ["", "\0", "\xff\xfe", "x" * 9_000, ',;="', "*/*;q=x", "-1"]
CONTENT_TYPES = [
    "", "nonsense", "application/json; charset=utf-16", "application/json; charset=nonsense",
    "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=b",
    "multipart/form-data; boundary=" + "b" * 300, "multipart/form-data; charset=x; boundary=b",
    "multipart/mixed; boundary=b", "application/x-www-form-urlencoded", "a" * 5_000, "\xff/\0",
]  # fmt: skip
_PART = b"--b\r\nContent-Disposition: form-data; name=%b\r\n%b\r\n%b\r\n--b--\r\n"
FORMS = [
    b"",
    b"--b--",
    b"--b\r\n",
    b"--b\r\n\r\n\r\n--b--\r\n",
    b"nonsense" * 1_000,
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nHel',
    _PART % (b'"file"', b"", b"no file"),
    _PART % (b'"file"; filename=""', b"", b"Hello"),
    _PART % (b'"file"; filename="\0.txt"', b"", b"Hello"),
    _PART % (b'"file"; filename="a\xff.txt"', b"", b""),
    _PART % (b"\"file\"; filename*=UTF-8''%ED%A0%80.txt", b"", b"Hello"),
    _PART % (b'"file"; filename*=nonsense\'x', b"", b""),
    _PART % (b'"file"; filename=".."', b"", b"Hello"),
    _PART % (b'"file"; filename="a.txt"', b"Content-Transfer-Encoding: base64\r\n", b"!"),
    _PART % (b'"file"; filename="a.txt"', b"Content-Type: " + b"x" * 9_000 + b"\r\n", b""),
    _PART % (b'"a\0"', b"", b"1"),
    _PART % (b'"consignment_id"', b"", b"x" * 3_000_000),
    b"".join(
        b'--b\r\nContent-Disposition: form-data; name="%d"\r\n\r\n\r\n' % n for n in range(1_500)
    )
    + b"--b--\r\n",
]


def reads_body(good: Caller) -> bool:
    """Whether the endpoint reads a body; if not, one malformed body is enough."""
    reads = 0

    class Noting(FakePayload):
        def read(self, *args: Any, **options: Any) -> bytes:
            nonlocal reads
            reads += 1
            return super().read(*args, **options)

        def readline(self, *args: Any, **options: Any) -> bytes:
            nonlocal reads
            reads += 1
            return super().readline(*args, **options)

    with patch("django.test.client.FakePayload", Noting):
        good.ask()
    return reads > 0


@pytest.mark.parametrize(("door", "method"), named(DOCUMENTED))
def test_body_other_than_a_json_object_is_harmless(door: Door, method: str, good: Caller) -> None:
    for body in WHOLE if reads_body(good) else WHOLE[:1]:
        assert_harmless(send(good, body))


@pytest.mark.parametrize(("door", "method"), named(DOCUMENTED))
def test_deep_nesting_is_harmless(door: Door, method: str, good: Caller) -> None:
    """The nesting exceeds the recursion limit, but not that of the parser."""
    assert_harmless(send(good, DEEP))
    cursor = base64.urlsafe_b64encode(b"[" * 900 + b"]" * 900).decode()
    assert_harmless(send(good, b"", path=f"{good.door.path(good.tenant.ids)}?cursor={cursor}"))


@pytest.mark.parametrize(("door", "method"), named([*WITH_JSON, *LISTS_OF_OLD]))
def test_deeply_nested_body_is_400(door: Door, method: str, good: Caller) -> None:
    answer = send(good, DEEP)
    assert_problem(answer, 400)
    assert answer.json()["detail"] == "The body is nested more than 32 levels deep."


def test_deeply_nested_forged_token_is_401(db: None) -> None:
    deep = base64.urlsafe_b64encode(b'{"alg":"HS256","x":' + b"[" * 1_000 + b"]" * 1_000 + b"}")
    for token in (f"{deep.decode()}.e30.AA", f"eyJhbGciOiJIUzI1NiJ9.{deep.decode()}.AA"):
        answer = APIClient().get("/api/notes/", headers={"authorization": f"Bearer {token}"})
        assert_problem(answer, 401)


@pytest.mark.parametrize(("door", "method"), named(WITH_JSON))
def test_ten_megabytes_of_json_are_413(door: Door, method: str, good: Caller) -> None:
    assert_problem(send(good, b'{"title":"' + b"x" * 10_000_000 + b'"}'), 413)


@pytest.mark.parametrize(("door", "method"), named(DOCUMENTED))
def test_any_content_type_is_harmless(door: Door, method: str, good: Caller) -> None:
    for content_type in CONTENT_TYPES if reads_body(good) else CONTENT_TYPES[-1:]:
        assert_harmless(send(good, b"--b\r\n\r\n\r\n--b--", content_type=content_type))


@pytest.mark.parametrize(("door", "method"), named(WITH_FORM))
def test_malformed_form_is_harmless(door: Door, method: str, good: Caller) -> None:
    for form in FORMS:
        assert_harmless(send(good, form, content_type="multipart/form-data; boundary=b"))


@pytest.mark.parametrize("header", HEADERS)
def test_any_header_is_harmless(header: str, tenant: Tenant) -> None:
    program = signed_in(tenant.user)
    for route, method in HEADED:
        [door] = [door for door, _ in DOCUMENTED if door.route == route][:1]
        good = Caller(program=program, door=door, method=method, tenant=tenant)
        for text in HEADER_TEXTS:
            assert_harmless(good.ask(headers={header: text}))


def test_unknown_host_is_400(tenant: Tenant) -> None:
    asked = caller(
        Door(route="api/notes/", methods=("GET",)), "GET", user=tenant.user, tenant=tenant
    )
    for host in ("evil.example", "x\0", "[", "a b"):
        assert_problem(send(asked, b"", headers={"Host": host}), 400)


class BrokenOff(io.BytesIO):
    """A body whose connection is lost."""

    def read(self, *_: object) -> bytes:
        raise OSError


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x"])
def test_truncated_body_is_400(tenant: Tenant, content_type: str) -> None:
    url = "/api/notes/" if content_type == "application/json" else "/api/files/"
    environ = {"wsgi.input": BrokenOff(), "CONTENT_LENGTH": "100", "CONTENT_TYPE": content_type}
    assert_problem(signed_in(tenant.user).post(url, **environ), 400)
