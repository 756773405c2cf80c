"""Which entry in Go belongs to which order of the shop, and how the two differ; without I/O."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from target_powerofficego.dataflow.orders.line_amounts import NOTHING, ORE, Money
from target_powerofficego.dataflow.orders.order import credited_order
from target_powerofficego.dataflow.orders.sums import tolerance
from target_powerofficego.dataflow.values import round_to_ore, short_reference
from target_powerofficego.links_command.reconciliation.sides import with_remainder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from target_powerofficego.links_command.reconciliation.sides import (
        EntryAmounts,
        EntryKind,
        GoEntry,
        KnownOrder,
        Period,
        Waiting,
    )

_SURE_FROM = 200
"""Kroner without VAT from which the VAT in whole øre identifies the rate of a single line: rates
that differ by 0.01 percentage points give VAT that differs by 0.02, which rounding cannot hide."""
ALL_RATES = "all"
"""The row for all rates of a currency together; it counts each order once."""
_NOK = "NOK"
_UNREAD = object()
_GONE = "removed in Go"
"""Part of the reason for a hold on an order that a person deleted in Go."""

FindingKind = Literal[
    "missing",
    "doubled",
    "not linked",
    "VAT rate",
    "amount",
    "currency",
    "credit note without refund",
    "reversed",
    "not in Go",
    "open",
    "not known",
    "buyer",
    "date",
    "credited by hand",
]


@dataclass(frozen=True)
class Stray:
    """An entry that no order is linked to, although something about it shows that it is ours.

    `order` is the linked order that it credits or duplicates, if known. `credits` is true if it is
    a credit note of that order.
    """

    entry: GoEntry
    order: KnownOrder | None
    credits: bool


@dataclass(frozen=True)
class Matched:
    """The orders of a period with their entries, and the entries that are not linked."""

    pairs: tuple[tuple[KnownOrder, GoEntry | None], ...]
    strays: tuple[Stray, ...]

    def entries_to_read(self) -> list[GoEntry]:
        """Return the entries whose lines have to be read."""
        linked = [
            entry
            for order, entry in self.pairs
            if entry is not None and order.amounts is not None and not is_surely_same(order, entry)
        ]
        return [*linked, *(stray.entry for stray in self.strays)]


class Books:
    """All orders and all entries, indexed by what they have in common.

    Args:
        orders: all orders in the link store.
        entries: all entries in Go, by id.
        shop_name: the prefix of our references.
    """

    def __init__(
        self, orders: Sequence[KnownOrder], entries: Mapping[str, GoEntry], shop_name: str
    ) -> None:
        self.entries = entries
        self._orders = orders
        self._shop_name = shop_name
        linked = [order for order in orders if order.go_id is not None]
        self._by_go_id = {order.go_id: order for order in linked}
        self._by_shop_id = {order.shop_id: order for order in orders}
        self._by_reference = {short_reference(shop_name, order.shop_id): order for order in linked}
        self._by_matching_reference = self._index_matching_references(linked)
        self._by_invoice = {
            entry.number: order
            for entry in entries.values()
            if entry.kind == "invoice" and (order := self._by_go_id.get(entry.id)) is not None
        }
        self._with_parts: defaultdict[str, list[KnownOrder]] = defaultdict(list)
        for order in linked:
            self._with_parts[credited_order(order.shop_id)].append(order)
        self._credit_notes: defaultdict[str, list[GoEntry]] = defaultdict(list)
        self._credited_amounts: defaultdict[int | None, Decimal] = defaultdict(Decimal)
        for entry in entries.values():
            if entry.kind == "credit note":
                self._credited_amounts[entry.related_invoice] += entry.total
            if entry.id not in self._by_go_id and (credited := self._credited(entry)) is not None:
                self._credit_notes[credited.shop_id].append(entry)

    def _index_matching_references(self, linked: Iterable[KnownOrder]) -> dict[str, KnownOrder]:
        index: dict[str, KnownOrder] = {}
        for order in linked:
            entry = self.entries.get(order.go_id or "")
            for reference in (order.matching_reference, entry and entry.matching_reference):
                if reference:
                    index.setdefault(reference, order)
        return index

    def match(self, period: Period) -> Matched:
        """Return what belongs to a period: orders by date in the shop, strays by date in Go.

        A stray that duplicates an order of the period belongs to it too, whatever its own date.
        """
        pairs = tuple(
            (order, self.entries.get(order.go_id or ""))
            for order in self._orders
            if period.has(order.date)
        )
        shop_ids = {order.shop_id for order, _ in pairs}
        return Matched(pairs, tuple(self._strays(period, shop_ids)))

    def _strays(self, period: Period, shop_ids: Collection[str]) -> Iterator[Stray]:
        for entry in self.entries.values():
            stray = None if entry.id in self._by_go_id else self._stray(entry)
            if stray is None:
                continue
            original = None if stray.credits else stray.order
            is_copy = original is not None and original.shop_id in shop_ids
            if is_copy or period.has(entry.date):
                yield stray

    def _stray(self, entry: GoEntry) -> Stray | None:
        """Return the entry as a stray if something shows that it is ours, not another shop's."""
        credited = self._credited(entry)
        if credited is not None:
            return Stray(entry, credited, credits=True)
        if entry.reference:
            is_ours = entry.reference.startswith(f"{self._shop_name}:")
            original = self._by_reference.get(entry.reference)
            return Stray(entry, original, credits=False) if is_ours else None
        if entry.kind == "credit note":
            return None
        original = self._by_matching_reference.get(entry.matching_reference or "")
        return None if original is None else Stray(entry, original, credits=False)

    def _credited(self, entry: GoEntry) -> KnownOrder | None:
        """Return the order whose invoice a credit note refers to, by number or by our reference."""
        if entry.kind != "credit note":
            return None
        if entry.related_invoice is not None and entry.related_invoice in self._by_invoice:
            return self._by_invoice[entry.related_invoice]
        shop_id = (entry.reference or "").removeprefix(f"{self._shop_name}:")
        return self._by_shop_id.get(credited_order(shop_id)) if shop_id != entry.reference else None

    def credit_notes_of(self, order: KnownOrder) -> Sequence[GoEntry]:
        """Return the unlinked credit notes of an order's invoice, whatever their date."""
        return self._credit_notes[order.shop_id]

    def is_credited(self, entry: GoEntry) -> bool:
        """Return whether credit notes cancel all of an invoice."""
        return entry.kind == "invoice" and self._credited_amounts[entry.number] == -entry.total

    def total_in_go(self, order: KnownOrder) -> Decimal:
        """Return an order's total in Go with VAT, after refunds and credit notes."""
        linked = [self.entries.get(part.go_id or "") for part in self._with_parts[order.shop_id]]
        entries = (*linked, *self.credit_notes_of(order))
        return sum((entry.total for entry in entries if entry is not None), Decimal(0))


