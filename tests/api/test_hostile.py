"""No input makes a 500: what is malformed or wrong is refused as problem details at every door.

The doors and their fields are taken from the URLs and the OpenAPI schema, so a new one is tried
without anyone remembering.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from pytest_django import DjangoDbBlocker

from tests.callers import FORM, Caller, caller
from tests.contract.answers import assert_problem
from tests.contract.every import DOCUMENTED, EVERY, WITH_BODY, named
from tests.doors import Door, fields_of, is_form, resolved
from tests.worlds import World, kept_world, own_copy

pytestmark = pytest.mark.django_db

WITH_JSON = [call for call in WITH_BODY if not is_form(call[0].operation(call[1]))]
WITH_FORM = [call for call in WITH_BODY if is_form(call[0].operation(call[1]))]
WITH_PATH = [call for call in DOCUMENTED if call[0].parameters]
PAGES = [
    call
    for call in EVERY
    if call[0].operation(call[1]) is None and not call[0].route.startswith("api/")
]


def query_of(door: Door, method: str) -> list[str]:
    """Return the names of a query's parameters."""
    parameters = (door.operation(method) or {}).get("parameters", [])
    return [parameter["name"] for parameter in parameters if parameter["in"] == "query"]


WITH_QUERY = [call for call in DOCUMENTED if query_of(*call)]
WRONG: list[Any] = [
    None, True, 0, -1, 2**63 - 1, 2**63, -(2**63), 1.5, 1e300, "", " ", "x", "-1", "1e999", "NaN",
    "٣", "\u202e\ufffe", "../../etc/passwd", "x" * 70_000, [], {}, [[]], {"": []},
]  # fmt: skip
# What no JSON parser should let through to a field, as it stands on the wire.
UNSTORABLE = [rb'"\u0000"', rb'"a\u0000b"', rb'"\ud800"', rb'"\udfff\ud800"', b'"\xed\xa0\x80"']
MALFORMED = [
    b'"\0"', b'"\xff"', b"NaN", b"Infinity", b"-Infinity", b"'x'", b"01", b"1.", b".5", b"+1",
    b"0x1", b'"', b"[", b'{"a"', b"nul", b'"a\nb"',
]  # fmt: skip
EXTREME = [
    b"1e999", b"-1e999", b"1e-999", str(2**70).encode(), b"9" * 5_000, b"-" + b"9" * 400,
    b"0." + b"1" * 5_000, b"[" * 500 + b"]" * 500, b'{"a":' * 500 + b"1" + b"}" * 500,
]  # fmt: skip
WHOLE = [
    b"", b" ", b"null", b"true", b"7", b'"x"', b"[]", b'[{"title": "x"}]', b"{}" * 2, b"{", b"\0",
    b"\xff\xfe{\0}\0", b"\xef\xbb\xbf{}", b"[" * 100_000, b'{"a":' * 100_000,
    b"[" * 100_000 + b"]" * 100_000, b"<a/>", b"a=b", b'{"title": "x", "title": 7}',
    b'{"' + b"a" * 500_000 + b'": 1}',
    b"{" + b",".join(b'"%d":%d' % (n, n) for n in range(60_000)) + b"}",
]  # fmt: skip
TEXTS = [
    "%00", "a%00b", "%ED%A0%80", "%FF", "-1", "0", str(2**63), str(2**70), "9" * 5_000, "1.5",
    "NaN", "%D9%A3", "", "%20", "x", "x" * 9_000, "%25", "a%0D%0Ab", "2026-99-99",
]  # fmt: skip
PAGE_PARAMETERS = [
    "q", "page", "status", "kind", "from", "to", "last", "id", "next", "new",
]  # fmt: skip
FORM_IDS = ["client_id", "consignment_id", "next"]
# No row's id, and nothing that looks like a whole number that one might be.
IDS = [
    "%00", "%ED%A0%80", "%FF", "-1", str(2**63), str(2**70), "9" * 5_000, "1.5", "1e9", "NaN",
    "%D9%A3", "%20", "x", "null", "..%2F..%2F", "%0A",
]  # fmt: skip
# One door of each way of reading headers.
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


