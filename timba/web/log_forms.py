"""The form of a log, which asks before it takes measures that are far from the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from django import forms

from timba.consignments.comparison import (
    FAR_OFF_FACTOR,
    MAX_COMPARED,
    FarOff,
    find_far_off,
)
from timba.consignments.measures import PLAUSIBLE, check_measures
from timba.consignments.models import Consignment, Log
from timba.errors import Invalid
from timba.serialization import dumps
from timba.web.forms import ServiceForm
from timba.web.pages import Viewer
from timba.web.templatetags.formatting import measure

MEASURES: Final = ("length", "breadth", "height")
_MAX_MEASURE_LENGTH: Final = 20


class MeasureField(forms.DecimalField):
    """A measure with a decimal point or a decimal comma; the service checks its limits."""

    def __init__(self, measure: str) -> None:
        plausible = PLAUSIBLE[measure]
        sentence = f"Give the {measure} as a number, such as 4.20."
        super().__init__(
            label=f"{measure.capitalize()}, {plausible.unit}",
            widget=forms.TextInput(
                {
                    "inputmode": "decimal",
                    "autocomplete": "off",
                    "data-least": str(plausible.least),
                    "data-most": str(plausible.most),
                }
            ),
            error_messages={"required": sentence, "invalid": sentence},
        )

    def to_python(self, value: Any) -> Decimal | None:  # type: ignore[override]  # the stubs err
        text = str(value or "").strip()
        if len(text) > _MAX_MEASURE_LENGTH:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(text.replace(",", "."))


class LogForm(ServiceForm):
    """A log, new or corrected.

    After `asks_about` has returned True, the page shows the `questions`; submitting the same values
    once more, with the `confirmation`, is the answer that they are right.
    """

    # The browser would block Enter, with which the script moves on to the missing measure.
    use_required_attribute = False

    # The service checks its length: an attribute for it would cut what is pasted.
    barcode = forms.CharField(
        required=False,
        widget=forms.TextInput(
            {"placeholder": "made for you", "autocomplete": "off", "autocapitalize": "characters"}
        ),
    )
    length = MeasureField("length")
    breadth = MeasureField("breadth")
    height = MeasureField("height")

    def __init__(self, *args: Any, form_id: str = "", **kwargs: Any) -> None:
        """Create the form; in a table row its inputs refer to the form element by `form_id`."""
        super().__init__(*args, **kwargs)
        self.form_id = form_id
        self.questions: list[str] = []
        self.confirmation = ""
        for field in self.fields.values():
            field.widget.attrs["aria-label"] = field.label or "Barcode"
            if form_id:
                field.widget.attrs["form"] = form_id

    @classmethod
    def from_log(cls, log: Log, data: Mapping[str, Any] | None = None) -> LogForm:
        """Return the form filled in from a log, or with `data` sent for it."""
        initial = {"barcode": log.barcode, **_format_measures(log)}
        prefix = f"log-{log.pk}"
        return cls(data, initial=initial, auto_id=f"{prefix}-%s", form_id=f"{prefix}-form")

    @classmethod
    def for_next_log(cls, previous: Log | None, *, form_id: str = "") -> LogForm:
        """Return the form of a new log, with the measures of the previous one as suggestions."""
        return cls(initial=_format_measures(previous) if previous else {}, form_id=form_id)

    def asks_about(
        self, others: Sequence[Mapping[str, Decimal]], *, log: Log | None = None
    ) -> bool:
        """Whether to ask first: measures are far from the `others` and not confirmed yet.

        Of a `log` that is corrected, only the measures that change are compared. Measures that the
        service rejects are not asked about.
        """
        sent = {name: self.cleaned_data[name] for name in MEASURES}
        try:
            check_measures(sent)
        except Invalid:
            return False
        changed = {
            name: value for name, value in sent.items() if not log or getattr(log, name) != value
        }
        far_off = find_far_off(changed, others)
        self.confirmation = " ".join(f"{each.name}={each.value.normalize()}" for each in far_off)
        if not far_off or self.data.get("confirmed") == self.confirmation:
            return False
        self.questions = [_question(each) for each in far_off]
        return True


def compared_logs(
    viewer: Viewer, consignment: Consignment, *, but: Log | None = None
) -> list[dict[str, Any]]:
    """Return the measures of the newest logs of a consignment, with which a log is compared."""
    logs = viewer.rows(Log).filter(consignment=consignment)
    if but is not None:
        logs = logs.exclude(pk=but.pk)
    return list(logs.order_by("-pk").values("id", *MEASURES)[:MAX_COMPARED])


def comparison_for_script(viewer: Viewer, consignment: Consignment) -> str:
    """Return as JSON what the script of a page needs to compare a log that is typed."""
    logs = compared_logs(viewer, consignment)
    return dumps({"factor": FAR_OFF_FACTOR, "most": MAX_COMPARED, "logs": logs}).decode()


def _question(far_off: FarOff) -> str:
    """Return the question about one measure, such as “30.50 m? The others are 4.20 m.”."""
    decimals, unit = 2 if far_off.name == "length" else 1, PLAUSIBLE[far_off.name].unit
    value, middle = measure(far_off.value, decimals), measure(far_off.median, decimals)
    others = "The others are" if far_off.others > 1 else "The other log has"
    about = "" if far_off.are_equal else "about "
    return f"{far_off.name.capitalize()} {value}\u00a0{unit}? {others} {about}{middle}\u00a0{unit}."


def _format_measures(log: Log) -> dict[str, str]:
    return {name: measure(getattr(log, name), 2 if name == "length" else 1) for name in MEASURES}
