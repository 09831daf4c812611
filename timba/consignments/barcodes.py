"""Finds logs by their barcodes, and makes barcodes where none are given: no gaps, no twins."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from timba.accounts.models import Client
from timba.consignments.models import BarcodeCounter, Log

# Every database takes so many values in one query.
_AT_ONCE: Final = 500


def logs_by_barcode(client: Client, barcodes: Iterable[str]) -> dict[str, Log]:
    """Return those of the client's logs that have one of these barcodes, each under its own."""
    wanted = list(barcodes)
    return {
        log.barcode: log
        for start in range(0, len(wanted), _AT_ONCE)
        for log in Log.unscoped.filter(client=client, barcode__in=wanted[start : start + _AT_ONCE])
    }


def taken_barcodes(client_id: int, barcodes: Iterable[str]) -> set[str]:
    """Return which of these barcodes the client's logs have."""
    wanted = list(barcodes)
    return {
        barcode
        for start in range(0, len(wanted), _AT_ONCE)
        for barcode in Log.unscoped.filter(
            client_id=client_id, barcode__in=wanted[start : start + _AT_ONCE]
        ).values_list("barcode", flat=True)
    }


def assign_barcodes(client_id: int, given: Sequence[str | None]) -> list[str]:
    """Return the barcodes, with one made in the place of each None: `TB-<client>-<number>`.

    Made ones step over those that are taken by hand.
    """
    by_hand = {barcode for barcode in given if barcode is not None}
    missing = given.count(None)
    if missing == 0:
        advance_counter(client_id, by_hand)
        return [barcode for barcode in given if barcode is not None]
    counter = _locked_counter(client_id)
    free = _free_numbers(client_id, after=counter.last_number, at_once=missing, besides=by_hand)
    numbers = list(islice(free, missing))
    counter.last_number = numbers[-1]
    counter.save(update_fields=["last_number"])
    fresh = iter(numbers)
    return [_format(client_id, next(fresh)) if each is None else each for each in given]


def advance_counter(client_id: int, by_hand: Collection[str]) -> None:
    """Wait for those who have barcodes made, where one that is typed looks like these.

    Else one could be made that is just being taken by hand, and not yet to be seen.
    """
    if any(barcode.startswith(_format(client_id, "")) for barcode in by_hand):
        _locked_counter(client_id)


def _locked_counter(client_id: int) -> BarcodeCounter:
    BarcodeCounter.objects.get_or_create(client_id=client_id)
    return BarcodeCounter.objects.select_for_update().get(client_id=client_id)


def _free_numbers(
    client_id: int, *, after: int, at_once: int, besides: Collection[str]
) -> Iterator[int]:
    """Yield the numbers above `after` whose barcodes are free, looking further each time."""
    start = after + 1
    while True:
        numbers = {_format(client_id, number): number for number in range(start, start + at_once)}
        taken = taken_barcodes(client_id, numbers)
        yield from (
            number
            for barcode, number in numbers.items()
            if barcode not in taken and barcode not in besides
        )
        start += at_once
        at_once = min(2 * at_once, _AT_ONCE)


def _format(client_id: int, number: int | str) -> str:
    return f"TB-{client_id}-{number}"
