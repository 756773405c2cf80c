"""Which entry of Go is which order of the shop, and which entries are nobody's; pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.orders.credits import credited_order
from target_powerofficego.dataflow.values import short_reference, to_ore

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from target_powerofficego.links_command.reconciliation.sides import GoEntry, Period, ShopOrder

_SURE_FROM = 200
"""Krone without VAT from which VAT to the øre tells a single line's rate: rates that differ by 0.01
percentage points make VAT that differs by 0.02, which no rounding to øre makes equal."""


@dataclass(frozen=True)
class Stray:
    """An entry that no order is linked to, though it bears a sign of one.

    `order` is the linked order that it credits or doubles, if that is known; `credits` that it is a
    credit note of it.
    """

    entry: GoEntry
    order: ShopOrder | None
    credits: bool


@dataclass(frozen=True)
class Matched:
    """The orders of a period with their entries, and the entries without a link."""

    pairs: tuple[tuple[ShopOrder, GoEntry | None], ...]
    strays: tuple[Stray, ...]

    def to_read(self) -> list[GoEntry]:
        """Return the entries whose lines have to be read."""
        linked = [
            entry
            for order, entry in self.pairs
            if entry is not None and order.amounts is not None and not is_surely_same(order, entry)
        ]
        return [*linked, *(stray.entry for stray in self.strays)]


class Books:
    """All orders and all entries, found by what they share.

    Args:
        orders: every order that the store knows.
        entries: every entry of Go, by id.
        shop_name: begins our references.
    """

    def __init__(
        self, orders: Sequence[ShopOrder], entries: Mapping[str, GoEntry], shop_name: str
    ) -> None:
        self.entries = entries
        self._orders = orders
        self._shop_name = shop_name
        self._by_go_id = {one.go_id: one for one in orders if one.go_id is not None}
        self._by_id = {one.shop_id: one for one in orders}
        linked = [one for one in orders if one.go_id is not None]
        self._by_reference = {short_reference(shop_name, one.shop_id): one for one in linked}
        self._by_matching = self._matching(linked)
        self._by_invoice = {
            entry.number: order
            for entry in entries.values()
            if entry.kind == "invoice" and (order := self._by_go_id.get(entry.id)) is not None
        }
        self._with_parts: defaultdict[str, list[ShopOrder]] = defaultdict(list)
        for one in linked:
            self._with_parts[credited_order(one.shop_id)].append(one)
        self._credits: defaultdict[str, list[GoEntry]] = defaultdict(list)
        self._credited_of: defaultdict[int | None, Decimal] = defaultdict(Decimal)
        for entry in entries.values():
            if entry.kind == "credit note":
                self._credited_of[entry.related_invoice] += entry.total
            if entry.id not in self._by_go_id and (order := self._credited(entry)) is not None:
                self._credits[order.shop_id].append(entry)

    def _matching(self, linked: Iterable[ShopOrder]) -> dict[str, ShopOrder]:
        found: dict[str, ShopOrder] = {}
        for order in linked:
            entry = self.entries.get(order.go_id or "")
            for number in (order.matching_reference, entry and entry.matching_reference):
                if number:
                    found.setdefault(number, order)
        return found

    def matched(self, period: Period) -> Matched:
        """Return what belongs to a period: orders by their date in the shop, strays by Go's.

        A stray that doubles an order of the period belongs to it as well, whatever its own date.
        """
        pairs = tuple(
            (order, self.entries.get(order.go_id or ""))
            for order in self._orders
            if period.has(order.date)
        )
        mine = {order.shop_id for order, _ in pairs}
        return Matched(pairs, tuple(self._strays(period, mine)))

    def _strays(self, period: Period, mine: Collection[str]) -> Iterable[Stray]:
        for entry in self.entries.values():
            stray = None if entry.id in self._by_go_id else self._stray(entry)
            if stray is None:
                continue
            doubles = not stray.credits and stray.order is not None and stray.order.shop_id in mine
            if doubles or period.has(entry.date):
                yield stray

    def _stray(self, entry: GoEntry) -> Stray | None:
        """Return an entry without a link that bears a sign of ours; another shop's never does."""
        credited = self._credited(entry)
        if credited is not None:
            return Stray(entry, credited, credits=True)
        if entry.reference:
            is_ours = entry.reference.startswith(f"{self._shop_name}:")
            doubled = self._by_reference.get(entry.reference)
            return Stray(entry, doubled, credits=False) if is_ours else None
        if entry.kind == "credit note":
            return None
        doubled = self._by_matching.get(entry.matching_reference or "")
        return None if doubled is None else Stray(entry, doubled, credits=False)

    def _credited(self, entry: GoEntry) -> ShopOrder | None:
        """Return the order whose invoice a credit note names, by number or by our reference."""
        if entry.kind != "credit note":
            return None
        if entry.related_invoice is not None and entry.related_invoice in self._by_invoice:
            return self._by_invoice[entry.related_invoice]
        shop_id = (entry.reference or "").removeprefix(f"{self._shop_name}:")
        return self._by_id.get(credited_order(shop_id)) if shop_id != entry.reference else None

    def credit_notes_of(self, order: ShopOrder) -> Sequence[GoEntry]:
        """Return the credit notes without a link of an order's invoice, of whichever date."""
        return self._credits[order.shop_id]

    def is_credited(self, entry: GoEntry) -> bool:
        """Return whether credit notes name an invoice and take all of it back."""
        return entry.kind == "invoice" and self._credited_of[entry.number] == -entry.total

    def comes_to(self, order: ShopOrder) -> Decimal:
        """Return what an order comes to in Go with VAT, refunds and credit notes taken off."""
        linked = [self.entries.get(one.go_id or "") for one in self._with_parts[order.shop_id]]
        there = (one for one in (*linked, *self.credit_notes_of(order)) if one is not None)
        return sum((one.total for one in there), Decimal(0))


def is_surely_same(order: ShopOrder, entry: GoEntry) -> bool:
    """Return by the header alone whether an entry is as the shop has it: amounts and VAT rate.

    Only of a single line: several of different rates may come to the same VAT.
    """
    if order.amounts is None or entry.line_count != 1 or len(order.amounts.by_rate) != 1:
        return False
    ((rate, one),) = order.amounts.by_rate.items()
    if rate is None or one != entry.money or abs(one.excl) < _SURE_FROM:
        return False
    return to_ore(one.excl * Decimal(rate) / 100) == one.tax
