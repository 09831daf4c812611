"""Decides the layout of a temperature file from its head, once for the whole file, or asks.

What the file itself says decides; answers of a person take precedence, and an import profile only
answers what is left open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from timba.files.headers import header_wording
from timba.files.questions import PROFILE_USED, Question
from timba.temperatures.layout.answers import Answers, parse_answers
from timba.temperatures.layout.column_texts import Lines
from timba.temperatures.layout.drafts import Draft
from timba.temperatures.layout.encoding_decisions import draft_layout
from timba.temperatures.layout.layouts import Layout
from timba.temperatures.layout.reports import describe_layout, show_head

CITY_ID_IGNORED: Final = {
    "code": "city_id_ignored",
    "sentence": "The file names the city of each reading, so the city_id given is not used.",
    "count": 1,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """How a temperature file is read, and what is open.

    `layout` is the best reading even while questions are open. `read_as` is None for the plain
    layout without answers, `header` and its digest are empty without a header, `profile` is the id
    of the import profile that answered something. `asks` are the first rows as understood.
    """

    layout: Layout
    questions: tuple[Question, ...] = ()
    read_as: Mapping[str, Any] | None = None
    header: str = ""
    header_digest: str = ""
    profile: int | None = None
    warnings: tuple[Mapping[str, Any], ...] = ()
    asks: Any = None


def decide_layout(
    head: bytes,
    *,
    read_as: Mapping[str, Any] | None = None,
    profiles: Sequence[Mapping[str, Any]] = (),
    lines: Lines | None = None,
) -> Decision | None:
    """Return how a file that begins with `head` is read; None where no line may be a reading.

    `read_as` are answers, and `lines` yields the lines of the whole file in UTF-8: it is called
    where the head leaves the order of dates open, or has a column of units or zones. Raises
    ValueError for answers that are not valid, and FileRefused for one that names no column of the
    file.
    """
    answers = parse_answers(read_as)
    draft = draft_layout(head, answers, lines)
    if draft is None:
        return None
    profile = None
    if draft.questions:
        draft, profile = _apply_profile(head, draft, answers, profiles, lines)
    warnings = [
        *([CITY_ID_IGNORED] if draft.has_ignored_city else []),
        *([PROFILE_USED] if profile is not None else []),
    ]
    described = None
    if read_as or draft.questions or not draft.is_plain:
        described = {**describe_layout(draft.layout, draft.evidence), "profile": profile}
        for question in draft.questions:
            place, _, name = question.field.rpartition(".")
            (described[place] if place else described).pop(name, None)
    header = draft.table.header
    return Decision(
        layout=draft.layout,
        questions=tuple(draft.questions),
        read_as=described,
        header=header_wording([header]) if header else "",
        header_digest=draft.digest,
        profile=profile,
        warnings=tuple(warnings),
        asks=show_head(draft.table, draft.layout),
    )


def _apply_profile(
    head: bytes,
    draft: Draft,
    answers: Answers,
    profiles: Sequence[Mapping[str, Any]],
    lines: Lines | None,
) -> tuple[Draft, int | None]:
    """Return the layout with what the profile of its header answers, and the profile's id.

    Where the head is not mostly plausible readings by it, the profile answers nothing.
    """
    same = (row for row in profiles if draft.digest and row["header_digest"] == draft.digest)
    profile = next(same, None)
    if profile is None:
        return draft, None
    filled = _fill(draft, answers, parse_answers(profile["read_as"]))
    if filled is None:
        return draft, None
    answered = draft_layout(head, filled, lines)
    if answered is None or not answered.is_mostly_plausible():
        return draft, None
    return answered, profile["id"]


def _fill(draft: Draft, answers: Answers, profile: Answers) -> Answers | None:
    """Return the answers with those of a profile to the open questions; None where it has none.

    It has no say where the file contradicts itself. About the city nothing can be chosen: a header
    says nothing of where its logger is.
    """
    values: dict[str, Any] = {}
    columns = dict(answers.columns)
    by_profile = set()
    for question in draft.questions:
        if question.field in draft.contradicted:
            continue
        place, _, name = question.field.rpartition(".")
        if place:
            if name in profile.columns and profile.columns[name] in question.choices:
                columns[name] = profile.columns[name]
                by_profile.add(question.field)
            continue
        name = "zone_offset" if name == "zone" else name
        value = getattr(profile, name)
        if value is not None and (name == "zone_offset" or value in question.choices):
            values[name] = value
            by_profile.add(question.field)
    if not by_profile:
        return None
    return replace(answers, **values, columns=columns, by_profile=frozenset(by_profile))
