"""Shows a number by a section of a number format: `00000` shows 7 as 00007, `# ?/?` 12.5 as 12 1/2.

Decimals have a point and thousands a comma. Blanks that only align numbers in their column are left
out.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import Final, NamedTuple

# General shows at most so many digits of a number with decimals, and whole numbers up to so many.
_GENERAL_DIGITS: Final = 10
_EXACT_DIGITS: Final = 15
_CONTEXT: Final = Context(prec=400, rounding=ROUND_HALF_UP)


class Token(NamedTuple):
    """A part of a section: its kind, such as digit, point or literal, and its text."""

    kind: str
    text: str


def show_number(tokens: Sequence[Token], value: Decimal) -> str:
    """Return a number that is not negative as a section shows it."""
    kinds = [token.kind for token in tokens]
    if "slash" in kinds and "digit" in kinds[: kinds.index("slash")]:
        shown = _show_fraction(tokens, kinds.index("slash"), value)
    elif "exponent" in kinds and "digit" in kinds[: kinds.index("exponent")]:
        shown = _show_scientific(tokens, kinds.index("exponent"), value)
    elif "digit" in kinds:
        shown = _show_plain(tokens, value)
    else:
        general = show_general(value)
        shown = "".join(general if kind in {"general", "text"} else text for kind, text in tokens)
    return shown.strip(" ")


def show_general(value: Decimal) -> str:
    """Return a number as General shows it; of whole numbers, every digit that is certain.

    A narrow column shows fewer, but they are all there in the cell.
    """
    exponent = value.adjusted() if value else 0
    if exponent >= _EXACT_DIGITS or (exponent < -4 and len(f"{value:f}") > _GENERAL_DIGITS + 1):
        mantissa = _round(value.scaleb(-exponent), 5)
        if mantissa >= 10:
            mantissa, exponent = mantissa / 10, exponent + 1
        return f"{mantissa.normalize():f}E{exponent:+03}"
    if value == value.to_integral_value():
        return f"{value.to_integral_value():f}"
    decimals = max(_GENERAL_DIGITS - 1 - max(exponent, 0), 0)
    shown = f"{_round(value, decimals):f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def _show_plain(tokens: Sequence[Token], value: Decimal) -> str:
    kinds = [token.kind for token in tokens]
    digits = [index for index, kind in enumerate(kinds) if kind == "digit"]
    point = kinds.index("point") if "point" in kinds else len(kinds)
    whole = [index for index in digits if index < point]
    commas = [index for index, kind in enumerate(kinds) if kind == "comma"]
    last = whole[-1] if whole else -1
    grouped = any(index < last for index in commas)
    # A comma behind the last place, or right before the point, divides by a thousand.
    end = max(digits, default=-1)
    thousands = sum(1 for index in commas if last < index < point or index > end)
    value = value.scaleb(2 * kinds.count("percent") - 3 * thousands, _CONTEXT)
    rounded = f"{_round(value, len(digits) - len(whole)):f}"
    integer, _, decimals = rounded.partition(".")
    integer = _fill_whole(tokens[:point], "" if integer == "0" else integer, grouped=grouped)
    return integer + _fill_decimals(tokens[point:], decimals)


def _fill_whole(tokens: Sequence[Token], number: str, *, grouped: bool) -> str:
    """Return the part before the point; its first place takes all digits that are left."""
    places = [index for index, token in enumerate(tokens) if token.kind == "digit"]
    shown: list[str] = []
    count = 0
    for index in range(len(tokens) - 1, -1, -1):
        kind, text = tokens[index]
        if kind != "digit":
            shown.extend(reversed("" if kind == "comma" else text))
            continue
        taken = number if index == places[0] else number[-1:]
        number = "" if index == places[0] else number[:-1]
        for digit in reversed(taken or ("0" if text == "0" else "")):
            if grouped and count and count % 3 == 0:
                shown.append(",")
            shown.append(digit)
            count += 1
    return (number if not places else "") + "".join(reversed(shown))


def _fill_decimals(tokens: Sequence[Token], decimals: str) -> str:
    """Return the part from the point on; zeros at its end are shown where the format says 0."""
    needed = len(decimals.rstrip("0"))
    shown = []
    place = 0
    for kind, text in tokens:
        if kind == "digit":
            if place < needed or text == "0":
                shown.append(decimals[place])
            place += 1
        elif kind != "comma":
            shown.append(text)
    return "".join(shown)


def _show_scientific(tokens: Sequence[Token], at: int, value: Decimal) -> str:
    mantissa, after = tokens[:at], tokens[at + 1 :]
    point = next((index for index, each in enumerate(mantissa) if each.kind == "point"), at)
    places = max(sum(each.kind == "digit" for each in mantissa[:point]), 1)
    decimals = sum(each.kind == "digit" for each in mantissa[point:])
    exponent = value.adjusted() // places * places if value else 0
    if _round(value.scaleb(-exponent), decimals) >= 10**places:
        exponent += places
    width = sum(each.kind == "digit" for each in after)
    sign = "-" if exponent < 0 else "+" if tokens[at].text.endswith("+") else ""
    rest = "".join(text for kind, text in after if kind != "digit")
    shown = _show_plain(mantissa, value.scaleb(-exponent))
    return f"{shown}E{sign}{abs(exponent):0{width}}{rest}"


def _show_fraction(tokens: Sequence[Token], slash: int, value: Decimal) -> str:
    start = slash
    while start and tokens[start - 1].kind == "digit":
        start -= 1
    end = slash + 1
    while end < len(tokens) and (tokens[end].kind == "digit" or tokens[end].text.isdecimal()):
        end += 1
    below = "".join(token.text for token in tokens[slash + 1 : end])
    before, after = tokens[:start], tokens[end:]
    has_whole = any(token.kind == "digit" for token in before)
    whole = int(value) if has_whole else 0
    part = Fraction(value) - whole
    if below.isdecimal() and int(below):
        numerator, denominator = int(part * int(below) + Fraction(1, 2)), int(below)
    else:
        limited = part.limit_denominator(10 ** max(min(len(below), 4), 1) - 1)
        numerator, denominator = limited.as_integer_ratio()
    if has_whole and numerator == denominator:
        whole, numerator = whole + 1, 0
    rest = "".join(token.text for token in after)
    if has_whole and not numerator:
        return (_show_plain(before, Decimal(whole)).strip(" ") or "0") + rest
    return f"{_show_plain(before, Decimal(whole))}{numerator}/{denominator}{rest}"


def _round(value: Decimal, decimals: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-decimals), context=_CONTEXT)
