"""Decides the encoding of a temperature file, by its letters or else by its header, or asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from timba.files.answers import listed
from timba.files.questions import Question, ask_encoding, encoding_by_header
from timba.files.wording import encoding_name
from timba.temperatures.layout.answers import Answers
from timba.temperatures.layout.column_texts import Lines
from timba.temperatures.layout.drafts import Draft, draft_head
from timba.temperatures.layout.encodings import Head, decode_as_utf8, decode_heads

ANY: Final = "The encoding may be {encodings}; the readings are the same in each."


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodingDecision:
    """The head in its encoding, the likeliest where that is open, and why."""

    head: Head
    evidence: str = ""
    question: Question | None = None


def draft_layout(head: bytes, answers: Answers, lines: Lines | None) -> Draft | None:
    """Return the layout of a file that begins with `head`, or None where it has no readings."""
    decision = _decide_encoding(head, answers)
    draft = draft_head(decision.head, answers, lines)
    if draft is not None:
        draft.add("encoding", decision.evidence, decision.question)
    return draft


def _decide_encoding(head: bytes, answers: Answers) -> EncodingDecision:
    heads = decode_heads(head, answers.encoding)
    [first, *_] = heads
    if answers.encoding is not None:
        name, source = encoding_name(first.encoding), answers.source("encoding")
        return EncodingDecision(head=first, evidence=f"The encoding is {name}, {source}.")
    if first.encoding.startswith("utf"):
        return EncodingDecision(head=first)
    drafts = [(each, draft) for each in heads if (draft := draft_head(each, answers))]
    if not drafts:
        return EncodingDecision(head=first)
    if _is_ascii_but_for_damage(drafts[0][1]):
        return EncodingDecision(head=decode_as_utf8(head))
    if len(heads) == 1:
        return EncodingDecision(head=first)
    return _decide_by_header(drafts)


def _is_ascii_but_for_damage(draft: Draft) -> bool:
    """Return whether other letters than those of ASCII are only in lines that are no readings."""
    table, columns = draft.table, draft.layout.columns
    used = 2 + (columns.city is not None) + (columns.time is not None)
    if table.width != used or not "".join([*table.preamble, *table.header]).isascii():
        return False
    others = [row for row in table.rows if not row.line.isascii()]
    return not replace(draft, table=replace(table, rows=others)).readings()


def _decide_by_header(drafts: Sequence[tuple[Head, Draft]]) -> EncodingDecision:
    """Take the encoding in which the header is understood best, or any where all are alike."""
    known = [sum(cell is not None for cell in draft.table.cells) for _, draft in drafts]
    best = [each for each, count in zip(drafts, known, strict=True) if count == max(known)]
    head, _ = best[0]
    if len(best) == 1:
        return EncodingDecision(head=head, evidence=encoding_by_header(head.encoding))
    encodings = [each.encoding for each, _ in best]
    meanings = {
        (replace(draft.layout, encoding=""), *(each.field for each in draft.questions))
        for _, draft in best
    }
    if len(meanings) == 1:
        names = [encoding_name(each) for each in encodings]
        return EncodingDecision(head=head, evidence=ANY.format(encodings=listed(names)))
    return EncodingDecision(head=head, question=ask_encoding(encodings))
