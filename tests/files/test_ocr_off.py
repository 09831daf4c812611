"""Without the extra, no text in pictures is read, and Timba says so."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from tests.files.conftest import Receive
from tests.files.samples import pdf, photo
from timba.files.models import FileText, OcrJob
from timba.files.ocr import INSTALL, NOT_INSTALLED, check_ocr, check_ocr_is_on

pytestmark = [pytest.mark.only_on("sqlite"), pytest.mark.ocr_is_installed(False)]


@pytest.mark.django_db
def test_no_file_waits_for_ocr(settle: Receive) -> None:
    results = [settle(pdf(), name="1.pdf").result, settle(photo(), name="2.jpg").result]
    assert ["ocr" in result for result in results] == [False, False]
    assert FileText.objects.count() == 1  # of the PDF
    assert not OcrJob.unscoped.exists()


def test_the_reason_is_told_and_only_who_has_asked_for_ocr_is_refused(settings: Settings) -> None:
    [told] = check_ocr_is_on(None)
    assert (told.msg, told.hint, told.id) == (NOT_INSTALLED, INSTALL, "timba.I034")
    assert check_ocr(None) == []
    settings.TIMBA_OCR_LANGUAGES = ["eng"]
    [refused] = check_ocr(None)
    assert (refused.msg, refused.hint, refused.id) == (NOT_INSTALLED, INSTALL, "timba.E033")
    assert check_ocr_is_on(None) == []


@pytest.mark.django_db
def test_the_command_says_why_it_reads_nothing() -> None:
    with pytest.raises(CommandError, match=NOT_INSTALLED):
        call_command("ocr")
