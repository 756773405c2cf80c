"""What `--check` finds in the first records of each stream: what would be wrong in the accounts."""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tap_customwebshop.errors import ContractBrokenError, ShopRefusedError
from tap_customwebshop.shop.mapping import ShopFunctionError
from tap_customwebshop.shop.templates import names_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_customwebshop.shop.streams import FileStream

Record = dict[str, Any]

MOST_ROWS = 500
"""Rows of each stream that are looked at."""
_SHOWN = 3
_ORE = Decimal("0.01")
_LATER = timedelta(days=2)
"""How far ahead nothing can have changed, whatever the time zone."""
_WRITTEN = {"processing", "on_hold", "completed", "refunded"}
"""The default of target-powerofficego's setting `order_statuses`."""
_NEEDED = {"products": ("sku", "name"), "orders": ("status", "total_incl")}
"""What target-powerofficego rejects a record for the lack of."""
_SHORT_CODE = re.compile(r"\d{1,3}")
"""A Norwegian postal code, which has four digits, without its leading zeros."""
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
            except ShopFunctionError as error:
                found[error.reason][f"{number}"] = None
        for record in records:
            for fault in _faults(stream, record):
                found[fault][record["id"]] = None
        if not records and not found:
            found["there are none; see that the path and its parameters are right"] = {}
        of_all = (*_of_all(stream.name, records), *_of_since(stream, records))
        found |= {fault: {} for fault in of_all}
        yield from (f"{stream.name}: {fault}{_shown([*keys])}" for fault, keys in found.items())
        yield f"{stream.name}: {len(records)} records looked at, {len(found)} kinds of faults"


def first_rows(stream: FileStream, most: int) -> Iterator[Any]:
    """Yield the first rows of a stream."""
    rows = (row for page in stream.client.pages(stream.listing, None) for row in page.rows)
    return itertools.islice(rows, most)


def _shown(keys: list[str]) -> str:
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return f" ({', '.join(keys[:_SHOWN])}{more})" if keys else ""


def _of_all(stream: str, records: list[Record]) -> Iterator[str]:
    """Say what can be seen of all records together only."""
    statuses = {record.get("status") for record in records}
    if stream == "orders" and records and not statuses & _WRITTEN:
        names = ", ".join(sorted(map(str, statuses)))
        yield (
            f"all have the status {names}, which target-powerofficego leaves alone by default; map"
            " placed orders to 'processing', or set its 'order_statuses'"
        )
    lines = [line for order in records for line in _lines(order) if line.get("type") != "gift_card"]
    if lines and not any(line.get("sku") or line.get("product_id") for line in lines):
        yield "no line has a sku or product_id, so target-powerofficego takes each for a fee"
    uses = Counter(record.get("email") for record in records if record.get("email"))
    if stream == "customers" and any(
        record.get("is_guest") and uses[record.get("email")] > 1 for record in records
    ):
        yield "a guest has the e-mail of another customer; return None for guests"


def _of_since(stream: FileStream, records: list[Record]) -> Iterator[str]:
    """Say whether the shop sends rows where it is asked for what changes later than now."""
    listing = stream.listing
    if not records or "since" not in names_in([listing.path, listing.since]):
        return
    try:
        page = next(stream.client.pages(listing, datetime.now(timezone.utc) + _LATER))
    except ContractBrokenError as error:
        yield f"where nothing changed since, {error}"
    except ShopRefusedError:  # a moment to come
        return
    else:
        if page.rows:
            yield f"the shop does not heed '{listing.since or listing.path}'; correct 'since'"


def _faults(stream: FileStream, record: Record) -> Iterator[str]:
    events = [(name, record.get(name)) for name in _EVENTS]
    events += [("a refund", one.get("created_at")) for one in record.get("refunds") or ()]
    updated = record.get("updated_at") or "9"
    late = next((name for name, moment in events if moment and moment > updated), None)
    if late and not stream.sees_all_changes:
        yield (
            f"updated_at is before {late}, so such changes may be missed: name another stamp, or"
            " write touched()"
        )
    yield from _missing(f"one of the {stream.name}", record, _NEEDED.get(stream.name, ()))
    yield from _faults_of_values(record)
    if _is_without_vat(record, "price_excl", "price_incl"):
        yield "price_incl is price_excl, though tax_rate is not 0"
    if stream.name == "orders":
        yield from _faults_of_order(record)


