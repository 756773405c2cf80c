"""What `--check` looks for in the first records of each stream: faults that reach the accounts."""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tap_customwebshop.errors import ContractBrokenError, ShopRefusedError
from tap_customwebshop.shop.mapping import ShopFunctionError, kind_of
from tap_customwebshop.shop.templates import names_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_customwebshop.shop.client import RawPage
    from tap_customwebshop.shop.streams import FileStream

Record = dict[str, Any]

MOST_ROWS = 500
"""Rows of each stream that are checked."""
_SHOWN = 3
_ORE = Decimal("0.01")
_LATER = timedelta(days=2)
"""How far ahead nothing can have changed yet, in any time zone."""
_WRITTEN = {"processing", "on_hold", "completed", "refunded"}
"""The default of target-powerofficego's setting `order_statuses`."""
_NEEDED = {"products": ("sku", "name"), "orders": ("status", "total_incl")}
"""Members without which target-powerofficego rejects a record."""
_SHORT_CODE = re.compile(r"\d{1,3}")
"""A Norwegian postal code, which has four digits, that lost its leading zeros."""
_EVENTS = ("created_at", "placed_at", "paid_at", "shipped_at", "completed_at", "cancelled_at")


def check_stream(stream: FileStream) -> tuple[list[str], int]:
    """Return a line for each kind of fault in the first rows and one in sum; how many kinds.

    Raises:
        ShopError: The shop cannot be read.
    """
    first_reasons: dict[str, str] = {}
    rows: dict[str, list[str]] = defaultdict(list)
    ids: dict[str, dict[str, None]] = defaultdict(dict)
    records: list[Record] = []
    pages = stream.client.pages(stream.listing, None)
    first_page = next(pages)
    for number, row in enumerate(first_rows(itertools.chain([first_page], pages), MOST_ROWS)):
        try:
            records += stream.mapper.records(row, f"{stream.name}[{number}]")
        except ShopFunctionError as error:
            reason = first_reasons.setdefault(kind_of(error.reason), error.reason)
            rows[reason].append(f"{number}")
    for record in records:
        for fault in _faults(stream, record):
            ids[fault][record["id"]] = None
    faults = [f"{fault}{_listed('row', numbers)}" for fault, numbers in rows.items()]
    faults += [f"{fault}{_listed('id', [*keys])}" for fault, keys in ids.items()]
    if not records and not faults:
        faults.append("the list is empty; check the path and its parameters")
    faults += filter(None, [first_page.doubt])
    faults += [*_faults_of_all(stream.name, records), *_faults_of_since(stream, records)]
    kinds = _counted(len(faults), "kind of fault", "kinds of faults")
    faults.append(f"{_counted(len(records), 'record', 'records')} checked, {kinds}")
    return [f"{stream.name}: {fault}" for fault in faults], len(faults) - 1


def first_rows(pages: Iterable[RawPage], limit: int) -> Iterator[Any]:
    """Yield the first rows of a stream."""
    return itertools.islice((row for page in pages for row in page.rows), limit)


def _counted(number: int, singular: str, plural: str) -> str:
    return f"{number} {singular if number == 1 else plural}"


def _listed(label: str, keys: list[str]) -> str:
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return f" ({label}{'s' * (len(keys) > 1)} {', '.join(keys[:_SHOWN])}{more})"


def _faults_of_all(stream: str, records: list[Record]) -> Iterator[str]:
    """Yield the faults that only all records together show."""
    statuses = {record.get("status") for record in records}
    if stream == "orders" and records and not statuses & _WRITTEN:
        names = ", ".join(sorted(map(str, statuses)))
        yield (
            f"all have the status {names}, which target-powerofficego leaves alone by default; map"
            " placed orders to 'processing', or set its 'order_statuses'"
        )
    lines = [line for order in records for line in _lines(order) if line.get("type") != "gift_card"]
    if lines and not any(line.get("sku") or line.get("product_id") for line in lines):
        yield "no line has a sku or product_id, so target-powerofficego treats each as a fee"
    uses = Counter(record.get("email") for record in records if record.get("email"))
    if stream == "customers" and any(
        record.get("is_guest") and uses[record.get("email")] > 1 for record in records
    ):
        yield "a guest has the e-mail address of another customer; return None for guests"


