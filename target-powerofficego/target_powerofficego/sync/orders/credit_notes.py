"""Credit notes: orders of their own with negative quantities, posted once and kept as credited.

Each is linked under an id made of the order's and the refund's, so that it is settled like any
other order.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.agreement import Agreement, now
from target_powerofficego.dataflow.orders.amounts import order_amounts
from target_powerofficego.dataflow.orders.answer import total_in_go
from target_powerofficego.dataflow.orders.credits import CANCEL, credit_lines, credit_name
from target_powerofficego.dataflow.orders.line_amounts import NOTHING
from target_powerofficego.dataflow.orders.order import CREDIT
from target_powerofficego.dataflow.values import to_ore
from target_powerofficego.decisions.changes import Change, Differing, Hold, Park, Undecidable
from target_powerofficego.decisions.changes import Link as LinkChange
from target_powerofficego.sync.go.index import Entry
from target_powerofficego.sync.orders.wanted import (
    CREDITED,
    TAKEN_BACK,
    as_credited,
    carried_refunds,
    changed_on_invoice,
    credit_marks,
)
from target_powerofficego.sync.unanswered_writes import settle_leftovers

if TYPE_CHECKING:
    import datetime
    from collections.abc import Collection, Mapping, Sequence

    from target_powerofficego.dataflow.orders.refunds import Refund
    from target_powerofficego.dataflow.orders.shop_order import ShopOrder
    from target_powerofficego.dataflow.table import Table
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.store.link_store import Link
    from target_powerofficego.sync.context import Tools
    from target_powerofficego.sync.orders.draft import Drafts
    from target_powerofficego.sync.orders.reading import OrderForms
    from target_powerofficego.sync.orders.unlinked import OrderMeetings
    from target_powerofficego.sync.orders.wanted import OrderInGoForm

logger = logging.getLogger("target-powerofficego")

_NO_SUMS = dict.fromkeys(("total_excl", "total_tax", "total_incl", "rounding", "taxes"))


class Posting(Protocol):
    """What posts an order to Go, and compares one that is there already."""

    def post(self, order: OrderInGoForm, more: Mapping[str, Value]) -> None:
        """Post it with more members of the header; held when Go's is not the shop's."""

    def compare(self, order: OrderInGoForm, link: Link, *, at_end: bool) -> tuple[str, Change]:
        """Write what the shop changed."""


class CreditNotes:
    """Credits invoices of Go."""

    entity = "orders"

    def __init__(
        self,
        tools: Tools,
        forms: OrderForms,
        meetings: OrderMeetings,
        drafts: Drafts,
        posting: Posting,
    ) -> None:
        self._tools = tools
        self._forms = forms
        self._meetings = meetings
        self._drafts = drafts
        self._posting = posting

    @property
    def table(self) -> Table:
        """The property table of orders."""
        return self._tools.settings.tables[self.entity]

    def find(self, record: ShopOrder, refund_id: str) -> LinkChange | None:
        """Find the credit note of a refund in Go by our reference; None: not in Go."""
        return self._meetings.find_named(credit_name(record.id, refund_id))

    def credit_refunds(
        self,
        record: ShopOrder,
        read_at: datetime.datetime,
        link: Link,
        invoice: Entry,
        refunds: Sequence[Refund],
        *,
        at_end: bool,
    ) -> Decimal:
        """Credit refunds one after the other; return what the credit notes come to, below zero.

        Raises:
            Undecidable: with a Hold, when one is not what was paid back.
        """
        self._mark(link, dict.fromkeys((one.id for one in refunds), None), read_at)
        total = Decimal(0)
        for one in refunds:
            total += self._credit_refund(record, read_at, link, invoice, one, at_end=at_end)
        return total

    def _credit_refund(
        self,
        record: ShopOrder,
        read_at: datetime.datetime,
        link: Link,
        invoice: Entry,
        refund: Refund,
        *,
        at_end: bool,
    ) -> Decimal:
        link = self._tools.store.link(self.entity, link.shop_id) or link
        earlier = itertools.takewhile(lambda name: name != refund.id, credit_marks(link.base))
        before = (*carried_refunds(link.base), *earlier)
        had, came_to = self._forms.amounts(record, before)
        left, comes_to = self._forms.amounts(record, (*before, refund.id))
        lines, total = credit_lines(had, left)
        see_that_it_credits(came_to - comes_to if refund.amount is None else refund.amount, total)
        header = self.table.read(record.raw, self._tools.conversion).values
        order = self._forms.of_lines(record, read_at, header, lines, total, at_end=at_end)
        self.credit(order, link, invoice, refund.id, refund, at_end=at_end)
        return total

    def credit(
        self,
        order: OrderInGoForm,
        link: Link,
        invoice: Entry,
        name: str,
        refund: Refund | None,
        *,
        at_end: bool,
    ) -> None:
        """Post a credit note once, and keep that it is there; one of nothing is not posted.

        That it is begun is kept first: should it be cut off or held, and the shop take the refund
        back, what is in Go by then is still told.

        Raises:
            Undecidable: with a Hold, when it is not what was paid back.
        """
        called = credit_name(order.record.id, name)
        self._mark(link, {name: None}, order.read_at)
        if _moves_anything(order):
            note = self._note(order, name, refund, at_end=at_end)
            self._see_that_it_was_not_taken_back(note, link, name)
            try:
                self._post_once(note, called, invoice, at_end=at_end)
            except Differing as differing:
                self._take_back_differing(note, link, name, differing)
        else:
            self._take_back(link, name, f"refund {values.shown(name)} comes to nothing by now")
        self._mark(link, {name: as_credited(refund)}, order.read_at)

    def take_back_untold(
        self, record: ShopOrder, link: Link, told: Collection[str], read_at: datetime.datetime
    ) -> Decimal:
        """Delete credit notes, while Drafts, that the shop no longer tells; return their amounts.

        What was credited after them is to be looked at again: it took what they had left. A record
        without `refunds` tells nothing of them.

        Raises:
            Undecidable: with a Hold, when a person has confirmed or sent one.
        """
        total, marks = Decimal(0), [*credit_marks(link.base)]
        for place, name in enumerate(marks):
            is_untold = name == CANCEL or record.tells_refunds
            if name in told or not is_untold:
                continue
            self._mark(link, dict.fromkeys(marks[place:]), read_at)
            total += self._take_back(link, name, _untold(name))
            self._forget_mark(link, name, read_at)
        return total

    def _take_back(self, link: Link, name: str, why: str) -> Decimal:
        """Delete a credit note that is a Draft; return what was credited, above zero.

        Raises:
            Undecidable: with a Hold, when a person has confirmed or sent it.
        """
        shop_id = f"{CREDIT}{credit_name(link.shop_id, name)}"
        settle_leftovers(self._tools, self._tools.store.intents_of((self.entity,), shop_id))
        note = self._tools.store.link(self.entity, shop_id)
        if note is None:
            return Decimal(0)
        found = self._drafts.find(note) or self._drafts.invoice_shown_late(note)
        amount = -_total_of(found)
        if stands := _stands(found):
            reason = f"{why}, but {amount} was credited in Go ({stands}): see to it in Go"
            raise Undecidable(Hold(reason))
        self._delete(note)
        logger.info("orders %s: %s: its credit note of %s is taken back", link.shop_id, why, amount)
        return amount

    def _delete(self, note: Link) -> None:
        """Delete a credit note that is a Draft, and its link.

        Raises:
            Undecidable: with a Hold, when a person sent it a moment ago.
        """
        path = f"/SalesOrders/{note.go_id}"
        deletion = self._tools.writer.delete(self.entity, note.shop_id, path)
        invoice = self._drafts.invoice_shown_late(note) if deletion.was_gone else None
        if invoice is not None:
            self._tools.store.end_intent(deletion.intent)
            called = note.shop_id.removeprefix(CREDIT)
            reason = (
                f"its credit note {called} was to be taken back, but is {_stands(invoice)} in Go"
            )
            raise Undecidable(Hold(f"{reason}: see to it there"))
        with self._tools.store.transaction():
            self._tools.store.delete_link(self.entity, note.shop_id)
            self._tools.store.end_comparison(self.entity, note.shop_id)
            self._tools.index.forget(self.entity, note.go_id)
            self._tools.store.end_intent(deletion.intent)

    def _take_back_differing(
        self, note: OrderInGoForm, link: Link, name: str, differing: Differing
    ) -> None:
        """Take back a credit note that Go made otherwise, and keep that it did.

        Raises:
            Undecidable: with a Hold.
        """
        there = self._tools.store.link(self.entity, note.record.id)
        if there is None or _stands(self._drafts.find(there)):
            raise differing
        called = credit_name(link.shop_id, name)
        reason = (
            f"{-note.total} is to be credited, but Go made its credit note ({called}) otherwise, so"
            f" it was taken back: {'; '.join(differing.differences)}. Credit it by hand in Go, then"
            " acknowledge"
        )
        self._keep_taken_back(link, {name: [self._key(note), reason]}, note.read_at)
        self._delete(there)
        raise Undecidable(Hold(reason))

    def _see_that_it_was_not_taken_back(self, note: OrderInGoForm, link: Link, name: str) -> None:
        """See that Go did not make the same credit note otherwise before, with the same settings.

        Raises:
            Undecidable: with a Hold, when it did; it is in Go no more.
        """
        link = self._tools.store.link(self.entity, link.shop_id) or link
        key, reason = _taken_back(link).get(name, (None, ""))
        if key == self._key(note):
            self._take_back(link, name, "Go made its credit note otherwise")
            raise Undecidable(Hold(reason))

    def _key(self, note: OrderInGoForm) -> str:
        """Return what tells whether a credit note is the same, posted under the same settings."""
        lines = [(one.reference, one.quantity.normalize(), one.total) for one in note.lines]
        told = (lines, self._tools.fingerprint)
        return hashlib.blake2b(repr(told).encode(), digest_size=8).hexdigest()

    def _keep_taken_back(
        self, link: Link, more: Mapping[str, list[str]], read_at: datetime.datetime
    ) -> None:
        link = self._tools.store.link(self.entity, link.shop_id) or link
        kept = Agreement({**_taken_back(link), **more}, None, read_at, now())
        self._tools.store.put_link(replace(link, base={**link.base, TAKEN_BACK: kept}))

    def _mark(self, link: Link, told: Mapping[str, str | None], read_at: datetime.datetime) -> None:
        """Keep how far the credit notes are; one that is known already stays at its place."""
        link = self._tools.store.link(self.entity, link.shop_id) or link
        self._put_marks(link, {**credit_marks(link.base), **told}, read_at)

    def _forget_mark(self, link: Link, name: str, read_at: datetime.datetime) -> None:
        link = self._tools.store.link(self.entity, link.shop_id) or link
        marks = credit_marks(link.base)
        self._put_marks(link, {one: marks[one] for one in marks if one != name}, read_at)

    def _put_marks(
        self, link: Link, marks: Mapping[str, str | None], read_at: datetime.datetime
    ) -> None:
        mark = Agreement([[one, kept] for one, kept in marks.items()], None, read_at, now())
        self._tools.store.put_link(replace(link, base={**link.base, CREDITED: mark}))

    def _note(
        self, order: OrderInGoForm, name: str, refund: Refund | None, *, at_end: bool
    ) -> OrderInGoForm:
        """Return a credit note as an order of its own, dated when the money was paid back.

        The sums that the shop tells are the order's, and none of it.
        """
        called = credit_name(order.record.id, name)
        told = order.record.raw
        record = {**told, **_NO_SUMS, "id": f"{CREDIT}{called}", "refunds": None}
        placed = refund.created_at if refund else told.get("cancelled_at")
        dated = {**told, "placed_at": placed or told.get("updated_at")}
        header = {
            **order.header,
            "id": values.short_reference(self._tools.settings.shop_name, called),
            "placed_at": self.table.row("placed_at").to_go(dated, self._tools.conversion),
        }
        own = {one: value for one, value in header.items() if one not in ("number", "shipped_at")}
        return self._forms.of_lines(
            replace(order.record, raw=record),
            order.read_at,
            own,
            order.lines,
            order.total,
            at_end=at_end,
        )

    def _post_once(self, note: OrderInGoForm, called: str, invoice: Entry, *, at_end: bool) -> None:
        """Post a credit note unless Go has it; compare what is there."""
        store, shop_id = self._tools.store, note.record.id
        settle_leftovers(self._tools, store.intents_of((self.entity,), shop_id))
        known = store.link(self.entity, shop_id)
        met = None if known else self._meetings.find_named(called)
        if known is not None:
            self._see_that_nobody_confirmed(note, known)
            self._posting.compare(note, known, at_end=at_end)
        elif met is not None:
            self._meetings.link(note, met)
        else:
            number = self._number(invoice)
            self._see_that_it_is_of(note.header["customer"], invoice)
            # PowerOffice Go takes the number only where the sum is below zero
            self._posting.post(note, {"RelatedInvoiceNo": number} if note.total < 0 else {})

    def _see_that_nobody_confirmed(self, note: OrderInGoForm, known: Link) -> None:
        """See that a credit note that is another by now was not confirmed by a person.

        Raises:
            Undecidable: with a Hold, when it was.
        """
        if not changed_on_invoice(self.table, note, known):
            return
        found = self._drafts.find(known)
        if not isinstance(found, Entry) and (stands := _stands(found)):
            reason = (
                f"{-note.total} is to be credited by now, but its credit note"
                f" ({note.record.id.removeprefix(CREDIT)}) stands at {-_total_of(found)} in Go"
                f" ({stands}): set it to Draft, and the next run mends it; or mend it by hand"
            )
            raise Undecidable(Hold(reason))

    def _see_that_it_is_of(self, customer_id: Value, invoice: Entry) -> None:
        """See that an invoice is of the customer who is to be credited: a person may have moved it.

        Raises:
            Undecidable: with a Hold, when it is not.
        """
        body = self._tools.go.read(f"/OutgoingInvoices/{invoice.go_id}")
        if str(body.get("CustomerId")) != str(customer_id):
            reason = (
                f"its invoice {invoice.body.get('InvoiceNo')} is of another customer in Go (id"
                f" {body.get('CustomerId')}) than the order's ({customer_id}): credit it by hand in"
                " Go"
            )
            raise Undecidable(Hold(reason))

    def _number(self, invoice: Entry) -> int:
        """Return the number of an invoice that nobody has credited by hand.

        A credit note that bears our reference is no such: its link was lost.

        Raises:
            Undecidable: with a Hold, when somebody has: it would be credited twice; with a Park,
                while Go has given it no number yet.
        """
        number = invoice.body.get("InvoiceNo")
        if number is None:
            raise Undecidable(Park("Go has given its invoice no number yet", ()))
        for note in self._tools.index.find(self.entity, f"credits:{number}"):
            reference = str(note.body.get("ExternalImportReference") or "")
            is_ours = reference.startswith(f"{self._tools.settings.shop_name}:")
            if not is_ours and not self._tools.store.links_to(self.entity, note.go_id):
                reason = (
                    f"it was paid back or cancelled in the shop, but its invoice {number} was"
                    f" credited by hand in Go too (credit note {note.body.get('InvoiceNo')}): if"
                    " that is the same, acknowledge; else credit the rest by hand"
                )
                raise Undecidable(Hold(reason))
        return int(number)


def _untold(name: str) -> str:
    """Say that what a credit note is of is no more, by the refund's id."""
    if name == CANCEL:
        return "it is no longer cancelled in the shop"
    return f"refund {values.shown(name)} is no longer told by the shop"


