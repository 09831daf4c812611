"""What the next page says of what was just done, once, with the button that undoes a deletion.

It waits in the session, because the page that answers a form is redirected to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypedDict
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse

from timba.consignments.models import Consignment
from timba.files.bulk import Outcome
from timba.web.templatetags.formatting import quantity

# Sent by the script that keeps parts of a page current, which shows no notice.
LIVE_UPDATE_HEADER: Final = "Timba-Live-Update"
MAX_NAMES: Final = 10
_IN_SESSION: Final = "notice"
# Of one action: what is said of one file, and of several.
_DONE: Final = {
    "move": ("{} moved to {place}.", "{} files moved to {place}."),
    "unlink": ("{} belongs to no consignment now.", "{} files belong to no consignment now."),
    "delete": ("{} deleted.", "{} files deleted."),
    "restore": ("{} restored.", "{} files restored."),
    "retry": ("{} is checked again.", "{} files are checked again."),
}


class Undo(TypedDict):
    """The form that undoes a deletion."""

    url: str
    file_ids: list[str]


class Notice(TypedDict):
    """A sentence, those about what was refused, and the form that undoes a deletion, if any."""

    sentence: str
    refused: list[str]
    undo: Undo | None


def leave_notice(
    request: HttpRequest, sentence: str, *, refused: Iterable[str] = (), undo: Undo | None = None
) -> None:
    """Let the next page show a notice."""
    notice = Notice(sentence=sentence, refused=list(refused), undo=undo)
    request.session[_IN_SESSION] = notice


def take_notice(request: HttpRequest) -> Notice | None:
    """Return the notice that is to be shown, which is then not shown again."""
    if LIVE_UPDATE_HEADER in request.headers:
        return None
    notice: Notice | None = request.session.pop(_IN_SESSION, None)
    return notice


def leave_outcome(
    request: HttpRequest,
    action: str,
    outcome: Outcome,
    *,
    names: Mapping[UUID, str],
    place: Consignment | None = None,
) -> None:
    """Let the next page tell on which files an action was done, and why it was not on others."""
    about_one, about_several = _DONE["unlink" if action == "move" and place is None else action]
    if len(outcome.done) == 1:
        sentence = about_one.format(names[outcome.done[0]], place=place)
    elif outcome.done:
        sentence = about_several.format(f"{len(outcome.done):,}", place=place)
    else:
        sentence = "Nothing was changed."
    if outcome.errors:
        sentence += f" {len(outcome.errors):,} not:"
    undo = undo_deletion(outcome.done) if action == "delete" and outcome.done else None
    leave_notice(request, sentence, refused=_refusals(outcome, names), undo=undo)


def _refusals(outcome: Outcome, names: Mapping[UUID, str]) -> list[str]:
    """Return each sentence once, after the names of the files that it is about."""
    refused: dict[str, list[str]] = {}
    for file_id, sentence in outcome.errors.items():
        refused.setdefault(sentence, []).extend([names[file_id]] if file_id in names else [])
    return [
        f"{_join(about)}: {sentence}" if about else sentence for sentence, about in refused.items()
    ]


def _join(names: list[str]) -> str:
    """Return names with commas, and as a number those that are too many."""
    if len(names) > MAX_NAMES:
        names = [*names[: MAX_NAMES - 1], f"{len(names) - MAX_NAMES + 1:,} more"]
    return " and ".join([*([", ".join(names[:-1])] if len(names) > 1 else []), names[-1]])


def undo_deletion(file_ids: Sequence[UUID]) -> Undo:
    """Return the form that restores these files."""
    return Undo(url=reverse("web:change-files"), file_ids=list(map(str, file_ids)))


def with_logs(log_count: int) -> str:
    """Return what follows the name of a consignment that is deleted, or restored, with its logs."""
    return f" with its {quantity(log_count, 'log')}" if log_count else ""
