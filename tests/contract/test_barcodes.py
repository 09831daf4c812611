"""Barcodes that look alike are alike at every entrance, and are found however they are typed."""

from __future__ import annotations

from unicodedata import normalize

import pytest
from rest_framework.test import APIClient

from tests.clients import browser_of
from tests.contract.responses import assert_problem, envelope
from tests.contract.uploads import create_file, form_file
from timba.accounts.models import User
from timba.consignments.models import Consignment, Log

pytestmark = pytest.mark.django_db

SIZE = {"length": 4, "breadth": 30, "height": 25}
TAKEN = "There is a log with the barcode “Ēķis-7” already."
ALIKE = [normalize("NFD", "Ēķis-7"), "ēĶIS-7", " Ēķis-7\u00a0", "\u200eĒķis\u200b-7"]


def test_the_normal_form_is_stored_and_answered(
    api_client: APIClient, consignment: Consignment
) -> None:
    barcode = "\ufeffE\u0304k\u0327is \u00a0 7 "
    body = {"consignment_id": consignment.pk, "barcode": barcode, **SIZE}
    log = envelope(api_client.put("/timba/log", body), 201)
    assert log["barcode"] == "Ēķis 7"
    response = api_client.patch(f"/api/logs/{log['id']}/", {"barcode": "Oak\u20037\u200f"})
    assert response.json()["barcode"] == "Oak 7"
    page = api_client.get(f"/api/consignments/{consignment.pk}/logs/").json()
    assert [each["barcode"] for each in page["results"]] == ["Oak 7"]


@pytest.mark.parametrize("barcode", ALIKE)
def test_a_barcode_that_looks_like_another_is_409(
    barcode: str, api_client: APIClient, consignment: Consignment
) -> None:
    logs = f"/api/consignments/{consignment.pk}/logs/"
    assert api_client.post(logs, {"barcode": "Ēķis-7", **SIZE}).status_code == 201
    other = api_client.post(logs, SIZE).json()
    body = {"barcode": barcode, **SIZE}
    refusals = [
        api_client.put("/timba/log", {"consignment_id": consignment.pk, **body}),
        api_client.patch("/timba/log", {"log_id": other["id"], "barcode": barcode}),
        api_client.post(logs, body),
        api_client.patch(f"/api/logs/{other['id']}/", {"barcode": barcode}),
    ]
    assert [assert_problem(refusal, 409)["detail"] for refusal in refusals] == [TAKEN] * 4


def test_pages_refuse_a_barcode_that_looks_like_another(
    api_client: APIClient, owner: User, consignment: Consignment
) -> None:
    logs = f"/api/consignments/{consignment.pk}/logs/"
    api_client.post(logs, {"barcode": "Ēķis-7", **SIZE})
    browser = browser_of(owner)
    for page in ("logs", "gate"):
        url = f"/consignments/{consignment.pk}/{page}/"
        response = browser.post(url, {"barcode": ALIKE[0].upper(), **SIZE})
        assert response.status_code == 409
        assert TAKEN in response.text
    assert Log.unscoped.count() == 1


@pytest.mark.parametrize("words", ["berzs", "BE\u0304RZS", "ab 12-34", "AB1234", "12\u201334"])
def test_consignments_are_found_however_words_are_typed(
    words: str, api_client: APIClient, owner: User
) -> None:
    body = {"name": "Bērzs, March", "type": "hardwood", "vehicle_number": "AB-1234"}
    envelope(api_client.put("/timba/consignment", body), 201)
    api_client.put("/timba/consignment", {**body, "name": "Larch 9", "vehicle_number": "CD 99"})
    found = api_client.get("/api/consignments/", {"q": words}).json()["results"]
    assert [each["name"] for each in found] == ["Bērzs, March"]
    page = browser_of(owner).get("/consignments/", {"q": words}).text
    assert ("Bērzs, March" in page, "Larch 9" in page) == (True, False)


def test_a_consignment_is_found_by_a_whole_barcode(
    api_client: APIClient, owner: User, consignment: Consignment
) -> None:
    api_client.post(f"/api/consignments/{consignment.pk}/logs/", {"barcode": "Ēķis-7", **SIZE})
    link = f'href="/consignments/{consignment.pk}/"'
    found = [
        link in browser_of(owner).get("/consignments/", {"q": words}).text
        for words in ("ekis 7", "EKIS7", "ekis")
    ]
    assert found == [True, True, False]


@pytest.mark.parametrize("words", ["zāģētava", "ZAGETAVA", normalize("NFD", "zāģē")])
def test_notes_and_files_are_found_however_their_name_is_typed(
    words: str, api_client: APIClient
) -> None:
    name = normalize("NFD", "Zāģētava")
    api_client.post("/api/notes/", {"title": name, "content": ""})
    api_client.post("/api/notes/", {"title": "Oak", "content": ""})
    create_file(api_client, form_file("A text.", f"{name}.txt"))
    create_file(api_client, form_file("Another text.", "oak.txt"))
    notes = api_client.get("/api/notes/", {"q": words}).json()["results"]
    files = api_client.get("/api/files/", {"q": words}).json()["results"]
    assert [note["title"] for note in notes] == [name]
    assert [file["name"] for file in files] == [f"{name}.txt"]
