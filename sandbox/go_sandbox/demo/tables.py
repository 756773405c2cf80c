"""What the demo shows of the link store and of Go, as tables that fit into 80 columns."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import simplejson
from rich import box
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_FIRST = ("created", "linked", "unchanged", "skipped", "changed", "parked", "rejected", "held")
_NARROW = (0, 1, 0, 0)
_ENTITIES = ("customers", "products", "orders")


def newest_outcomes(link_store: Path) -> Mapping[str, Mapping[str, int]]:
    """Return how many records of each entity had each outcome in the newest finished run."""
    query = "SELECT outcomes FROM runs WHERE outcomes IS NOT NULL ORDER BY id DESC LIMIT 1"
    rows = _rows(link_store, query)
    outcomes: Mapping[str, Mapping[str, int]] = simplejson.loads(rows[0][0]) if rows else {}
    return outcomes


def waiting_table(link_store: Path) -> Table:
    """Return every record that is parked, rejected or held, and why; without rows, none is."""
    query = (
        "SELECT kind, entity || ' ' || shop_id, reason FROM unsettled"
        " ORDER BY kind, entity, shop_id"
    )
    return _table(("", "record", "why"), _rows(link_store, query))


def conflict_table(link_store: Path) -> Table:
    """Return the properties that both sides changed in the newest run of each way, and who won."""
    query = (
        "SELECT entity || ' ' || shop_id, property, shop_value, go_value,"
        " coalesce(winner, 'nobody yet'), why FROM conflicts"
        " WHERE run IN (SELECT max(id) FROM runs GROUP BY way) ORDER BY id"
    )
    rows = (
        (record, name, *(str(simplejson.loads(value)) for value in (shop, go)), winner, why)
        for record, name, shop, go, winner, why in _rows(link_store, query)
    )
    return _table(("record", "property", "the shop said", "Go said", "won", "why"), rows)


def _rows(link_store: Path, query: str) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(f"{link_store.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def outcome_table(outcomes: Mapping[str, Mapping[str, int]]) -> Table:
    """Return the outcomes of the records: a row for each entity, a column for each outcome."""
    there = {name for found in outcomes.values() for name, count in found.items() if count}
    names = [*(name for name in _FIRST if name in there), *sorted(there - set(_FIRST))]
    table = Table(box=box.SIMPLE_HEAD, padding=_NARROW)
    table.add_column("records")
    for name in names:
        table.add_column(name, justify="right")
    for entity in _ENTITIES:
        found = outcomes.get(entity, {})
        table.add_row(entity, *(str(found.get(name) or "·") for name in names))
    return table


def _table(headings: Iterable[str], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table(*headings, box=box.SIMPLE_HEAD, padding=_NARROW)
    for row in rows:
        table.add_row(*row)
    return table


def entry_table(title: str, entry: Mapping[str, Any], members: Iterable[str]) -> Table:
    """Return some members of an entry in Go; a name may reach deeper, as `MailAddress.City`."""
    table = Table(
        title=title, title_justify="left", show_header=False, box=box.SIMPLE, padding=_NARROW
    )
    for member in members:
        value: Any = entry
        for part in member.split("."):
            value = (value or {}).get(part)
        table.add_row(member, "" if value is None else str(value))
    return table


def order_table(title: str, order: Mapping[str, Any]) -> Table:
    """Return an order's lines and its total, in krone, as Go calculated them."""
    table = Table(
        title=title, title_justify="left", show_footer=True, box=box.SIMPLE_HEAD, padding=_NARROW
    )
    table.add_column("product")
    table.add_column("description", "the whole order")
    table.add_column("number", justify="right")
    table.add_column("price", justify="right")
    table.add_column("less", justify="right")
    table.add_column("VAT", justify="right")
    table.add_column("net", _number(order["NetAmount"]), justify="right")
    table.add_column("total", _number(order["TotalAmount"]), justify="right")
    for line in order["SalesOrderLines"]:
        table.add_row(
            line["ProductCode"],
            line["Description"],
            f"{Decimal(str(line['Quantity'])).normalize():f}",
            _number(line["ProductUnitPrice"]),
            _percent(line["Allowance"]) if line["Allowance"] else "",
            _percent(Decimal(str(line["VatRate"])) * 100),
            _number(line["NetAmount"]),
            _number(line["TotalAmount"]),
        )
    return table


def landed_table(
    orders: Iterable[tuple[str, str, Iterable[tuple[Decimal, Decimal, Decimal]], object]],
) -> Table:
    """Return orders: what is special, the customer in Go, net and VAT by rate, and the total."""
    table = Table(box=box.SIMPLE_HEAD, padding=_NARROW)
    for heading in ("what the shop sent", "customer in Go", "net + VAT in Go"):
        table.add_column(heading)
    table.add_column("total", justify="right")
    for words, customer, by_rate, total in orders:
        sums = "\n".join(
            f"{_percent(rate)}: {_number(net)} + {_number(vat)}" for rate, net, vat in by_rate
        )
        table.add_row(words, customer, sums, _number(total))
    return table


def _number(value: object) -> str:
    """Return an amount with at least two decimals."""
    number = Decimal(str(value))
    places = -int(number.normalize().as_tuple().exponent)
    return f"{number:.{max(2, places)}f}"


def _percent(value: object) -> str:
    return f"{Decimal(str(value)).normalize():f} %"
