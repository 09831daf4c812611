"""No input makes a 500: what is wrong in a body, a path, a query, a form or a header is refused."""

from __future__ import annotations

import base64
import io
import re
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from rest_framework.test import APIClient

from tests.clients import api_client_of, browser_of, call, filled, recorded_names, send
from tests.contract.responses import assert_problem
from tests.endpoints import API, Endpoint, fields_of, operation
from tests.factories import Tenant
from tests.pages import PAGES

# What is refused before any value reaches the database is the same on each of them: SQLite, which
# stores NUL and integers of any size, shows by another status whether a value reached it.
pytestmark = [pytest.mark.django_db, pytest.mark.only_on("sqlite")]

BODIES = [e for e in API if "requestBody" in operation(e) and not e.is_tus]
JSON_BODIES = [endpoint for endpoint in BODIES if not endpoint.is_form]
FORM_BODIES = [endpoint for endpoint in BODIES if endpoint.is_form]
LISTS_WITH_BODY = [e for e in API if re.fullmatch(r"GET timba/\w+s", str(e))]
FORM = "multipart/form-data; boundary=b"
DEEP = b'{"client_id":%b,"x":%b}' % (b"[" * 1000 + b"]" * 1000, b'{"a":' * 900 + b"1" + b"}" * 900)

# --- Bodies --------------------------------------------------------------------------------------

NOT_JSON_OBJECTS = [
    *(b"null", b"true", b"7", b'"x"', b"[]", b'[{"title": "x"}]', b"{}{}", b"{", b"\0", b"<a/>"),
    *(b"a=b", b"\xff\xfe{\0}\0", b"\xef\xbb\xbf{}", b"[" * 100_000, b'{"a":' * 100_000),
    *(b"[" * 100_000 + b"]" * 100_000, DEEP, rb'{"a\u0000": 1}'),
]
# Values that are not JSON, or that no database stores.
NOT_JSON_VALUES = [
    *(rb'"\u0000"', rb'"a\u0000b"', rb'"\ud800"', rb'"\udfff\ud800"', b'"\xed\xa0\x80"', b'"\0"'),
    *(b'"\xff"', b"NaN", b"Infinity", b"-Infinity", b"'x'", b"01", b"1.", b".5", b"+1", b"0x1"),
    *(b'"', b"[", b'{"a"', b"nul", b'"a\nb"', b"[" * 500 + b"]" * 500),
]


# One endpoint for each way of reading a JSON body: `test_a_deeply_nested_body_is_400` proves that
# every other one parses its body alike.
READS_JSON = ["GET timba/logs", "PUT timba/log", "PATCH api/notes/{note_id}/", "POST api/token/"]


@pytest.mark.parametrize("endpoint", [e for e in API if str(e) in READS_JSON], ids=str)
def test_a_body_that_is_no_json_object(endpoint: Endpoint, tenant: Tenant) -> None:
    client, url = api_client_of(tenant.user), endpoint.url(tenant.ids)
    for body in (*NOT_JSON_OBJECTS, *(b'{"unknown": %b}' % value for value in NOT_JSON_VALUES)):
        assert_problem(send(client, endpoint.method, url, body), 400)


def test_a_body_that_is_not_read_may_be_anything(tenant: Tenant) -> None:
    assert send(api_client_of(tenant.user), "GET", "/api/notes/", b"null").status_code == 200


def test_a_deeply_nested_body_is_400(tenant: Tenant, subtests: pytest.Subtests) -> None:
    client = api_client_of(tenant.user)
    for endpoint in (*JSON_BODIES, *LISTS_WITH_BODY):
        with subtests.test(endpoint=str(endpoint)):
            response = send(client, endpoint.method, endpoint.url(tenant.ids), DEEP)
            problem = assert_problem(response, 400)
            assert problem["detail"] == "The body is nested more than 32 levels deep."


@pytest.mark.parametrize("endpoint", [e for e in JSON_BODIES if str(e) in READS_JSON], ids=str)
def test_ten_megabytes_of_json_are_413(endpoint: Endpoint, tenant: Tenant) -> None:
    body = b'{"title":"' + b"x" * 10_000_000 + b'"}'
    url = endpoint.url(tenant.ids)
    assert_problem(send(api_client_of(tenant.user), endpoint.method, url, body), 413)


