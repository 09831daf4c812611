"""What a file is accepted with: the fields of its form, which other ways of uploading share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rest_framework import serializers

from timba.accounts.models import Client, User
from timba.api.answers import AnswersTextField, CityField, reading_of
from timba.api.consignments import get_linked_consignment
from timba.api.http import (
    ACTING_CLIENT_HELP,
    CONSIGNMENT_LINK_HELP,
    IdField,
    acting_client,
    get_optional_row,
)
from timba.consignments.models import Consignment, Log
from timba.errors import DomainError, Invalid
from timba.files.entry import UploadRejected
from timba.files.models import File
from timba.files.receiving import Accepted, Upload, accept_files

FILE: Final = "file"
LOG_LINK_HELP: Final = "Id of the log to link the file to."


class FileFieldsSerializer(serializers.Serializer[Any]):
    """The fields of the form that are not the file."""

    kind = serializers.ChoiceField(
        choices=File.Kind.choices,
        required=False,
        help_text="Kind of the file; by default, detected from its name and bytes.",
    )
    consignment_id = IdField(required=False, help_text=CONSIGNMENT_LINK_HELP)
    log_id = IdField(required=False, help_text=LOG_LINK_HELP)
    client_id = IdField(required=False, help_text=ACTING_CLIENT_HELP)
    dry_run = serializers.BooleanField(
        required=False,
        help_text="Only read the file, which is a tally, and record nothing. A retry records it.",
    )
    tally_dry_run = serializers.BooleanField(
        required=False,
        help_text="Like `dry_run` where the file is a tally; others are processed as usual.",
    )
    read_as = AnswersTextField(
        required=False,
        allow_blank=True,
        help_text="JSON: answers to the questions that the file would ask. See `retry`.",
    )
    city_id = CityField(
        required=False,
        help_text="Number of the city, for a temperature file without a column of cities.",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Whose a file becomes, and what it is linked to."""

    client: Client
    consignment: Consignment | None
    log: Log | None


def target_of(actor: User, fields: Mapping[str, Any]) -> Target:
    """Return what the fields of a form name; raise NotFound for what `actor` may not see."""
    client = acting_client(actor, fields.get("client_id"))
    consignment, log = get_link_targets(actor, fields)
    return Target(client=client, consignment=consignment, log=log)


def accept_upload(
    actor: User, upload: Upload, target: Target, fields: Mapping[str, Any]
) -> Accepted:
    """Accept a file with the fields of its form; raise Invalid where it is rejected."""
    try:
        upload.identify(kind=fields.get("kind"))
    except UploadRejected as rejection:
        raise refusal_of(rejection) from rejection
    [accepted] = accept_files(
        actor=actor,
        client=target.client,
        uploads=[upload],
        consignment=target.consignment,
        log=target.log,
        **reading_of(upload.row.kind, fields),
    )
    return accepted


def refusal_of(rejection: UploadRejected) -> DomainError:
    """Return the error of a request whose only file is rejected."""
    if rejection.error is not Invalid:
        return rejection.error(str(rejection))
    return Invalid(fields={FILE: [str(rejection)]})


def get_link_targets(
    actor: User, fields: Mapping[str, Any]
) -> tuple[Consignment | None, Log | None]:
    """Return the consignment and the log of a form or a body, each None where null or blank."""
    consignment = get_linked_consignment(actor, fields)
    log = get_optional_row(Log.objects, actor, fields.get("log_id"), "log_id")
    return consignment, log
