"""Counts and sums of both sides, by currency and VAT rate; pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.orders.line_amounts import NOTHING, Money

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from target_powerofficego.links_command.reconciliation.sides import EntryKind, GoEntry

ALL_RATES = "all"
"""Stands for the sum of all rates of a currency; each order is counted in it once."""

_Key = tuple[str, "str | None"]


@dataclass
class Sums:
    """What is counted so far."""

    _shop: defaultdict[_Key, Money] = field(default_factory=lambda: defaultdict(lambda: NOTHING))
    _go: defaultdict[_Key, Money] = field(default_factory=lambda: defaultdict(lambda: NOTHING))
    _orders: Counter[_Key] = field(default_factory=Counter)
    _entries: Counter[tuple[_Key, EntryKind]] = field(default_factory=Counter)
    not_in_ledger: Counter[EntryKind] = field(default_factory=Counter)

    def count_shop(self, currency: str, by_rate: Mapping[str | None, Money]) -> None:
        """Count an order of the shop."""
        for key, one in _parts(currency, by_rate):
            self._orders[key] += 1
            self._shop[key] += one

    def count_go(self, entry: GoEntry, by_rate: Mapping[str | None, Money]) -> None:
        """Count an entry of Go."""
        for key, one in _parts(entry.currency, by_rate):
            self._entries[key, entry.kind] += 1
            self._go[key] += one
        if not entry.is_in_ledger:
            self.not_in_ledger[entry.kind] += 1

    def rows(self) -> list[SumsRow]:
        """Return a row for each currency and rate; the one of all rates comes first."""
        keys = sorted({*self._shop, *self._go}, key=_place)
        return [self._row(key) for key in keys]

    def _row(self, key: _Key) -> SumsRow:
        kinds: tuple[EntryKind, ...] = ("sales order", "invoice", "credit note")
        orders, invoices, credit_notes = (self._entries[key, kind] for kind in kinds)
        return SumsRow(
            *key, self._orders[key], self._shop[key], orders, invoices, credit_notes, self._go[key]
        )


@dataclass(frozen=True)
class SumsRow:
    """Both sides of one currency and VAT rate; `rate` is `ALL_RATES` for all together."""

    currency: str
    rate: str | None
    shop_orders: int
    shop: Money
    sales_orders: int
    invoices: int
    credit_notes: int
    go: Money

    @property
    def difference(self) -> Money:
        """What Go has more than the shop."""
        return self.go - self.shop


def _parts(currency: str, by_rate: Mapping[str | None, Money]) -> Iterator[tuple[_Key, Money]]:
    yield (currency, ALL_RATES), sum(by_rate.values(), NOTHING)
    for rate, one in by_rate.items():
        yield (currency, rate), one


def _place(key: _Key) -> tuple[str, bool, bool, float]:
    currency, rate = key
    is_number = rate not in (ALL_RATES, None)
    return currency, rate != ALL_RATES, rate is None, -float(rate or 0) if is_number else 0