STRANGE: tuple[Any, ...] = (
    *("1e999", "NaN", -1, 1e300, "\u202e\ufffe", "x" * 70_000, orjson.Fragment(str(2**70))),
    *(orjson.Fragment(number) for number in ("1e999", "9" * 5_000, "-" + "9" * 400)),
)
TOO_LONG = ("x" * 70_000,)
WRONG_VALUES: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("length", "breadth", "height", "seats", "city_id"), (0, *STRANGE)),
    **dict.fromkeys(("from", "to", "current_period_end", "email", "permissions"), STRANGE),
    **dict.fromkeys(("type", "plan", "status", "is_active", "quota_bytes"), STRANGE),
    **dict.fromkeys(("client_id", "user_id", "consignment_id", "log_id"), STRANGE),
    **dict.fromkeys(("read_as", "dry_run", "ids", "action"), STRANGE),
    **dict.fromkeys(("name", "address", "contact", "title"), TOO_LONG),
    **dict.fromkeys(("barcode", "time_zone", "vehicle_number"), TOO_LONG),
    **dict.fromkeys(("content", "password", "current_password", "refresh", "role", "username"), ()),
}


def test_wrong_values_are_400_in_every_field(tenant: Tenant, subtests: pytest.Subtests) -> None:
    """All wrong values where a field occurs first; where it occurs again, three of them."""
    client, unstorable = api_client_of(tenant.user), orjson.Fragment(rb'"\ud800"')
    tried: set[str] = set()
    for endpoint in JSON_BODIES:
        for field in fields_of(endpoint):
            wrong = WRONG_VALUES[field]
            for value in [{"": []}, unstorable, *(wrong[-1:] if field in tried else wrong)]:
                body = {**filled(endpoint, tenant.ids), field: value}
                with subtests.test(endpoint=str(endpoint), field=field, value=str(value)[:40]):
                    url = endpoint.url(tenant.ids)
                    data = orjson.dumps(body, default=str)
                    assert_problem(send(client, endpoint.method, url, data), 400)
            tried.add(field)


