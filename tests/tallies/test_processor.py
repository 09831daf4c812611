"""Processing of tally sheets: their logs, their rejects and their annotated copies."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from tests.conftest import MakeUser
from tests.factories import ClientFactory
from tests.files.runs import expire_lease, let_an_hour_pass
from tests.tallies.conftest import Upload
from tests.tallies.sheets import HEADER, read_back, tally, workbook
from timba.accounts.models import Role, Subscription, User
from timba.consignments.logs import add_log, delete_log
from timba.consignments.models import Consignment, Log
from timba.consignments.services import open_consignment
from timba.consignments.trash import delete_consignment
from timba.events.models import OutboxEvent
from timba.files import processing
from timba.files.leases import Run, claim
from timba.files.models import Derivative, File
from timba.files.processing import process_file
from timba.files.processors.base import Outdated
from timba.files.services import link_file, retry_file
from timba.files.storage import store
from timba.files.sweeping import sweep_files
from timba.tallies import processor
from timba.tallies.processor import TallyProcessor

pytestmark = pytest.mark.django_db

ROW = ("B-1", 4.2, 30.5, 25)


def result_of(file: File) -> dict[str, Any]:
    assert file.result is not None
    return {name: file.result[name] for name in list(file.result)[4:]}


def counts(file: File) -> tuple[int, int, int, int]:
    result = result_of(file)
    return result["rows"], result["accepted"], result["rejected"], result["unchanged"]


def reasons(file: File) -> list[str]:
    return [each["reason"] for each in result_of(file)["first_errors"]]


def bytes_of(file: File, role: str) -> bytes:
    derivative = file.derivatives.get(role=role, run=file.run, is_current=True)
    with store().open_bytes(derivative.storage_key) as stream:
        return stream.read()


def logs_of(consignment: Consignment) -> list[tuple[str, Decimal, Decimal, Decimal]]:
    logs = Log.unscoped.filter(consignment=consignment).order_by("pk")
    return list(logs.values_list("barcode", "length", "breadth", "height"))


def totals(consignment: Consignment) -> tuple[int, Decimal]:
    consignment.refresh_from_db()
    return consignment.log_count, consignment.volume


# --- Good rows -----------------------------------------------------------------------------------


def test_the_rows_of_a_sheet_become_logs(
    upload: Upload, consignment: Consignment, owner: User
) -> None:
    file = upload(tally(ROW, ("B-2", "4,23", 30, 25.125)))
    assert (file.status, file.error) == ("SUCCESS", "")
    assert result_of(file) == {
        "rows": 2,
        "accepted": 2,
        "rejected": 0,
        "unchanged": 0,
        "left_out": [],
        "volume": 0.639,
        "sheet_volume": None,
        "sheets": [{"name": "Tally", "rows": 2, "accepted": 2}],
        "read_as": result_of(file)["read_as"],
        "questions": [],
        "warnings": [],
        "first_errors": [],
    }
    assert logs_of(consignment) == [
        ("B-1", Decimal("4.2"), Decimal("30.5"), Decimal(25)),
        ("B-2", Decimal("4.23"), Decimal(30), Decimal("25.125")),
    ]
    assert totals(consignment) == (2, Decimal("0.639"))
    assert consignment.updated_by == owner
    assert not file.derivatives.exists()


def test_each_log_has_its_event_before_the_files(upload: Upload, owner: User) -> None:
    file = upload(tally(ROW, ("B-2", 4, 30, 25)))
    types = OutboxEvent.objects.order_by("-sequence").values_list("type", "actor_id")[:3]
    assert list(types) == [
        ("timba.file.succeeded", None),
        ("timba.log.created", owner.pk),
        ("timba.log.created", owner.pk),
    ]
    assert OutboxEvent.objects.get(type="timba.file.succeeded").key == str(file.pk)


@pytest.mark.only_on("sqlite")
def test_a_csv_uploaded_as_a_tally_is_one(upload: Upload, consignment: Consignment) -> None:
    file = upload("Svītrkods;Garums (m);Platums, cm;Biezums [mm]\nB-1;4,2;30,5;250\n")
    assert counts(file) == (1, 1, 0, 0)
    assert logs_of(consignment) == [("B-1", Decimal("4.2"), Decimal("30.5"), Decimal(25))]


def test_the_same_sheet_again_adds_nothing(upload: Upload, consignment: Consignment) -> None:
    upload(tally(ROW))
    again = upload(tally(ROW, ("B-2", 4, 30, 25)))
    assert counts(again) == (2, 1, 0, 1)
    assert again.result["volume"] == 0.3
    assert counts(upload(tally(ROW, ("B-2", "4.000", 30.0, 25)))) == (2, 0, 0, 2)
    assert totals(consignment) == (2, Decimal("0.620"))


def test_a_barcode_that_looks_like_an_existing_one_is_that_log(
    upload: Upload, consignment: Consignment
) -> None:
    upload(tally(("Bērzs-1", *ROW[1:])))
    alike = ("BE\u0304RZS-1", "\u200bbērzs-1\u00a0", "Bērzs-1")
    for barcode in alike:
        assert counts(upload(tally((barcode, *ROW[1:])))) == (1, 0, 0, 1)
    assert [log[0] for log in logs_of(consignment)] == ["Bērzs-1"]


# --- Rejects -------------------------------------------------------------------------------------


@pytest.mark.only_on("sqlite")
def test_bad_rows_are_reported_by_cell_and_do_not_affect_good_ones(
    upload: Upload, consignment: Consignment
) -> None:
    file = upload(tally(("B-1", "x", None, -1), ROW, (None, 4, 30, 25), ("B-2", 4, 30, 25)))
    assert file.status == "SUCCESS"
    assert counts(file) == (4, 1, 3, 0)
    assert result_of(file)["first_errors"] == [
        {
            "line": 2,
            "reason": "B2: The length “x” is not a number. C2: The breadth is missing. "
            "D2: The height must be greater than 0.",
            "text": "B-1, x, , -1",
        },
        {
            "line": 3,
            "reason": "A3: The barcode “B-1” is in row 2 already.",
            "text": "B-1, 4.2, 30.5, 25",
        },
        {"line": 4, "reason": "A4: The barcode is missing.", "text": ", 4, 30, 25"},
    ]
    assert [barcode for barcode, *_ in logs_of(consignment)] == ["B-2"]


@pytest.mark.only_on("sqlite")
def test_all_rejects_are_stored(upload: Upload) -> None:
    bad = [(f"B-{number}", "x", 30, 25) for number in range(30)]
    file = upload(tally(ROW, *bad[2:]))
    assert len(result_of(file)["first_errors"]) == processor.FIRST_ERRORS
    rejects = list(csv.reader(io.StringIO(bytes_of(file, "rejects").decode(), newline="")))
    assert rejects[0] == ["line", "reason", "text"]
    assert [int(line) for line, *_ in rejects[1:]] == list(range(3, 31))
    assert rejects[1] == ["3", "B3: The length “x” is not a number.", "B-2, x, 30, 25"]


def test_an_existing_log_with_other_measures_is_a_reject_that_names_both(
    upload: Upload, consignment: Consignment
) -> None:
    upload(tally(ROW))
    file = upload(tally(("B-1", 4.3, 30.5, 26), ("B-2", 4, 30, 25)))
    assert counts(file) == (2, 1, 1, 0)
    [reason] = reasons(file)
    assert reason == (
        "B2: The log “B-1” has the length 4.2 m already; the sheet says 4.3 m. "
        "D2: The log “B-1” has the height 25 cm already; the sheet says 26 cm."
    )
    assert logs_of(consignment)[0][1] == Decimal("4.2")


def test_a_log_of_another_consignment_is_a_reject_that_names_it(
    upload: Upload, owner: User, consignment: Consignment
) -> None:
    other = open_consignment(
        actor=owner, client=consignment.client, name="Lorry 8", type="pinewood"
    )
    upload(tally(ROW), place=other)
    file = upload(tally(ROW, ("B-2", 4, 30, 25)))
    assert reasons(file) == ["A2: The log “B-1” is in the consignment “Lorry 8” already."]


def test_barcodes_of_other_clients_do_not_matter(
    upload: Upload, make_user: MakeUser, consignment: Consignment
) -> None:
    stranger = make_user(client=ClientFactory())
    theirs = open_consignment(
        actor=stranger, client=stranger.client, name="Theirs", type="hardwood"
    )
    add_log(
        actor=stranger,
        consignment=theirs,
        barcode="B-1",
        length=Decimal(1),
        breadth=Decimal(1),
        height=Decimal(1),
    )
    assert counts(upload(tally(ROW))) == (1, 1, 0, 0)


@pytest.mark.only_on("sqlite")
def test_no_reject_runs_as_a_formula(upload: Upload) -> None:
    file = upload("barcode;length;breadth;height\nB-1;4.2;30;25\n=1+1;x;30;25\n")
    rejects = list(csv.reader(io.StringIO(bytes_of(file, "rejects").decode(), newline="")))
    assert rejects[1][2] == "'=1+1, x, 30, 25"
    assert result_of(file)["first_errors"][0]["text"] == "=1+1, x, 30, 25"


@pytest.mark.only_on("sqlite")
def test_a_sheet_without_a_good_row_is_a_failure_with_its_rejects(upload: Upload) -> None:
    file = upload(tally(("B-1", "x", 30, 25)))
    assert (file.status, file.error) == (
        "FAILURE",
        "No row could become a log. B2: The length “x” is not a number.",
    )
    assert counts(file) == (1, 0, 1, 0)
    assert bytes_of(file, "rejects").startswith(b"line,reason,text\r\n2,")
    assert read_back(bytes_of(file, "annotated"))["B2"].comment.text.startswith("The length")


# --- The annotated copy --------------------------------------------------------------------------


@pytest.mark.only_on("sqlite")
def test_the_annotated_copy_has_a_comment_at_each_bad_cell(upload: Upload) -> None:
    upload(tally(ROW))
    file = upload(
        workbook(["Lorry 7"], [], ["No.", *HEADER], [1, *ROW], [2, "B-1", 1, 1, 1], [3, None, 1, 1])
    )
    sheet = read_back(bytes_of(file, "annotated"))
    comments = {cell.coordinate: cell.comment.text for row in sheet for cell in row if cell.comment}
    assert comments == {
        "B5": "The barcode “B-1” is in row 4 already.",
        "B6": "The barcode is missing.",
        "E6": "The height is missing.",
    }
    painted = {cell.coordinate for row in sheet for cell in row if cell.fill.fill_type == "solid"}
    assert painted == comments.keys()
    assert sheet["A1"].value == "Lorry 7"


@pytest.mark.only_on("sqlite")
def test_conflicts_with_existing_logs_are_annotated_too(upload: Upload) -> None:
    upload(tally(ROW))
    file = upload(tally(("B-1", 5, 30.5, 25)))
    sheet = read_back(bytes_of(file, "annotated"))
    assert sheet["B2"].comment.text == (
        "The log “B-1” has the length 4.2 m already; the sheet says 5 m."
    )


@pytest.mark.only_on("sqlite")
def test_the_corrected_copy_adds_only_the_missing_logs(
    upload: Upload, consignment: Consignment
) -> None:
    first = upload(tally(ROW, ("B-2", "x", 30, 25)))
    assert totals(consignment)[0] == 1
    copy = bytes_of(first, "annotated")
    mended = read_back(copy)
    mended["B3"] = 4
    content = io.BytesIO()
    mended.parent.save(content)
    assert counts(upload(content.getvalue())) == (2, 1, 0, 1)
    assert totals(consignment) == (2, Decimal("0.620"))


@pytest.mark.only_on("sqlite")
def test_a_sheet_that_cannot_be_copied_is_annotated_in_a_copy_of_its_values(
    upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = processor.run_in_sandbox

    def refuse(annotate: Any, job: Any, *, extra: bytes) -> Any:
        if annotate is processor.annotate_workbook:
            raise processor.FileRefused("It needs more memory than one file may use.")
        return real(annotate, job, extra=extra)

    monkeypatch.setattr(processor, "run_in_sandbox", refuse)
    sheet = read_back(bytes_of(upload(tally(ROW, ("B-2", "x", 30, 25))), "annotated"))
    assert (sheet["B3"].value, sheet["B3"].comment.text) == (
        "x",
        "The length “x” is not a number.",
    )


# --- Uploader and consignment ---------------------------------------------------------------------


def test_a_tally_without_a_consignment_fails_until_it_has_one(
    upload: Upload, consignment: Consignment, owner: User
) -> None:
    file = upload(tally(ROW), place=None)
    assert (file.status, file.error) == ("FAILURE", processor.NO_CONSIGNMENT)
    link_file(actor=owner, file=file, consignment=consignment, log=None)
    retry_file(actor=owner, file=file)
    assert process_file(file.pk)
    assert totals(consignment)[0] == 1


def test_an_uploader_who_may_not_write_logs_adds_none(
    upload: Upload, make_user: MakeUser, consignment: Consignment
) -> None:
    role = Role.unscoped.create(
        client=consignment.client, name="photographer", permissions=["files.write"]
    )
    file = upload(tally(ROW), by=make_user(role=role))
    assert (file.status, file.error) == ("FAILURE", processor.NOT_ALLOWED)
    assert totals(consignment) == (0, 0)


def test_a_sheet_without_an_uploader_adds_nothing(upload: Upload) -> None:
    assert upload(tally(ROW), by=None).error == processor.NO_UPLOADER


def test_a_lapsed_client_adds_no_logs(wait: Upload, consignment: Consignment) -> None:
    file = wait(tally(ROW))
    Subscription.objects.filter(client=consignment.client).update(
        current_period_end=timezone.now() - timedelta(days=1)
    )
    process_file(file.pk)
    file.refresh_from_db()
    assert (file.status, file.error) == ("FAILURE", processor.LAPSED)


def test_logs_beyond_the_limit_of_a_consignment_are_refused(
    upload: Upload, consignment: Consignment
) -> None:
    Consignment.unscoped.filter(pk=consignment.pk).update(volume=processor.MAX_TOTAL_VOLUME)
    assert upload(tally(ROW)).error == processor.TOO_MUCH


# --- Once, whole, and never out of date ----------------------------------------------------------


def test_a_superseded_run_adds_nothing(wait: Upload, consignment: Consignment) -> None:
    file = wait(tally(ROW, ("B-2", "x", 1, 1)))
    mine = claim(file.pk)
    assert mine is not None
    run = Run(file=mine)
    outcome = processing._read(run)
    expire_lease(file)
    assert process_file(file.pk)
    with pytest.raises(processing.Superseded):
        processing._settle(run.fenced_row(), outcome, seconds=0.0)
    assert totals(consignment)[0] == 1
    let_an_hour_pass()
    sweep_files()
    assert {each.run for each in Derivative.objects.all()} == {2}


def test_logs_and_success_are_written_together_or_not_at_all(
    wait: Upload, consignment: Consignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = wait(tally(ROW))

    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError(2006, "Server has gone away")

    monkeypatch.setattr(processing, "publish", fail)
    with pytest.raises(OperationalError):
        process_file(file.pk)
    monkeypatch.undo()
    assert (totals(consignment), logs_of(consignment)) == ((0, 0), [])
    expire_lease(file)
    process_file(file.pk)
    assert totals(consignment)[0] == 1


def _interfere(monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> None:
    """Run an action once, after a sheet is compared and before it is recorded."""
    real, done = TallyProcessor.stage, []

    def stage(self: TallyProcessor, job: Any, result: Any) -> Any:
        findings = real(self, job, result)
        if not done:
            done.append(action())
        return findings

    monkeypatch.setattr(TallyProcessor, "stage", stage)


def test_a_log_added_meanwhile_is_compared(
    wait: Upload, consignment: Consignment, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = wait(tally(ROW, ("B-2", 4, 30, 25)))
    measures = {"length": Decimal(5), "breadth": Decimal("30.5"), "height": Decimal(25)}
    _interfere(
        monkeypatch,
        lambda: add_log(actor=owner, consignment=consignment, barcode="B-1", **measures),
    )
    assert process_file(file.pk)
    file.refresh_from_db()
    assert (file.status, file.attempts, totals(consignment)[0]) == ("PENDING", 0, 1)
    assert process_file(file.pk)
    file.refresh_from_db()
    assert counts(file) == (2, 1, 1, 0)
    sheet = read_back(bytes_of(file, "annotated"))
    assert "already; the sheet says 4.2 m" in sheet["B2"].comment.text


def test_a_log_deleted_meanwhile_is_added_again(
    upload: Upload,
    wait: Upload,
    consignment: Consignment,
    owner: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upload(tally(ROW))
    file = wait(tally(ROW, ("B-2", 4, 30, 25)))
    gone = Log.unscoped.get(barcode="B-1")
    _interfere(monkeypatch, lambda: delete_log(actor=owner, log=gone))
    assert process_file(file.pk)
    assert process_file(file.pk)
    file.refresh_from_db()
    assert counts(file) == (2, 2, 0, 0)


def test_a_consignment_deleted_meanwhile_gets_no_logs(
    wait: Upload, consignment: Consignment, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = wait(tally(ROW))
    _interfere(monkeypatch, lambda: delete_consignment(actor=owner, consignment=consignment))
    assert process_file(file.pk)
    assert process_file(file.pk)
    file.refresh_from_db()
    assert (file.status, file.error) == ("FAILURE", processor.NO_CONSIGNMENT)
    assert not Log.unscoped.exists()


def test_a_file_moved_meanwhile_adds_its_logs_to_its_new_consignment(
    wait: Upload, consignment: Consignment, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = wait(tally(ROW))
    other = open_consignment(
        actor=owner, client=consignment.client, name="Lorry 8", type="hardwood"
    )
    _interfere(
        monkeypatch,
        lambda: link_file(actor=owner, file=file, consignment=other, log=None),
    )
    assert process_file(file.pk)
    assert process_file(file.pk)
    assert (totals(consignment)[0], totals(other)[0]) == (0, 1)


def test_a_permission_removed_meanwhile_is_missing(
    wait: Upload, consignment: Consignment, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = make_user(role="operator")
    viewer = Role.unscoped.get(client=None, name="viewer")
    file = wait(tally(ROW), by=operator)
    _interfere(monkeypatch, lambda: User.unscoped.filter(pk=operator.pk).update(role=viewer))
    assert process_file(file.pk)
    assert process_file(file.pk)
    file.refresh_from_db()
    assert file.error == processor.NOT_ALLOWED
    assert totals(consignment)[0] == 0


def test_findings_of_another_consignment_are_outdated(
    wait: Upload, consignment: Consignment
) -> None:
    file = wait(tally(ROW))
    file.refresh_from_db()
    with pytest.raises(Outdated):
        processor.PROCESSOR.lock({"consignment": consignment.pk + 1})
    with pytest.raises(Outdated):
        processor.record_tally(file, {"consignment": consignment.pk + 1})
