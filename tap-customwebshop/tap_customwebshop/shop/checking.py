"""What `--check` finds in the first records of each stream: what would be wrong in the accounts."""

from __future__ import annotations

import itertools
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tap_customwebshop.shop.mapping import WrongRowError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_customwebshop.shop.streams import FileStream

Record = dict[str, Any]

MOST_ROWS = 500
"""Rows of each stream that are looked at."""
_SHOWN = 3
_ORE = Decimal("0.01")
_WRITTEN = {"processing", "on_hold", "completed", "refunded"}
"""The default of target-powerofficego's setting `order_statuses`."""
_NEEDED = {"products": ("sku", "name"), "orders": ("status", "total_incl")}
"""What target-powerofficego rejects a record for the lack of."""
_EVENTS = ("created_at", "placed_at", "paid_at", "shipped_at", "completed_at", "cancelled_at")


def check_streams(streams: Iterable[FileStream]) -> Iterator[str]:
    """Yield a line for each kind of fault in the first rows, and one for each stream.

    Raises:
        ShopError: The shop cannot be read.
    """
    for stream in streams:
        found: dict[str, dict[str, None]] = defaultdict(dict)
        records: list[Record] = []
        for number, row in enumerate(first_rows(stream, MOST_ROWS)):
            try:
                records += stream.mapper.records(row, f"{stream.name}[{number}]")
            except WrongRowError as error:
                found[error.words][f"{number}"] = None
        for record in records:
            for fault in _faults(stream.name, record):
                found[fault][record["id"]] = None
        found |= {fault: {} for fault in _of_all(stream.name, records)}
        yield from (f"{stream.name}: {fault}{_shown([*keys])}" for fault, keys in found.items())
        yield f"{stream.name}: {len(records)} records looked at, {len(found)} kinds of faults"


def first_rows(stream: FileStream, most: int) -> Iterator[Any]:
    """Yield the first rows of a stream."""
    rows = (row for page in stream.asker.pages(stream.listing, None) for row in page.rows)
    return itertools.islice(rows, most)


def _shown(keys: list[str]) -> str:
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return f" ({', '.join(keys[:_SHOWN])}{more})" if keys else ""


def _of_all(stream: str, records: list[Record]) -> Iterator[str]:
    """Say what can be seen of all records together only."""
    if not records:
        yield "there are none; see that the path and its parameters are right"
    statuses = {record.get("status") for record in records}
    if stream == "orders" and records and not statuses & _WRITTEN:
        names = ", ".join(sorted(map(str, statuses)))
        yield (
            f"all have the status {names}, which target-powerofficego leaves alone by default; map"
            " placed orders to 'processing', or set its 'order_statuses'"
        )


def _faults(stream: str, record: Record) -> Iterator[str]:
    events = [(name, record.get(name)) for name in _EVENTS]
    events += [("a refund", one.get("created_at")) for one in record.get("refunds") or ()]
    updated = record.get("updated_at") or "9"
    if late := next((name for name, moment in events if moment and moment > updated), None):
        yield (
            f"updated_at is before {late}, so such changes may be missed: name another stamp, or"
            " write touched()"
        )
    yield from _missing(f"one of the {stream}", record, _NEEDED.get(stream, ()))
    if stream == "orders":
        yield from _faults_of_order(record)


def _missing(what: str, record: Record, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if record.get(name) in (None, ""):
            yield f"{what} has no {name}, without which target-powerofficego rejects it"


def _faults_of_order(order: Record) -> Iterator[str]:
    for line in order.get("lines") or ():
        if line.get("type") == "text":
            continue
        yield from _missing("a line", line, ("id", "quantity"))
        if not line.get("sku") and not _is_of_no_product(line):
            yield "a line has no sku; where it is of no product, tell sku and product_id as None"
        if line.get("tax_rate") is None:
            yield "a line has no tax_rate; the target works it out where it can"
    total, rows = order.get("total_incl"), _sum_of_rows(order)
    if total is None or rows is None:
        yield "the total with VAT of the order or of a row is not told, so they cannot be compared"
        return
    apart = rows - Decimal(total)
    told = [one for one in order.get("discounts") or () if not one.get("is_in_lines")]
    discounts = _sum(one.get("amount_incl") for one in told)
    tolerance = _ORE * (len(order.get("lines") or ()) + 1)
    if abs(apart - discounts) > tolerance:
        if discounts and abs(apart) <= tolerance:
            yield "a discount is in the lines and told again: say is_in_lines of it"
        else:
            yield "lines, shipping and fees less discounts do not come to total_incl"
    taxes, tax = order.get("taxes"), order.get("total_tax")
    taxed = _sum(one.get("amount") for one in taxes or ())
    if taxes and tax is not None and abs(taxed - Decimal(tax)) > tolerance:
        yield "the amounts in taxes do not come to total_tax"


def _is_of_no_product(line: Record) -> bool:
    """Return whether a line says that it is of no product, as a tip does; Go gets it as a fee."""
    return line.get("sku", "") is None and line.get("product_id", "") is None


def _sum_of_rows(order: Record) -> Decimal | None:
    """Return what an order's rows come to with VAT; None where one does not tell."""
    total = _sum([order.get("rounding")])
    for row in (row for name in ("lines", "shipping", "fees") for row in order.get(name) or ()):
        incl, excl, tax = (row.get(name) for name in ("total_incl", "total_excl", "total_tax"))
        if incl is None and None in (excl, tax):
            return None
        total += _sum([excl, tax] if incl is None else [incl])
    return total


def _sum(amounts: Iterable[str | None]) -> Decimal:
    return sum((Decimal(one or 0) for one in amounts), Decimal(0))