def test_impossible_ids_are_404_in_every_field(tenant: Tenant, subtests: pytest.Subtests) -> None:
    client = api_client_of(tenant.user)
    for endpoint in JSON_BODIES:
        for field in fields_of(endpoint):
            if field.endswith("_id") and field != "city_id":
                for number in (0, 2**63):
                    with subtests.test(endpoint=str(endpoint), field=field, number=number):
                        response = call(client, endpoint, tenant.ids, body={field: number})
                        assert_problem(response, 404)


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x"])
def test_a_body_that_breaks_off_is_400(tenant: Tenant, content_type: str) -> None:
    class BrokenOff(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise OSError

    url = "/api/notes/" if content_type == "application/json" else "/api/files/"
    environ = {"wsgi.input": BrokenOff(), "CONTENT_LENGTH": "100", "CONTENT_TYPE": content_type}
    assert_problem(api_client_of(tenant.user).post(url, **environ), 400)


# --- Forms ---------------------------------------------------------------------------------------

_PART = b"--b\r\nContent-Disposition: form-data; name=%b\r\n%b\r\n%b\r\n--b--\r\n"
MALFORMED_FORMS = [
    *(b"", b"--b--", b"--b\r\n", b"--b\r\n\r\n\r\n--b--\r\n", b"nonsense" * 1_000),
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nHel',
    _PART % (b'"file"', b"", b"no file"),
    _PART % (b'"file"; filename=""', b"", b"Hello"),
    _PART % (b'"file"; filename="\0.txt"', b"", b"Hello"),
    _PART % (b'"file"; filename="a\xff.txt"', b"", b""),
    _PART % (b"\"file\"; filename*=UTF-8''%ED%A0%80.txt", b"", b"Hello"),
    _PART % (b'"file"; filename*=nonsense\'x', b"", b""),
    _PART % (b'"file"; filename="a.txt"', b"Content-Transfer-Encoding: base64\r\n", b"!"),
    _PART % (b'"file"; filename="a.txt"', b"Content-Type: " + b"x" * 9_000 + b"\r\n", b""),
    _PART % (b'"a\0"', b"", b"1"),
    b"".join(
        b'--b\r\nContent-Disposition: form-data; name="%d"\r\n\r\n\r\n' % n for n in range(1_500)
    )
    + b"--b--\r\n",
]


@pytest.mark.parametrize("endpoint", FORM_BODIES, ids=str)
def test_a_malformed_form_is_400(endpoint: Endpoint, tenant: Tenant) -> None:
    client, url = api_client_of(tenant.user), endpoint.url(tenant.ids)
    for form in MALFORMED_FORMS:
        assert_problem(send(client, endpoint.method, url, form, FORM), 400)
    too_long = _PART % (b'"consignment_id"', b"", b"x" * 3_000_000)
    assert_problem(send(client, endpoint.method, url, too_long, FORM), 413)


@pytest.mark.parametrize("endpoint", FORM_BODIES, ids=str)
def test_wrong_values_in_a_form_are_refused(endpoint: Endpoint, tenant: Tenant) -> None:
    client = api_client_of(tenant.user)
    for field in (*fields_of(endpoint), "unknown"):
        for value in ("\0", "a\0b"):
            assert_problem(call(client, endpoint, tenant.ids, body={field: value}), 400)
        if field.endswith("_id"):
            for value in ("-1", "x", "1.5"):
                assert_problem(call(client, endpoint, tenant.ids, body={field: value}), 400)
            status = 400 if field == "city_id" else 404
            for value in (str(2**70), "9" * 5_000):
                assert_problem(call(client, endpoint, tenant.ids, body={field: value}), status)
        if field == "kind" or field in endpoint.body:
            for value in ("-1", str(2**70), "x"):
                assert_problem(call(client, endpoint, tenant.ids, body={field: value}), 400)


# Each with its status where JSON is expected, and where a form is.
CONTENT_TYPES = [
    ("", 415, 415),
    ("nonsense", 415, 415),
    ("application/json; charset=utf-16", 400, 415),
    ("application/json; charset=nonsense", 400, 415),
    ("multipart/form-data", 415, 400),
    ("multipart/form-data; boundary=", 415, 400),
    ("multipart/form-data; boundary=b", 415, 400),
    ("multipart/form-data; boundary=" + "b" * 300, 415, 400),
    ("multipart/form-data; charset=x; boundary=b", 415, 400),
    ("multipart/mixed; boundary=b", 415, 415),
    ("application/x-www-form-urlencoded", 415, 415),
    ("a" * 5_000, 415, 415),
    ("\xff/\0", 400, 400),
]


@pytest.mark.parametrize(
    "endpoint", [e for e in BODIES if str(e) in ("POST api/notes/", "POST api/files/")], ids=str
)
def test_strange_content_types(endpoint: Endpoint, tenant: Tenant) -> None:
    client, url = api_client_of(tenant.user), endpoint.url(tenant.ids)
    for content_type, json_status, form_status in CONTENT_TYPES:
        status = form_status if endpoint.is_form else json_status
        body = b"--b\r\n\r\n\r\n--b--"
        assert_problem(send(client, endpoint.method, url, body, content_type), status)


def test_another_content_type_is_415(tenant: Tenant, subtests: pytest.Subtests) -> None:
    client = api_client_of(tenant.user)
    for endpoint in BODIES:
        other = "application/json" if endpoint.is_form else FORM
        for content_type in ("text/plain", other):
            with subtests.test(endpoint=str(endpoint), content_type=content_type):
                url = endpoint.url(tenant.ids)
                assert_problem(send(client, endpoint.method, url, b"<a/>", content_type), 415)


# --- Paths and queries ---------------------------------------------------------------------------

NO_IDS = [
    *("%00", "%ED%A0%80", "%FF", "-1", str(2**63), str(2**70), "9" * 5_000, "1.5", "1e9", "NaN"),
    *("%D9%A3", "%20", "x", "null", "..%2F..%2F", "%0A"),
]


def test_what_is_no_id_is_404_in_a_path(tenant: Tenant, subtests: pytest.Subtests) -> None:
    """Every text for each kind of id; elsewhere, what only the database could refuse."""
    client = api_client_of(tenant.user)
    tried: set[str] = set()
    for endpoint in API:
        for name in endpoint.parameters:
            known = tenant.ids[name]
            texts = [*NO_IDS, f"{known}%00", f"{known}%20", f"%20{known}"]
            for text in [str(2**63), "%00"] if name in tried else texts:
                with subtests.test(endpoint=str(endpoint), text=text[:40]):
                    ids = {**tenant.ids, name: text}
                    assert_problem(call(client, endpoint, ids), 404)
            tried.add(name)


NO_NUMBERS = ("%ED%A0%80", "%FF", "NaN", "x" * 9_000, "%25", "a%0D%0Ab", "2026-99-99", "-1")
LARGE_NUMBERS = (str(2**63), str(2**70), "9" * 5_000)
REFUSED_IN_QUERY: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("id", "client_id", "user_id", "consignment_id", "log_id"), NO_NUMBERS),
    **dict.fromkeys(("after", "city_id", "wait"), (*NO_NUMBERS, *LARGE_NUMBERS)),
    **dict.fromkeys(("limit", "cursor", "from", "to"), (*NO_NUMBERS, *LARGE_NUMBERS, "%D9%A3")),
    **dict.fromkeys(("type", "kind", "status", "task_id"), (*NO_NUMBERS, *LARGE_NUMBERS)),
    "bucket": (*NO_NUMBERS, "week"),
    "decimal": (*NO_NUMBERS, "point"),
    **dict.fromkeys(("deleted", "file_id", "page", "sha256", "size"), NO_NUMBERS),
    **dict.fromkeys(("q", "topic", "barcode"), ()),
}


