"""A header of two rows names its columns by both, and no title above a header spoils it."""

from __future__ import annotations

import pytest

from timba.temperatures.layout.decisions import Decision, decide_layout
from timba.temperatures.layout.layouts import Unit

PLAIN_ROWS = "Date;Time;Out;Temp\n2025-01-16;12:00;21.5;22.0\n"
TWO_TEMPERATURES = "Date;Time;Temp;Temp\n2025-01-16;12:00;21.5;22.0\n"


def decide(text: str) -> Decision:
    decision = decide_layout(text.encode(), read_as={"city_id": 7})
    assert decision is not None
    return decision


@pytest.mark.parametrize(
    ("text", "header", "column"),
    [
        # The lower row alone says that the highest temperature is the temperature.
        (";;Temp;Hi\n" + PLAIN_ROWS, "Date · Time · Temp Out · Hi Temp", 2),
        # Empty fields at the end may be left out, or too many.
        (";;Out\nDate;Time;Temp;Hum\n2025-01-16;12:00;1;2\n", "Date · Time · Out Temp · Hum", 2),
        (";;Temp;Hi\n" + PLAIN_ROWS.replace("Temp", "Temp;Hum").replace("22.0", "22.0;5"),
         "Date · Time · Temp Out · Hi Temp · Hum", 2),
        (";;Temp;Hi;;\n" + PLAIN_ROWS, "Date · Time · Temp Out · Hi Temp", 2),
        (";;Out;Hi\n" + TWO_TEMPERATURES, "Date · Time · Out Temp · Hi Temp", 2),
        (";;Макс;Воздух\n" + TWO_TEMPERATURES, "Date · Time · Макс Temp · Воздух Temp", 3),
        (";;Dew;Out\n" + TWO_TEMPERATURES, "Date · Time · Dew Temp · Out Temp", 3),
        # An extreme is taken where a file has no other temperature, as of a header of one row.
        (";;Hi;Out\nDate;Time;Temp;Hum\n2025-01-16;12:00;1;2\n",
         "Date · Time · Hi Temp · Out Hum", 2),
    ],
)  # fmt: skip
def test_columns_have_the_names_of_both_rows(text: str, header: str, column: int) -> None:
    decision = decide(text)
    assert decision.header == header
    assert decision.layout.skipped_lines == 2
    assert not decision.questions
    assert decision.layout.columns.temperature == column
    assert decision.read_as is not None
    name = header.split(" · ")[column]
    assert decision.read_as["evidence"]["columns.temperature"] == (
        f"Temperature in column {'ABCD'[column]} (“{name}”), from lines 1 and 2."
    )


@pytest.mark.parametrize(
    ("text", "names", "choices"),
    [
        (";;In;Out\n" + TWO_TEMPERATURES, "C (“In Temp”) and D (“Out Temp”)", (3, 4)),
        # A word may stand for the empty fields to the right of it.
        (";;Hi;\n" + TWO_TEMPERATURES, "C (“Hi Temp”) and D (“Temp”)", (3, 4)),
        # What begins with a word may be a setting.
        ("Air;;Temp;Hi\n" + PLAIN_ROWS, "C (“Temp Out”) and D (“Hi Temp”)", (3, 4)),
        ("Air;;Out;Hi\n" + TWO_TEMPERATURES, "C (“Out Temp”) and D (“Hi Temp”)", (3, 4)),
        ("Air;;In;Out\n" + TWO_TEMPERATURES, "C (“In Temp”) and D (“Out Temp”)", (3, 4)),
    ],
)
def test_the_names_of_both_rows_are_asked_about(
    text: str, names: str, choices: tuple[int, ...]
) -> None:
    decision = decide(text)
    [question] = decision.questions
    assert question.field == "columns.temperature"
    assert question.choices == choices
    assert question.sentence == (
        f"The columns {names} both say temperature. Which one is the temperature of the readings?"
    )


def test_a_line_that_denies_the_only_temperature_is_asked_about() -> None:
    row = "Date;Time;Temp\n2025-01-16;12:00;21.5\n"
    for above, choices in ((";;Dew", ()), ("Air;;Dew", (3,))):
        [question] = decide(f"{above}\n{row}").questions
        assert (question.field, question.choices) == ("columns.temperature", choices)
        assert question.sentence.startswith("No column says that it holds the temperature.")


