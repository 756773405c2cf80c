"""The walk of an order, from its arrival to the stage that it should reach in Go.

The order is first created, changed, credited or deleted in Go. If Go then has it as the shop does,
it is confirmed or invoiced, as its status asks.
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

_BEING_SENT = Park("Go is sending the invoice; the next run checks the result", ("being sent",))
_OVERDUE = Hold(
    "Go was asked to make and send its invoice, and has not done so several runs later: check in Go"
    " what is holding it up, and send it from there if it is still an order; each run checks again"
)
_NOT_MADE = Hold(
    "Go could not make and send its invoice, and gives a reason (in the details): correct that in"
    " Go, and the next run tries again; or send it from Go by hand"
)
_NOT_DELIVERED = Hold(
    "Go made its invoice but could not deliver it, and gives a reason (in the details): send it"
    " again from Go, then acknowledge this"
)
_MAY_NOT_SEND = Hold(
    "the keys are not allowed to send invoices in PowerOffice Go (missing privilege): allow it for"
    " the integration in Go's settings, or leave out invoice_on and send it from Go"
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
            result = self._bring_into_go(order_arrival, link)
        return bring_to_stage(self._tools, result) if isinstance(result, Settled) else result

    def _bring_into_go(self, arrival: OrderArrival, link: Link | None) -> Change | Settled:
        """Create, edit, link, credit or delete an order; `Settled` if a stage may follow."""
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
        match = unlinked.find_existing(self._tools, arrival.shop_order, link)
        order = reading.read_order(self._tools, arrival, state_of(link))
        if match is not None:
            return _link_with(self._tools, order, match)
        if link is None:
            return unlinked.create(self._tools, order)
        return _update(self._tools, order, link)

    def _with_buyer(self, shop_order: ShopOrder, link: Link | None) -> ShopOrder:
        """Return an order with the buyer last agreed on, if the shop has anonymised it.

        For an order that is found in Go, only the customer is known.
        """
        marks, state = self.tools.settings.anonymised_marks, state_of(link)
        if not is_anonymised_order(shop_order, state, marks):
            if has_unusable_number(shop_order.raw):
                self.tools.tally.log_repair(self.entity, shop_order.id, INVALID_NUMBER)
            return shop_order
        self.tools.tally.count_stage(self.entity, shop_order.id, "anonymised")
        if "customer" in state.base:
            return with_agreed_buyer(shop_order, state, marks)
        match = unlinked.find_existing(self._tools, shop_order, link)
        customer_id = None if match is None else unlinked.customer_of(self._tools, match)
        return without_marks(shop_order, marks, customer_id)

    def money_members(self, record: Record) -> Record:
        """See `Walk`."""
        return money_members(record)

    def kept(self, record: Record) -> Record:
        """Return an order without its buyer's data, if that customer was erased."""
        if not self.tools.erased.ids:
            return record
        erased = self._erased_buyer(record)
        return record if erased is None else impersonal_order(record, erased)

    def _erased_buyer(self, record: Record) -> str | None:
        """Return the id under which the customer of an order was erased; None if it was not.

        An earlier version gave guests other ids: such an id counts only for orders of that version.
        """
        store = self.tools.store
        current, earlier = (self.tools.erased.id_of(shop_id) for shop_id in buyer_ids(record))
        agreed = state_of(store.links.get(self.entity, record["id"])).base.get("customer")
        customer = store.links.get("customers", earlier) if earlier and agreed else None
        if current is None and customer and agreed and str(agreed.shop) == customer.go_id:
            return earlier
        return current


def _update(tools: OrderTools, order: OrderInGoForm, link: Link) -> Settled:
    """Write what the shop changed in a linked order; once it is invoiced, credit refunds."""
    settled = linked.update(tools, order, link)
    if settled.invoice is None:
        return settled
    return invoiced.settle(tools, settled, settled.invoice)


def _link_with(tools: OrderTools, order: OrderInGoForm, match: LinkChange) -> Change:
    """Link an order that Go has; if it is invoiced, credit refunds that are not credited yet."""
    settled = unlinked.link_existing(
        tools, invoiced.without_invoiced_refunds(tools, order, match), match
    )
    if has_outdated_credits(order, state_of(settled.link)):
        settled = _update(tools, order, settled.link)
    return settled.change


