"""Two logs of a client never have barcodes that look alike."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.conftest import MakeUser
from tests.factories import ClientFactory
from timba.accounts.models import User
from timba.consignments.barcodes import find_logs_by_key
from timba.consignments.logs import NewLog, add_log, add_logs, change_log
from timba.consignments.models import Consignment, Log
from timba.errors import Conflict, Invalid

pytestmark = pytest.mark.django_db

SIZE: dict[str, Any] = {"length": Decimal(4), "breadth": Decimal(30), "height": Decimal(25)}
TAKEN = "There is a log with the barcode “{}” already."


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def load(owner: User) -> Consignment:
    return Consignment.objects.create(client=owner.client, name="Lorry 7", type="hardwood")


def older_log(load: Consignment, barcode: str) -> Log:
    """Return a log of the time before keys, whose barcode another log has too."""
    return Log.unscoped.create(
        client_id=load.client_id, consignment=load, barcode=barcode, volume="0.300", **SIZE
    )


@pytest.mark.parametrize("barcode", ["ķirsis-7", "K\u0327IRSIS-7", " Ķirsis\u200b-7 "])
def test_a_barcode_that_looks_like_another_is_taken(
    barcode: str, owner: User, load: Consignment
) -> None:
    add_log(actor=owner, consignment=load, barcode="Ķirsis-7", **SIZE)
    other = add_log(actor=owner, consignment=load, barcode="B", **SIZE)
    with pytest.raises(Conflict) as added:
        add_log(actor=owner, consignment=load, barcode=barcode, **SIZE)
    with pytest.raises(Conflict) as changed:
        change_log(actor=owner, log=other, barcode=barcode)
    with pytest.raises(Conflict) as in_sheet:
        add_logs(actor=owner, consignment=load, logs=[NewLog(barcode=barcode, **SIZE)])
    refusals = [str(refusal.value) for refusal in (added, changed, in_sheet)]
    assert refusals == [TAKEN.format("Ķirsis-7")] * 3


def test_two_barcodes_of_a_sheet_that_look_alike_are_refused(
    owner: User, load: Consignment
) -> None:
    logs = [NewLog(barcode=barcode, **SIZE) for barcode in ("TB 1", "tb\u00a01")]
    with pytest.raises(Conflict) as refusal:
        add_logs(actor=owner, consignment=load, logs=logs)
    assert str(refusal.value) == (
        "The barcodes “TB 1” and “tb 1” are the same: a log has one of its own."
    )


def test_the_normal_form_is_stored(owner: User, load: Consignment) -> None:
    log = add_log(actor=owner, consignment=load, barcode="\u200e Oak\u00a0\u00a07 ", **SIZE)
    assert (log.barcode, log.barcode_key, log.barcode_search_key) == ("Oak 7", "oak 7", "oak7")
    log = change_log(actor=owner, log=log, barcode="oak\u20097")
    assert (log.barcode, log.barcode_key) == ("oak 7", "oak 7")
    longest = add_log(actor=owner, consignment=load, barcode=f" {'ķ' * 50} ", **SIZE)
    assert longest.barcode == "ķ" * 50
    with pytest.raises(Invalid, match=r"^A barcode has 1 to 50 printable characters\.$"):
        add_log(actor=owner, consignment=load, barcode="\u200b", **SIZE)


def test_another_client_may_use_the_barcode(
    owner: User, load: Consignment, make_user: MakeUser
) -> None:
    stranger = make_user(client=ClientFactory())
    theirs = Consignment.objects.create(client=stranger.client, name="Theirs", type="hardwood")
    add_log(actor=owner, consignment=load, barcode="A", **SIZE)
    assert add_log(actor=stranger, consignment=theirs, barcode="a", **SIZE).barcode == "a"


def test_generated_barcodes_skip_those_that_look_alike(owner: User, load: Consignment) -> None:
    add_log(actor=owner, consignment=load, barcode=f"tb-{owner.client_id}-1", **SIZE)
    logs = [NewLog(barcode=f"Tb-{owner.client_id}-2", **SIZE), NewLog(**SIZE)]
    added = add_logs(actor=owner, consignment=load, logs=logs)
    assert added[1].barcode == f"TB-{owner.client_id}-3"


# --- Older logs with the same barcode ------------------------------------------------------------


def test_an_older_twin_is_corrected_but_for_its_barcode(owner: User, load: Consignment) -> None:
    add_log(actor=owner, consignment=load, barcode="TB-1", **SIZE)
    twin = older_log(load, "tb-1 ")
    # Pages send the barcode with every change, without the blanks around it.
    twin = change_log(actor=owner, log=twin, barcode="tb-1", length=Decimal(5))
    assert (twin.barcode, twin.barcode_key, twin.length) == ("tb-1 ", None, 5)
    with pytest.raises(Conflict) as refusal:
        change_log(actor=owner, log=twin, barcode="Tb-1")
    assert str(refusal.value) == TAKEN.format("TB-1")
    twin = change_log(actor=owner, log=twin, barcode="TB-2")
    assert (twin.barcode, twin.barcode_key) == ("TB-2", "tb-2")


def test_an_older_log_without_a_key_keeps_its_barcode_from_being_used(
    owner: User, load: Consignment
) -> None:
    older, _ = older_log(load, "tb-1"), older_log(load, "Tb-1")
    with pytest.raises(Conflict) as refusal:
        add_log(actor=owner, consignment=load, barcode="TB-1", **SIZE)
    assert str(refusal.value) == TAKEN.format("tb-1")
    assert find_logs_by_key(owner.client_id, ["tb-1", "tb-2"]) == {"tb-1": older}
    log = change_log(actor=owner, log=older, barcode="TB-1")
    assert log.barcode_key == "tb-1"


# --- Measures ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("measure", "value", "sentence"),
    [
        ("length", "0.099", "A log is 0.1 to 40 m long."),
        ("length", "40.001", "A log is 0.1 to 40 m long."),
        ("breadth", "0.499", "A log is 0.5 to 300 cm broad."),
        ("height", "300.001", "A log is 0.5 to 300 cm high."),
    ],
)
def test_what_no_log_measures_is_refused(
    measure: str, value: str, sentence: str, owner: User, load: Consignment
) -> None:
    log = add_log(actor=owner, consignment=load, **SIZE)
    wrong: dict[str, Any] = {measure: Decimal(value)}
    with pytest.raises(Invalid) as added:
        add_log(actor=owner, consignment=load, **{**SIZE, **wrong})
    with pytest.raises(Invalid) as changed:
        change_log(actor=owner, log=log, **wrong)
    assert [refusal.value.fields for refusal in (added, changed)] == [{measure: [sentence]}] * 2


def test_older_measures_stay_valid_until_they_change(owner: User, load: Consignment) -> None:
    log = add_log(actor=owner, consignment=load, **SIZE)
    Log.unscoped.update(length=500)
    log = change_log(actor=owner, log=log, length=Decimal(500), breadth=Decimal(20))
    assert (log.length, log.breadth, log.volume) == (500, 20, Decimal("25.000"))
