"""How files and their tasks look to callers, in responses and events alike.

OpenAPI describes them by these types: a field is `Annotated[type, description, example]`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal, NotRequired, TypedDict, cast
from uuid import UUID

from timba.accounts.schemas import CREATED, UPDATED
from timba.files.models import File, ImportProfile

Status = Literal["PENDING", "SUCCESS", "FAILURE"]

FILE_ID: Final = "6f1d2f3e-0c7b-4b7e-9a55-2d6a4f1c8e01"
TASK_ID: Final = "b0a3c1de-58a4-4a0e-8f43-7c1f0d9e2a02"
_RESULT: Final = {
    "id": FILE_ID,
    "name": "load.jpg",
    "execution_time": 0.41,
    "random_number": 517,
    "width": 4032,
    "height": 3024,
    "format": "JPEG",
    "taken_at": "2026-03-02T08:10:44",
    "camera": "Pixel 8",
    "has_gps": True,
    "latitude": 56.946285,
    "longitude": 24.105078,
    "phash": "d1c4a59b6e2f3087",
    "linked_by": None,
}
_ABOUT_STATUS: Final = "PENDING until the file is processed, then SUCCESS or FAILURE."
_ABOUT_PROGRESS: Final = "Part of the processing that is done, from 0 to 1."
_ABOUT_ROWS_READ: Final = (
    "How many rows of a long file have been read so far; null for a short one, and once processing "
    "has ended: then the result has `rows`."
)
_ABOUT_RESULT: Final = (
    "What processing found; null until then. A temperature file that is read again keeps its "
    "result until the new one stands. Every kind has `id`, `name`, `execution_time` "
    "(seconds) and `random_number` (1 to 1000). Photos add `width` and `height` (pixels), "
    "`format`, `taken_at`, `camera`, `has_gps`, `latitude` and `longitude` (degrees; null unless "
    "`has_gps`), `phash` (a perceptual hash; null without any detail) and `linked_by` "
    "(`name` or `code`, where the name or a code in the picture is the barcode of the log "
    "`log_id`; null where a user has linked it, or there is no log); documents `pages`, "
    "`title`, `author`, `created_at` and `text_chars`; both add `ocr` where pictures were read: "
    "`pages` and `words` that were, `languages` (Tesseract's codes) and `note` (what was not read "
    "and why, or null); texts `encoding`, `lines`, `words`, "
    "`chars` and `preview`; temperatures `rows`, `accepted`, `rejected`, `cities`, `first_at`, "
    "`last_at`, `min_temp` and `max_temp` (°C) and `rejects_kept` (rejected lines to download); "
    "tallies `rows`, `accepted` (new logs), `rejected`, `unchanged` (logs that exist already), "
    "`left_out` (rows that are no logs, by `reason` and `count`), `volume` (m³ of the new logs), "
    "`sheet_volume` (m³ that the sheet itself gives, or null) and `sheets` (`name`, `rows` and "
    "`accepted` of each). Temperatures and tallies have `read_as` (how the file was read, such as "
    "`columns`, `encoding` and `decimal`, the `evidence` for it, and the id of the import "
    "`profile`, if any; null for the plain layout of temperatures), `questions` (what the file "
    "leaves open: `field` of `read_as`, `sentence` and `choices`), `warnings` (`code`, `sentence` "
    "and `count`) and `first_errors` (up to 20 rejected rows: `line`, `reason` and `text`)."
)
_ABOUT_DRY_RUN: Final = (
    "True for a tally that was only read, as long as its logs are not recorded; else absent."
)
_ABOUT_PASSAGE: Final = (
    "In a list that is searched with `q`: the part of the file's text around the first match, as "
    "plain text, up to some 160 characters; absent where only the name matches. On a page with "
    "many very long texts, it may be the beginning of the text instead."
)
_ABOUT_ERROR: Final = (
    "Why processing failed, in a sentence; else null. With SUCCESS it is why a temperature file "
    "could not be read again with other answers: its earlier result stands."
)


class FileSchema(TypedDict):
    """An uploaded file, and what processing found in it."""

    id: Annotated[UUID, "Id of the file.", FILE_ID]
    task_id: Annotated[UUID, "Id of the task that processes the file.", TASK_ID]
    name: Annotated[str, "File name as uploaded.", "load.jpg"]
    size: Annotated[int, "Size in bytes.", 2481152]
    media_type: Annotated[str, "Media type (MIME).", "image/jpeg"]
    kind: Annotated[str, "Kind of file: photo, document, text, temperatures or tally.", "photo"]
    sha256: Annotated[
        str, "SHA-256 of the bytes, in hexadecimal.", "9f86d081884c7d659a2feaa0c55ad015" * 2
    ]
    status: Annotated[Status, _ABOUT_STATUS, "SUCCESS"]
    processed: Annotated[bool, "Whether processing has ended.", True]
    progress: Annotated[float, _ABOUT_PROGRESS, 1.0]
    rows_read: Annotated[int | None, _ABOUT_ROWS_READ, None]
    result: Annotated[dict[str, Any] | None, _ABOUT_RESULT, _RESULT]
    error: Annotated[str | None, _ABOUT_ERROR, None]
    consignment_id: Annotated[int | None, "Id of the consignment that it is linked to.", 12]
    log_id: Annotated[int | None, "Id of the log that it is linked to.", None]
    uploaded_by: Annotated[int | None, "Id of the user who uploaded it; null once deleted.", 3]
    uploaded_at: Annotated[datetime, "When it was uploaded (UTC, ISO 8601).", CREATED]
    processed_at: Annotated[
        datetime | None, "When processing ended (UTC, ISO 8601); null until then.", UPDATED
    ]
    file_url: Annotated[str, "Path to download the bytes from.", f"/api/files/{FILE_ID}/content/"]
    preview_url: Annotated[
        str | None,
        "Path of a preview, to which `?size=256` may be added; null where there is none.",
        f"/api/files/{FILE_ID}/preview/",
    ]
    dry_run: NotRequired[Annotated[bool, _ABOUT_DRY_RUN, True]]
    deleted_at: NotRequired[
        Annotated[datetime, "When it was deleted (UTC, ISO 8601); absent unless it is.", UPDATED]
    ]
    deleted_by: NotRequired[
        Annotated[int | None, "Id of the user who deleted it; null once deleted, or if unknown.", 3]
    ]
    passage: NotRequired[Annotated[str, _ABOUT_PASSAGE, "…forty logs of larch for the mill…"]]


class TaskSchema(TypedDict):
    """The processing of one file."""

    task_id: Annotated[UUID, "Id of the task.", TASK_ID]
    status: Annotated[Status, _ABOUT_STATUS, "SUCCESS"]
    progress: Annotated[float, _ABOUT_PROGRESS, 1.0]
    rows_read: Annotated[int | None, _ABOUT_ROWS_READ, None]
    result: Annotated[dict[str, Any] | None, _ABOUT_RESULT, _RESULT]
    error: Annotated[str | None, _ABOUT_ERROR, None]


class AnswersSchema(TypedDict):
    """Answers to the questions of a file. What is left out is decided by the file itself."""

    columns: NotRequired[
        Annotated[
            dict[str, Any],
            "Number of the column, from 1, of `barcode`, `length`, `breadth`, `height`, `volume` "
            "and `pieces`. Null for `barcode` makes the barcodes. For temperatures: of `city_id` "
            "(null where there is none), `temperature`, and `timestamp` or `date` and `time`.",
            {"barcode": 1, "length": 3},
        ]
    ]
    units: NotRequired[
        Annotated[
            dict[str, Literal["mm", "cm", "m", "in", "ft"]],
            "Unit of `length`, `breadth` and `height`.",
            {"length": "m", "breadth": "cm", "height": "cm"},
        ]
    ]
    decimal: NotRequired[Annotated[Literal[".", ","], "What separates decimals.", ","]]
    encoding: NotRequired[Annotated[str, "Encoding of the text.", "cp1257"]]
    tables: NotRequired[
        Annotated[
            list[dict[str, Any]],
            "`columns`, `units` and `decimal` for each of several tables, in their order.",
            [{"units": {"length": "m"}}, {}],
        ]
    ]
    delimiter: NotRequired[Annotated[str, "What separates the fields of readings.", ";"]]
    unit: NotRequired[Annotated[Literal["C", "F", "K"], "Unit of temperatures.", "C"]]
    dates: NotRequired[
        Annotated[
            Literal["year-first", "day-first", "month-first"],
            "Order of the parts of a date.",
            "day-first",
        ]
    ]
    zone: NotRequired[Annotated[str, "Zone of times without one: `UTC`, or an offset.", "+02:00"]]
    city_id: NotRequired[
        Annotated[int, "Number of the city of all readings, where no column names it.", 7]
    ]


class ImportProfileSchema(TypedDict):
    """What was answered for files with one wording of the header, for the next such files."""

    id: Annotated[int, "Id of the import profile.", 3]
    kind: Annotated[str, "Kind of file: temperatures or tally.", "tally"]
    header: Annotated[str, "Header of the file that asked.", "Barcode · Length · Width · Height"]
    read_as: Annotated[AnswersSchema, "The answers."]
    used_count: Annotated[int, "How many files were read with it since.", 4]
    last_used_at: Annotated[
        datetime | None, "When the last of them was processed (UTC, ISO 8601), or null.", UPDATED
    ]
    created_by: Annotated[int | None, "Id of the user who answered; null once deleted.", 3]


def serialize_profile(profile: ImportProfile) -> ImportProfileSchema:
    """Return the representation of an import profile."""
    return ImportProfileSchema(
        id=profile.pk,
        kind=profile.kind,
        header=profile.header,
        read_as=profile.read_as,
        used_count=profile.used_count,
        last_used_at=profile.last_used_at,
        created_by=profile.created_by_id,
    )


def _result(file: File) -> dict[str, Any] | None:
    result: dict[str, Any] | None = file.result
    if result is None or file.kind != File.Kind.PHOTO:
        return result
    is_found = file.log_id is not None and file.linked_by != File.LinkedBy.USER
    return {**result, "linked_by": file.linked_by or None if is_found else None}


def serialize_file(file: File) -> FileSchema:
    """Return the representation of a file."""
    data = FileSchema(
        id=file.pk,
        task_id=file.task_id,
        name=file.name,
        size=file.size,
        media_type=file.media_type,
        kind=file.kind,
        sha256=file.sha256,
        status=cast("Status", file.status),
        processed=file.processed,
        progress=file.progress,
        rows_read=file.rows_read,
        result=_result(file),
        error=file.error or None,
        consignment_id=file.consignment_id,
        log_id=file.log_id,
        uploaded_by=file.uploaded_by_id,
        uploaded_at=file.uploaded_at,
        processed_at=file.processed_at,
        file_url=f"/api/files/{file.pk}/content/",
        preview_url=f"/api/files/{file.pk}/preview/" if file.has_preview else None,
    )
    if file.dry_run:
        data["dry_run"] = True
    if file.deleted_at is not None:
        data["deleted_at"] = file.deleted_at
        data["deleted_by"] = file.deleted_by_id
    if file.passage:
        data["passage"] = file.passage
    return data


def serialize_task(file: File) -> TaskSchema:
    """Return the processing of a file as callers see it."""
    return TaskSchema(
        task_id=file.task_id,
        status=cast("Status", file.status),
        progress=file.progress,
        rows_read=file.rows_read,
        result=_result(file),
        error=file.error or None,
    )