@pytest.mark.parametrize(
    "above",
    [
        "Station;Riga;;",
        "Temperature report;;;",
        "Temperature;of;Riga;",
        "Report;of;the;kilns",
        # No names of columns.
        ";7;Dew;",
        ";2025-01-16;Dew;",
        ";2025-01-16 12:00;Dew;",
        ";12:00;Dew;",
        ";;Dew;;x",
        "x;;Dew",
        ";;;",
        ";;Dew;\n",
    ],
)
def test_a_line_that_is_no_header_changes_nothing(above: str) -> None:
    rows = "city;Time;temp;hum\n7;2025-01-16 12:00;21.5;50\n"
    decision = decide(f"{above}\n{rows}")
    assert decision.header == "city · Time · temp · hum"
    assert not decision.questions
    columns = decision.layout.columns
    assert (columns.city, columns.temperature, columns.timestamp) == (0, 2, 1)


def test_what_is_asked_below_a_setting_has_the_header_of_its_lower_row() -> None:
    decision = decide("Station;Riga;;\n" + TWO_TEMPERATURES)
    assert decision.header == "Date · Time · Temp · Temp"
    assert [each.choices for each in decision.questions] == [(3, 4)]


def test_a_blank_line_is_no_row_of_a_header() -> None:
    text = "\nTime;x;y\n2025-01-16 12:00;21.5;good\n"
    answers = {"city_id": 7, "columns": {"temperature": 2}}
    decision = decide_layout(text.encode(), read_as=answers)
    assert decision is not None
    assert decision.read_as is not None
    assert decision.read_as["evidence"]["columns.timestamp"] == (
        "Timestamp in column A (“Time”), from line 2."
    )


def test_a_line_that_may_be_a_setting_changes_no_other_column() -> None:
    rows = "City;Date;Time;Out;Temp\n7;2025-01-16;12:00;21.5;22.0\n"
    decision = decide("Air;;;Temp;Hi\n" + rows)
    assert [each.field for each in decision.questions] == ["columns.temperature"]
    assert decision.layout.columns.city == 0


def test_the_unit_and_the_zone_may_stand_above_their_columns() -> None:
    decision = decide(";UTC+2;°F\nDate;Time;Temp\n2025-01-16;12:00;70.7\n")
    assert (decision.layout.unit, decision.layout.zone_offset) == (Unit.FAHRENHEIT, 120)
    assert decision.read_as is not None
    assert {decision.read_as["evidence"][name] for name in ("unit", "zone")} == {
        "Temperatures in °F, from lines 1 and 2.",
        "Times in UTC+02:00, from lines 1 and 2.",
    }


def test_an_import_profile_of_a_header_of_two_rows_is_of_both() -> None:
    inside, outside = (decide(f";;{above}\n" + TWO_TEMPERATURES) for above in ("In;Out", "Out;In"))
    assert inside.header_digest != outside.header_digest
    profile = {
        "id": 1,
        "header_digest": inside.header_digest,
        "read_as": {"columns": {"temperature": 4, "date": 1, "time": 2}},
    }
    text = ";;In;Out\n" + TWO_TEMPERATURES
    decision = decide_layout(text.encode(), read_as={"city_id": 7}, profiles=[profile])
    assert decision is not None
    assert (decision.profile, decision.layout.columns.temperature) == (1, 3)
    assert decision.header_digest == inside.header_digest


def test_an_answer_leaves_the_header_as_it_was_asked() -> None:
    text = "Air;;Temp;Hi\n" + PLAIN_ROWS
    answers = {"city_id": 7, "columns": {"temperature": 3, "date": 1, "time": 2}}
    answered = decide_layout(text.encode(), read_as=answers)
    assert answered is not None
    assert not answered.questions
    assert answered.layout.columns.temperature == 2
    assert answered.header_digest == decide(text).header_digest


MERGED = "Date;Time;Temperature;;\n;;Min;Max;Avg\n2025-06-01;12:00;10.0;20.0;15.0\n"


def answer(text: str, column: int) -> Decision:
    answers = {"city_id": 7, "columns": {"temperature": column, "date": 1, "time": 2}}
    decision = decide_layout(text.encode(), read_as=answers)
    assert decision is not None
    return decision