def _missing(what: str, record: Record, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if record.get(name) in (None, ""):
            yield f"{what} has no {name}, without which target-powerofficego rejects it"


def _faults_of_values(record: Record) -> Iterator[str]:
    """Say what is wrong with a rate or an address, wherever it is in a record."""
    taxed = [record, *_lines(record), *_charges(record)]
    rates = [row.get("tax_rate") for row in taxed]
    rates += [tax.get("rate") for tax in record.get("taxes") or ()]
    if any(0 < Decimal(rate) < 1 for rate in rates if rate is not None):
        yield "a VAT rate is a fraction; rates are in percent, 25 and not 0.25"
    addresses = [*(record.get("addresses") or ())]
    addresses += [record.get(name) or {} for name in ("billing_address", "shipping_address")]
    if any(
        one.get("country_code") == "NO" and _SHORT_CODE.fullmatch(one.get("postal_code") or "")
        for one in addresses
    ):
        yield "a Norwegian postal_code has fewer than four digits; str(…).zfill(4) adds its zeros"


def _lines(record: Record) -> list[Record]:
    return [line for line in record.get("lines") or () if line.get("type") != "text"]


def _charges(record: Record) -> list[Record]:
    return [row for name in ("shipping", "fees") for row in record.get(name) or ()]


def _is_without_vat(row: Record, name_excl: str, name_incl: str) -> bool:
    """Return whether the same amount is told with and without VAT at a rate that is not 0."""
    excl, incl, rate = (_decimal(row.get(name)) for name in (name_excl, name_incl, "tax_rate"))
    return excl is not None and excl == incl and abs(excl * (rate or 0) / 100) > _ORE


def _faults_of_order(order: Record) -> Iterator[str]:
    lines = _lines(order)
    for line in lines:
        yield from _missing("a line", line, ("id", "quantity"))
        if line.get("type") != "gift_card" and not {"sku", "product_id"} & set(line):
            yield "a line has no sku; where it is of no product, tell sku and product_id as None"
    rows = [*lines, *_charges(order)]
    for row in rows:
        yield from _faults_of_row(row)
    amounts = [_amounts(row) for row in rows]
    yield from _faults_of_totals(order, [both for both in amounts if both], len(rows))
    yield from _faults_of_refunds(order, rows)


def _faults_of_row(row: Record) -> Iterator[str]:
    """Say what is wrong with a line, freight or fee."""
    amounts = _amounts(row)
    if amounts is None:
        yield (
            "a line, freight or fee lacks amounts: of total_excl, total_tax and total_incl two are"
            " needed, or one and tax_rate"
        )
        return
    excl, incl = amounts
    tax = _decimal(row.get("total_tax"))
    if tax is not None and abs(excl + tax - incl) > _ORE:
        yield "total_excl and total_tax of a line, freight or fee do not come to its total_incl"
    elif excl != incl and row.get("tax_rate") is None:
        yield "a line, freight or fee has no tax_rate; the target works it out where it can"
    for name in ("total", "unit_price"):
        if _is_without_vat(row, f"{name}_excl", f"{name}_incl"):
            yield f"{name}_incl of a line, freight or fee is {name}_excl, though tax_rate is not 0"


def _amounts(row: Record) -> tuple[Decimal, Decimal] | None:
    """Return a row's amounts without and with VAT, worked out as target-powerofficego does it.

    None where the row tells too little.
    """
    names = ("total_excl", "total_tax", "total_incl", "tax_rate")
    excl, tax, incl, rate = (_decimal(row.get(name)) for name in names)
    if rate is None and row.get("type") == "gift_card":
        rate = Decimal(0)
    factor = None if rate is None else 1 + rate / 100
    if excl is None and incl is not None:
        excl = incl - tax if tax is not None else incl / factor if factor else None
    if incl is None and excl is not None:
        incl = excl + tax if tax is not None else excl * factor if factor else None
    return None if excl is None or incl is None else (excl, incl)


def _faults_of_totals(
    order: Record, amounts: list[tuple[Decimal, Decimal]], rows: int
) -> Iterator[str]:
    """Say where an order's totals are not what its rows come to, if all of them tell."""
    tolerance = _ORE * (rows + 1)
    taxes, tax = order.get("taxes"), _decimal(order.get("total_tax"))
    if taxes and tax is not None and abs(_sum(taxes, "amount") - tax) > tolerance:
        yield "the amounts in taxes do not come to total_tax"
    total = _decimal(order.get("total_incl"))
    if total is None or len(amounts) < rows:
        return
    separate = [one for one in order.get("discounts") or () if not one.get("is_in_lines")]
    discounts = _sum(separate, "amount_incl")
    apart = sum((incl for _, incl in amounts), _sum([order], "rounding")) - total
    if abs(apart - discounts) > tolerance:
        if discounts and abs(apart) <= tolerance:
            yield "a discount is in the lines and told again: say is_in_lines of it"
        else:
            yield "lines, shipping and fees less discounts do not come to total_incl"
    vat = sum((incl - excl for excl, incl in amounts), Decimal(0))
    if total == _decimal(order.get("total_excl")) and not separate and abs(vat) > tolerance:
        yield "total_incl is total_excl, though there is VAT"


def _faults_of_refunds(order: Record, rows: list[Record]) -> Iterator[str]:
    """Say where what was paid back cannot be right, as when VAT is not in amount_incl."""
    refunds = order.get("refunds") or ()
    total = _decimal(order.get("total_incl"))
    if total is not None and _sum(refunds, "amount_incl") > max(total, Decimal(0)) + _ORE:
        yield "refunds come to more than total_incl"
    is_all_taxed = bool(rows) and all(_decimal(row.get("tax_rate")) for row in rows)
    for refund in refunds:
        incl = _decimal(refund.get("amount_incl"))
        if not incl:
            continue
        parts = _sum(refund.get("lines") or (), "amount_incl") + _sum([refund], "shipping_incl")
        if parts - incl > _ORE:
            yield "amount_incl of a refund is less than its lines and freight come to"
        is_same = incl == _decimal(refund.get("amount_excl")) and incl > 10 * _ORE
        if (is_same and is_all_taxed) or _is_what_taxes_are_on(incl, refund.get("taxes") or ()):
            yield "amount_incl of a refund is without VAT"


def _is_what_taxes_are_on(amount: Decimal, taxes: Iterable[Record]) -> bool:
    """Return whether an amount is what VAT was worked out on; each was rounded to the øre."""
    net = tax = tolerance = Decimal(0)
    for one in taxes:
        rate = _decimal(one.get("rate"))
        if rate:
            tax += _sum([one], "amount")
            net += _sum([one], "amount") * 100 / rate
            tolerance += _ORE / 2 * 100 / rate
    return abs(amount - net) <= tolerance < tax


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _sum(rows: Iterable[Record], name: str) -> Decimal:
    return sum((Decimal(row.get(name) or 0) for row in rows), Decimal(0))
