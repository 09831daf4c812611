"""Times, numbers, JSON and bytes are stored exactly, and lists keep their order."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest
from django.db import connection, connections
from django.db.models.functions import Now
from django.utils import timezone
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.conftest import MakeUser
from timba.accounts.models import Client, Role, User
from timba.api.models import IdempotentRequest
from timba.consignments.models import Consignment, Log
from timba.errors import NotFound
from timba.events.models import OutboxEvent, Stream
from timba.files.models import File
from timba.notes.models import Note
from timba.temperatures.models import CityTotals

pytestmark = pytest.mark.django_db

A_SECOND = timedelta(seconds=1)  # the clock of a database may be a coarser one
MOMENTS = [
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2026, 3, 29, 1, 30, 0, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, 30, 0, 123456, tzinfo=UTC),
    datetime(2026, 10, 25, 1, 30, 0, 123457, tzinfo=UTC),
    datetime(2199, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
]


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def api_client(owner: User) -> APIClient:
    return api_client_of(owner)


def make_file(client: Client, name: str, **fields: Any) -> File:
    return File.unscoped.create(
        client=client, name=name, storage_key=str(uuid.uuid4()), status="SUCCESS", **fields
    )


def make_event(moment: datetime, sequence: int) -> OutboxEvent:
    return OutboxEvent.objects.create(
        client_id=1, epoch=1, sequence=sequence, time=moment, value="{}"
    )


def test_times_keep_their_microseconds() -> None:
    for number, moment in enumerate(reversed(MOMENTS)):
        made = make_event(moment, number)
        assert OutboxEvent.objects.get(time=moment).pk == made.pk
    assert list(OutboxEvent.objects.order_by("time").values_list("time", flat=True)) == MOMENTS
    assert OutboxEvent.objects.filter(time__lt=MOMENTS[3]).count() == 3


def test_the_databases_clock_is_utc(client_company: Client) -> None:
    before = timezone.now()
    Client.unscoped.filter(pk=client_company.pk).update(updated_at=Now())
    told = Client.unscoped.get(pk=client_company.pk).updated_at
    assert before - A_SECOND < told < timezone.now() + A_SECOND
    later = Client.unscoped.filter(updated_at__lt=Now() + timedelta(microseconds=1_500_000))
    assert later.filter(pk=client_company.pk).exists()


@pytest.fixture
def server_in_karachi() -> Iterator[None]:
    """Let new connections begin in another time zone than UTC."""
    with connection.cursor() as cursor:
        cursor.execute("SET GLOBAL time_zone = '+05:00'")
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET GLOBAL time_zone = 'SYSTEM'")


@pytest.mark.only_on("mysql")
def test_the_time_zone_of_the_server_does_not_matter(server_in_karachi: None) -> None:
    other = connections["default"].copy()
    before = timezone.now()
    with other.cursor() as cursor:
        cursor.execute("SELECT @@GLOBAL.time_zone, @@SESSION.time_zone, CURRENT_TIMESTAMP(6)")
        everybodys, ours, told = cursor.fetchone()
    other.close()
    assert (everybodys, ours) == ("+05:00", "+00:00")
    assert before - A_SECOND < told.replace(tzinfo=UTC) < timezone.now() + A_SECOND


@pytest.mark.parametrize("volume", ["0.001", "0.1", "99999999999.999", "12345678901.235"])
def test_decimals_are_exact(client_company: Client, volume: str) -> None:
    load = Consignment.unscoped.create(
        client=client_company, name="Load", type="hardwood", volume=Decimal(volume)
    )
    log = Log.unscoped.create(
        client=client_company,
        consignment=load,
        barcode="1",
        length=Decimal("9999.999"),
        breadth=Decimal("0.001"),
        height=Decimal("0.1"),
        volume=Decimal(volume),
    )
    kept = Log.unscoped.get(pk=log.pk)
    measures = [kept.length, kept.breadth, kept.height, kept.volume]
    assert measures == [Decimal(n) for n in ("9999.999", "0.001", "0.1", volume)]
    assert Consignment.unscoped.get(volume=Decimal(volume)).pk == load.pk


def test_sums_are_exact_beyond_what_a_float_holds(client_company: Client) -> None:
    for number in (1, 2):
        CityTotals.unscoped.create(
            client=client_company,
            file=make_file(client_company, "a.csv", run=1),
            run=1,
            city_id=7,
            count=2**53,
            sum_hundredths=-(2**53) + number,
            min_hundredths=-27315,
            max_hundredths=99999,
            first_at=MOMENTS[0],
            last_at=MOMENTS[-1],
        )
    [city] = CityTotals.unscoped.current().by_city()
    assert (city.readings, city.total) == (2**54, -(2**54) + 3)
    assert (city.first, city.last) == (MOMENTS[0], MOMENTS[-1])


def test_a_result_keeps_its_order_and_its_values(client_company: Client) -> None:
    result = {
        "id": "7",
        "name": "š🌲\u2028\\",
        "b": 0.1,
        "aa": [2**53 + 1, -1.5e-7, None, True],
        "a": {"z": {}, "y": []},
    }
    file = make_file(client_company, "a.txt", result=result)
    kept = File.unscoped.get(pk=file.pk).result
    assert kept == result
    assert list(kept) == list(result)
    assert list(kept["a"]) == ["z", "y"]
    nothing = make_file(client_company, "b.txt")
    assert list(File.unscoped.filter(result=None)) == [nothing]


def test_permissions_keep_their_order(client_company: Client) -> None:
    names = ["notes.write", "logs.write", "files.write"]
    role = Role.unscoped.create(client=client_company, name="gate", permissions=names)
    assert Role.unscoped.get(pk=role.pk).permissions == names


def test_bytes_are_kept(owner: User) -> None:
    everything = bytes(range(256)) * 4096
    made = IdempotentRequest.objects.create(
        user=owner, key="k", response_body=everything, expires_at=timezone.now()
    )
    assert bytes(IdempotentRequest.objects.get(pk=made.pk).response_body or b"") == everything


def test_ids_may_be_as_large_as_they_can() -> None:
    Stream.objects.create(client_id=2**63 - 1, last_sequence=2**63 - 1)
    assert Stream.objects.get(client_id=2**63 - 1).last_sequence == 2**63 - 1


@pytest.mark.parametrize("number", [2**63, 2**64, 2**70, -1, 0])
def test_impossible_ids_are_not_found(number: int) -> None:
    for model in (Note, Log, Consignment):
        with pytest.raises(NotFound):
            model.unscoped.get_or_not_found(pk=number)
    assert not Stream.objects.filter(last_sequence__gt=2**70).exists()


def walk(api_client: APIClient, path: str) -> list[list[Any]]:
    """Return the ids on each page of a list."""
    pages = []
    following: str | None = path
    while following is not None:
        response = api_client.get(following).json()
        pages.append([row["id"] for row in response["results"]])
        following = response["next"]
    return pages


def test_pages_of_files_neither_skip_nor_repeat_when_times_are_equal(
    api_client: APIClient, owner: User
) -> None:
    assert owner.client is not None
    ids = {}
    for moment in (MOMENTS[2], MOMENTS[3]):
        made = [make_file(owner.client, f"{number}.txt") for number in range(5)]
        File.unscoped.filter(pk__in=[file.pk for file in made]).update(uploaded_at=moment)
        ids[moment] = {str(file.pk) for file in made}
    for limit in (1, 2, 3, 5):
        pages = walk(api_client, f"/api/files/?limit={limit}")
        assert all(len(page) == limit for page in pages[:-1])
        listed = [pk for page in pages for pk in page]
        assert len(listed) == 10
        assert set(listed[:5]) == ids[MOMENTS[3]]
        assert set(listed[5:]) == ids[MOMENTS[2]]
        assert listed == [pk for page in walk(api_client, "/api/files/") for pk in page]


def test_pages_of_notes_are_newest_first(api_client: APIClient, owner: User) -> None:
    made = [Note.unscoped.create(client=owner.client, title=str(number)).pk for number in range(7)]
    assert walk(api_client, "/api/notes/?limit=3") == [made[6:3:-1], made[3:0:-1], [made[0]]]


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
def test_a_cursor_may_stand_at_the_end_of_time(
    api_client: APIClient, owner: User, time: str
) -> None:
    assert owner.client is not None
    make_file(owner.client, "a.txt")
    cursor = base64.urlsafe_b64encode(orjson.dumps([time, str(uuid.uuid4())])).decode()
    response = api_client.get(f"/api/files/?cursor={cursor}")
    assert response.status_code == 200
    assert len(response.json()["results"]) == (1 if time.startswith("9") else 0)
