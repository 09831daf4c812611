"""The answers that the reader of a file gets, and the import profiles that remember them.

An import profile holds what a client has answered for files with one wording of the header. A
reader uses it for what the next such file leaves open.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any, Final

from django.db.models import F
from django.db.models.functions import Coalesce

from timba.accounts.authorization import require
from timba.accounts.models import User
from timba.accounts.permissions import Permission
from timba.db.transactions import apply_changes, retry_on_deadlock, write_transaction
from timba.errors import Invalid
from timba.files.headers import MAX_HEADER
from timba.files.models import File, ImportProfile
from timba.files.processors.base import TakesAnswers
from timba.files.registry import processors
from timba.serialization import dumps

# A reader gets so many profiles, those that were used last.
MAX_PROFILES: Final = 200
MAX_ANSWER_BYTES: Final = 100_000
# The answers that hold for one file alone: the header of a logger says nothing about its city.
_ABOUT_ONE_FILE: Final = ("city_id",)
NO_QUESTIONS: Final = "Files of kind {kind} ask no questions: leave this out."
NOT_REMEMBERED: Final = "{} holds for one file alone: leave it out."
TOO_LONG: Final = f"The answers are longer than {MAX_ANSWER_BYTES:,} bytes."


def reading_input(file: File) -> Mapping[str, Any]:
    """Return what a reader is given: the answers to the file's questions, and import profiles.

    That is `{"read_as": {…} or None, "profiles": [{"id", "header_digest", "read_as"}, …]}`.
    """
    profiles = ImportProfile.unscoped.filter(client_id=file.owner_id, kind=file.kind)
    latest = profiles.order_by(Coalesce("last_used_at", "created_at").desc(), "-pk")
    rows = latest.values("id", "header_digest", "read_as")[:MAX_PROFILES]
    read_as = file.next_read_as if file.is_read_again else file.read_as
    return {"read_as": read_as, "profiles": list(rows)}


def check_read_as(kind: str, read_as: Any, *, earlier: Any = None) -> dict[str, Any]:
    """Return valid answers for a file of this kind: the earlier ones, with these in addition.

    Raises Invalid with the reason.
    """
    processor = processors()[kind]
    if not isinstance(processor, TakesAnswers):
        raise Invalid(fields={"read_as": [NO_QUESTIONS.format(kind=kind)]})
    try:
        checked = dict(processor.check_answers(_merged(earlier, read_as)))
    except ValueError as error:
        raise Invalid(fields={"read_as": [str(error)]}) from error
    if len(dumps(checked)) > MAX_ANSWER_BYTES:
        raise Invalid(fields={"read_as": [TOO_LONG]})
    return checked


def remember_reading(file: File, reading: Mapping[str, Any]) -> None:
    """Remember the answers that someone has given, and count the use of an import profile.

    They are remembered once: a file that is processed again without new answers brings no profile
    back that was deleted or changed since. `reading` has the wording of the file's `header`, its
    `header_digest` (both are "" where there is none, and nothing is remembered) and the id of the
    `profile` that was used, or None. Part of the transaction that settles the file.
    """
    answers = about_every_file(file.read_as or {})
    if answers and reading["header_digest"] and file.answered_by_id is not None:
        remember_answers(
            file=file,
            header=reading["header"],
            header_digest=reading["header_digest"],
            read_as=answers,
        )
    file.answered_by = None
    if reading["profile"] is not None:
        count_use(file=file, profile_id=reading["profile"])


def about_every_file(read_as: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers that may be right for the next file with the same header too."""
    return {name: value for name, value in read_as.items() if name not in _ABOUT_ONE_FILE}


def remember_answers(
    *, file: File, header: str, header_digest: str, read_as: Mapping[str, Any]
) -> None:
    """Remember answers for the client's next files with this header.

    They are added to what the profile of the header holds, and take precedence over it. Part of the
    transaction that settles the file.
    """
    profiles = ImportProfile.unscoped.select_for_update()
    key = {"client_id": file.owner_id, "kind": file.kind, "header_digest": header_digest}
    profile = profiles.filter(**key).first()
    answers = dict(read_as) if profile is None else _added(file.kind, profile.read_as, read_as)
    changes: dict[str, Any] = {"header": header[:MAX_HEADER], "read_as": answers}
    profiles.update_or_create(
        **key, defaults=changes, create_defaults={**changes, "created_by_id": file.answered_by_id}
    )


def count_use(*, file: File, profile_id: int) -> None:
    """Count that a profile answered what a file left open.

    Part of the transaction that settles the file. The id comes from the sandbox: that of another
    client's profile changes nothing.
    """
    profiles = ImportProfile.unscoped.filter(pk=profile_id, client_id=file.owner_id, kind=file.kind)
    profiles.update(used_count=F("used_count") + 1, last_used_at=file.processed_at)


@retry_on_deadlock
def change_profile(*, actor: User, profile: ImportProfile, **changes: Any) -> ImportProfile:
    """Replace a profile's `read_as`, if it is given; raise Invalid where it holds no answers."""
    require(actor, Permission.WRITE_FILES, client=profile.client)
    with write_transaction():
        profile = ImportProfile.unscoped.select_for_update().get_or_not_found(pk=profile.pk)
        changes = {name: _check_profile(profile.kind, value) for name, value in changes.items()}
        if apply_changes(profile, changes):
            profile.save(update_fields=list(changes))
    return profile


@retry_on_deadlock
def delete_profile(*, actor: User, profile: ImportProfile) -> None:
    """Delete a profile: the next file with its header asks again."""
    require(actor, Permission.WRITE_FILES, client=profile.client)
    with write_transaction():
        locked = ImportProfile.unscoped.select_for_update().get_or_not_found(pk=profile.pk)
        locked.delete()


def _check_profile(kind: str, read_as: Any) -> dict[str, Any]:
    """Return valid answers for a profile; raise Invalid for those that hold for one file alone."""
    checked = check_read_as(kind, read_as)
    for name in _ABOUT_ONE_FILE:
        if name in checked:
            raise Invalid(fields={"read_as": [NOT_REMEMBERED.format(name)]})
    return checked


def _added(kind: str, earlier: Any, read_as: Mapping[str, Any]) -> dict[str, Any]:
    """Return the earlier answers with these in addition, or these alone where they contradict."""
    try:
        return check_read_as(kind, read_as, earlier=earlier)
    except Invalid:
        return dict(read_as)


def _merged(earlier: Any, later: Any) -> Any:
    """Return later answers with the earlier ones that they leave out."""
    if isinstance(earlier, Mapping) and isinstance(later, Mapping):
        added = {name: _merged(earlier.get(name), value) for name, value in later.items()}
        return {**earlier, **added}
    if isinstance(earlier, list) and isinstance(later, list):
        pairs = zip_longest(earlier, later)
        return [old if new is None else _merged(old, new) for old, new in pairs]
    return later
