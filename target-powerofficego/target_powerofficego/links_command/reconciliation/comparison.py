"""Compares the orders of a period with what Go has of them; values in, findings out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.orders.line_amounts import NOTHING
from target_powerofficego.links_command.reconciliation.findings import (
    Finding,
    FindingKind,
    differences,
    have_other_rates,
    is_rounding,
)
from target_powerofficego.links_command.reconciliation.matched import (
    Books,
    Matched,
    Stray,
    is_surely_same,
)
from target_powerofficego.links_command.reconciliation.sides import with_rest
from target_powerofficego.links_command.reconciliation.sums import Sums

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from target_powerofficego.dataflow.orders.line_amounts import Money
    from target_powerofficego.links_command.reconciliation.sides import (
        EntryKind,
        GoEntry,
        Period,
        ReadEntry,
        ShopOrder,
        Waiting,
    )
    from target_powerofficego.links_command.reconciliation.sums import SumsRow


@dataclass(frozen=True)
class Comparison:
    """What was found: counts and sums, and every order that differs or has to be told of.

    `not_in_ledger` counts what of Go's entries is not booked yet.
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
        """The findings that do not."""
        return tuple(one for one in self.findings if not one.is_difference)


def compare(
    books: Books, matched: Matched, read: Mapping[str, ReadEntry | None], period: Period
) -> Comparison:
    """Compare what is matched; `read` has the entries whose lines were read, by id."""
    comparing = _Comparing(books, read, period)
    findings = [
        finding for order, entry in matched.pairs for finding in comparing.pair(order, entry)
    ]
    findings += [finding for stray in matched.strays for finding in comparing.stray(stray)]
    sums = comparing.sums
    return Comparison(tuple(sums.rows()), tuple(findings), sums.not_in_ledger)


