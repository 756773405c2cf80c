"""An order that Go has invoiced: its credit notes, and changes in the shop since.

A credit note is an order of its own with negative quantities, posted once and stored as credited.
It is linked under an id made of the order's and the refund's, so that it is settled like any other
order.
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
    as_credited,
    changed_on_invoice,
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

_WITHOUT_SUMS = dict.fromkeys(("total_excl", "total_tax", "total_incl", "rounding", "taxes"))


def without_invoiced_refunds(
    tools: OrderTools, order: OrderInGoForm, match: LinkChange
) -> OrderInGoForm:
    """Return an order that is found in Go, less the refunds that are subtracted on its invoice.

    The invoice's total shows which: all of them, those without a credit note of ours, or none.

    Raises:
        Undecidable: with a Hold, when its total fits none of these.
    """
    invoice = unlinked.matched_invoice(tools, match)
    if not order.refunds or invoice is None:
        return order
    shop_order, refunds, invoiced = order.shop_order, order.refunds, linked.total_of(invoice)
    uncredited = tuple(
        refund_id
        for refund_id in refunds
        if find_credit_note(tools, shop_order.id, refund_id) is None
    )
    for ids in (refunds, uncredited, ()):
        if reading.amounts_after_refunds(tools, shop_order, ids)[1] == invoiced:
            return reading.order_after_refunds(tools, order.arrival, ids)
    _, full_total = reading.amounts_after_refunds(tools, shop_order, ())
    reason = (
        f"its invoice {invoice.body.get('InvoiceNo')} comes to {invoiced}, the order to"
        f" {full_total} before and {order.total} after its refunds: check in Go which of them are"
        " credited"
    )
    raise Undecidable(Hold(reason))


def is_credited(tools: OrderTools, shop_order: ShopOrder, invoice: Entry) -> bool:
    """Return whether credit notes with our references credit all of an invoice."""
    left = linked.total_of(invoice)
    for refund_id in (*(refund.id for refund in shop_order.refunds), CANCEL):
        match = find_credit_note(tools, shop_order.id, refund_id)
        note = tools.index.entry(ORDERS, match.go_id) if match else None
        left += linked.total_of(note) if note else 0
    return left == 0


def settle(tools: OrderTools, settled: Settled, invoice: Entry) -> Settled:
    """Credit what was paid back since the order was invoiced, each refund once.

    Raises:
        Undecidable: with a Hold, when the shop changed something that is on the invoice.
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
    has_withdrawn = crediting.withdraw_missing([refund.id for refund in refunds])
    open_refunds = refunds_to_credit(refunds, state_of(crediting.link))
    if is_due:
        tools.store.intents.end_comparison(ORDERS, link.shop_id)
    crediting.link = linked.accept_differences(tools, order, crediting.link)
    change: Change = Nothing("invoiced; what changed is not on the invoice")
    if open_refunds or has_withdrawn:
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
        reason = "it is deleted in the shop but invoiced in Go: credit it in Go, then acknowledge"
        raise Undecidable(Hold(reason))
    order = reading.order_after_refunds(tools, arrival, state.refunds)
    linked.require_as_invoiced(tools.table, order, state, invoice)
    linked.require_total(order, invoice)
    crediting = Crediting(tools, arrival, link, invoice)
    crediting.withdraw_missing([*(refund.id for refund in shop_order.refunds), CANCEL])
    state = state_of(crediting.link)
    refunds = _refunds_before_cancellation(tools, shop_order, state)
    crediting.credit_refunds(refunds_to_credit(refunds, state))
    state = state_of(crediting.link)
    left, amount = reading.amounts_after_refunds(
        tools, shop_order, (*state.refunds, *state.credited)
    )
    lines, total = credit_lines(left, zeroed_lines(left))
    require_to_credit(amount, total)
    crediting.credit(replace(order, lines=lines, total=total), CANCEL, None)
    return _credit(crediting)


def _credit(crediting: Crediting) -> Credit:
    return Credit({"total with VAT": crediting.total})


