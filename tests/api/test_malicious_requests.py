"""No value causes a 500: invalid fields, paths and queries are rejected at every endpoint.

The endpoints and their fields are taken from the URLs and the OpenAPI document, so that new ones
are tested without further work.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest

from tests.api.malicious_requests import assert_harmless, send
from tests.callers import Caller
from tests.contract.answers import assert_problem
from tests.contract.every import DOCUMENTED, EVERY, WITH_BODY, named
from tests.doors import Door, fields_of, is_form, resolved
from tests.reading import names_read

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
# Values of a wrong type, besides those of test_schema. Those of UNFIT may reach a database.
WRONG: list[Any] = [None, "", " ", "1e999", "NaN", "٣", {"": []}]
UNFIT: list[Any] = [0, -1, 2**63 - 1, 2**63, -(2**63), 1e300, "\u202e\ufffe", "x" * 70_000]
# Raw JSON that the parser must reject.
UNSTORABLE = [rb'"\u0000"', rb'"a\u0000b"', rb'"\ud800"', rb'"\udfff\ud800"', b'"\xed\xa0\x80"']
MALFORMED = [
    b'"\0"', b'"\xff"', b"NaN", b"Infinity", b"-Infinity", b"'x'", b"01", b"1.", b".5", b"+1",
    b"0x1", b'"', b"[", b'{"a"', b"nul", b'"a\nb"',
]  # fmt: skip
EXTREME = [
    b"1e999", b"-1e999", b"1e-999", str(2**70).encode(), b"9" * 5_000, b"-" + b"9" * 400,
    b"0." + b"1" * 5_000, b"[" * 500 + b"]" * 500, b'{"a":' * 500 + b"1" + b"}" * 500,
]  # fmt: skip
TEXTS = [
    "%00", "%ED%A0%80", "%FF", "-1", str(2**63), str(2**70), "9" * 5_000, "NaN", "%D9%A3", "",
    "x" * 9_000, "%25", "a%0D%0Ab", "2026-99-99",
]  # fmt: skip
URLENCODED = "application/x-www-form-urlencoded"
# Texts that are no id of a row, and no other whole number either.
IDS = [
    "%00", "%ED%A0%80", "%FF", "-1", str(2**63), str(2**70), "9" * 5_000, "1.5", "1e9", "NaN",
    "%D9%A3", "%20", "x", "null", "..%2F..%2F", "%0A",
]  # fmt: skip


def with_value(good: Caller, field: str, value: bytes) -> bytes:
    """Return the JSON body of a valid call, with raw bytes as the value of one field."""
    body = orjson.dumps({**good.body(), field: "<here>"}, default=str)
    return body.replace(b'"<here>"', value)


def texts_of(operation: dict[str, Any]) -> Iterator[str]:
    """Yield the body's fields that hold text."""
    for name, field in fields_of(operation).items():
        types = resolved(field).get("type", [])
        if "string" in types or "oneOf" in field:
            yield name


# --- Bodies --------------------------------------------------------------------------------------


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(("door", "method"), named(WITH_JSON))
def test_wrong_type_in_any_field_is_harmless(door: Door, method: str, good: Caller) -> None:
    for field in fields_of(door.operation(method)):
        for value in WRONG:
            assert_harmless(good.ask(body={field: value}))


@pytest.mark.parametrize(("door", "method"), named(WITH_JSON))
def test_out_of_range_value_in_any_field_is_harmless(door: Door, method: str, good: Caller) -> None:
    for field in fields_of(door.operation(method)):
        for value in UNFIT:
            assert_harmless(good.ask(body={field: value}))


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(("door", "method"), named(WITH_JSON))
def test_unstorable_text_in_any_field_is_400(door: Door, method: str, good: Caller) -> None:
    for field in [*texts_of(door.operation(method)), "unknown"]:
        for value in UNSTORABLE + MALFORMED:
            assert_problem(send(good, with_value(good, field, value)), 400)
    assert_problem(send(good, rb'{"a\u0000": 1}'), 400)


@pytest.mark.parametrize(("door", "method"), named(WITH_JSON))
def test_extreme_numbers_and_nesting_in_any_field_are_harmless(
    door: Door, method: str, good: Caller
) -> None:
    for field in fields_of(door.operation(method)):
        for value in EXTREME:
            assert_harmless(send(good, with_value(good, field, value)))


@pytest.mark.parametrize(("door", "method"), named(WITH_FORM))
def test_wrong_value_in_any_form_field_is_harmless(door: Door, method: str, good: Caller) -> None:
    for field in (*fields_of(door.operation(method)), "unknown"):
        for value in ("\0", "a\0b", "-1", str(2**70), "x", "1.5", "", "9" * 5_000):
            assert_harmless(good.ask(body={field: value}))


# --- Addresses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("door", "method"), named(WITH_PATH))
def test_invalid_id_in_a_path_is_404(door: Door, method: str, good: Caller) -> None:
    known = str(good.tenant.ids[door.names(door.parameters[0])])
    address, body = door.path(good.tenant.ids), orjson.dumps(good.body())
    for text in (*IDS, f"{known}%00", f"{known}%20", f"%20{known}"):
        answer = send(good, body, path=address.replace(known, text))
        assert_problem(answer, 404)


@pytest.mark.parametrize(("door", "method"), named(WITH_QUERY))
def test_any_query_is_harmless(door: Door, method: str, good: Caller) -> None:
    address = door.path(good.tenant.ids)
    known = query_of(door, method)
    for name in (*known, "unknown", "a%00", "%ED%A0%80"):
        for text in TEXTS if name in known else TEXTS[:1]:
            answer = send(good, b"", path=f"{address}?{name}={text}&{name}={text}")
            assert_harmless(answer)
            if "%00" in text and name in known:
                assert answer.status_code == 400


@pytest.mark.parametrize(("door", "method"), named(PAGES))
def test_any_input_of_a_page_is_harmless(door: Door, method: str, good: Caller) -> None:
    def ask(parameters: dict[str, Any], added: str = "") -> int:
        sent = f"{urlencode(parameters, doseq=True)}&{added}"
        if method == "GET":
            return send(good, b"", path=f"{door.path(good.tenant.ids)}?{sent}").status_code
        return send(good, sent.encode(), content_type=URLENCODED).status_code

    form = good.body() if method == "POST" else {}
    with names_read() as names:
        ask({})
        ask(form)
    for name in (*names, "unknown"):
        for text in ("%00", "%ED%A0%80", str(2**70), "x" * 9_000):
            assert ask(form, f"{name}={text}") < 500