@pytest.mark.parametrize(
    ("upper", "lower", "names", "choices"),
    [
        ("Temperature;;", "Min;Max;Avg",
         "C (“Temperature Min”), D (“Temperature Max”) and E (“Temperature Avg”) all", (3, 4, 5)),
        ("Temp;Temp;Hum", "Min;Max;%", "C (“Temp Min”) and D (“Temp Max”) both", (3, 4)),
        # The word may stand below an empty field alone, and brackets around it.
        ("Temp;;Hum", "°C;(Avg);%", "C (“Temp °C”) and D (“Temp (Avg)”) both", (3, 4)),
        ("Temp;;Hum", ";Max;", "C (“Temp”) and D (“Temp Max”) both", (3, 4)),
        # Empty fields below have no name.
        ("Temp;;", "Min;;Max", "C (“Temp Min”) and E (“Temp Max”) both", (3, 5)),
    ],
)  # fmt: skip
def test_words_below_the_temperature_are_asked_about(
    upper: str, lower: str, names: str, choices: tuple[int, ...]
) -> None:
    text = f"Date;Time;{upper}\n;;{lower}\n2025-06-01;12:00;10.0;20.0;15.0\n"
    [question] = decide(text).questions
    assert (question.field, question.choices) == ("columns.temperature", choices)
    assert question.sentence == (
        f"The columns {names} say temperature. Which one is the temperature of the readings?"
    )


def test_a_word_below_the_only_temperature_is_asked_about() -> None:
    text = "Date;Time;Temp;Hum\n;;Dew point;%\n2025-06-01;12:00;10.0;50\n"
    [question] = decide(text).questions
    assert (question.field, question.choices) == ("columns.temperature", (3,))


def test_an_answer_reads_the_file_below_both_rows() -> None:
    decision = answer(MERGED, 5)
    assert not decision.questions
    assert (decision.layout.columns.temperature, decision.layout.skipped_lines) == (4, 2)
    header = "Date · Time · Temperature Min · Temperature Max · Temperature Avg"
    assert decision.header == header
    assert decision.header_digest == decide(MERGED).header_digest
    assert decision.read_as is not None
    assert decision.read_as["evidence"]["columns.temperature"] == (
        "Temperature in column E (“Temperature Avg”), as answered."
    )
    assert answer(MERGED.replace("Max", ""), 5).header == header.replace("Temperature Max", "")
    # A row of units may follow.
    units = MERGED.replace("2025", ";;°C;°C;°C\n2025", 1)
    assert answer(units, 5).layout.skipped_lines == 3


def test_a_merged_cell_tells_the_unit_of_its_columns() -> None:
    decision = answer(MERGED.replace("Temperature", "Temperature (°F)"), 5)
    assert decision.layout.unit is Unit.FAHRENHEIT
    assert decision.read_as is not None
    assert decision.read_as["evidence"]["unit"] == "Temperatures in °F, from lines 1 and 2."


def test_a_column_of_units_below_a_merged_cell_tells_the_unit() -> None:
    text = "Date;Time;Temp;;\n;;Min;Unit;Max\n2025-06-01;12:00;60.0;°F;70.0\n"
    [question] = decide(text).questions
    assert question.choices == (3, 5)
    assert decide(text).header == "Date · Time · Temp Min · Unit · Temp Max"
    assert answer(text, 5).layout.unit is Unit.FAHRENHEIT


@pytest.mark.parametrize(
    ("below", "skipped"),
    [
        (";;°C;;", 2),
        (";;°C;°C;°C", 2),
        (";;;;", 1),
        (";;-;-;-", 1),
        # Not as many fields, no empty first one, a value, or not directly below.
        (";;Min;Max", 1),
        (";;Min;Max;Avg;", 1),
        ("x;;Min;Max;Avg", 1),
        (";;Min;7;Avg", 1),
        (";2025-06-01;Min;Max;Avg", 1),
        (";12:00;Min;Max;Avg", 1),
        (";2025-06-01 12:00;Min;Max;Avg", 1),
        ("\n;;Min;Max;Avg", 1),
        # A word that says nothing of the temperature.
        (";hh:mm;;;", 1),
    ],
)
def test_another_line_below_a_header_is_none_of_it(below: str, skipped: int) -> None:
    decision = decide(MERGED.replace(";;Min;Max;Avg", below))
    assert not decision.questions
    assert decision.header == "Date · Time · Temperature ·  · "
    assert (decision.layout.columns.temperature, decision.layout.skipped_lines) == (2, skipped)


def test_words_that_continue_another_measure_ask_nothing() -> None:
    decision = decide(MERGED.replace("Temperature;;\n;;Min;", "Temperature;Humidity;\n;;;"))
    assert not decision.questions
    assert decision.layout.columns.temperature == 2


def test_a_bad_first_line_of_a_plain_file_is_no_row_of_its_header() -> None:
    text = "city_id,temperature,timestamp\n,Min,\n7,21.5,2025-01-16 12:00\n"
    decision = decide_layout(text.encode())
    assert decision is not None
    assert not decision.questions
    assert decision.read_as is None
    assert decision.layout.skipped_lines == 1
