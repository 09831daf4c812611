"""Finds logs by barcode, and generates unique barcodes `TB-<client>-<number>` without gaps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from timba.accounts.models import Client
from timba.consignments.models import BarcodeCounter, Log

# Every database accepts this many parameters in a query.
_BATCH_SIZE: Final = 500


def find_logs_by_barcode(client: Client, barcodes: Iterable[str]) -> dict[str, Log]:
    """Return the client's logs with these barcodes, by barcode."""
    requested = list(barcodes)
    return {
        log.barcode: log
        for start in range(0, len(requested), _BATCH_SIZE)
        for log in Log.unscoped.filter(
            client=client, barcode__in=requested[start : start + _BATCH_SIZE]
        )
    }


def find_taken_barcodes(client_id: int, barcodes: Iterable[str]) -> set[str]:
    """Return those of these barcodes that the client's logs already have."""
    requested = list(barcodes)
    return {
        barcode
        for start in range(0, len(requested), _BATCH_SIZE)
        for barcode in Log.unscoped.filter(
            client_id=client_id, barcode__in=requested[start : start + _BATCH_SIZE]
        ).values_list("barcode", flat=True)
    }


def assign_barcodes(client_id: int, barcodes: Sequence[str | None]) -> list[str]:
    """Return the barcodes, with each None replaced by a generated one.

    Numbers whose barcodes were entered manually are skipped.
    """
    manual = {barcode for barcode in barcodes if barcode is not None}
    missing = barcodes.count(None)
    if missing == 0:
        lock_counter_if_generated(client_id, manual)
        return [barcode for barcode in barcodes if barcode is not None]
    counter = _lock_counter(client_id)
    free = _free_numbers(client_id, after=counter.last_number, count=missing, reserved=manual)
    numbers = list(islice(free, missing))
    counter.last_number = numbers[-1]
    counter.save(update_fields=["last_number"])
    generated = iter(numbers)
    return [
        f"{_prefix(client_id)}{next(generated)}" if barcode is None else barcode
        for barcode in barcodes
    ]


def lock_counter_if_generated(client_id: int, barcodes: Collection[str]) -> None:
    """Lock the counter if one of the manually entered barcodes looks like a generated one.

    Otherwise a concurrent transaction, which cannot see this one yet, could generate the same
    barcode.
    """
    if any(barcode.startswith(_prefix(client_id)) for barcode in barcodes):
        _lock_counter(client_id)


def _lock_counter(client_id: int) -> BarcodeCounter:
    BarcodeCounter.objects.get_or_create(client_id=client_id)
    return BarcodeCounter.objects.select_for_update().get(client_id=client_id)


def _free_numbers(
    client_id: int, *, after: int, count: int, reserved: Collection[str]
) -> Iterator[int]:
    """Yield the numbers above `after` whose barcodes are free; the first query checks `count`."""
    start = after + 1
    while True:
        numbers = {
            f"{_prefix(client_id)}{number}": number for number in range(start, start + count)
        }
        taken = find_taken_barcodes(client_id, numbers)
        yield from (
            number
            for barcode, number in numbers.items()
            if barcode not in taken and barcode not in reserved
        )
        start += count
        count = min(2 * count, _BATCH_SIZE)


def _prefix(client_id: int) -> str:
    return f"TB-{client_id}-"