@pytest.fixture(scope="module")
def kept(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    with kept_world(django_db_blocker, word="Kalnamuiza", first_id=5_000_001) as world:
        yield world


@pytest.fixture
def world(kept: World, db: None) -> World:
    """Return a sawmill with a row of every noun."""
    return own_copy(kept)


@pytest.fixture
def good(door: Door, method: str, world: World) -> Caller:
    """Return the sawmill's owner at the door that the test is about."""
    found = caller(door, method, user=world.user, world=world)
    found.program.defaults.setdefault("HTTP_ACCEPT", "application/json")
    return found


def send(
    good: Caller,
    body: bytes,
    *,
    path: str = "",
    content_type: str = "application/json",
    **extra: Any,
) -> Any:
    address = path or good.door.path(good.world.ids)
    answer = good.program.generic(good.method, address, body, content_type=content_type, **extra)
    if answer.streaming:
        b"".join(answer)
    return answer


def assert_harmless(answer: Any) -> None:
    """Check that an answer is a success, a redirection, or problem details below 500."""
    assert answer.status_code < 500
    if answer.status_code >= 400:
        assert_problem(answer, answer.status_code)


def with_value(good: Caller, field: str, value: bytes) -> bytes:
    """Return the good call's JSON body with raw bytes for one field's value."""
    body = orjson.dumps({**good.body(), field: "<here>"}, default=str)
    return body.replace(b'"<here>"', value)


def texts_of(operation: dict[str, Any]) -> Iterator[str]:
    """Yield the body's fields that hold text."""
    for name, field in fields_of(operation).items():
        types = resolved(field).get("type", [])
        if "string" in types or "oneOf" in field:
            yield name


# --- Bodies --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("door", "method"), named(WITH_JSON))
def test_a_wrong_type_or_value_in_any_field_is_refused(
    door: Door, method: str, good: Caller
) -> None:
    for field in fields_of(door.operation(method)):
        for value in WRONG:
            assert_harmless(good.ask(body={field: value}))


@pytest.mark.parametrize(("door", "method"), named(WITH_JSON))
def test_text_that_cannot_be_stored_is_400_in_every_field(
    door: Door, method: str, good: Caller
) -> None:
    for field in [*texts_of(door.operation(method)), "unknown"]:
        for value in UNSTORABLE + MALFORMED:
            assert_problem(send(good, with_value(good, field, value)), 400)
    assert_problem(send(good, rb'{"a\u0000": 1}'), 400)


@pytest.mark.parametrize(("door", "method"), named(WITH_JSON))
def test_extreme_numbers_and_depths_in_any_field_do_no_harm(
    door: Door, method: str, good: Caller
) -> None:
    for field in fields_of(door.operation(method)):
        for value in EXTREME:
            assert_harmless(send(good, with_value(good, field, value)))


@pytest.mark.parametrize(("door", "method"), named(DOCUMENTED))
def test_a_body_that_is_no_json_object_does_no_harm(door: Door, method: str, good: Caller) -> None:
    for body in WHOLE:
        assert_harmless(send(good, body))


@pytest.mark.parametrize(("door", "method"), named(WITH_JSON))
def test_ten_megabytes_of_json_are_413(door: Door, method: str, good: Caller) -> None:
    assert_problem(send(good, b'{"title":"' + b"x" * 10_000_000 + b'"}'), 413)


@pytest.mark.parametrize(("door", "method"), named(DOCUMENTED))
def test_a_strange_content_type_does_no_harm(door: Door, method: str, good: Caller) -> None:
    for content_type in CONTENT_TYPES:
        assert_harmless(send(good, b"--b\r\n\r\n\r\n--b--", content_type=content_type))


@pytest.mark.parametrize(("door", "method"), named(WITH_FORM))
def test_a_malformed_form_does_no_harm(door: Door, method: str, good: Caller) -> None:
    for form in FORMS:
        assert_harmless(send(good, form, content_type="multipart/form-data; boundary=b"))


@pytest.mark.parametrize(("door", "method"), named(WITH_FORM))
def test_a_wrong_value_in_any_field_of_a_form_is_refused(
    door: Door, method: str, good: Caller
) -> None:
    for field in (*fields_of(door.operation(method)), "unknown"):
        for value in ("\0", "a\0b", "-1", str(2**70), "x", "1.5", "", "9" * 5_000):
            assert_harmless(good.ask(body={field: value}))


# --- Addresses and headers -----------------------------------------------------------------------


@pytest.mark.parametrize(("door", "method"), named(WITH_PATH))
def test_whatever_stands_for_an_id_in_a_path_is_404(door: Door, method: str, good: Caller) -> None:
    known = str(good.world.ids[door.names(door.parameters[0])])
    address, body = door.path(good.world.ids), orjson.dumps(good.body())
    for text in (*IDS, f"{known}%00", f"{known}%20", f"%20{known}"):
        answer = send(good, body, path=address.replace(known, text))
        assert_problem(answer, 404)


@pytest.mark.parametrize(("door", "method"), named(WITH_QUERY))
def test_whatever_stands_in_a_query_does_no_harm(door: Door, method: str, good: Caller) -> None:
    address = door.path(good.world.ids)
    for name in (*query_of(door, method), "unknown", "a%00", "%ED%A0%80"):
        for text in TEXTS:
            answer = send(good, b"", path=f"{address}?{name}={text}&{name}={text}")
            assert_harmless(answer)
            if "%00" in text and name in query_of(door, method):
                assert answer.status_code == 400


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("text", ["", "\0", "\xff\xfe", "x" * 9_000, ',;="', "*/*;q=x", "-1"])
def test_whatever_stands_in_a_header_does_no_harm(header: str, text: str, world: World) -> None:
    for route, method in HEADED:
        [door] = [door for door, _ in DOCUMENTED if door.route == route][:1]
        good = caller(door, method, user=world.user, world=world)
        assert_harmless(good.ask(headers={header: text}))


def test_a_host_that_is_not_served_is_400(world: World) -> None:
    asked = caller(Door(route="api/notes/", methods=("GET",)), "GET", user=world.user, world=world)
    for host in ("evil.example", "x\0", "[", "a b"):
        assert_problem(send(asked, b"", headers={"Host": host}), 400)


@pytest.mark.parametrize(("door", "method"), named(PAGES))
def test_whatever_is_sent_to_a_page_does_no_harm(door: Door, method: str, good: Caller) -> None:
    address = door.path(good.world.ids)
    for text in ("%00", "%ED%A0%80", str(2**70), "x" * 9_000):
        for name in PAGE_PARAMETERS if method == "GET" else (*FORM, *FORM_IDS):
            if method == "GET":
                answer = send(good, b"", path=f"{address}?{name}={text}")
            else:
                form = f"{urlencode(good.body())}&{name}={text}".encode()
                answer = send(good, form, content_type="application/x-www-form-urlencoded")
            assert answer.status_code < 500