class _Comparing:
    """Finds what differs, and counts on the way."""

    def __init__(self, books: Books, read: Mapping[str, ReadEntry | None], period: Period) -> None:
        self._books = books
        self._read = read
        self._period = period
        self.sums = Sums()

    def pair(self, order: ShopOrder, entry: GoEntry | None) -> Iterator[Finding]:
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
            told = "what it comes to in the shop is not known; a full read of the shop tells it"
            yield _finding("not known", order, entry, told, is_difference=False)
        else:
            yield from self._linked(order, entry, order.amounts.by_rate)

    def _not_in_go(self, order: ShopOrder) -> Finding:
        """Return an order that could not be written; a person who knows of it need not be told."""
        waiting = order.waiting
        told = "it waits" if waiting is None else waiting.in_words
        is_known = waiting is not None and waiting.is_acknowledged
        if not is_known and order.amounts is not None:
            self.sums.count_shop(order.amounts.currency or _NOK, order.amounts.by_rate)
        told += " (acknowledged)" if is_known else ""
        if order.amounts is None:
            told += "; what it comes to is not certain"
        else:
            currency = order.amounts.currency or _NOK
            told += f"; with VAT it comes to {order.amounts.total.incl:.2f}"
            told += "" if currency == _NOK else f" {currency}"
        return _finding("not in Go", order, None, told, is_difference=not is_known)

    def _open(self, order: ShopOrder, entry: GoEntry, waiting: Waiting) -> Finding:
        """Return why the shop's last word about an order waits; the rest is as last agreed.

        It is no difference where the shop's last word is what the order comes to in Go.
        """
        in_go = self._books.comes_to(order)
        told = waiting.in_words + (" (acknowledged)" if waiting.is_acknowledged else "")
        if waiting.due is None:
            return _finding("open", order, entry, told, is_difference=not waiting.is_acknowledged)
        if waiting.due != in_go:
            told += f"; with VAT the shop then says {waiting.due}, Go {in_go}"
        return _finding("open", order, entry, told, is_difference=waiting.due != in_go)

    def _missing(self, order: ShopOrder) -> Finding:
        """Return an order that is gone from Go; a person may know of it by its hold."""
        waiting = order.waiting
        is_known = waiting is not None and waiting.is_acknowledged and _GONE in waiting.reason
        if order.amounts is not None and not is_known:
            self.sums.count_shop(order.amounts.currency or _NOK, order.amounts.by_rate)
        told = f"it is linked to {order.go_id}, which Go no longer has"
        if waiting is not None:
            told += f" ({waiting.in_words}{', acknowledged' if is_known else ''})"
        return _finding("missing", order, None, told, is_difference=not is_known)

    def _linked(
        self, order: ShopOrder, entry: GoEntry, by_rate: Mapping[str | None, Money]
    ) -> Iterator[Finding]:
        amounts = order.amounts
        currency = (amounts and amounts.currency) or entry.currency
        shop = with_rest(by_rate, sum(by_rate.values(), NOTHING))
        read = self._read.get(entry.id)
        go = shop if read is None and is_surely_same(order, entry) else _by_rate(entry, read)
        entry = entry if read is None else read.entry
        self.sums.count_shop(currency, shop)
        self.sums.count_go(entry, go)
        if currency != entry.currency:
            told = f"the shop says {currency}, Go says {entry.currency}"
            yield _finding("currency", order, entry, told, shop=shop, go=go)
        is_rounded = read is not None and is_rounding(shop, go, read.line_count)
        told = "" if is_rounded else "; ".join(differences(shop, go))
        if told:
            kind: FindingKind = "VAT rate" if have_other_rates(shop, go) else "amount"
            yield _finding(kind, order, entry, told, shop=shop, go=go)
        if None not in (order.customer_id, entry.customer_id) and not _has_buyer(order, entry):
            told = (
                f"its buyer is customer id {order.customer_id} in Go, but there it is of customer"
                f" id {entry.customer_id}"
            )
            yield _finding("buyer", order, entry, told, is_difference=False)
        if not self._period.has(entry.date):
            told = f"Go dates it {entry.date}, outside the period; it is counted by the shop's date"
            yield _finding("date", order, entry, told, is_difference=False)
        if entry.is_reversed and not self._books.credit_notes_of(order):
            yield _finding("reversed", order, entry, "its invoice is reversed in Go")

    def stray(self, stray: Stray) -> Iterator[Finding]:
        """Tell of an entry without a link."""
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
            kind, told = "not linked", f"it bears our reference {entry.reference} and has no link"
        else:
            told = f"it is in Go twice: linked is {order.go_id}, this is {_sign(entry)}"
        told += "; credit notes take all of it back" if is_credited else ""
        yield _stray(kind, order, read, told, is_difference=not is_credited)

    def _credit_note(self, order: ShopOrder, read: ReadEntry) -> Finding:
        """Return a credit note without a link; one that is as the shop told last is no difference.

        Such as an invoice that a person credited because the shop had cancelled its order.
        """
        waiting, entry = order.waiting, read.entry
        self.sums.count_go(entry, read.by_rate)
        is_due = waiting is not None and waiting.due == self._books.comes_to(order)
        if waiting is not None and is_due:
            self.sums.count_shop(entry.currency, read.by_rate)
            told = (
                f"with it the order comes to {waiting.due}, as the shop told ({waiting.in_words})"
            )
            return _stray("credited by hand", order, read, told, is_difference=False)
        told = f"it credits {self._invoice_of(order)}, and the shop tells no such refund"
        if waiting is not None and waiting.due is not None:
            told += (
                f": by the shop the order comes to {waiting.due}, in Go to"
                f" {self._books.comes_to(order)}"
            )
        return _stray("credit note without refund", order, read, told)

    def _invoice_of(self, order: ShopOrder) -> str:
        entry = self._books.entries.get(order.go_id or "")
        return "an order of ours" if entry is None else entry.in_words


_NOK = "NOK"
_UNREAD = object()
_GONE = "removed in Go"
"""Stands in the reason of a hold of an order that a person deleted in Go."""


def _has_buyer(order: ShopOrder, entry: GoEntry) -> bool:
    return str(order.customer_id) == str(entry.customer_id)


def _sign(entry: GoEntry) -> str:
    """Name by what an entry is known as one of ours."""
    if entry.reference:
        return f"with our reference {entry.reference}"
    return f"with the matching reference {entry.matching_reference}"


def _by_rate(entry: GoEntry, read: ReadEntry | None) -> Mapping[str | None, Money]:
    return {None: entry.money} if read is None else read.by_rate


def _finding(
    kind: FindingKind,
    order: ShopOrder,
    entry: GoEntry | None,
    told: str,
    *,
    is_difference: bool = True,
    shop: Mapping[str | None, Money] | None = None,
    go: Mapping[str | None, Money] | None = None,
) -> Finding:
    kept = None if order.amounts is None else order.amounts.by_rate
    currency = None if order.amounts is None else order.amounts.currency
    in_go = None if entry is None else entry.currency
    shop = kept if shop is None else shop
    date, shop_id = order.date, order.shop_id
    return Finding(kind, is_difference, told, shop_id, date, currency or in_go, entry, shop, go)


def _stray(
    kind: FindingKind,
    order: ShopOrder | None,
    read: ReadEntry,
    told: str,
    *,
    is_difference: bool = True,
) -> Finding:
    entry = read.entry
    shop_id = None if order is None else order.shop_id
    return Finding(
        kind, is_difference, told, shop_id, entry.date, entry.currency, entry, go=read.by_rate
    )