def _faults_of_since(stream: FileStream, records: list[Record]) -> Iterator[str]:
    """Yield a fault if the shop sends rows when it is asked for changes in the future."""
    listing = stream.listing
    if not records or "since" not in names_in([listing.path, listing.since]):
        return
    try:
        page = next(stream.client.pages(listing, datetime.now(timezone.utc) + _LATER))
    except ContractBrokenError as error:
        yield f"if nothing has changed, {error}"
    except ShopRefusedError:  # it may refuse a time in the future
        return
    else:
        if page.rows:
            yield f"the shop ignores '{listing.since or listing.path}'; correct 'since'"


def _faults(stream: FileStream, record: Record) -> Iterator[str]:
    events = [(name, record.get(name)) for name in _EVENTS]
    events += [("a refund", refund.get("created_at")) for refund in record.get("refunds") or ()]
    updated = record.get("updated_at") or "9"
    late = next((name for name, moment in events if moment and moment > updated), None)
    if late and not stream.sees_all_changes:
        yield (
            f"updated_at is before {late}, so such changes may be missed: use another stamp, or"
            " write touched()"
        )
    yield from _missing(f"one of the {stream.name}", record, _NEEDED.get(stream.name, ()))
    yield from _faults_of_values(record)
    if _is_without_vat(record, "price_excl", "price_incl"):
        yield "price_incl equals price_excl, although tax_rate is not 0"
    if stream.name == "orders":
        yield from _faults_of_order(record)


