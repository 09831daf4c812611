"""The form with which a person says how a temperature file is to be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from django import forms

from timba.files.models import File
from timba.places.city_numbers import CITY_NUMBERS
from timba.web.answers_form import AnswersForm, TableChoices
from timba.web.read_as import COLUMNS, DATES, ENCODINGS, zone_in_words

DEFAULTS: Final = {"unit": "C", "dates": "year-first", "zone": "UTC"}
# The offsets of the world's time zones.
ZONES: Final = (
    "UTC",
    *(f"+{hour:02}:00" for hour in range(1, 15)),
    *("+03:30", "+04:30", "+05:30", "+05:45", "+06:30", "+08:45", "+09:30", "+10:30", "+12:45"),
    *(f"-{hour:02}:00" for hour in range(1, 13)),
    *("-02:30", "-03:30", "-09:30"),
)
UNIT_CHOICES: Final = {
    "C": "°C, Celsius",
    "F": "°F, Fahrenheit",
    "K": "K, kelvin",
}
DATE_CHOICES: Final = {
    "year-first": f"{DATES['year-first']}: 2026-11-30",
    "day-first": f"{DATES['day-first']}: 30.11.2026",
    "month-first": f"{DATES['month-first']}: 11/30/2026",
}

NO_TEMPERATURE: Final = "Choose the column of the temperatures."
NO_TIME: Final = "Choose the column of the date and time, or one of the date and one of the time."
TWO_TIMES: Final = (
    "Choose either one column of the date and time, or one of the date and one of the time."
)
NO_CITY: Final = "Give the city of all readings, or choose the column of the cities."


class CityNumberField(forms.IntegerField):
    """The number of a city; the page lists the client's named cities for it."""

    def __init__(self, label: str) -> None:
        first, last = CITY_NUMBERS[0], CITY_NUMBERS[-1]
        sentence = f"A city's number is from {first} to {last}."
        super().__init__(
            required=False,
            label=label,
            min_value=first,
            max_value=last,
            widget=forms.TextInput(
                {"inputmode": "numeric", "list": "cities", "autocomplete": "off"}
            ),
            error_messages={
                "invalid": "A city is given by its number, such as 7.",
                "min_value": sentence,
                "max_value": sentence,
            },
        )


class TemperatureForm(AnswersForm):
    """The columns, unit, dates and zone of a temperature file, filled in as it was understood.

    What the file asks for is not filled in: a guess must not be sent by accident.
    """

    column_fields = COLUMNS
    whole_file = ("unit", "dates", "zone", "city_id", "encoding")
    title = "How are these readings to be read?"
    hint = (
        "Your answers are remembered for the next file with this header, but for the city, which "
        "is of this file alone."
    )
    button = "Read it so"
    nothing_chosen = "Change what was understood wrongly first."

    unit = forms.ChoiceField(required=False, label="Temperatures are in")
    dates = forms.ChoiceField(required=False, label="Dates are written as")
    zone = forms.ChoiceField(required=False, label="Times without a zone are in")
    city_id = CityNumberField("City of all readings")

    def __init__(self, *args: Any, file: File, **kwargs: Any) -> None:
        super().__init__(*args, file=file, **kwargs)
        zones = {*ZONES, self._understood.get("zone") or "UTC"}
        self._set_choices("unit", UNIT_CHOICES)
        self._set_choices("dates", DATE_CHOICES)
        self._set_choices("zone", {zone: zone_in_words(zone) for zone in sorted(zones, key=_east)})
        if "encoding" in self.questions:
            self._set_choices("encoding", ENCODINGS)
        self.initial["city_id"] = self._understood.get("city_id")
        shown = [column for head in self._heads for column in head["columns"]]
        numbers = {column["number"] for column in shown}
        columns = self._understood.get("columns") or {}
        # Of a file with very many columns, only the first are shown.
        self._hidden_columns: dict[str, int] = {
            field: number for field, number in columns.items() if number and number not in numbers
        }
        self._understood_columns = dict(self._hidden_columns)
        for column in shown:
            self._take_column(column["field"], column["number"])

    @property
    def tables(self) -> Iterator[TableChoices]:
        for index, head in enumerate(self._heads):
            yield TableChoices(title="", columns=self._columns(index), rows=head["rows"])

    @property
    def read_as(self) -> dict[str, Any]:
        answers = self._whole_file_answers()
        if self.initial.get("city_id") and not self.cleaned_data.get("city_id"):
            answers["city_id"] = None  # takes back what was given before
        columns = self._column_answers()
        return {**({"columns": columns} if columns else {}), **answers}

    def _check_columns(self) -> None:
        super()._check_columns()
        if not self._heads:
            return
        chosen = self._columns_by_field().keys()
        has_both = {"date", "time"} <= chosen
        if "temperature" not in chosen:
            raise forms.ValidationError(NO_TEMPERATURE)
        if "timestamp" not in chosen and not has_both:
            raise forms.ValidationError(NO_TIME)
        if "timestamp" in chosen and chosen & {"date", "time"}:
            raise forms.ValidationError(TWO_TIMES)
        if "city_id" not in {*chosen, *self.errors} and not self.cleaned_data.get("city_id"):
            self.add_error("city_id", NO_CITY)

    def _take_column(self, field: str | None, number: int) -> None:
        if f"columns.{field}" in self.questions:
            self.initial[f"0-column-{number}"] = ""
        elif field in COLUMNS:
            self._understood_columns[field] = number

    def _set_choices(self, name: str, labels: Mapping[str, str]) -> None:
        """Fill in what was understood; or, of a question, offer what it offers.

        Of zones, a question names the likely ones first, and any may be right.
        """
        field = cast("forms.ChoiceField", self.fields[name])
        question = self.questions.get(name)
        if question is None:
            field.choices = [*labels.items()]
            self.initial[name] = self._understood.get(name) or DEFAULTS[name]
            return
        offered = [key for key in question["choices"] if key in labels] or [*labels]
        offered += [key for key in labels if name == "zone" and key not in offered]
        field.choices = [("", "Choose"), *((key, labels[key]) for key in offered)]
        field.required = True
        field.error_messages["required"] = question["sentence"]
        self.initial[name] = ""

    def _columns_by_field(self) -> dict[str, int]:
        chosen = {
            field: number
            for index in range(len(self._heads))
            for number, field in self._chosen_columns(index)
            if field
        }
        return {**self._hidden_columns, **chosen}

    def _column_answers(self) -> dict[str, int | None]:
        """Return the columns that differ from how they were understood; None for one no more."""
        chosen, understood = self._columns_by_field(), self._understood_columns
        return {
            field: chosen.get(field)
            for field in COLUMNS
            if chosen.get(field) != understood.get(field)
        }


def _east(zone: str) -> int:
    """Return the minutes east of UTC of `UTC` or `±HH:MM`, as a sort key."""
    if zone == "UTC":
        return 0
    sign, hours, minutes = zone[0], zone[1:3], zone[4:6]
    return int(f"{sign}{int(hours) * 60 + int(minutes)}")
