"""Which entry of Go is which order of the shop, and how the two differ; without any I/O."""

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
"""Krone without VAT from which on VAT in whole øre shows the rate of a single line: rates that
differ by 0.01 percentage points make VAT that differs by 0.02, which rounding cannot hide."""
ALL_RATES = "all"
"""Stands for the sum of all rates of a currency; each order is counted in it once."""
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
    """An entry that no order is linked to, though it bears a sign of one.

    `order` is the linked order that it credits or doubles, if that is known; `credits` says that it
    is a credit note of that order.
    """

    entry: GoEntry
    order: KnownOrder | None
    credits: bool


@dataclass(frozen=True)
class Matched:
    """The orders of a period with their entries, and the entries without a link."""

    pairs: tuple[tuple[KnownOrder, GoEntry | None], ...]
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
        shop_name: what our references begin with.
    """

    def __init__(
        self, orders: Sequence[KnownOrder], entries: Mapping[str, GoEntry], shop_name: str
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
        self._with_parts: defaultdict[str, list[KnownOrder]] = defaultdict(list)
        for one in linked:
            self._with_parts[credited_order(one.shop_id)].append(one)
        self._credits: defaultdict[str, list[GoEntry]] = defaultdict(list)
        self._credited_of: defaultdict[int | None, Decimal] = defaultdict(Decimal)
        for entry in entries.values():
            if entry.kind == "credit note":
                self._credited_of[entry.related_invoice] += entry.total
            if entry.id not in self._by_go_id and (order := self._credited(entry)) is not None:
                self._credits[order.shop_id].append(entry)

    def _matching(self, linked: Iterable[KnownOrder]) -> dict[str, KnownOrder]:
        found: dict[str, KnownOrder] = {}
        for order in linked:
            entry = self.entries.get(order.go_id or "")
            for number in (order.matching_reference, entry and entry.matching_reference):
                if number:
                    found.setdefault(number, order)
        return found

    def matched(self, period: Period) -> Matched:
        """Return what belongs to a period: orders by their date in the shop, strays by that in Go.

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
        """Return the entry as a stray if it bears a sign of ours; another shop's never does."""
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

    def _credited(self, entry: GoEntry) -> KnownOrder | None:
        """Return the order whose invoice a credit note names, by its number or our reference."""
        if entry.kind != "credit note":
            return None
        if entry.related_invoice is not None and entry.related_invoice in self._by_invoice:
            return self._by_invoice[entry.related_invoice]
        shop_id = (entry.reference or "").removeprefix(f"{self._shop_name}:")
        return self._by_id.get(credited_order(shop_id)) if shop_id != entry.reference else None

    def credit_notes_of(self, order: KnownOrder) -> Sequence[GoEntry]:
        """Return the credit notes of an order's invoice that have no link, whatever their date."""
        return self._credits[order.shop_id]

    def is_credited(self, entry: GoEntry) -> bool:
        """Return whether credit notes that name an invoice take all of it back."""
        return entry.kind == "invoice" and self._credited_of[entry.number] == -entry.total

    def comes_to(self, order: KnownOrder) -> Decimal:
        """Return what an order comes to in Go with VAT, refunds and credit notes taken off."""
        linked = [self.entries.get(one.go_id or "") for one in self._with_parts[order.shop_id]]
        there = (one for one in (*linked, *self.credit_notes_of(order)) if one is not None)
        return sum((one.total for one in there), Decimal(0))


def is_surely_same(order: KnownOrder, entry: GoEntry) -> bool:
    """Return whether the header alone shows an entry's amounts and VAT rate to be the shop's.

    It can for a single line only: several lines of different rates may come to the same VAT.
    """
    if order.amounts is None or entry.line_count != 1 or len(order.amounts.by_rate) != 1:
        return False
    ((rate, one),) = order.amounts.by_rate.items()
    if rate is None or one != entry.money or abs(one.excl) < _SURE_FROM:
        return False
    return round_to_ore(one.excl * Decimal(rate) / 100) == one.tax