def test_wrong_values_are_400_in_a_query(tenant: Tenant, subtests: pytest.Subtests) -> None:
    """All wrong values where a parameter occurs first; where it occurs again, two of them."""
    client = api_client_of(tenant.user)
    tried: set[str] = set()
    for endpoint in API:
        url = endpoint.url(tenant.ids)
        documented = operation(endpoint).get("parameters", [])
        names = [p["name"] for p in documented if p["in"] == "query"]
        for name in names:
            refused = REFUSED_IN_QUERY[name]
            for text in ("%00", *(refused[-1:] if name in tried else refused)):
                with subtests.test(endpoint=str(endpoint), name=name, text=text[:40]):
                    response = send(client, endpoint.method, f"{url}?{name}={text}&{name}={text}")
                    assert_problem(response, 400)
            tried.add(name)
        for name in ("unknown", "%ED%A0%80") if names else ():
            with subtests.test(endpoint=str(endpoint), name=name):
                assert_problem(send(client, endpoint.method, f"{url}?{name}=%00"), 400)


# --- Pages ---------------------------------------------------------------------------------------

NUL, SURROGATE, LARGE, LONG = "%00", "%ED%A0%80", str(2**70), "x" * 9_000
TEXT_FIELDS = ("address", "barcode", "contact", "name", "q", "title", "username", "vehicle_number")
OTHER_FIELDS = (
    *("action", "email", "file_id", "time_zone"),
    *("breadth", "city_id", "consignment_id", "cursor", "from", "height", "id", "in", "kind"),
    *("bucket", "last", "length", "limit", "number", "page", "permissions", "role", "status"),
    *("to", "type"),
    *("0-column-1", "0-column-2", "0-column-3", "dates", "unit", "zone"),
)
REFUSED_ON_PAGES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(TEXT_FIELDS, (NUL, LONG)),
    **dict.fromkeys(("current_password", "password"), (NUL, SURROGATE, LONG)),
    **dict.fromkeys(OTHER_FIELDS, (NUL, SURROGATE, LARGE, LONG)),
    "content": (NUL,),
}
# A POST that fails renders a page again that reads these from its query.
QUERY_FIELDS = {"cursor", "in", "limit", "number", "page", "q"}