def _total_of(found: Mapping[str, Any] | Entry | None) -> Decimal:
    """Return what a credit note that was found in Go comes to with VAT."""
    body = found.body if isinstance(found, Entry) else found or {}
    return to_ore(total_in_go(body))


def _stands(found: Mapping[str, Any] | Entry | None) -> str | None:
    """Say that a person sent or confirmed a credit note; None: it is a Draft, or gone."""
    if isinstance(found, Entry):
        return f"sent, number {found.body.get('InvoiceNo')}" if found.is_invoice else None
    is_confirmed = found is not None and found.get("SalesOrderStatus") == "Confirmed"
    return "Confirmed" if is_confirmed else None


def _taken_back(link: Link) -> dict[str, list[str]]:
    """Return what is kept of credit notes that were taken back, by the refund's id."""
    return dict(link.base[TAKEN_BACK].shop or {}) if TAKEN_BACK in link.base else {}


def see_that_it_credits(amount: Decimal, total: Decimal) -> None:
    """See that a credit note comes to the amount that is to be credited, before it is posted.

    Raises:
        Undecidable: with a Hold, when it does not.
    """
    if total != -amount:
        reason = (
            f"{amount} is to be credited, but its credit note would come to {total}: credit it by"
            " hand in Go"
        )
        raise Undecidable(Hold(reason))


def _moves_anything(order: OrderInGoForm) -> bool:
    """Tell whether a credit note changes a sum of any VAT rate; Go would invoice one of nothing.

    One that comes to nothing in all may: goods with VAT that were paid with a gift card without.
    """
    by_rate = order_amounts(order.header, order.lines).by_rate
    return any(one != NOTHING for one in by_rate.values())