def _refunds_before_cancellation(
    tools: OrderTools, shop_order: ShopOrder, state: OrderState
) -> tuple[Refund, ...]:
    """Return the refunds that are not in the cancellation's credit note, but have their own.

    If Go already has the cancellation's credit note, because its answer or the link store was lost,
    that note includes refunds that the shop has sent since.
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
    """Find the credit note of a refund in Go by our reference; None if Go has none."""
    return unlinked.find_by_reference(tools, credit_name(order_id, refund_id))


def require_to_credit(amount: Decimal, total: Decimal) -> None:
    """Require that a credit note comes to the amount to be credited, before it is posted.

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
    """Credits one invoice in Go, with one credit note for each refund and one for a cancellation.

    `link` is the order's link, which records its credit notes. `total` is the amount credited so
    far, with VAT and below zero, less what was withdrawn.
    """

    tools: OrderTools
    arrival: OrderArrival
    link: Link
    invoice: Entry
    total: Decimal = Decimal(0)

    def credit_refunds(self, refunds: Sequence[Refund]) -> None:
        """Credit refunds one after the other.

        Raises:
            Undecidable: with a Hold, when a credit note would differ from what was paid back.
        """
        self._mark(dict.fromkeys((refund.id for refund in refunds), None))
        for refund in refunds:
            self._credit_refund(refund)

    def _credit_refund(self, refund: Refund) -> None:
        shop_order, state = self.arrival.shop_order, state_of(self.link)
        credited = itertools.takewhile(lambda name: name != refund.id, state.credit_marks)
        earlier = (*state.refunds, *credited)
        before, total_before = reading.amounts_after_refunds(self.tools, shop_order, earlier)
        after, total_after = reading.amounts_after_refunds(
            self.tools, shop_order, (*earlier, refund.id)
        )
        lines, total = credit_lines(before, after)
        amount = total_before - total_after if refund.amount is None else refund.amount
        require_to_credit(amount, total)
        header = self.tools.table.read(shop_order.raw, self.tools.run.conversion).values
        order = reading.build_order(self.tools, self.arrival, header, lines, total)
        self.credit(order, refund.id, refund)

    def credit(self, order: OrderInGoForm, name: str, refund: Refund | None) -> None:
        """Post a credit note once, and store that it exists; one of zero is not posted.

        That it is begun is stored first. If it is interrupted or held, and the shop then withdraws
        the refund, what Go has of it by then is still known.

        Raises:
            Undecidable: with a Hold, when it differs from what was paid back.
        """
        self._mark({name: None})
        if _changes_any_sum(order):
            note = _as_note(self.tools, order, name, refund)
            self._require_not_withdrawn_before(note, name)
            try:
                self._post_once(note)
            except OrderDiffers as differing:
                self._withdraw_differing(note, name, differing)
        else:
            self._withdraw(name, f"refund {values.quoted(name)} is now zero")
        self._mark({name: as_credited(refund)})
        self.total += order.total

    def withdraw_missing(self, refund_ids: Collection[str]) -> bool:
        """Delete credit notes, while they are Drafts, of refunds that the shop no longer sends.

        Return whether that changed any sum. Whatever was credited after them must be checked again,
        because it took what they had left. A record without `refunds` says nothing about them.

        Raises:
            Undecidable: with a Hold, when a person has confirmed or sent one.
        """
        withdrawn, marks = Decimal(0), [*state_of(self.link).credit_marks]
        for position, name in enumerate(marks):
            may_withdraw = name == CANCEL or self.arrival.shop_order.states_refunds
            if name in refund_ids or not may_withdraw:
                continue
            self._mark(dict.fromkeys(marks[position:]))
            withdrawn += self._withdraw(name, _withdrawal_reason(name))
            current = state_of(self.link).credit_marks
            self._save_marks({other: mark for other, mark in current.items() if other != name})
        self.total += withdrawn
        return bool(withdrawn)

    def _withdraw(self, name: str, reason: str) -> Decimal:
        """Delete a credit note that is a Draft; return the amount it credited, above zero.

        Raises:
            Undecidable: with a Hold, when a person has confirmed or sent it.
        """
        note = self._note_link(f"{CREDIT}{credit_name(self.link.shop_id, name)}")
        if note is None:
            return Decimal(0)
        current = draft.find_late(self.tools, note)
        amount = -_total_of(current)
        if status := _sent_or_confirmed(current):
            raise Undecidable(
                Hold(f"{reason}, but {amount} was credited in Go ({status}): settle it in Go")
            )
        _delete(self.tools, note)
        logger.info(
            "orders %s: %s: its credit note of %s is withdrawn", self.link.shop_id, reason, amount
        )
        return amount

    def _note_link(self, shop_id: str) -> Link | None:
        """Return the link of a credit note, after settling its unanswered writes."""
        settle_unanswered(self.tools.run, self.tools.store.intents.of_record((ORDERS,), shop_id))
        return self.tools.store.links.get(ORDERS, shop_id)

    def _withdraw_differing(self, note: OrderInGoForm, name: str, differing: OrderDiffers) -> None:
        """Withdraw a credit note to which Go gave another amount, and store that it did.

        Raises:
            Undecidable: with a Hold.
        """
        link = self.tools.store.links.get(ORDERS, note.arrival.shop_id)
        if link is None or _sent_or_confirmed(draft.find(self.tools, link)):
            raise differing
        reason = (
            f"{-note.total} is to be credited, but Go made its credit note ({_note_name(note)})"
            f" with other amounts, so it was withdrawn: {'; '.join(differing.differences)}. Credit"
            " it by hand in Go, then acknowledge"
        )
        withdrawn = (self._content_key(note), reason)
        state = state_of(self.link).with_withdrawn(name, withdrawn, self.arrival.read_at)
        self.link = self.tools.save(self.link, state)
        _delete(self.tools, link)
        raise Undecidable(Hold(reason))

    def _require_not_withdrawn_before(self, note: OrderInGoForm, name: str) -> None:
        """Require that the same credit note, with the same settings, was not withdrawn before.

        Raises:
            Undecidable: with a Hold, when it was, because Go gave it other amounts.
        """
        key, reason = state_of(self.link).withdrawn.get(name, (None, ""))
        if key == self._content_key(note):
            self._withdraw(name, "Go made its credit note with other amounts")
            raise Undecidable(Hold(reason))

    def _content_key(self, note: OrderInGoForm) -> str:
        """Return a key that is the same for the same credit note under the same settings."""
        lines = [(line.reference, line.quantity.normalize(), line.total) for line in note.lines]
        content = (lines, self.tools.run.fingerprint)
        return hashlib.blake2b(repr(content).encode(), digest_size=8).hexdigest()

    def _mark(self, marks: Mapping[str, str | None]) -> None:
        """Store the marks of credit notes; those that are stored already keep their position."""
        self._save_marks({**state_of(self.link).credit_marks, **marks})

    def _save_marks(self, marks: Mapping[str, str | None]) -> None:
        state = state_of(self.link).with_credit_marks(marks, self.arrival.read_at)
        self.link = self.tools.save(self.link, state)

    # Posting

    def _post_once(self, note: OrderInGoForm) -> None:
        """Post a credit note unless Go has it; if it does, compare it."""
        link = self._note_link(note.arrival.shop_id)
        match = None if link else unlinked.find_by_reference(self.tools, _note_name(note))
        if link is not None:
            self._require_unconfirmed(note, link)
            settled = linked.update(self.tools, note, link)
            if settled.invoice is not None:
                _require_sent_note_unchanged(self.tools, settled, settled.invoice)
        elif match is not None:
            unlinked.link_existing(self.tools, note, match)
        else:
            number = self._invoice_number()
            self._require_same_customer(note.header["customer"])
            # PowerOffice Go accepts the number only if the total is below zero
            unlinked.post(self.tools, note, {"RelatedInvoiceNo": number} if note.total < 0 else {})

    def _require_unconfirmed(self, note: OrderInGoForm, link: Link) -> None:
        """Require that a credit note that has to change was not confirmed by a person.

        Raises:
            Undecidable: with a Hold, when it was.
        """
        if not changed_on_invoice(self.tools.table, note, state_of(link)):
            return
        current = draft.find(self.tools, link)
        if not isinstance(current, Entry) and (status := _sent_or_confirmed(current)):
            reason = (
                f"{-note.total} is to be credited now, but its credit note ({_note_name(note)})"
                f" comes to {-_total_of(current)} in Go ({status}): set it to Draft, and the next"
                " run corrects it; or correct it by hand"
            )
            raise Undecidable(Hold(reason))

    def _require_same_customer(self, customer_id: Value) -> None:
        """Require that the invoice is made out to the customer to be credited.

        A person may have moved it to another one.

        Raises:
            Undecidable: with a Hold, when it is not.
        """
        body = self.tools.read_invoice(self.link)
        if str(body.get("CustomerId")) != str(customer_id):
            reason = (
                f"its invoice {self.invoice.body.get('InvoiceNo')} is made out to another customer"
                f" in Go (id {body.get('CustomerId')}) than the order (id {customer_id}): credit it"
                " by hand in Go"
            )
            raise Undecidable(Hold(reason))

    def _invoice_number(self) -> int:
        """Return the number of the invoice, after checking that nobody has credited it by hand.

        A credit note with our reference is one of ours whose link was lost.

        Raises:
            Undecidable: with a Hold, when somebody has, as it would be credited twice; with a Park,
                while Go has not numbered it yet.
        """
        number = self.invoice.body.get("InvoiceNo")
        if number is None:
            raise Undecidable(Park("Go has not given its invoice a number yet", ()))
        for note in self.tools.index.find(ORDERS, f"credits:{number}"):
            reference = str(note.body.get("ExternalImportReference") or "")
            is_ours = reference.startswith(f"{self.tools.settings.shop_name}:")
            if not is_ours and not self.tools.store.links.to_entry(ORDERS, note.go_id):
                reason = (
                    f"it was paid back or cancelled in the shop, but its invoice {number} was"
                    f" credited by hand in Go too (credit note {note.body.get('InvoiceNo')}): if"
                    " that is the same money, acknowledge; if not, credit the rest by hand"
                )
                raise Undecidable(Hold(reason))
        return int(number)