# An order that the shop cancelled or deleted


def _cancel(tools: OrderTools, arrival: OrderArrival, link: Link | None) -> Change:
    """Delete a Draft, after unlocking it if need be; credit an invoice."""
    if link is None:
        return _settle_unlinked_cancelled(tools, arrival)
    current = draft.find_late(tools, link)
    if isinstance(current, Entry):
        return invoiced.cancel(tools, arrival, link, current)
    if current is None and tools.run.plan.is_dry:
        return Nothing("gone from Go already")
    if current is not None and current.get("SalesOrderStatus") == "Confirmed":
        try:
            link = draft.unlock(tools, link, arrival.read_at)
        except TestFailed:
            raise Undecidable(Hold("it was edited in Go while this run was deleting it")) from None
    # deleted even if it seems gone: a read may come from a replica that is behind
    result = draft.delete(tools, link)
    return invoiced.cancel(tools, arrival, link, result) if isinstance(result, Entry) else result


def _settle_unlinked_cancelled(tools: OrderTools, arrival: OrderArrival) -> Change:
    """Link a cancelled order that Go has, if our credit notes credit all of it.

    Raises:
        Undecidable: with a Hold, when they do not.
    """
    shop_order = arrival.shop_order
    match = unlinked.find_by_reference(tools, arrival.shop_id)
    if match is None:
        return Skip("cancelled or deleted, and not in Go")
    invoice = unlinked.matched_invoice(tools, match)
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
        tools, invoiced.without_invoiced_refunds(tools, order, match), match
    )
    invoiced.cancel(tools, arrival, settled.link, invoice)
    return settled.change


def require_no_pending_invoice(tools: OrderTools, shop_id: str) -> None:
    """Require that Go is not making an order's invoice, before anything is done to the order.

    Raises:
        Undecidable: with a Park while it is; with a Hold when that takes too long, or has failed.
    """
    for intent in pending_sendings(tools.store, shop_id):
        sending = recorded_failure(intent)
        if sending is None:
            raise Undecidable(_being_sent(tools, shop_id, is_late=is_overdue(intent)))
        tools.store.intents.end(intent)
        raise Undecidable(replace(_NOT_MADE, detail=sending.failure))


def _being_sent(tools: OrderTools, shop_id: str, *, is_late: bool) -> Park | Hold:
    """Return the Park or Hold for an order whose invoice Go is making; a held one stays held."""
    return _OVERDUE if is_late or _was_open_as(tools, shop_id, _OVERDUE) else _BEING_SENT


def _was_open_as(tools: OrderTools, shop_id: str, change: Park | Hold) -> bool:
    """Return whether an order is stored as parked or held for this reason."""
    previous = tools.store.unsettled.get(ORDERS, shop_id)
    return previous is not None and previous.reason == change.reason


def bring_to_stage(tools: OrderTools, settled: Settled) -> Change:
    """Bring an order to the stage that its status asks for, once; return all that was done.

    Raises:
        Undecidable: Go's order differs from the shop's, or its invoice is not sent (yet).
    """
    settings, order, link = tools.settings, settled.order, settled.link
    status = order.shop_order.status
    asked = asked_stage(status, settings.confirm_on, settings.invoice_on)
    if asked is None:
        return settled.change
    stage_change = _StageChange(tools, order, link, asked, str(status))
    reached = state_of(link).stage
    if reached is Stage.UNDELIVERED:
        stage_change.check_delivery()
    if not is_due(asked, reached):
        return settled.change
    entry = tools.index.entry(ORDERS, link.go_id)
    if entry is not None and entry.is_invoice:
        return settled.change
    return stage_change.carry_out(settled.change)


