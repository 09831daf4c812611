"""All malicious files by a description, and those that take seconds to build or to read."""

from __future__ import annotations

from tests.files.malicious_documents import MALICIOUS_DOCUMENTS
from tests.files.malicious_photos import MALICIOUS_PHOTOS
from tests.files.malicious_texts import MALICIOUS_TEXTS
from tests.files.malicious_workbooks import MALICIOUS_WORKBOOKS
from tests.files.samples import MaliciousFile
from timba.files.kinds import KINDS_BY_EXTENSION, TEMPERATURES, extension_of

MALICIOUS_FILES: dict[str, MaliciousFile] = {
    **{
        what: MaliciousFile(f"malicious.{extension}", build, {"photo": outcome})
        for what, (extension, build, outcome) in MALICIOUS_PHOTOS.items()
    },
    **{
        f"PDF: {what}": MaliciousFile("malicious.pdf", build, {"document": outcome})
        for what, (build, outcome) in MALICIOUS_DOCUMENTS.items()
    },
    **{
        f"workbook: {what}": MaliciousFile("malicious.xlsx", build, {"tally": outcome})
        for what, (build, outcome) in MALICIOUS_WORKBOOKS.items()
    },
    **MALICIOUS_TEXTS,
}
SLOW = {
    "PDF: content of a gigabyte",
    "PDF: content of a gigabyte, compressed twice",
    "PDF: two million lines",
    "PDF: 5,000 pages of 100,000 letters",
    "workbook: a million empty rows",
    "workbook: a million rows of numbers",
    "workbook: a million columns",
    "workbook: 60,000 number formats",
    "workbook: 90,000 merged cells",
    "100 MB in one line",
    "ten million empty lines",
    "tally of a million empty rows",
    "tally of a million rows",
    "readings below a line of 60 MB",
    "gzip of a gigabyte of one reading",
    "gzip of 200,000 members",
}
QUICK = sorted(MALICIOUS_FILES.keys() - SLOW)


def refusal_at_upload(file: MaliciousFile) -> str:
    """Return why `/upload/`, which takes readings only, does not accept a file; "" if it does."""
    extension = extension_of(file.name)
    if TEMPERATURES not in KINDS_BY_EXTENSION.get(extension, (TEMPERATURES,)):
        return f"its name ends in “.{extension}”, which is not a file of kind temperatures."
    if TEMPERATURES in file.outcomes:
        return ""
    return file.upload_refusal or file.refusal
