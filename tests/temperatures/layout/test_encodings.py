"""The encoding is told by the letters of a file, or by its header, or does not matter."""

from __future__ import annotations

import pytest

from timba.files.kinds import HEAD_BYTES
from timba.temperatures.layout.decisions import Decision, decide_layout
from timba.temperatures.layout.encodings import decode_heads
from timba.temperatures.layout.layouts import Layout, Unit

AT = "2026-01-31 10:00"
LATVIAN = f"Pilsēta;Temperatūra;Laiks\n7;1;{AT}\n"


def decide(data: bytes) -> Decision:
    decision = decide_layout(data)
    assert decision is not None
    assert decision.questions == ()
    return decision


@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16-le"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("cp1257", "cp1257"),
    ],
)
@pytest.mark.parametrize(("end", "ends_with_cr"), [("\n", False), ("\r\n", False), ("\r", True)])
def test_a_file_is_read_in_its_encoding_and_line_ends(
    encoding: str, told: str, end: str, ends_with_cr: bool
) -> None:
    decision = decide(LATVIAN.replace("\n", end).encode(encoding))
    assert decision.layout == Layout(
        encoding=told, ends_with_cr=ends_with_cr, delimiter=";", skipped_lines=1
    )
    assert decision.header == "Pilsēta · Temperatūra · Laiks"


def test_byte_order_marks_of_utf_16_are_no_part_of_the_first_field() -> None:
    assert decide(f"\ufeff7,1,{AT}\n".encode("utf-16-be")).layout == Layout(encoding="utf-16-be")


@pytest.mark.parametrize("damage", [b"\xff\xfe\xfd", b"\0" * 900, b"7,1\xb0,2026-01-31 10:00"])
@pytest.mark.parametrize("header", [b"", b"city_id,temperature,timestamp\n"])
def test_damaged_lines_leave_a_file_in_utf_8(damage: bytes, header: bytes) -> None:
    data = header + f"7,1,{AT}\n".encode() * 20 + damage + b"\n" + f"7,1,{AT}\n".encode()
    decision = decide(data)
    assert decision.layout == Layout(skipped_lines=bool(header))
    assert decision.read_as is None


def test_letters_that_are_not_read_leave_lines_good() -> None:
    data = f"city;temp;at;name\n7;1;{AT};Rīga\n".encode("cp1257")
    decision = decide(data + f"7;1;{AT};x\n".encode() * 30)
    assert decision.layout.encoding.startswith("cp125")


def test_an_encoding_that_alone_makes_sense_of_the_header_is_taken() -> None:
    # In the other encodings the words of the header are letters without sense.
    data = f"Город;Темп;Час\n7;1;{AT}\n".encode("cp1251")
    assert decide(data).layout.encoding == "cp1251"


def test_where_the_letters_do_not_tell_it_any_encoding_reads_alike() -> None:
    decision = decide(f"city;temp;at;ū\n7;1;{AT};x\n".encode("cp1257"))
    assert decision.read_as is not None
    assert decision.read_as["evidence"]["encoding"].endswith("; the readings are the same in each.")


UNKNOWN = b"city;temp \xb0\xca;at\n7;20;2026-01-31 10:00\n"


def test_an_encoding_that_changes_the_readings_is_asked_for() -> None:
    decision = decide_layout(UNKNOWN)
    assert decision is not None
    [question] = decision.questions
    assert question.as_json() == {
        "field": "encoding",
        "sentence": (
            "The encoding of the text cannot be told. In which one are its letters right?"
        ),
        "choices": ["cp1251", "cp1250", "cp1252", "cp1257"],
    }
    answered = decide_layout(UNKNOWN, read_as={"encoding": "cp1251"})
    assert answered is not None
    assert (answered.layout.unit, answered.questions) == (Unit.KELVIN, ())
    assert answered.header == "city · temp °К · at"


def test_a_profile_answers_which_encoding_it_is() -> None:
    asked = decide_layout(UNKNOWN)
    assert asked is not None
    profile = {"id": 3, "header_digest": asked.header_digest, "read_as": {"encoding": "cp1252"}}
    decision = decide_layout(UNKNOWN, profiles=[profile])
    assert decision is not None
    assert (decision.layout.encoding, decision.layout.unit) == ("cp1252", Unit.CELSIUS)
    assert (decision.questions, decision.profile) == ((), 3)


def test_a_line_that_goes_on_behind_the_head_is_left_out() -> None:
    head = b"a\n" * (HEAD_BYTES // 2 - 1)
    assert decode_heads(head + b"bc", None)[0].lines[-1] == "a"
    assert decode_heads(head + b"b", None)[0].lines[-1] == "b"
