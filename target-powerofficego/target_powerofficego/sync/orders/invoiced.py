"""An order that Go has invoiced: what the shop changed since, and the credit notes for it.

Credit notes are orders of their own with negative quantities, posted once and kept as credited.
Each is linked under an id made of the order's and the refund's, so that it is settled like any
other order.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.orders.answer import total_in_go
from target_powerofficego.dataflow.orders.line_amounts import NOTHING
from target_powerofficego.dataflow.orders.order import CANCEL, CREDIT, credit_name
from target_powerofficego.dataflow.orders.refunds import credit_lines, zeroed_lines
from target_powerofficego.dataflow.values import Value, round_to_ore
from target_powerofficego.decisions.changes import (
    Change,
    Credit,
    Hold,
    Nothing,
    OrderDiffers,
    Park,
    Undecidable,
)
from target_powerofficego.sync.go.index import Entry
from target_powerofficego.sync.orders import draft, linked, reading, unlinked
from target_powerofficego.sync.orders.context import (
    ORDERS,
    OrderArrival,
    OrderInGoForm,
    OrderTools,
    Settled,
    changed_on_invoice,
    credit_mark,
    has_outdated_credits,
    refunds_to_credit,
    state_of,
)
from target_powerofficego.sync.unanswered_writes import settle_unanswered

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from target_powerofficego.dataflow.orders.refunds import Refund
    from target_powerofficego.dataflow.orders.shop_order import ShopOrder
    from target_powerofficego.dataflow.orders.state import OrderState
    from target_powerofficego.decisions.changes import Link as LinkChange
    from target_powerofficego.store.link_store import Link


logger = logging.getLogger("target-powerofficego")

_NO_SUMS = dict.fromkeys(("total_excl", "total_tax", "total_incl", "rounding", "taxes"))


def without_invoiced_refunds(
    tools: OrderTools, order: OrderInGoForm, met: LinkChange
) -> OrderInGoForm:
    """Return an order that is found in Go, less the refunds that its invoice is less.

    Its total tells which: all of them, those without a credit note of ours, or none.

    Raises:
        Undecidable: with a Hold, when it is none of these.
    """
    invoice = unlinked.matched_invoice(tools, met)
    if not order.refunds or invoice is None:
        return order
    shop_order, refunds, invoiced = order.shop_order, order.refunds, linked.total_of(invoice)
    uncredited = tuple(
        name for name in refunds if find_credit_note(tools, shop_order.id, name) is None
    )
    for ids in (refunds, uncredited, ()):
        if reading.amounts_after_refunds(tools, shop_order, ids)[1] == invoiced:
            return reading.order_after_refunds(tools, order.arrival, ids)
    _, whole = reading.amounts_after_refunds(tools, shop_order, ())
    reason = (
        f"its invoice {invoice.body.get('InvoiceNo')} comes to {invoiced}, the order to {whole}"
        f" before and {order.total} after its refunds: see in Go which of them are credited"
    )
    raise Undecidable(Hold(reason))


def is_credited(tools: OrderTools, shop_order: ShopOrder, invoice: Entry) -> bool:
    """Return whether credit notes with our references take back all of an invoice."""
    left = linked.total_of(invoice)
    for name in (*(refund.id for refund in shop_order.refunds), CANCEL):
        met = find_credit_note(tools, shop_order.id, name)
        note = tools.index.entry(ORDERS, met.go_id) if met else None
        left += linked.total_of(note) if note else 0
    return left == 0


def settle(tools: OrderTools, settled: Settled, invoice: Entry) -> Settled:
    """Credit what was paid back since the order was invoiced, each refund once.

    Raises:
        Undecidable: with a Hold, when the shop changed what stands on the invoice.
    """
    order, link = settled.order, settled.link
    state, refunds = state_of(link), order.shop_order.refunds
    if order.refunds != state.refunds:
        order = reading.order_after_refunds(tools, order.arrival, state.refunds)
    linked.require_as_invoiced(tools.table, order, state, invoice)
    is_due = tools.store.intents.is_comparison_due(ORDERS, link.shop_id)
    if is_due or refunds_to_credit(refunds, state) or has_outdated_credits(order, state):
        linked.require_total(order, invoice)
    crediting = Crediting(tools, order.arrival, link, invoice)
    was_taken_back = crediting.take_back_withdrawn([refund.id for refund in refunds])
    open_refunds = refunds_to_credit(refunds, state_of(crediting.link))
    if is_due:
        tools.store.intents.end_comparison(ORDERS, link.shop_id)
    crediting.link = linked.accept_differences(tools, order, crediting.link)
    change: Change = Nothing("invoiced; what changed is not on the invoice")
    if open_refunds or was_taken_back:
        crediting.credit_refunds(open_refunds)
        change = _credit(crediting)
    return Settled(order, crediting.link, change)


def cancel(tools: OrderTools, arrival: OrderArrival, link: Link, invoice: Entry) -> Change:
    """Credit what is left of an order that the shop cancelled.

    Raises:
        Undecidable: with a Hold, when the shop deleted the order, or changed what is invoiced.
    """
    shop_order, state = arrival.shop_order, state_of(link)
    if CANCEL in state.credited:
        return Nothing("cancelled, and credited in Go")
    if shop_order.is_deleted:
        raise Undecidable(Hold("it is deleted in the shop but invoiced in Go: credit it in Go"))
    order = reading.order_after_refunds(tools, arrival, state.refunds)
    linked.require_as_invoiced(tools.table, order, state, invoice)
    linked.require_total(order, invoice)
    crediting = Crediting(tools, arrival, link, invoice)
    crediting.take_back_withdrawn([*(refund.id for refund in shop_order.refunds), CANCEL])
    state = state_of(crediting.link)
    beside = _beside_the_cancellation(tools, shop_order, state)
    crediting.credit_refunds(refunds_to_credit(beside, state))
    state = state_of(crediting.link)
    left, rest = reading.amounts_after_refunds(tools, shop_order, (*state.refunds, *state.credited))
    lines, total = credit_lines(left, zeroed_lines(left))
    require_to_credit(rest, total)
    crediting.credit(replace(order, lines=lines, total=total), CANCEL, None)
    return _credit(crediting)


def _credit(crediting: Crediting) -> Credit:
    return Credit({"total with VAT": crediting.total})


def _beside_the_cancellation(
    tools: OrderTools, shop_order: ShopOrder, state: OrderState
) -> tuple[Refund, ...]:
    """Return the refunds that a cancellation's credit note is less.

    Where Go has that note already, because its answer or the link store was lost, what the shop
    has told since is in it.
    """
    refunds = shop_order.refunds
    if find_credit_note(tools, shop_order.id, CANCEL) is None:
        return refunds
    known = {*state.refunds, *state.credited}
    return tuple(
        refund
        for refund in refunds
        if refund.id in known or find_credit_note(tools, shop_order.id, refund.id) is not None
    )


def find_credit_note(tools: OrderTools, order_id: str, refund_id: str) -> LinkChange | None:
    """Find the credit note of a refund in Go by our reference; None: not in Go."""
    return unlinked.find_by_reference(tools, credit_name(order_id, refund_id))


def require_to_credit(amount: Decimal, total: Decimal) -> None:
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


@dataclass
class Crediting:
    """Credits one invoice of Go, with one credit note for each refund and one for a cancellation.

    `link` is that of the order, which keeps how far its credit notes are; `total` is what was
    credited by now, with VAT, below zero, less what was taken back.
    """

    tools: OrderTools
    arrival: OrderArrival
    link: Link
    invoice: Entry
    total: Decimal = Decimal(0)

    def credit_refunds(self, refunds: Sequence[Refund]) -> None:
        """Credit refunds one after the other.

        Raises:
            Undecidable: with a Hold, when one is not what was paid back.
        """
        self._mark(dict.fromkeys((refund.id for refund in refunds), None))
        for refund in refunds:
            self._credit_refund(refund)

    def _credit_refund(self, refund: Refund) -> None:
        shop_order, state = self.arrival.shop_order, state_of(self.link)
        earlier = itertools.takewhile(lambda name: name != refund.id, state.credit_marks)
        before = (*state.refunds, *earlier)
        had, came_to = reading.amounts_after_refunds(self.tools, shop_order, before)
        left, comes_to = reading.amounts_after_refunds(self.tools, shop_order, (*before, refund.id))
        lines, total = credit_lines(had, left)
        require_to_credit(came_to - comes_to if refund.amount is None else refund.amount, total)
        header = self.tools.table.read(shop_order.raw, self.tools.run.conversion).values
        order = reading.build_order(self.tools, self.arrival, header, lines, total)
        self.credit(order, refund.id, refund)

    def credit(self, order: OrderInGoForm, name: str, refund: Refund | None) -> None:
        """Post a credit note once, and keep that it is there; one of nothing is not posted.

        That it is begun is kept first: should it be cut off or held, and the shop take the refund
        back, what is in Go by then is still told.

        Raises:
            Undecidable: with a Hold, when it is not what was paid back.
        """
        self._mark({name: None})
        if _moves_anything(order):
            note = _as_note(self.tools, order, name, refund)
            self._require_not_taken_back(note, name)
            try:
                self._post_once(note)
            except OrderDiffers as differing:
                self._take_back_differing(note, name, differing)
        else:
            self._take_back(name, f"refund {values.quoted(name)} comes to nothing by now")
        self._mark({name: credit_mark(refund)})
        self.total += order.total

    def take_back_withdrawn(self, refunds: Collection[str]) -> bool:
        """Delete credit notes, while Drafts, that the shop no longer tells.

        Return whether that moved any sum. What was credited after them is to be looked at again: it
        took what they had left. A record without `refunds` tells nothing of them.

        Raises:
            Undecidable: with a Hold, when a person has confirmed or sent one.
        """
        taken_back, marks = Decimal(0), [*state_of(self.link).credit_marks]
        for place, name in enumerate(marks):
            is_untold = name == CANCEL or self.arrival.shop_order.states_refunds
            if name in refunds or not is_untold:
                continue
            self._mark(dict.fromkeys(marks[place:]))
            taken_back += self._take_back(name, _untold(name))
            known = state_of(self.link).credit_marks
            self._keep_marks({other: mark for other, mark in known.items() if other != name})
        self.total += taken_back
        return bool(taken_back)

    def _take_back(self, name: str, why: str) -> Decimal:
        """Delete a credit note that is a Draft; return what was credited, above zero.

        Raises:
            Undecidable: with a Hold, when a person has confirmed or sent it.
        """
        note = self._linked_note(f"{CREDIT}{credit_name(self.link.shop_id, name)}")
        if note is None:
            return Decimal(0)
        there = draft.find_late(self.tools, note)
        amount = -_total_of(there)
        if stands := _stands(there):
            raise Undecidable(
                Hold(f"{why}, but {amount} was credited in Go ({stands}): see to it in Go")
            )
        _delete(self.tools, note)
        logger.info(
            "orders %s: %s: its credit note of %s is taken back", self.link.shop_id, why, amount
        )
        return amount

    def _linked_note(self, shop_id: str) -> Link | None:
        """Return the link of a credit note, after its writes without an answer are settled."""
        settle_unanswered(self.tools.run, self.tools.store.intents.of_record((ORDERS,), shop_id))
        return self.tools.store.links.get(ORDERS, shop_id)

    def _take_back_differing(self, note: OrderInGoForm, name: str, differing: OrderDiffers) -> None:
        """Take back a credit note that Go made otherwise, and keep that it did.

        Raises:
            Undecidable: with a Hold.
        """
        there = self.tools.store.links.get(ORDERS, note.arrival.shop_id)
        if there is None or _stands(draft.find(self.tools, there)):
            raise differing
        reason = (
            f"{-note.total} is to be credited, but Go made its credit note ({_called(note)})"
            f" otherwise, so it was taken back: {'; '.join(differing.differences)}. Credit it by"
            " hand in Go, then acknowledge"
        )
        was = (self._key(note), reason)
        state = state_of(self.link).with_taken_back(name, was, self.arrival.read_at)
        self.link = self.tools.save(self.link, state)
        _delete(self.tools, there)
        raise Undecidable(Hold(reason))

    def _require_not_taken_back(self, note: OrderInGoForm, name: str) -> None:
        """See that Go did not make the same credit note otherwise before, with the same settings.

        Raises:
            Undecidable: with a Hold, when it did; it is in Go no more.
        """
        key, reason = state_of(self.link).taken_back.get(name, (None, ""))
        if key == self._key(note):
            self._take_back(name, "Go made its credit note otherwise")
            raise Undecidable(Hold(reason))

    def _key(self, note: OrderInGoForm) -> str:
        """Return what tells whether a credit note is the same, posted under the same settings."""
        lines = [(line.reference, line.quantity.normalize(), line.total) for line in note.lines]
        content = (lines, self.tools.run.fingerprint)
        return hashlib.blake2b(repr(content).encode(), digest_size=8).hexdigest()

    def _mark(self, marks: Mapping[str, str | None]) -> None:
        """Keep how far the credit notes are; one that is known already stays at its place."""
        self._keep_marks({**state_of(self.link).credit_marks, **marks})

    def _keep_marks(self, marks: Mapping[str, str | None]) -> None:
        state = state_of(self.link).with_credit_marks(marks, self.arrival.read_at)
        self.link = self.tools.save(self.link, state)

    # Posting

    def _post_once(self, note: OrderInGoForm) -> None:
        """Post a credit note unless Go has it; compare what is there."""
        known = self._linked_note(note.arrival.shop_id)
        met = None if known else unlinked.find_by_reference(self.tools, _called(note))
        if known is not None:
            self._require_unconfirmed(note, known)
            settled = linked.update(self.tools, note, known)
            if settled.invoice is not None:
                _require_as_sent(self.tools, settled, settled.invoice)
        elif met is not None:
            unlinked.link_existing(self.tools, note, met)
        else:
            number = self._number()
            self._require_same_customer(note.header["customer"])
            # PowerOffice Go takes the number only where the sum is below zero
            unlinked.post(self.tools, note, {"RelatedInvoiceNo": number} if note.total < 0 else {})

    def _require_unconfirmed(self, note: OrderInGoForm, known: Link) -> None:
        """See that a credit note that is another by now was not confirmed by a person.

        Raises:
            Undecidable: with a Hold, when it was.
        """
        if not changed_on_invoice(self.tools.table, note, state_of(known)):
            return
        there = draft.find(self.tools, known)
        if not isinstance(there, Entry) and (stands := _stands(there)):
            reason = (
                f"{-note.total} is to be credited by now, but its credit note ({_called(note)})"
                f" stands at {-_total_of(there)} in Go ({stands}): set it to Draft, and the next"
                " run mends it; or mend it by hand"
            )
            raise Undecidable(Hold(reason))

    def _require_same_customer(self, customer_id: Value) -> None:
        """See that an invoice is of the customer who is to be credited: a person may have moved it.

        Raises:
            Undecidable: with a Hold, when it is not.
        """
        body = self.tools.read_invoice(self.link)
        if str(body.get("CustomerId")) != str(customer_id):
            reason = (
                f"its invoice {self.invoice.body.get('InvoiceNo')} is of another customer in Go (id"
                f" {body.get('CustomerId')}) than the order's ({customer_id}): credit it by hand in"
                " Go"
            )
            raise Undecidable(Hold(reason))

    def _number(self) -> int:
        """Return the number of the invoice, unless somebody has credited it by hand.

        A credit note that bears our reference is no such: its link was lost.

        Raises:
            Undecidable: with a Hold, when somebody has: it would be credited twice; with a Park,
                while Go has given it no number yet.
        """
        number = self.invoice.body.get("InvoiceNo")
        if number is None:
            raise Undecidable(Park("Go has given its invoice no number yet", ()))
        for note in self.tools.index.find(ORDERS, f"credits:{number}"):
            reference = str(note.body.get("ExternalImportReference") or "")
            is_ours = reference.startswith(f"{self.tools.settings.shop_name}:")
            if not is_ours and not self.tools.store.links.to_entry(ORDERS, note.go_id):
                reason = (
                    f"it was paid back or cancelled in the shop, but its invoice {number} was"
                    f" credited by hand in Go too (credit note {note.body.get('InvoiceNo')}): if"
                    " that is the same, acknowledge; else credit the rest by hand"
                )
                raise Undecidable(Hold(reason))
        return int(number)


def _require_as_sent(tools: OrderTools, note: Settled, invoice: Entry) -> None:
    """See that a credit note that a person has sent is what is to be credited, and leave it.

    Raises:
        Undecidable: with a Hold, when it is not.
    """
    linked.require_as_invoiced(tools.table, note.order, state_of(note.link), invoice)
    if tools.store.intents.is_comparison_due(ORDERS, note.link.shop_id):
        linked.require_total(note.order, invoice)
        tools.store.intents.end_comparison(ORDERS, note.link.shop_id)
    linked.accept_differences(tools, note.order, note.link)


def _as_note(
    tools: OrderTools, order: OrderInGoForm, name: str, refund: Refund | None
) -> OrderInGoForm:
    """Return a credit note as an order of its own, dated when the money was paid back.

    The sums that the shop tells are the order's, and none of it.
    """
    called = credit_name(order.arrival.shop_id, name)
    told = order.shop_order.raw
    shop_order = replace(
        order.shop_order, raw={**told, **_NO_SUMS, "id": f"{CREDIT}{called}", "refunds": None}
    )
    placed = refund.created_at if refund else told.get("cancelled_at")
    dated = {**told, "placed_at": placed or told.get("updated_at")}
    header = {
        **order.header,
        "id": values.short_reference(tools.settings.shop_name, called),
        "placed_at": tools.table.row("placed_at").to_go(dated, tools.run.conversion),
    }
    rows = {row: value for row, value in header.items() if row not in ("number", "shipped_at")}
    arrival = replace(order.arrival, shop_order=shop_order)
    return reading.build_order(tools, arrival, rows, order.lines, order.total)


def _called(note: OrderInGoForm) -> str:
    """Return what our reference calls a credit note."""
    return note.arrival.shop_id.removeprefix(CREDIT)


def _delete(tools: OrderTools, note: Link) -> None:
    """Delete a credit note that is a Draft, and its link.

    Raises:
        Undecidable: with a Hold, when a person sent it a moment ago.
    """
    invoice = draft.delete(tools, note)
    if isinstance(invoice, Entry):
        reason = (
            f"its credit note {note.shop_id.removeprefix(CREDIT)} was to be taken back, but is"
            f" {_stands(invoice)} in Go: see to it there"
        )
        raise Undecidable(Hold(reason))


def _untold(name: str) -> str:
    """Say that what a credit note is of is no more, by the refund's id."""
    if name == CANCEL:
        return "it is no longer cancelled in the shop"
    return f"refund {values.quoted(name)} is no longer told by the shop"


def _total_of(note: Mapping[str, Any] | Entry | None) -> Decimal:
    """Return what a credit note that was looked for in Go comes to with VAT."""
    return round_to_ore(total_in_go(note.body if isinstance(note, Entry) else note or {}))


def _stands(note: Mapping[str, Any] | Entry | None) -> str | None:
    """Say that a person sent or confirmed a credit note; None: it is a Draft, or gone."""
    if isinstance(note, Entry):
        return f"sent, number {note.body.get('InvoiceNo')}" if note.is_invoice else None
    is_confirmed = note is not None and note.get("SalesOrderStatus") == "Confirmed"
    return "Confirmed" if is_confirmed else None


def _moves_anything(order: OrderInGoForm) -> bool:
    """Return whether a credit note changes a sum of any VAT rate; Go would invoice one of nothing.

    One that comes to nothing in all may: goods with VAT that were paid with a gift card without.
    """
    return any(money != NOTHING for money in order.amounts.by_rate.values())
