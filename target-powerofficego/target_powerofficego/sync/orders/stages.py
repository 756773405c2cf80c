"""The stages of an order that Go has as the shop has it: set to Confirmed, or made an invoice."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.orders.answer import answer_differences
from target_powerofficego.dataflow.orders.shop_order import order_email
from target_powerofficego.dataflow.orders.state import Stage, asked_stage, is_due
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
    Undecidable,
)
from target_powerofficego.go_api import MissingPrivilege, Refused, UnknownOutcome
from target_powerofficego.sync.go.index import Entry
from target_powerofficego.sync.invoice_sending import (
    Progress,
    Sending,
    follow,
    is_overdue,
    kept_failure,
    look,
    sendings_of,
)
from target_powerofficego.sync.orders import comparison, draft
from target_powerofficego.sync.orders.context import ORDERS, OrderTools, state_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_powerofficego.store.link_store import Link
    from target_powerofficego.sync.orders.wanted import OrderInGoForm, Settled

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


def require_none_underway(tools: OrderTools, shop_id: str) -> None:
    """See that Go is not making an order's invoice, before anything is done to it.

    Raises:
        Undecidable: with a Park; with a Hold when that takes too long, or has failed.
    """
    for intent in sendings_of(tools.store, shop_id):
        failed = kept_failure(intent)
        if failed is None:
            raise Undecidable(_awaiting(tools, shop_id, is_late=is_overdue(intent)))
        tools.store.intents.end(intent)
        raise Undecidable(replace(_NOT_MADE, detail=failed.why))


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
        self.link = comparison.require_as_in_shop(self.tools, self.order, complete, self.link)
        if self.stage is Stage.INVOICED:
            _require_no_edit(self.order, complete)
        return str(complete.get("SalesOrderStatus"))

    def _note(self, stage: Stage) -> None:
        state = state_of(self.link).at_stage(stage, self.status, self.order.read_at)
        self.link = self.tools.keep(self.link, state)

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
            self.link = tools.keep_answer(self.link, answer, entry)
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
        sending = _DRY if is_dry else follow(self.tools.run, self.link.go_id)
        if unanswered is not None and sending.progress is Progress.UNSEEN:
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
        if sending.progress in (Progress.UNSEEN, Progress.FAILED):
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
        sending = look(self.tools.run, self.link.go_id)
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
        if sending.progress in (Progress.UNDERWAY, Progress.UNSEEN):
            # parked already: nothing came of what Go took before
            is_again = _is_open(tools, shop_id, _BEING_SENT)
            raise Undecidable(_awaiting(tools, shop_id, is_late=is_again))
        is_made = sending.progress is Progress.SENT
        with tools.store.transaction():
            if is_made:
                self._note(Stage.UNDELIVERED if sending.why else Stage.INVOICED)
            for intent in sendings_of(tools.store, shop_id):
                tools.store.intents.end(intent)
        if not is_made:
            raise Undecidable(replace(_NOT_MADE, detail=sending.why))
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
        _require_delivered(look(self.tools.run, self.link.go_id))
        self._note(Stage.INVOICED)


def _require_delivered(sending: Sending) -> None:
    """See that an invoice got to its buyer.

    Raises:
        Undecidable: with a Hold, when it did not.
    """
    if sending.why:
        raise Undecidable(replace(_NOT_DELIVERED, detail=sending.why))


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
        email = values.email(order_email(order.shop_order.raw), what="buyer.email")
    except Unusable:
        email = None
    return {"DeliveryType": "Auto", **({"EmailAddress": email} if email else {})}