@pytest.mark.parametrize(
    "endpoint", [endpoint for endpoint in PAGES if endpoint.path != "login/"], ids=str
)
def test_wrong_values_on_a_page(endpoint: Endpoint, tenant: Tenant) -> None:
    client, url = browser_of(tenant.user), endpoint.url(tenant.ids)
    with recorded_names() as names:
        call(client, endpoint, tenant.ids, body={"title": ""})
        call(client, endpoint, tenant.ids)
    for name in names - (set() if endpoint.method == "GET" else QUERY_FIELDS):
        for text in REFUSED_ON_PAGES.get(name, ()):
            assert ask_page(client, endpoint, url, tenant, f"{name}={text}") == 400, (name, text)
    for name in {*names, "unknown"} - REFUSED_ON_PAGES.keys():
        for text in (NUL, SURROGATE, LARGE, LONG):
            status = ask_page(client, endpoint, url, tenant, f"{name}={text}")
            assert status == endpoint.status, (name, text)


def ask_page(client: Any, endpoint: Endpoint, url: str, tenant: Tenant, added: str) -> int:
    """Return the status of a page with something added to its query or form."""
    if endpoint.method == "GET":
        response = send(client, "GET", f"{url}?{urlencode(endpoint.body)}&{added}")
    else:
        form = f"{urlencode(filled(endpoint, tenant.ids))}&{added}".encode()
        content_type = "application/x-www-form-urlencoded"
        response = send(client, endpoint.method, url, form, content_type)
    status: int = response.status_code
    return status


# --- Headers -------------------------------------------------------------------------------------

HEADERS = [
    *("Accept", "Cookie", "If-Match", "If-None-Match", "If-Range", "Range", "X-Forwarded-For"),
    *("X-CSRFToken", "Content-Encoding", "HX-Request", "Origin", "Referer", "Timba-User"),
]
# One endpoint for each way of reading headers.
READERS = [
    *("GET api/notes/", "POST api/notes/", "GET api/files/{file_id}/content/", "POST api/files/"),
    *("GET temperature-readings/{city_id}/", "POST api/token/", "GET health/ready"),
]


@pytest.mark.parametrize(
    "endpoint", [endpoint for endpoint in API if str(endpoint) in READERS], ids=str
)
def test_strange_headers(endpoint: Endpoint, tenant: Tenant) -> None:
    client = api_client_of(tenant.user)
    for header in HEADERS:
        for text in ("", "\xff\xfe", "x" * 9_000, ',;="', "*/*;q=x", "-1"):
            response = call(client, endpoint, tenant.ids, headers={header: text})
            assert response.status_code == endpoint.status, (header, text[:20])
        assert_problem(call(client, endpoint, tenant.ids, headers={header: "\0"}), 400)


def test_a_deeply_nested_forged_token_is_401(db: None) -> None:
    deep = base64.urlsafe_b64encode(b'{"alg":"HS256","x":' + b"[" * 1_000 + b"]" * 1_000 + b"}")
    for token in (f"{deep.decode()}.e30.AA", f"eyJhbGciOiJIUzI1NiJ9.{deep.decode()}.AA"):
        response = APIClient().get("/api/notes/", headers={"authorization": f"Bearer {token}"})
        assert_problem(response, 401)


def test_a_deeply_nested_cursor_is_400(tenant: Tenant) -> None:
    cursor = base64.urlsafe_b64encode(b"[" * 900 + b"]" * 900).decode()
    for endpoint in API:
        if any(p["name"] == "cursor" for p in operation(endpoint).get("parameters", [])):
            query = {"cursor": cursor}
            assert_problem(call(api_client_of(tenant.user), endpoint, tenant.ids, query=query), 400)


@pytest.mark.parametrize("host", ["evil.example", "x\0", "[", "a b"])
def test_a_host_that_is_not_served_is_400(tenant: Tenant, host: str) -> None:
    response = api_client_of(tenant.user).get("/api/notes/", headers={"Host": host})
    assert_problem(response, 400)