def is_surely_same(order: KnownOrder, entry: GoEntry) -> bool:
    """Return whether an entry's header alone proves that its amounts and VAT rate are the shop's.

    It can do so for a single line only: lines with different rates can add up to the same VAT.
    """
    if order.amounts is None or entry.line_count != 1 or len(order.amounts.by_rate) != 1:
        return False
    ((rate, money),) = order.amounts.by_rate.items()
    if rate is None or money != entry.money or abs(money.excl) < _SURE_FROM:
        return False
    return round_to_ore(money.excl * Decimal(rate) / 100) == money.tax


@dataclass(frozen=True)
class Finding:
    """A difference, or a remark, about an order.

    `is_difference`: it counts for the exit status. `shop` and `go` are the amounts of each side by
    VAT rate; None if a side has none, or they are not known.
    """

    kind: FindingKind
    is_difference: bool
    text: str
    shop_id: str | None
    date: str | None
    currency: str | None
    entry: GoEntry | None = None
    shop: Mapping[str | None, Money] | None = None
    go: Mapping[str | None, Money] | None = None


@dataclass
class SumsRow:
    """The sums of both sides in a currency at a VAT rate, or at `ALL_RATES` together."""

    currency: str
    rate: str | None
    shop: Money = NOTHING
    shop_orders: int = 0
    go: Money = NOTHING
    entries: Counter[EntryKind] = field(default_factory=Counter)

    @property
    def difference(self) -> Money:
        """How much more Go has than the shop."""
        return self.go - self.shop

    @property
    def sort_key(self) -> tuple[str, bool, bool, float]:
        """The sort key: the row of all rates comes first, and the one without a rate last."""
        is_number = self.rate not in (ALL_RATES, None)
        descending = -float(self.rate or 0) if is_number else 0
        return self.currency, self.rate != ALL_RATES, self.rate is None, descending