@dataclass
class _StageChange:
    """Brings an order to a stage; `status` is the shop's status that asks for it."""

    tools: OrderTools
    order: OrderInGoForm
    link: Link
    stage: Stage
    status: str

    def carry_out(self, change: Change) -> Change:
        """Bring the order to its stage; `change` is what was done to it before."""
        is_invoice = self.stage is Stage.INVOICED
        # before an invoice, a changed order is read again; a dry run has changed nothing
        is_read_again = is_invoice and not self.tools.run.plan.is_dry
        compared = (Create,) if is_read_again else (Create, Patch)
        status_in_go = self._current_status(is_compared=isinstance(change, compared))
        if status_in_go is None:
            return change
        if not isinstance(change, Nothing):
            self.tools.run.plan.add(ORDERS, self.link.shop_id, change)
        is_done = self._invoice() if is_invoice else self._confirm(status_in_go)
        if not is_done:
            return Nothing(outcome=change.outcome)
        outcome = Patch.outcome if isinstance(change, Nothing) else change.outcome
        return (Invoice if is_invoice else Confirm)(self.status, outcome)

    def _current_status(self, *, is_compared: bool) -> str | None:
        """Return the status in Go of an order that equals the shop's; None if it is invoiced.

        Raises:
            Undecidable: with a Hold, when Go's order differs from the shop's, or was removed.
        """
        if is_compared or self.link.go_id.startswith("-"):  # the id is one of a dry run
            entry = self.tools.index.entry(ORDERS, self.link.go_id)
            return str(entry.body.get("SalesOrderStatus") or "Draft") if entry else "Draft"
        complete = draft.read(self.tools, self.link)
        if isinstance(complete, Entry):
            return None
        self.link = draft.require_as_in_shop(self.tools, self.order, complete, self.link)
        if self.stage is Stage.INVOICED:
            _require_no_edit(self.order, complete)
        return str(complete.get("SalesOrderStatus"))

    def _save(self, stage: Stage) -> None:
        state = state_of(self.link).at_stage(stage, self.status, self.order.read_at)
        self.link = self.tools.save(self.link, state)

    # Confirmed

    def _confirm(self, status_in_go: str) -> bool:
        """Set a Draft to Confirmed; return False if a person has already done so."""
        tools = self.tools
        if status_in_go != "Draft":
            self._save(Stage.CONFIRMED)
            return False
        change = RowChange("order status", "/SalesOrderStatus", "Draft", "Confirmed")
        try:
            answer = tools.change(self.link, [change], self.order.read_at)
        except Refused as refused:
            self._require_confirmed_by_person(refused)
            return False
        with tools.store.transaction():
            self._save(Stage.CONFIRMED)
            entry = tools.index.entry(ORDERS, self.link.go_id)
            self.link = tools.save_answer(self.link, answer, entry)
        tools.run.tally.count_stage(ORDERS, self.link.shop_id, "confirmed")
        return True

    def _require_confirmed_by_person(self, refused: Refused) -> None:
        """Store that a person has just confirmed or invoiced the order, so that Go refused.

        Raises:
            Undecidable: with a Hold, when it was removed.
            Refused: Go refused for another reason.
        """
        entry = self.tools.index.read_again(ORDERS, self.link.go_id)
        if entry is None:
            raise Undecidable(draft.GONE)
        if not entry.is_invoice and entry.body.get("SalesOrderStatus") != "Confirmed":
            raise refused
        self._save(Stage.INVOICED if entry.is_invoice else Stage.CONFIRMED)

    # Invoiced

    def _invoice(self) -> bool:
        """Have Go make the invoice and send it; return False if it already exists.

        Raises:
            Undecidable: it is not made yet, or Go cannot make or deliver it, or the keys are not
                allowed to.
            UnknownOutcome: no answer, and nothing shows that it was done; the intent stays.
        """
        if self._was_made_meanwhile():
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
            self._require_invoiced_by_person(refused)
            return False
        is_dry = self.tools.run.plan.is_dry
        sending = _DRY if is_dry else wait_until_finished(self.tools.run, self.link.go_id)
        if unanswered is not None and sending.progress is Progress.NOT_SHOWN:
            raise unanswered
        self._conclude(sending)
        return True

    def _was_made_meanwhile(self) -> bool:
        """Return whether Go has made an invoice that it could not make before.

        Go may have tried again by itself.

        Raises:
            Undecidable: with a Park or Hold, when Go is making it, or cannot deliver it.
        """
        if not _was_open_as(self.tools, self.link.shop_id, _NOT_MADE):
            return False
        sending = self._check_unrequested()
        if sending.progress in (Progress.NOT_SHOWN, Progress.FAILED):
            return False
        self._conclude(sending)
        return True

    def _require_invoiced_by_person(self, refused: Refused) -> None:
        """Store that a person has just invoiced the order, so that Go refused.

        Raises:
            Undecidable: with a Park, when Go is making the invoice; with a Reject, when Go refused
                for another reason.
        """
        if self._check_unrequested().invoice is None:
            answer = f"{refused.status}: {refused.title}" if refused.title else str(refused.status)
            reason = f"the order is in Go, but Go refused to make its invoice ({answer})"
            title, detail = refused.title or None, refused.detail or None
            raise Undecidable(Reject(reason, title, detail, is_refusal=True)) from refused
        self._save(Stage.INVOICED)

    def _check_unrequested(self) -> Sending:
        """Check how far Go is with an invoice that this run has not successfully requested.

        Raises:
            Undecidable: with a Park or Hold, when Go is making it; later runs check the result.
        """
        sending = check_progress(self.tools.run, self.link.go_id)
        if sending.progress is Progress.UNDERWAY:
            read_at = self.order.read_at
            self.tools.writer.note_sending(self.link, self.status, read_at, is_accepted=True)
            self._conclude(sending)
        return sending

    def _conclude(self, sending: Sending) -> None:
        """Store the result of sending an invoice.

        Raises:
            Undecidable: with a Park or a Hold, unless it was made and sent.
        """
        tools, shop_id = self.tools, self.link.shop_id
        if sending.progress in (Progress.UNDERWAY, Progress.NOT_SHOWN):
            # if it is parked already, nothing came of the request that Go accepted before
            was_parked = _was_open_as(tools, shop_id, _BEING_SENT)
            raise Undecidable(_being_sent(tools, shop_id, is_late=was_parked))
        is_made = sending.progress is Progress.SENT
        with tools.store.transaction():
            if is_made:
                self._save(Stage.UNDELIVERED if sending.failure else Stage.INVOICED)
            for intent in pending_sendings(tools.store, shop_id):
                tools.store.intents.end(intent)
        if not is_made:
            raise Undecidable(replace(_NOT_MADE, detail=sending.failure))
        tools.run.tally.count_stage(ORDERS, shop_id, "invoiced")
        _require_delivered(sending)
        number = sending.invoice.body.get("InvoiceNo") if sending.invoice else None
        if number is not None:
            logger.info("orders %s: Go made and sent invoice %s", shop_id, number)

    def check_delivery(self) -> None:
        """Check whether an invoice that Go could not deliver before has reached the buyer.

        Raises:
            Undecidable: with a Hold, when it has not.
        """
        _require_delivered(check_progress(self.tools.run, self.link.go_id))
        self._save(Stage.INVOICED)


def _require_delivered(sending: Sending) -> None:
    """Require that an invoice has reached the buyer.

    Raises:
        Undecidable: with a Hold, when it has not.
    """
    if sending.failure:
        raise Undecidable(replace(_NOT_DELIVERED, detail=sending.failure))


def _require_no_edit(order: OrderInGoForm, complete: Mapping[str, Any]) -> None:
    """Require that no edit in Go made the order differ: a sent invoice cannot be taken back.

    Raises:
        Undecidable: with a Hold, when it differs.
    """
    if differing := answer_differences(order.lines, order.total, complete):
        reason = (
            f"it was edited in Go, and no longer matches the shop's order: {'; '.join(differing)}."
            " If Go is right, send the invoice from Go; if not, undo the edit there, and the next"
            " run continues"
        )
        raise Undecidable(Hold(reason))


def _request(order: OrderInGoForm) -> dict[str, Any]:
    """Return the request to Go; the buyer's e-mail is for customers who have none in Go."""
    try:
        email = values.email(order_email(order.shop_order.raw), label="buyer.email")
    except Unusable:
        email = None
    return {"DeliveryType": "Auto", **({"EmailAddress": email} if email else {})}
