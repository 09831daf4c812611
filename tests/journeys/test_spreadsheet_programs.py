"""Exports that LibreOffice has opened and saved are uploaded again, and change nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.journeys.timba_process import ApiClient

SOFFICE = shutil.which("soffice")
pytestmark = [
    pytest.mark.journey,
    pytest.mark.slow,
    pytest.mark.skipif(
        SOFFICE is None,
        reason="LibreOffice is not installed: apt-get install libreoffice-calc-nogui",
    ),
]

BARCODES: Final = [
    *("00042", "0012345678905", "123456789012345", "1001", "0", "007.50", ".5", "1 000", "1,5"),
    *("1E5", "2e10", "1/2", "12 1/2", "1-2", "5.6.2024", "2024-05-06", "12:30", "8:30 PM", "MAR1"),
    *("Mai 12", "TRUE", "WAHR", "#N/A", "5%", "€5", "(7)", "7-", "=1+1", "@SUM(1)", "+371-1", "-5"),
    *("'=1", "''007", "'t Woud", "'", "a;b,c", 'a"b', '"q"', "a;=1", "L\u00a0L", "x|y"),
    *("Bērzs-1", "дуб-1", "松木-1", "हिन्दी-1", "ไม้สักปี่-1", "خشب-123-1", "עץ-1", "🌲-1", "한국-1"),
]
MEASURES: Final = [
    {"length": 4.2, "breadth": 30.5, "height": 25},
    {"length": 12.345, "breadth": 100.001, "height": 0.5},
    {"length": 40, "breadth": 300, "height": 299.999},
    {"length": 0.1, "breadth": 1, "height": 10},
]
# The separator of fields by its character's number, and the number of the language.
LOCALES: Final = {"en-US": (44, 1033), "de-DE": (59, 1031)}
LOCALE_SETTING: Final = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Setup/L10N"><prop oor:name="ooSetupSystemLocale" oor:op="fuse">
<value>{locale}</value></prop></item></oor:items>
"""
Save = Callable[[bytes, str, str, str], bytes]


@pytest.fixture(scope="module")
def save(tmp_path_factory: pytest.TempPathFactory) -> Save:
    """Return a function that opens a file in LibreOffice, in a locale, and saves it."""
    root = tmp_path_factory.mktemp("libreoffice")

    def save_in(content: bytes, extension: str, locale: str, saved_as: str) -> bytes:
        profile = root / locale
        if not profile.exists():
            (profile / "user").mkdir(parents=True)
            settings = profile / "user/registrymodifications.xcu"
            settings.write_text(LOCALE_SETTING.format(locale=locale))
        source, out = root / f"tally.{extension}", root / "saved"
        source.write_bytes(content)
        separator, language = LOCALES[locale]
        # UTF-8 from line 1; also dates, truth values and exponents are recognized.
        csv_import = f"CSV:{separator},34,76,1,,{language},false,true"
        # UTF-8, cells as they are shown.
        csv_export = f"csv:Text - txt - csv (StarCalc):{separator},34,76,1,,0,false,true"
        command: list[str | Path] = [
            str(SOFFICE),
            f"-env:UserInstallation={profile.as_uri()}",
            *("--headless", "--norestore"),
            *(["--infilter=" + csv_import] if extension == "csv" else []),
            *("--convert-to", csv_export if saved_as == "csv" else "xlsx"),
            *("--outdir", out, source),
        ]
        subprocess.run(
            command,
            env={**os.environ, "HOME": str(root)},
            check=True,
            timeout=300,
            capture_output=True,
        )
        return (out / f"tally.{saved_as}").read_bytes()

    return save_in


@pytest.fixture(scope="module")
def consignment(owner: ApiClient) -> Any:
    """Return a consignment of logs whose barcodes a spreadsheet program would change."""
    consignment = owner.post(
        "/api/consignments/", json={"name": "Lorry", "type": "hardwood"}
    ).json()
    for number, barcode in enumerate(BARCODES):
        log = {"barcode": barcode, **MEASURES[number % len(MEASURES)]}
        response = owner.post(f"/api/consignments/{consignment['id']}/logs/", json=log)
        assert response.status_code == 201, response.text
    return owner.get(f"/api/consignments/{consignment['id']}/").json()


@pytest.mark.parametrize("saved_as", ["xlsx", "csv"])
@pytest.mark.parametrize(
    ("export", "locale"),
    [
        ("tally.xlsx", "en-US"),
        ("tally.xlsx", "de-DE"),
        ("tally.csv", "en-US"),
        ("tally.csv?decimal=comma", "de-DE"),
    ],
)
def test_what_was_saved_changes_nothing(
    export: str, locale: str, saved_as: str, owner: ApiClient, consignment: Any, save: Save
) -> None:
    content = owner.get(f"/api/consignments/{consignment['id']}/{export}").content
    extension = export.partition("?")[0].rpartition(".")[2]
    saved = save(content, extension, locale, saved_as)
    form = {"kind": "tally", "consignment_id": str(consignment["id"])}
    file = owner.post("/api/files/", data=form, files={"file": (f"tally.{saved_as}", saved)}).json()
    task = owner.wait_for_task(file["task_id"], seconds=120)
    assert task["status"] == "SUCCESS", task["error"]
    names = ("accepted", "rejected", "unchanged", "first_errors")
    assert [task["result"][name] for name in names] == [0, 0, len(BARCODES), []]
    assert owner.get(f"/api/consignments/{consignment['id']}/").json() == consignment
