"""Finds logs by barcode, and generates unique barcodes `TB-<client>-<number>` without gaps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, cast

from timba.consignments.barcode_text import barcode_key
from timba.consignments.models import BarcodeCounter, Log

# Every database accepts this many parameters in a query.
_BATCH_SIZE: Final = 500


def find_logs_by_key(client_id: int, keys: Iterable[str]) -> dict[str, Log]:
    """Return the client's logs whose barcodes have these keys, by key; see `barcode_key`."""
    # Of several, the first one counts.
    return {key: logs[0] for key, logs in find_all_logs_by_key(client_id, keys).items()}


def find_all_logs_by_key(client_id: int, keys: Iterable[str]) -> dict[str, list[Log]]:
    """Return the client's logs whose barcodes have these keys, by key.

    Several logs have the same key only where they are older than keys.
    """
    wanted = dict.fromkeys(keys)
    if not wanted:
        return {}
    requested = list(wanted)
    logs = Log.unscoped.filter(client_id=client_id)
    found: dict[str, list[Log]] = {}
    for start in range(0, len(requested), _BATCH_SIZE):
        batch = logs.filter(barcode_key__in=requested[start : start + _BATCH_SIZE])
        found |= {cast("str", log.barcode_key): [log] for log in batch}
    # An older log without a key has its barcode all the same.
    for log in logs.filter(barcode_key=None).order_by("pk"):
        if (key := barcode_key(log.barcode)) in wanted:
            found.setdefault(key, []).append(log)
    return found


def assign_barcodes(client_id: int, barcodes: Sequence[str | None]) -> list[str]:
    """Return the barcodes, with each None replaced by a generated one.

    Numbers of barcodes like those that were entered manually are skipped.
    """
    manual = {barcode_key(barcode) for barcode in barcodes if barcode is not None}
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


def lock_counter_if_generated(client_id: int, keys: Collection[str]) -> None:
    """Lock the counter if one of the manually entered barcodes, by key, looks like a generated one.

    Otherwise a concurrent transaction, which cannot see this one yet, could generate the same
    barcode.
    """
    if any(key.startswith(barcode_key(_prefix(client_id))) for key in keys):
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
            barcode_key(f"{_prefix(client_id)}{number}"): number
            for number in range(start, start + count)
        }
        taken = find_logs_by_key(client_id, numbers)
        yield from (
            number for key, number in numbers.items() if key not in taken and key not in reserved
        )
        start += count
        count = min(2 * count, _BATCH_SIZE)


def _prefix(client_id: int) -> str:
    return f"TB-{client_id}-"
