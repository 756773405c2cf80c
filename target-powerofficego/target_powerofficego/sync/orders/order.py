"""The walk of an order, from its arrival to the stage that it is to reach in Go.

What becomes of it in Go is settled first; an order that Go then has as the shop has it is
confirmed or invoiced, as its status asks.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.customer import INVALID_NUMBER
from target_powerofficego.dataflow.orders.answer import answer_differences
from target_powerofficego.dataflow.orders.order import money_members
from target_powerofficego.dataflow.orders.shop_order import (
    ShopOrder,
    buyer_ids,
    has_unusable_number,
    order_email,
)
from target_powerofficego.dataflow.orders.state import Stage, Wanted, asked_stage, is_due, wanted
from target_powerofficego.dataflow.values import Unusable
from target_powerofficego.decisions.changes import (
    Change,
    Confirm,
    Create,
    Hold,
    Invoice,
    Nothing,
    Park,
    Patch,
    Reject,
    RowChange,
    Skip,
    Undecidable,
)
from target_powerofficego.decisions.personal_data import (
    impersonal_order,
    is_anonymised_order,
    with_agreed_buyer,
    without_marks,
)
from target_powerofficego.go_api import MissingPrivilege, Refused, TestFailed, UnknownOutcome
from target_powerofficego.sync.go.index import Entry
from target_powerofficego.sync.into_go import GoWalk
from target_powerofficego.sync.invoice_sending import (
    Progress,
    Sending,
    check_progress,
    is_overdue,
    pending_sendings,
    recorded_failure,
    wait_until_finished,
)
from target_powerofficego.sync.orders import draft, invoiced, linked, reading, unlinked
from target_powerofficego.sync.orders.context import (
    ORDERS,
    OrderArrival,
    OrderInGoForm,
    OrderTools,
    Settled,
    has_outdated_credits,
    state_of,
)
from target_powerofficego.sync.payments.noting import OrderPayments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.decisions.changes import Link as LinkChange
    from target_powerofficego.settle.record_flow import Arrival
    from target_powerofficego.store.link_store import Link
    from target_powerofficego.sync.context import Tools
    from target_powerofficego.sync.customers import CustomersWalk
    from target_powerofficego.sync.products import ProductsWalk


logger = logging.getLogger("target-powerofficego")

_BEING_SENT = Park("Go is sending the invoice; the next run asks how it went", ("being sent",))
_OVERDUE = Hold(
    "Go was asked to make and send its invoice, and several runs later is not done: see in Go what"
    " keeps it, and send it from there if it is still an order; each run asks how it went"
)
_NOT_MADE = Hold(
    "Go could not make and send its invoice, and says why: mend that in Go, and the next run tries"
    " again; or send it from Go by hand"
)
_NOT_DELIVERED = Hold(
    "Go made its invoice but could not deliver it, and says why: send it again from Go, then"
    " acknowledge this"
)
_MAY_NOT_SEND = Hold(
    "the keys may not send invoices in PowerOffice Go (missing privilege): allow it for the"
    " integration in Go's settings, or leave invoice_on out and send it from Go"
)
_DRY = Sending(Progress.SENT)


class OrdersWalk(GoWalk):
    """Orders of the shop."""

    entity = "orders"

    def __init__(self, tools: Tools, customers: CustomersWalk, products: ProductsWalk) -> None:
        super().__init__(tools)
        self._tools = OrderTools(tools, customers, products)
        self.payments = OrderPayments(tools)

    def _settle(self, arrival: Arrival) -> Change:
        require_no_pending_invoice(self._tools, arrival.shop_id)
        link = self.tools.store.links.get(self.entity, arrival.shop_id)
        if link is not None:
            link = self.require_same_record(arrival.record, link)
        shop_order = ShopOrder(arrival.record, self.tools.settings.service_codes)
        order_arrival = OrderArrival(shop_order, arrival.read_at, arrival.at_end)
        with (
            self.payments.noted(shop_order),
            reading.logging_splits(self._tools, shop_order, link),
        ):
            done = self._bring_into_go(order_arrival, link)
        return bring_to_stage(self._tools, done) if isinstance(done, Settled) else done

    def _bring_into_go(self, arrival: OrderArrival, link: Link | None) -> Change | Settled:
        """Create, edit, link, credit or delete an order; `Settled` if it may go on to a stage."""
        settings = self.tools.settings
        want = wanted(
            arrival.shop_order,
            settings.order_statuses,
            settings.orders_from,
            settings.time_zone,
            is_linked=link is not None,
        )
        if want in (Wanted.LEFT_BY_STATUS, Wanted.LEFT_BY_DATE):
            return Skip(want.value)
        arrival = replace(arrival, shop_order=self._with_buyer(arrival.shop_order, link))
        if want is Wanted.DELETED:
            return _cancel(self._tools, arrival, link)
        met = unlinked.meet(self._tools, arrival.shop_order, link)
        order = reading.read_order(self._tools, arrival, state_of(link))
        if met is not None:
            return _link_with(self._tools, order, met)
        if link is None:
            return unlinked.create(self._tools, order)
        return _compare(self._tools, order, link)

    def _with_buyer(self, shop_order: ShopOrder, link: Link | None) -> ShopOrder:
        """Return an order with who bought it as last agreed on, where the shop has wiped that.

        Of one that is met in Go only the customer is known.
        """
        marks, state = self.tools.settings.anonymised_marks, state_of(link)
        if not is_anonymised_order(shop_order, state, marks):
            if has_unusable_number(shop_order.raw):
                self.tools.tally.log_repair(self.entity, shop_order.id, INVALID_NUMBER)
            return shop_order
        self.tools.tally.count_stage(self.entity, shop_order.id, "anonymised")
        if "customer" in state.base:
            return with_agreed_buyer(shop_order, state, marks)
        met = unlinked.meet(self._tools, shop_order, link)
        customer_id = None if met is None else unlinked.customer_of(self._tools, met)
        return without_marks(shop_order, marks, customer_id)

    def money_members(self, record: Record) -> Record:
        """See `Walk`."""
        return money_members(record)

    def kept(self, record: Record) -> Record:
        """Return an order without who bought it, when that customer was erased."""
        if not self.tools.erased.ids:
            return record
        erased = self._erased_buyer(record)
        return record if erased is None else impersonal_order(record, erased)

    def _erased_buyer(self, record: Record) -> str | None:
        """Return the id under which the customer of an order was erased; None: it was not.

        By an id that only an earlier version knew a guest by, just orders that it posted are known.
        """
        store = self.tools.store
        own, earlier = (self.tools.erased.id_of(shop_id) for shop_id in buyer_ids(record))
        bought = state_of(store.links.get(self.entity, record["id"])).base.get("customer")
        customer = store.links.get("customers", earlier) if earlier and bought else None
        if own is None and customer and bought and str(bought.shop) == customer.go_id:
            return earlier
        return own


def _compare(tools: OrderTools, order: OrderInGoForm, link: Link) -> Settled:
    """Write what the shop changed in a linked order, or credit it once it is invoiced."""
    settled = linked.compare(tools, order, link)
    if settled.invoice is None:
        return settled
    return invoiced.settle(tools, settled, settled.invoice)


def _link_with(tools: OrderTools, order: OrderInGoForm, met: LinkChange) -> Change:
    """Link an order that is in Go; what an invoice and its credit notes lack is credited."""
    settled = unlinked.link_existing(
        tools, invoiced.without_invoiced_refunds(tools, order, met), met
    )
    if has_outdated_credits(order, state_of(settled.link)):
        settled = _compare(tools, order, settled.link)
    return settled.change


# An order that the shop cancelled or deleted


def _cancel(tools: OrderTools, arrival: OrderArrival, link: Link | None) -> Change:
    """Delete a Draft, also one that has to be unlocked first; an invoice is credited."""
    if link is None:
        return _meet_cancelled(tools, arrival)
    there = draft.find_late(tools, link)
    if isinstance(there, Entry):
        return invoiced.cancel(tools, arrival, link, there)
    if there is None and tools.run.plan.is_dry:
        return Nothing("gone from Go already")
    if there is not None and there.get("SalesOrderStatus") == "Confirmed":
        try:
            link = draft.unlock(tools, link, arrival.read_at)
        except TestFailed:
            raise Undecidable(Hold("Go was edited while this was to be deleted")) from None
    # what is read may come from a replica that is behind; what a deletion answers does not
    done = draft.delete(tools, link)
    return invoiced.cancel(tools, arrival, link, done) if isinstance(done, Entry) else done


def _meet_cancelled(tools: OrderTools, arrival: OrderArrival) -> Change:
    """Link a cancelled order that Go has, where credit notes of ours take back all of it.

    Raises:
        Undecidable: with a Hold, when they do not.
    """
    shop_order = arrival.shop_order
    met = unlinked.find_by_reference(tools, arrival.shop_id)
    if met is None:
        return Skip("cancelled or deleted, and not in Go")
    invoice = unlinked.matched_invoice(tools, met)
    if invoice is None or not invoiced.is_credited(tools, shop_order, invoice):
        reason = (
            "it is cancelled in the shop, but Go has it, and it was not linked: delete or credit it"
            " in Go, then acknowledge"
        )
        raise Undecidable(Hold(reason))
    if shop_order.is_deleted:
        return Nothing("deleted in the shop, and credited in Go")
    order = reading.order_after_refunds(
        tools, arrival, [refund.id for refund in shop_order.refunds]
    )
    settled = unlinked.link_existing(
        tools, invoiced.without_invoiced_refunds(tools, order, met), met
    )
    invoiced.cancel(tools, arrival, settled.link, invoice)
    return settled.change


def require_no_pending_invoice(tools: OrderTools, shop_id: str) -> None:
    """See that Go is not making an order's invoice, before anything is done to it.

    Raises:
        Undecidable: with a Park; with a Hold when that takes too long, or has failed.
    """
    for intent in pending_sendings(tools.store, shop_id):
        failed = recorded_failure(intent)
        if failed is None:
            raise Undecidable(_awaiting(tools, shop_id, is_late=is_overdue(intent)))
        tools.store.intents.end(intent)
        raise Undecidable(replace(_NOT_MADE, detail=failed.failure))


def _awaiting(tools: OrderTools, shop_id: str, *, is_late: bool) -> Park | Hold:
    """Return what becomes of an order whose invoice Go is to make; once held it stays so."""
    return _OVERDUE if is_late or _is_open(tools, shop_id, _OVERDUE) else _BEING_SENT


def _is_open(tools: OrderTools, shop_id: str, why: Park | Hold) -> bool:
    """Return whether an order was held or parked before for this reason."""
    before = tools.store.unsettled.get(ORDERS, shop_id)
    return before is not None and before.reason == why.reason


def bring_to_stage(tools: OrderTools, settled: Settled) -> Change:
    """Bring an order to the stage that its status asks for, once; return what was done in all.

    Raises:
        Undecidable: Go's order is not the shop's, or its invoice is not sent (yet).
    """
    settings, order, link = tools.settings, settled.order, settled.link
    status = order.shop_order.status
    asked = asked_stage(status, settings.confirm_on, settings.invoice_on)
    if asked is None:
        return settled.change
    going = _Going(tools, order, link, asked, str(status))
    reached = state_of(link).stage
    if reached is Stage.UNDELIVERED:
        going.ask_for_delivery()
    if not is_due(asked, reached):
        return settled.change
    entry = tools.index.entry(ORDERS, link.go_id)
    if entry is not None and entry.is_invoice:
        return settled.change
    return going.go_on(settled.change)


@dataclass
class _Going:
    """An order on its way to a stage; `status` is what asks for it."""

    tools: OrderTools
    order: OrderInGoForm
    link: Link
    stage: Stage
    status: str

    def go_on(self, change: Change) -> Change:
        """Bring the order to its stage, after what was done to it already."""
        is_invoice = self.stage is Stage.INVOICED
        # before an invoice, what was written is read again; a dry run has written nothing
        is_read_again = is_invoice and not self.tools.run.plan.is_dry
        compared = (Create,) if is_read_again else (Create, Patch)
        status_in_go = self._status_in_go(is_compared=isinstance(change, compared))
        if status_in_go is None:
            return change
        if not isinstance(change, Nothing):
            self.tools.run.plan.add(ORDERS, self.link.shop_id, change)
        is_done = self._invoice() if is_invoice else self._confirm(status_in_go)
        if not is_done:
            return Nothing(outcome=change.outcome)
        outcome = Patch.outcome if isinstance(change, Nothing) else change.outcome
        return (Invoice if is_invoice else Confirm)(self.status, outcome)

    def _status_in_go(self, *, is_compared: bool) -> str | None:
        """Return the status of an order that Go has as the shop has it; None: it is invoiced.

        Raises:
            Undecidable: with a Hold, when Go's order is not the shop's, or removed.
        """
        if is_compared or self.link.go_id.startswith("-"):  # a dry run stands for Go
            entry = self.tools.index.entry(ORDERS, self.link.go_id)
            return str(entry.body.get("SalesOrderStatus") or "Draft") if entry else "Draft"
        complete = draft.read(self.tools, self.link)
        if isinstance(complete, Entry):
            return None
        self.link = draft.require_as_in_shop(self.tools, self.order, complete, self.link)
        if self.stage is Stage.INVOICED:
            _require_no_edit(self.order, complete)
        return str(complete.get("SalesOrderStatus"))

    def _note(self, stage: Stage) -> None:
        state = state_of(self.link).at_stage(stage, self.status, self.order.read_at)
        self.link = self.tools.save(self.link, state)

    # Confirmed

    def _confirm(self, status_in_go: str) -> bool:
        """Set a Draft to Confirmed; return False when a person has done so already."""
        tools = self.tools
        if status_in_go != "Draft":
            self._note(Stage.CONFIRMED)
            return False
        change = RowChange("order status", "/SalesOrderStatus", "Draft", "Confirmed")
        try:
            answer = tools.change(self.link, [change], self.order.read_at)
        except Refused as refused:
            self._require_gone_on(refused)
            return False
        with tools.store.transaction():
            self._note(Stage.CONFIRMED)
            entry = tools.index.entry(ORDERS, self.link.go_id)
            self.link = tools.save_answer(self.link, answer, entry)
        tools.run.tally.count_stage(ORDERS, self.link.shop_id, "confirmed")
        return True

    def _require_gone_on(self, refused: Refused) -> None:
        """Keep that a person confirmed or invoiced an order a moment ago, which is why Go refused.

        Raises:
            Undecidable: with a Hold, when it was removed.
            Refused: for another reason.
        """
        entry = self.tools.index.read_again(ORDERS, self.link.go_id)
        if entry is None:
            raise Undecidable(draft.GONE)
        if not entry.is_invoice and entry.body.get("SalesOrderStatus") != "Confirmed":
            raise refused
        self._note(Stage.INVOICED if entry.is_invoice else Stage.CONFIRMED)

    # Invoiced

    def _invoice(self) -> bool:
        """Have Go make the invoice and send it; return False when it was made already.

        Raises:
            Undecidable: it is not made yet, or Go cannot or may not make or deliver it.
            UnknownOutcome: no answer, and nothing shows that it was done; the intent stays.
        """
        if self._came_of_an_earlier_try():
            return False
        unanswered: UnknownOutcome | None = None
        request, read_at = _request(self.order), self.order.read_at
        try:
            self.tools.writer.send_invoice(self.link, request, self.status, read_at)
        except UnknownOutcome as unknown:
            unanswered = unknown
        except MissingPrivilege as missing:
            raise Undecidable(_MAY_NOT_SEND) from missing
        except Refused as refused:
            self._require_invoiced(refused)
            return False
        is_dry = self.tools.run.plan.is_dry
        sending = _DRY if is_dry else wait_until_finished(self.tools.run, self.link.go_id)
        if unanswered is not None and sending.progress is Progress.NOT_SHOWN:
            raise unanswered
        self._conclude(sending)
        return True

    def _came_of_an_earlier_try(self) -> bool:
        """Return whether Go made the invoice after all that it could not make before.

        It may be at it again by itself.

        Raises:
            Undecidable: with a Park or Hold, when it is making it, or cannot deliver it.
        """
        if not _is_open(self.tools, self.link.shop_id, _NOT_MADE):
            return False
        sending = self._look_unasked()
        if sending.progress in (Progress.NOT_SHOWN, Progress.FAILED):
            return False
        self._conclude(sending)
        return True

    def _require_invoiced(self, refused: Refused) -> None:
        """Keep that a person invoiced an order a moment ago, which is why Go refused to.

        Raises:
            Undecidable: with a Park, when Go is at it; with a Reject, when that is not so.
        """
        if self._look_unasked().invoice is None:
            said = f": {refused.title}" if refused.title else ""
            reason = (
                f"the order is in Go, but Go refused to make its invoice ({refused.status}{said})"
            )
            title, detail = refused.title or None, refused.detail or None
            raise Undecidable(Reject(reason, title, detail, is_refusal=True)) from refused
        self._note(Stage.INVOICED)

    def _look_unasked(self) -> Sending:
        """See how far Go is with an invoice that it was not asked for just now, or not by us.

        Raises:
            Undecidable: with a Park or Hold, when Go is making it; later runs ask how it went.
        """
        sending = check_progress(self.tools.run, self.link.go_id)
        if sending.progress is Progress.UNDERWAY:
            read_at = self.order.read_at
            self.tools.writer.note_sending(self.link, self.status, read_at, is_accepted=True)
            self._conclude(sending)
        return sending

    def _conclude(self, sending: Sending) -> None:
        """Keep what became of an invoice.

        Raises:
            Undecidable: with a Park or a Hold, unless it was made and sent.
        """
        tools, shop_id = self.tools, self.link.shop_id
        if sending.progress in (Progress.UNDERWAY, Progress.NOT_SHOWN):
            # parked already: nothing came of what Go took before
            is_again = _is_open(tools, shop_id, _BEING_SENT)
            raise Undecidable(_awaiting(tools, shop_id, is_late=is_again))
        is_made = sending.progress is Progress.SENT
        with tools.store.transaction():
            if is_made:
                self._note(Stage.UNDELIVERED if sending.failure else Stage.INVOICED)
            for intent in pending_sendings(tools.store, shop_id):
                tools.store.intents.end(intent)
        if not is_made:
            raise Undecidable(replace(_NOT_MADE, detail=sending.failure))
        tools.run.tally.count_stage(ORDERS, shop_id, "invoiced")
        _require_delivered(sending)
        number = sending.invoice.body.get("InvoiceNo") if sending.invoice else None
        if number is not None:
            logger.info("orders %s: Go made and sent invoice %s", shop_id, number)

    def ask_for_delivery(self) -> None:
        """See whether an invoice got to the buyer that Go could not deliver before.

        Raises:
            Undecidable: with a Hold, when it did not.
        """
        _require_delivered(check_progress(self.tools.run, self.link.go_id))
        self._note(Stage.INVOICED)


def _require_delivered(sending: Sending) -> None:
    """See that an invoice got to its buyer.

    Raises:
        Undecidable: with a Hold, when it did not.
    """
    if sending.failure:
        raise Undecidable(replace(_NOT_DELIVERED, detail=sending.failure))


def _require_no_edit(order: OrderInGoForm, complete: Mapping[str, Any]) -> None:
    """See that nobody's edit in Go made it another order: what is sent cannot be taken back.

    Raises:
        Undecidable: with a Hold, when it is.
    """
    if differing := answer_differences(order.lines, order.total, complete):
        reason = (
            f"it was edited in Go, and is not the shop's order by now: {'; '.join(differing)}. If"
            " Go is right, invoice it from Go; else edit it back, and the next run goes on"
        )
        raise Undecidable(Hold(reason))


def _request(order: OrderInGoForm) -> dict[str, Any]:
    """Return what Go is asked; the buyer's e-mail address is for customers who have none in Go."""
    try:
        email = values.email(order_email(order.shop_order.raw), label="buyer.email")
    except Unusable:
        email = None
    return {"DeliveryType": "Auto", **({"EmailAddress": email} if email else {})}