class _Sums:
    """The sums so far, by currency and VAT rate."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str | None], SumsRow] = {}
        self.not_in_ledger: Counter[EntryKind] = Counter()

    def count_shop(self, currency: str, by_rate: Mapping[str | None, Money]) -> None:
        """Count an order of the shop."""
        for row, money in self._rows_of(currency, by_rate):
            row.shop_orders += 1
            row.shop += money

    def count_go(self, entry: GoEntry, by_rate: Mapping[str | None, Money]) -> None:
        """Count an entry of Go."""
        for row, money in self._rows_of(entry.currency, by_rate):
            row.entries[entry.kind] += 1
            row.go += money
        if not entry.is_in_ledger:
            self.not_in_ledger[entry.kind] += 1

    def _rows_of(
        self, currency: str, by_rate: Mapping[str | None, Money]
    ) -> Iterator[tuple[SumsRow, Money]]:
        for rate, money in ((ALL_RATES, sum(by_rate.values(), NOTHING)), *by_rate.items()):
            yield self._rows.setdefault((currency, rate), SumsRow(currency, rate)), money

    def rows(self) -> tuple[SumsRow, ...]:
        """Return a row for each currency and rate, in display order."""
        return tuple(sorted(self._rows.values(), key=lambda row: row.sort_key))


@dataclass(frozen=True)
class Comparison:
    """The result: counts and sums, differences and remarks.

    `not_in_ledger` counts the entries in Go that are not booked yet.
    """

    sums: tuple[SumsRow, ...]
    findings: tuple[Finding, ...]
    not_in_ledger: Mapping[EntryKind, int]

    @property
    def differing(self) -> tuple[Finding, ...]:
        """The findings that count for the exit status."""
        return tuple(finding for finding in self.findings if finding.is_difference)

    @property
    def remarks(self) -> tuple[Finding, ...]:
        """The findings that do not count for the exit status."""
        return tuple(finding for finding in self.findings if not finding.is_difference)


def compare(
    books: Books, matched: Matched, read: Mapping[str, EntryAmounts | None], period: Period
) -> Comparison:
    """Compare what was matched; `read` has the entries whose lines were read, by id."""
    comparer = _Comparer(books, read, period)
    findings = [
        finding for order, entry in matched.pairs for finding in comparer.compare_pair(order, entry)
    ]
    findings += [finding for stray in matched.strays for finding in comparer.examine_stray(stray)]
    return Comparison(comparer.sums.rows(), tuple(findings), comparer.sums.not_in_ledger)


class _Comparer:
    """Finds differences, and counts and sums along the way."""

    def __init__(
        self, books: Books, read: Mapping[str, EntryAmounts | None], period: Period
    ) -> None:
        self._books = books
        self._read = read
        self._period = period
        self.sums = _Sums()

    def compare_pair(self, order: KnownOrder, entry: GoEntry | None) -> Iterator[Finding]:
        """Yield the findings about an order and its entry."""
        if order.go_id is None:
            yield self._not_in_go_finding(order)
            return
        if entry is None or self._read.get(entry.id, _UNREAD) is None:
            yield self._missing_finding(order)
            return
        if order.waiting is not None:
            yield self._open_finding(order, entry, order.waiting)
        if order.amounts is None:
            text = "its amounts are not in the link store; let the tap read everything once"
            yield _finding("not known", order, entry, text, is_difference=False)
        else:
            yield from self._compare_linked(order, entry, order.amounts.by_rate)

    def _not_in_go_finding(self, order: KnownOrder) -> Finding:
        """Return a finding about an order not in Go; once acknowledged, it is only a remark."""
        text = "it waits" if order.waiting is None else order.waiting.description
        is_acknowledged = order.waiting is not None and order.waiting.is_acknowledged
        if is_acknowledged:
            text += " (acknowledged)"
        else:
            self._count_as_in_shop(order)
        if order.amounts is None:
            text += "; its total is not certain"
        else:
            text += f"; its total with VAT is {order.amounts.total.incl:.2f}"
            if order.amounts.currency not in (None, "", _NOK):
                text += f" {order.amounts.currency}"
        return _finding("not in Go", order, None, text, is_difference=not is_acknowledged)

    def _count_as_in_shop(self, order: KnownOrder) -> None:
        if order.amounts is not None:
            self.sums.count_shop(order.amounts.currency or _NOK, order.amounts.by_rate)

    def _open_finding(self, order: KnownOrder, entry: GoEntry, waiting: Waiting) -> Finding:
        """Return a finding about an order whose last change waits; the rest is as last agreed.

        It is only a remark if the shop's total is the order's total in Go.
        """
        in_go = self._books.total_in_go(order)
        text = waiting.description + (" (acknowledged)" if waiting.is_acknowledged else "")
        if waiting.due is None:
            return _finding("open", order, entry, text, is_difference=not waiting.is_acknowledged)
        if waiting.due != in_go:
            text += f"; the total with VAT is then {waiting.due} in the shop, but {in_go} in Go"
        return _finding("open", order, entry, text, is_difference=waiting.due != in_go)

    def _missing_finding(self, order: KnownOrder) -> Finding:
        """Return a finding about an order gone from Go; once acknowledged, it is only a remark."""
        waiting = order.waiting
        is_acknowledged = (
            waiting is not None and waiting.is_acknowledged and _GONE in waiting.reason
        )
        if not is_acknowledged:
            self._count_as_in_shop(order)
        text = f"it is linked to {order.go_id}, which is no longer in Go"
        if waiting is not None:
            text += f" ({waiting.description}{', acknowledged' if is_acknowledged else ''})"
        return _finding("missing", order, None, text, is_difference=not is_acknowledged)

    def _compare_linked(
        self, order: KnownOrder, entry: GoEntry, by_rate: Mapping[str | None, Money]
    ) -> Iterator[Finding]:
        currency = (order.amounts and order.amounts.currency) or entry.currency
        shop = with_remainder(by_rate, sum(by_rate.values(), NOTHING))
        read = self._read.get(entry.id)
        if read is not None:
            entry, go = read.entry, read.by_rate
        else:
            go = shop if is_surely_same(order, entry) else {None: entry.money}
        self.sums.count_shop(currency, shop)
        self.sums.count_go(entry, go)
        if currency != entry.currency:
            text = f"the shop has {currency}, Go has {entry.currency}"
            yield _finding("currency", order, entry, text, shop=shop, go=go)
        is_rounded = read is not None and is_only_rounding(by_rate, go, read.line_count)
        text = "" if is_rounded else "; ".join(describe_differences(shop, go))
        if text:
            kind: FindingKind = "VAT rate" if have_different_rates(shop, go) else "amount"
            yield _finding(kind, order, entry, text, shop=shop, go=go)
        buyers = (order.customer_id, entry.customer_id)
        if None not in buyers and len(set(map(str, buyers))) > 1:
            text = (
                f"its buyer is customer id {order.customer_id} in Go, but the entry there has"
                f" customer id {entry.customer_id}"
            )
            yield _finding("buyer", order, entry, text, is_difference=False)
        if not self._period.has(entry.date):
            text = f"its date in Go is {entry.date}, outside the period; the shop's date counts"
            yield _finding("date", order, entry, text, is_difference=False)
        if entry.is_reversed and not self._books.credit_notes_of(order):
            yield _finding("reversed", order, entry, "its invoice is reversed in Go")

    def examine_stray(self, stray: Stray) -> Iterator[Finding]:
        """Yield the finding about an entry without a link, if it still exists."""
        read = self._read.get(stray.entry.id)
        if read is None:
            return
        entry, order = read.entry, stray.order
        if stray.credits and order is not None:
            yield self._credit_note_finding(order, read)
            return
        is_credited = self._books.is_credited(entry)
        if not is_credited:
            self.sums.count_go(entry, read.by_rate)
        kind: FindingKind = "doubled"
        if order is None:
            kind, text = "not linked", f"it has our reference {entry.reference}, but no link"
        else:
            text = f"it is in Go twice: {order.go_id} is linked, and this one has {_sign(entry)}"
        text += "; credit notes cancel all of it" if is_credited else ""
        yield _stray_finding(kind, order, read, text, is_difference=not is_credited)

    def _credit_note_finding(self, order: KnownOrder, read: EntryAmounts) -> Finding:
        """Return a finding about an unlinked credit note; it is only a remark if the shop agrees.

        The shop agrees if, for example, a person credits an invoice because the shop cancelled its
        order.
        """
        waiting, entry = order.waiting, read.entry
        self.sums.count_go(entry, read.by_rate)
        is_due = waiting is not None and waiting.due == self._books.total_in_go(order)
        if waiting is not None and is_due:
            self.sums.count_shop(entry.currency, read.by_rate)
            text = (
                f"with it, the order's total is {waiting.due}, as in the shop"
                f" ({waiting.description})"
            )
            return _stray_finding("credited by hand", order, read, text, is_difference=False)
        text = f"it credits {self._invoice_of(order)}, but the shop has no such refund"
        if waiting is not None and waiting.due is not None:
            text += (
                f": the order's total is {waiting.due} in the shop, but"
                f" {self._books.total_in_go(order)} in Go"
            )
        return _stray_finding("credit note without refund", order, read, text)

    def _invoice_of(self, order: KnownOrder) -> str:
        entry = self._books.entries.get(order.go_id or "")
        return "one of our orders" if entry is None else entry.description


def _sign(entry: GoEntry) -> str:
    """Return what shows that an entry is ours."""
    if entry.reference:
        return f"our reference {entry.reference}"
    return f"the matching reference {entry.matching_reference}"


def _finding(
    kind: FindingKind,
    order: KnownOrder,
    entry: GoEntry | None,
    text: str,
    *,
    is_difference: bool = True,
    shop: Mapping[str | None, Money] | None = None,
    go: Mapping[str | None, Money] | None = None,
) -> Finding:
    """Return a finding about an order; `shop` defaults to its amounts in the store."""
    currency = None if entry is None else entry.currency
    if order.amounts is not None:
        currency = order.amounts.currency or currency
        shop = order.amounts.by_rate if shop is None else shop
    return Finding(kind, is_difference, text, order.shop_id, order.date, currency, entry, shop, go)


def _stray_finding(
    kind: FindingKind,
    order: KnownOrder | None,
    read: EntryAmounts,
    text: str,
    *,
    is_difference: bool = True,
) -> Finding:
    """Return a finding about an entry without a link."""
    entry, shop_id = read.entry, None if order is None else order.shop_id
    return Finding(
        kind, is_difference, text, shop_id, entry.date, entry.currency, entry, go=read.by_rate
    )


def format_rate(rate: str | None) -> str:
    """Return the text of a VAT rate in percent."""
    return "rate unknown" if rate is None else f"{rate} %"


def have_different_rates(shop: Mapping[str | None, Money], go: Mapping[str | None, Money]) -> bool:
    """Return whether the two sides have different VAT rates."""
    return {rate for rate in shop if rate is not None} != {rate for rate in go if rate is not None}


def describe_differences(
    shop: Mapping[str | None, Money], go: Mapping[str | None, Money]
) -> Iterator[str]:
    """Yield how the two sides differ, for each VAT rate.

    If the shop does not state the rate of every line, only the totals are compared.
    """
    if None in shop:
        yield from _describe("in total", sum(shop.values(), NOTHING), sum(go.values(), NOTHING))
        return
    for rate in sorted({*shop, *go}, key=lambda rate: (rate is None, rate)):
        yield from _describe(format_rate(rate), shop.get(rate, NOTHING), go.get(rate, NOTHING))


def is_only_rounding(
    shop: Mapping[str | None, Money], go: Mapping[str | None, Money], line_count: int
) -> bool:
    """Return whether both totals with VAT are equal and the rates differ only by Go's rounding.

    Moving øre between lines has the same effect: at most one øre for each line, including the line
    for rounding, which has no VAT. VAT may differ by as much as in an order that is written. `shop`
    has all rates of the order's lines, even those whose sum is zero, such as freight that a coupon
    cancels: Go's lines may be an øre off there too.
    """
    difference = sum(shop.values(), NOTHING) - sum(go.values(), NOTHING)
    if shop.get(None, NOTHING) != NOTHING or None in go or difference.incl:
        return False
    largest = line_count * ORE
    by_rate = (shop.get(rate, NOTHING) - go.get(rate, NOTHING) for rate in {*shop, *go})
    return all(
        abs(money.incl) <= largest and abs(money.tax) <= tolerance(line_count) for money in by_rate
    ) and {*shop, "0"} >= set(go)


def _describe(label: str, shop: Money, go: Money) -> Iterator[str]:
    pairs = (
        ("without VAT", shop.excl, go.excl),
        ("VAT", shop.tax, go.tax),
        ("with VAT", shop.incl, go.incl),
    )
    parts = [
        f"{name} {in_shop} in the shop and {in_go} in Go"
        for name, in_shop, in_go in pairs
        if in_shop != in_go
    ]
    if parts:
        yield f"{label}: {'; '.join(parts)}"