def _missing(subject: str, record: Record, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if record.get(name) in (None, ""):
            yield f"{subject} has no {name}, without which target-powerofficego rejects it"


def _faults_of_values(record: Record) -> Iterator[str]:
    """Yield the faults of rates and addresses, wherever they are in a record."""
    taxed = [record, *_lines(record), *_charges(record)]
    rates = [row.get("tax_rate") for row in taxed]
    rates += [tax.get("rate") for tax in record.get("taxes") or ()]
    if any(0 < Decimal(rate) < 1 for rate in rates if rate is not None):
        yield "a VAT rate is a fraction; rates are in percent, 25 and not 0.25"
    addresses = [*(record.get("addresses") or ())]
    addresses += [record.get(name) or {} for name in ("billing_address", "shipping_address")]
    if any(
        address.get("country_code") == "NO"
        and _SHORT_CODE.fullmatch(address.get("postal_code") or "")
        for address in addresses
    ):
        yield "a Norwegian postal_code has fewer than four digits; str(…).zfill(4) adds the zeros"


def _lines(record: Record) -> list[Record]:
    return [line for line in record.get("lines") or () if line.get("type") != "text"]


def _charges(record: Record) -> list[Record]:
    return [row for name in ("shipping", "fees") for row in record.get(name) or ()]


def _is_without_vat(row: Record, name_excl: str, name_incl: str) -> bool:
    """Return whether the amounts with and without VAT are the same, although the rate is not 0."""
    excl, incl, rate = (_decimal(row.get(name)) for name in (name_excl, name_incl, "tax_rate"))
    return excl is not None and excl == incl and abs(excl * (rate or 0) / 100) > _ORE


def _faults_of_order(order: Record) -> Iterator[str]:
    lines = _lines(order)
    for line in lines:
        yield from _missing("a line", line, ("id", "quantity"))
        if line.get("type") != "gift_card" and not {"sku", "product_id"} & set(line):
            yield "a line has no sku; if it is not for a product, set sku and product_id to None"
    rows = [*lines, *_charges(order)]
    for row in rows:
        yield from _faults_of_row(row)
    amounts = [_amounts(row) for row in rows]
    yield from _faults_of_totals(order, [pair for pair in amounts if pair], len(rows))
    yield from _faults_of_refunds(order, rows)


def _faults_of_row(row: Record) -> Iterator[str]:
    """Yield the faults of a line, freight or fee."""
    amounts = _amounts(row)
    if amounts is None:
        yield (
            "a line, freight or fee lacks amounts: two of total_excl, total_tax and total_incl are"
            " needed, or one and tax_rate"
        )
        return
    excl, incl = amounts
    tax = _decimal(row.get("total_tax"))
    if tax is not None and abs(excl + tax - incl) > _ORE:
        yield "total_excl and total_tax of a line, freight or fee do not add up to its total_incl"
    elif excl != incl and row.get("tax_rate") is None:
        yield "a line, freight or fee has no tax_rate; the target calculates it where it can"
    for name in ("total", "unit_price"):
        if _is_without_vat(row, f"{name}_excl", f"{name}_incl"):
            yield f"{name}_incl of a line, freight or fee equals {name}_excl, although it has VAT"


def _amounts(row: Record) -> tuple[Decimal, Decimal] | None:
    """Return a row's amounts without and with VAT, calculated as in target-powerofficego.

    None if the row does not have enough amounts.
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
    """Yield where an order's totals differ from the sum of its rows, if all have amounts."""
    tolerance = _ORE * (rows + 1)
    taxes, tax = order.get("taxes"), _decimal(order.get("total_tax"))
    if taxes and tax is not None and abs(_sum(taxes, "amount") - tax) > tolerance:
        yield "the amounts in taxes do not add up to total_tax"
    total = _decimal(order.get("total_incl"))
    if total is None or len(amounts) < rows:
        return
    separate = [row for row in order.get("discounts") or () if not row.get("is_in_lines")]
    discounts = _sum(separate, "amount_incl")
    excess = sum((incl for _, incl in amounts), _sum([order], "rounding")) - total
    if abs(excess - discounts) > tolerance:
        if discounts and abs(excess) <= tolerance:
            yield "a discount is already deducted from the lines: set its is_in_lines to True"
        else:
            yield "lines, shipping and fees less discounts do not add up to total_incl"
    vat = sum((incl - excl for excl, incl in amounts), Decimal(0))
    if total == _decimal(order.get("total_excl")) and not separate and abs(vat) > tolerance:
        yield "total_incl equals total_excl, although there is VAT"


def _faults_of_refunds(order: Record, rows: list[Record]) -> Iterator[str]:
    """Yield the faults of refunds, such as an amount_incl without VAT."""
    refunds = order.get("refunds") or ()
    total = _decimal(order.get("total_incl"))
    if total is not None and _sum(refunds, "amount_incl") > max(total, Decimal(0)) + _ORE:
        yield "refunds add up to more than total_incl"
    is_all_taxed = bool(rows) and all(_decimal(row.get("tax_rate")) for row in rows)
    for refund in refunds:
        incl = _decimal(refund.get("amount_incl"))
        if not incl:
            continue
        parts = _sum(refund.get("lines") or (), "amount_incl") + _sum([refund], "shipping_incl")
        if parts - incl > _ORE:
            yield "amount_incl of a refund is less than the sum of its lines and freight"
        is_same = incl == _decimal(refund.get("amount_excl")) and incl > 10 * _ORE
        if (is_same and is_all_taxed) or _is_tax_base(incl, refund.get("taxes") or ()):
            yield "amount_incl of a refund is without VAT"


def _is_tax_base(amount: Decimal, taxes: Iterable[Record]) -> bool:
    """Return whether taxes, each rounded to the øre, were calculated from an amount."""
    base = total = tolerance = Decimal(0)
    for tax in taxes:
        rate = _decimal(tax.get("rate"))
        if rate:
            total += _sum([tax], "amount")
            base += _sum([tax], "amount") * 100 / rate
            tolerance += _ORE / 2 * 100 / rate
    return abs(amount - base) <= tolerance < total


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _sum(rows: Iterable[Record], name: str) -> Decimal:
    return sum((Decimal(row.get(name) or 0) for row in rows), Decimal(0))