@dataclass(frozen=True)
class Finding:
    """An order that differs, or that has to be mentioned.

    `is_difference`: it counts for the exit status. `shop` and `go` are the amounts of each side by
    VAT rate; None: it has none, or they are not known.
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
    """Both sides' sums in one currency and VAT rate; `rate` is `ALL_RATES` for all together."""

    currency: str
    rate: str | None
    shop: Money = NOTHING
    shop_orders: int = 0
    go: Money = NOTHING
    entries: Counter[EntryKind] = field(default_factory=Counter)

    @property
    def difference(self) -> Money:
        """What Go has more than the shop."""
        return self.go - self.shop

    @property
    def place(self) -> tuple[str, bool, bool, float]:
        """The sort key: the row of all rates comes first, that of no known rate last."""
        is_number = self.rate not in (ALL_RATES, None)
        by_size = -float(self.rate or 0) if is_number else 0
        return self.currency, self.rate != ALL_RATES, self.rate is None, by_size


class _Sums:
    """What has been counted so far, by currency and VAT rate."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str | None], SumsRow] = {}
        self.not_in_ledger: Counter[EntryKind] = Counter()

    def count_shop(self, currency: str, by_rate: Mapping[str | None, Money]) -> None:
        """Count an order of the shop."""
        for row, money in self._parts(currency, by_rate):
            row.shop_orders += 1
            row.shop += money

    def count_go(self, entry: GoEntry, by_rate: Mapping[str | None, Money]) -> None:
        """Count an entry of Go."""
        for row, money in self._parts(entry.currency, by_rate):
            row.entries[entry.kind] += 1
            row.go += money
        if not entry.is_in_ledger:
            self.not_in_ledger[entry.kind] += 1

    def _parts(
        self, currency: str, by_rate: Mapping[str | None, Money]
    ) -> Iterator[tuple[SumsRow, Money]]:
        for rate, money in ((ALL_RATES, sum(by_rate.values(), NOTHING)), *by_rate.items()):
            yield self._rows.setdefault((currency, rate), SumsRow(currency, rate)), money

    def rows(self) -> tuple[SumsRow, ...]:
        """Return a row for each currency and rate, in the order in which they are shown."""
        return tuple(sorted(self._rows.values(), key=lambda row: row.place))


@dataclass(frozen=True)
class Comparison:
    """What was found: counts and sums, and every order that differs or has to be mentioned.

    `not_in_ledger` counts the entries of Go that are not booked yet.
    """

    sums: tuple[SumsRow, ...]
    findings: tuple[Finding, ...]
    not_in_ledger: Mapping[EntryKind, int]

    @property
    def differing(self) -> tuple[Finding, ...]:
        """The findings that count for the exit status."""
        return tuple(one for one in self.findings if one.is_difference)

    @property
    def remarks(self) -> tuple[Finding, ...]:
        """The findings that do not count for the exit status."""
        return tuple(one for one in self.findings if not one.is_difference)


def compare(
    books: Books, matched: Matched, read: Mapping[str, EntryAmounts | None], period: Period
) -> Comparison:
    """Compare what was matched; `read` has by id the entries whose lines were read."""
    comparing = _Comparing(books, read, period)
    findings = [
        finding for order, entry in matched.pairs for finding in comparing.pair(order, entry)
    ]
    findings += [finding for stray in matched.strays for finding in comparing.stray(stray)]
    return Comparison(comparing.sums.rows(), tuple(findings), comparing.sums.not_in_ledger)


class _Comparing:
    """Finds what differs, and counts on the way."""

    def __init__(
        self, books: Books, read: Mapping[str, EntryAmounts | None], period: Period
    ) -> None:
        self._books = books
        self._read = read
        self._period = period
        self.sums = _Sums()

    def pair(self, order: KnownOrder, entry: GoEntry | None) -> Iterator[Finding]:
        """Compare an order with its entry."""
        if order.go_id is None:
            yield self._not_in_go(order)
            return
        if entry is None or self._read.get(entry.id, _UNREAD) is None:
            yield self._missing(order)
            return
        if order.waiting is not None:
            yield self._open(order, entry, order.waiting)
        if order.amounts is None:
            text = "what it comes to in the shop is not known; a full read of the shop tells it"
            yield _finding("not known", order, entry, text, is_difference=False)
        else:
            yield from self._linked(order, entry, order.amounts.by_rate)

    def _not_in_go(self, order: KnownOrder) -> Finding:
        """Return a finding for an order that is not in Go; no difference once acknowledged."""
        text = "it waits" if order.waiting is None else order.waiting.in_words
        is_known = order.waiting is not None and order.waiting.is_acknowledged
        if is_known:
            text += " (acknowledged)"
        else:
            self._count_as_in_shop(order)
        if order.amounts is None:
            text += "; what it comes to is not certain"
        else:
            text += f"; with VAT it comes to {order.amounts.total.incl:.2f}"
            if order.amounts.currency not in (None, "", _NOK):
                text += f" {order.amounts.currency}"
        return _finding("not in Go", order, None, text, is_difference=not is_known)

    def _count_as_in_shop(self, order: KnownOrder) -> None:
        if order.amounts is not None:
            self.sums.count_shop(order.amounts.currency or _NOK, order.amounts.by_rate)

    def _open(self, order: KnownOrder, entry: GoEntry, waiting: Waiting) -> Finding:
        """Return why what the shop sent last of an order waits; the rest is as last agreed.

        It is no difference where the shop's amount is what the order comes to in Go.
        """
        in_go = self._books.comes_to(order)
        text = waiting.in_words + (" (acknowledged)" if waiting.is_acknowledged else "")
        if waiting.due is None:
            return _finding("open", order, entry, text, is_difference=not waiting.is_acknowledged)
        if waiting.due != in_go:
            text += f"; with VAT the shop then says {waiting.due}, Go {in_go}"
        return _finding("open", order, entry, text, is_difference=waiting.due != in_go)

    def _missing(self, order: KnownOrder) -> Finding:
        """Return a finding for an order gone from Go; no difference once that is acknowledged."""
        waiting = order.waiting
        is_known = waiting is not None and waiting.is_acknowledged and _GONE in waiting.reason
        if not is_known:
            self._count_as_in_shop(order)
        text = f"it is linked to {order.go_id}, which Go no longer has"
        if waiting is not None:
            text += f" ({waiting.in_words}{', acknowledged' if is_known else ''})"
        return _finding("missing", order, None, text, is_difference=not is_known)

    def _linked(
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
            text = f"the shop says {currency}, Go says {entry.currency}"
            yield _finding("currency", order, entry, text, shop=shop, go=go)
        is_rounded = read is not None and is_rounding(by_rate, go, read.line_count)
        text = "" if is_rounded else "; ".join(differences(shop, go))
        if text:
            kind: FindingKind = "VAT rate" if have_other_rates(shop, go) else "amount"
            yield _finding(kind, order, entry, text, shop=shop, go=go)
        buyers = (order.customer_id, entry.customer_id)
        if None not in buyers and len(set(map(str, buyers))) > 1:
            text = (
                f"its buyer is customer id {order.customer_id} in Go, but there it is of customer"
                f" id {entry.customer_id}"
            )
            yield _finding("buyer", order, entry, text, is_difference=False)
        if not self._period.has(entry.date):
            text = f"Go dates it {entry.date}, outside the period; it is counted by the shop's date"
            yield _finding("date", order, entry, text, is_difference=False)
        if entry.is_reversed and not self._books.credit_notes_of(order):
            yield _finding("reversed", order, entry, "its invoice is reversed in Go")

    def stray(self, stray: Stray) -> Iterator[Finding]:
        """Yield what is found of an entry without a link."""
        read = self._read.get(stray.entry.id)
        if read is None:
            return
        entry, order = read.entry, stray.order
        if stray.credits and order is not None:
            yield self._credit_note(order, read)
            return
        is_credited = self._books.is_credited(entry)
        if not is_credited:
            self.sums.count_go(entry, read.by_rate)
        kind: FindingKind = "doubled"
        if order is None:
            kind, text = "not linked", f"it bears our reference {entry.reference} and has no link"
        else:
            text = f"it is in Go twice: linked is {order.go_id}, this is {_sign(entry)}"
        text += "; credit notes take all of it back" if is_credited else ""
        yield _stray(kind, order, read, text, is_difference=not is_credited)

    def _credit_note(self, order: KnownOrder, read: EntryAmounts) -> Finding:
        """Return a finding for a credit note without a link; no difference if the shop agrees.

        So it is when a person credits an invoice because the shop cancelled its order.
        """
        waiting, entry = order.waiting, read.entry
        self.sums.count_go(entry, read.by_rate)
        is_due = waiting is not None and waiting.due == self._books.comes_to(order)
        if waiting is not None and is_due:
            self.sums.count_shop(entry.currency, read.by_rate)
            text = (
                f"with it the order comes to {waiting.due}, as the shop told ({waiting.in_words})"
            )
            return _stray("credited by hand", order, read, text, is_difference=False)
        text = f"it credits {self._invoice_of(order)}, and the shop tells no such refund"
        if waiting is not None and waiting.due is not None:
            text += (
                f": by the shop the order comes to {waiting.due}, in Go to"
                f" {self._books.comes_to(order)}"
            )
        return _stray("credit note without refund", order, read, text)

    def _invoice_of(self, order: KnownOrder) -> str:
        entry = self._books.entries.get(order.go_id or "")
        return "an order of ours" if entry is None else entry.in_words


def _sign(entry: GoEntry) -> str:
    """Return in words the sign by which an entry is known to be ours."""
    if entry.reference:
        return f"with our reference {entry.reference}"
    return f"with the matching reference {entry.matching_reference}"


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
    """Return a finding about an order; `shop` is what the store knows of it, unless given."""
    currency = None if entry is None else entry.currency
    if order.amounts is not None:
        currency = order.amounts.currency or currency
        shop = order.amounts.by_rate if shop is None else shop
    return Finding(kind, is_difference, text, order.shop_id, order.date, currency, entry, shop, go)


def _stray(
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


def rate_in_words(rate: str | None) -> str:
    """Name a VAT rate in percent."""
    return "rate not told" if rate is None else f"{rate} %"


def have_other_rates(shop: Mapping[str | None, Money], go: Mapping[str | None, Money]) -> bool:
    """Return whether the two sides have amounts of different VAT rates."""
    return {rate for rate in shop if rate is not None} != {rate for rate in go if rate is not None}


def differences(shop: Mapping[str | None, Money], go: Mapping[str | None, Money]) -> Iterator[str]:
    """Say for each VAT rate how the two sides differ.

    Where the shop does not give the rate of every line, only the whole can be compared.
    """
    if None in shop:
        yield from _in_words("in all", sum(shop.values(), NOTHING), sum(go.values(), NOTHING))
        return
    for rate in sorted({*shop, *go}, key=lambda one: (one is None, one)):
        yield from _in_words(rate_in_words(rate), shop.get(rate, NOTHING), go.get(rate, NOTHING))


def is_rounding(
    shop: Mapping[str | None, Money], go: Mapping[str | None, Money], line_count: int
) -> bool:
    """Return whether both sides come to the same with VAT and differ by rate only as Go rounds.

    An order whose øre were moved between lines differs so too: by an øre at most for each line,
    also on the line for rounding, which is without VAT. VAT may differ as far as it may in an order
    that is written. `shop` has all rates of the order's lines: where they come to nothing, as
    freight does that a coupon takes off, Go's lines may be an øre off too.
    """
    apart = sum(shop.values(), NOTHING) - sum(go.values(), NOTHING)
    if shop.get(None, NOTHING) != NOTHING or None in go or apart.incl:
        return False
    most = line_count * ORE
    by_rate = (shop.get(rate, NOTHING) - go.get(rate, NOTHING) for rate in {*shop, *go})
    return all(
        abs(one.incl) <= most and abs(one.tax) <= tolerance(line_count) for one in by_rate
    ) and {*shop, "0"} >= set(go)


def _in_words(what: str, shop: Money, go: Money) -> Iterator[str]:
    pairs = (
        ("without VAT", shop.excl, go.excl),
        ("VAT", shop.tax, go.tax),
        ("with VAT", shop.incl, go.incl),
    )
    parts = [
        f"{name} the shop says {one}, Go says {other}" for name, one, other in pairs if one != other
    ]
    if parts:
        yield f"{what}: {'; '.join(parts)}"