def _require_sent_note_unchanged(tools: OrderTools, note: Settled, invoice: Entry) -> None:
    """Require that a credit note that a person has sent is still the one to be credited.

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

    The sums in the shop's record are the order's, so they are left out.
    """
    note_name, record = credit_name(order.arrival.shop_id, name), order.shop_order.raw
    shop_order = replace(
        order.shop_order,
        raw={**record, **_WITHOUT_SUMS, "id": f"{CREDIT}{note_name}", "refunds": None},
    )
    placed_at = refund.created_at if refund else record.get("cancelled_at")
    dated = {**record, "placed_at": placed_at or record.get("updated_at")}
    header = {
        **order.header,
        "id": values.short_reference(tools.settings.shop_name, note_name),
        "placed_at": tools.table.row("placed_at").to_go(dated, tools.run.conversion),
    }
    rows = {row: value for row, value in header.items() if row not in ("number", "shipped_at")}
    arrival = replace(order.arrival, shop_order=shop_order)
    return reading.build_order(tools, arrival, rows, order.lines, order.total)


def _note_name(note: OrderInGoForm) -> str:
    """Return the name of a credit note in our reference."""
    return note.arrival.shop_id.removeprefix(CREDIT)


def _delete(tools: OrderTools, note: Link) -> None:
    """Delete a credit note that is a Draft, and its link.

    Raises:
        Undecidable: with a Hold, when a person has just sent it.
    """
    invoice = draft.delete(tools, note)
    if isinstance(invoice, Entry):
        reason = (
            f"its credit note {note.shop_id.removeprefix(CREDIT)} should be withdrawn, but is"
            f" {_sent_or_confirmed(invoice)} in Go: settle it there"
        )
        raise Undecidable(Hold(reason))


def _withdrawal_reason(name: str) -> str:
    """Return in words that the shop no longer has the refund or cancellation."""
    if name == CANCEL:
        return "it is no longer cancelled in the shop"
    return f"the shop no longer sends the refund {values.quoted(name)}"


def _total_of(note: Mapping[str, Any] | Entry | None) -> Decimal:
    """Return the total of a credit note in Go, with VAT; zero if it is gone."""
    return round_to_ore(total_in_go(note.body if isinstance(note, Entry) else note or {}))


def _sent_or_confirmed(note: Mapping[str, Any] | Entry | None) -> str | None:
    """Return in words that a person sent or confirmed a credit note; None if neither."""
    if isinstance(note, Entry):
        return f"sent, number {note.body.get('InvoiceNo')}" if note.is_invoice else None
    is_confirmed = note is not None and note.get("SalesOrderStatus") == "Confirmed"
    return "Confirmed" if is_confirmed else None


def _changes_any_sum(order: OrderInGoForm) -> bool:
    """Return whether a credit note changes the sum of any VAT rate; if not, it is not posted.

    One with a total of zero may do so: goods with VAT that were paid with a gift card without VAT.
    """
    return any(money != NOTHING for money in order.amounts.by_rate.values())
