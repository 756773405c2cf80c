"""The stages of an order that Go has as the shop has it: set to Confirmed, or made an invoice."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.agreement import now
from target_powerofficego.dataflow.buyers import order_email
from target_powerofficego.dataflow.orders.answer import answer_differences
from target_powerofficego.dataflow.orders.stages import (
    Stage,
    asked_stage,
    is_due,
    reached_stage,
    with_stage,
)
from target_powerofficego.dataflow.values import Unusable
from target_powerofficego.decisions.changes import (
    Change,
    Confirm,
    Hold,
    Invoice,
    Nothing,
    Park,
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

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_powerofficego.store.link_store import Link
    from target_powerofficego.sync.context import Tools
    from target_powerofficego.sync.orders.draft import Drafts
    from target_powerofficego.sync.orders.wanted import OrderInGoForm

logger = logging.getLogger("target-powerofficego")

_BEING_SENT = Park("Go is sending the invoice; the next run asks how it went", ("being sent",))
_OVERDUE = Hold(
    "Go was asked to make and send its invoice, and several runs later is not done: see in Go what"
    " keeps it, and send it from there if it is still an order; each run asks how it went"
)
_NOT_MADE = (
    "Go could not make and send its invoice, and says why: mend that in Go, and the next run tries"
    " again; or send it from Go by hand"
)


@dataclass(frozen=True)
class _Due:
    """A stage that an order is to be brought to now."""

    order: OrderInGoForm
    link: Link
    stage: Stage
    status: str
    was_tried: bool = False
    """Whether it is held because Go could not make its invoice; Go may be at it again by itself."""


class OrderStages:
    """Brings orders to the stage that `confirm_on` and `invoice_on` give their status, once.

    Args:
        tools: what every walk works with.
        drafts: reads the orders of Go.
        see_that_equal: raises `Undecidable` with a Hold when Go's order is not the shop's.
        wait: sleeps so many seconds.
    """

    entity = "orders"

    def __init__(
        self,
        tools: Tools,
        drafts: Drafts,
        see_that_equal: Callable[[OrderInGoForm, Mapping[str, Any], Link], None],
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self.tools = tools
        self._drafts = drafts
        self._see_that_equal = see_that_equal
        self._wait = wait

    def see_that_none_is_sent(self, shop_id: str) -> None:
        """See that Go is not making an order's invoice, before anything is done to it.

        Raises:
            Undecidable: with a Park; with a Hold when that takes too long, or has failed.
        """
        for intent in sendings_of(self.tools.store, shop_id):
            failed = kept_failure(intent)
            if failed is None:
                raise Undecidable(self._awaiting(shop_id, is_late=is_overdue(intent)))
            self.tools.store.end_intent(intent)
            raise Undecidable(_not_made(failed))

    def _awaiting(self, shop_id: str, *, is_late: bool) -> Park | Hold:
        """Return what becomes of an order whose invoice Go is to make; once held it stays so."""
        return _OVERDUE if is_late or self._is_open(shop_id, _OVERDUE.reason) else _BEING_SENT

    def _is_open(self, shop_id: str, reason: str) -> bool:
        """Return whether an order was held or parked before for this reason."""
        before = self.tools.store.unsettled_of(self.entity, shop_id)
        return before is not None and before.reason == reason

    def take(self, order: OrderInGoForm, settled: tuple[str, Change]) -> tuple[str, Change]:
        """Bring an order to its stage after it was settled; return what was done in all.

        Raises:
            Undecidable: Go's order is not the shop's, or its invoice is not sent (yet).
        """
        outcome, change = settled
        due = self._due(order)
        if due is None:
            return settled
        is_invoice = due.stage is Stage.INVOICED
        # before an invoice, what was written is read again; a dry run has written nothing
        is_read_again = is_invoice and not self.tools.plan.is_dry
        compared = ("created",) if is_read_again else ("created", "changed")
        status_in_go = self._status_in_go(due, is_compared=outcome in compared)
        if status_in_go is None:
            return settled
        if not isinstance(change, Nothing):
            self.tools.plan.add(self.entity, order.record.id, change)
        done = self._invoice(due) if is_invoice else self._confirm(due, status_in_go)
        if done is None:
            return outcome, Nothing()
        return ("changed" if outcome == "unchanged" else outcome), done

    def _due(self, order: OrderInGoForm) -> _Due | None:
        tools, settings = self.tools, self.tools.settings
        asked = asked_stage(order.record.status, settings.confirm_on, settings.invoice_on)
        link = tools.store.link(self.entity, order.record.id) if asked else None
        if asked is None or link is None:
            return None
        reached = reached_stage(link.base)
        if reached is Stage.UNDELIVERED:
            self._ask_for_delivery(order, link)
        if not is_due(asked, reached):
            return None
        entry = tools.index.entry(self.entity, link.go_id)
        if entry is not None and entry.is_invoice:
            return None
        was_tried = self._is_open(link.shop_id, _NOT_MADE)
        return _Due(order, link, asked, str(order.record.status), was_tried=was_tried)

    def _status_in_go(self, due: _Due, *, is_compared: bool) -> str | None:
        """Return the status of an order that Go has as the shop has it; None: it is invoiced.

        Raises:
            Undecidable: with a Hold, when Go's order is not the shop's, or removed.
        """
        tools, link = self.tools, due.link
        if is_compared or _is_made_up(link):
            entry = tools.index.entry(self.entity, link.go_id)
            return str(entry.body.get("SalesOrderStatus") or "Draft") if entry else "Draft"
        complete = self._drafts.read(link)
        if isinstance(complete, Entry):
            return None
        self._see_that_equal(due.order, complete, link)
        if due.stage is Stage.INVOICED:
            _see_that_the_buyer_gets_what_the_shop_says(due.order, complete)
        return str(complete.get("SalesOrderStatus"))

    def _note(self, due: _Due, stage: Stage, own_stamp: str | None = None) -> None:
        base = with_stage(due.link.base, stage, due.status, due.order.read_at)
        stamp = own_stamp or due.link.own_stamp
        self.tools.store.put_link(replace(due.link, base=base, own_stamp=stamp))

    # Confirmed

    def _confirm(self, due: _Due, status_in_go: str) -> Confirm | None:
        """Set a Draft to Confirmed; None when a person has done so already."""
        if status_in_go != "Draft":
            self._note(due, Stage.CONFIRMED)
            return None
        tools, link = self.tools, due.link
        change = RowChange("order status", "/SalesOrderStatus", "Draft", "Confirmed")
        path = f"/SalesOrders/{link.go_id}"
        try:
            answer = tools.writer.change(
                self.entity, link.shop_id, path, [change], read_at=due.order.read_at
            )
        except Refused as refused:
            self._see_that_it_went_on(due, refused)
            return None
        entry = tools.index.entry(self.entity, link.go_id)
        known = entry.body if entry else {}
        with tools.store.transaction():
            self._note(due, Stage.CONFIRMED, answer.body.get("LastChangedDateTimeOffset"))
            tools.index.remember(self.entity, {**known, **answer.body}, now())
            tools.store.end_intent(answer.intent)
        tools.tally.count_stage(self.entity, link.shop_id, "confirmed")
        return Confirm(due.status)

    def _see_that_it_went_on(self, due: _Due, refused: Refused) -> None:
        """Keep that a person confirmed or invoiced an order a moment ago, which is why Go refused.

        Raises:
            Undecidable: with a Hold, when it was removed.
            Refused: for another reason.
        """
        entry = self.tools.index.read_again(self.entity, due.link.go_id)
        if entry is None:
            raise Undecidable(Hold("it was removed in Go; it is not created again"))
        if not entry.is_invoice and entry.body.get("SalesOrderStatus") != "Confirmed":
            raise refused
        self._note(due, Stage.INVOICED if entry.is_invoice else Stage.CONFIRMED)

    # Invoiced

    def _invoice(self, due: _Due) -> Invoice | None:
        """Have Go make the invoice and send it; None when it was made already.

        Raises:
            Undecidable: it is not made yet, or Go cannot make or deliver it.
            UnknownOutcome: no answer, and nothing shows that it was done; the intent stays.
        """
        if self._came_of_an_earlier_try(due):
            return None
        try:
            unanswered = self._ask_for_invoice(due)
        except Refused as refused:
            self._see_that_it_is_invoiced(due, refused)
            return None
        told = _DRY if self.tools.plan.is_dry else follow(self.tools, due.link.go_id, self._wait)
        if unanswered is not None and told.progress is Progress.UNSEEN:
            raise unanswered
        self._conclude(due, told)
        return Invoice(due.status)

    def _came_of_an_earlier_try(self, due: _Due) -> bool:
        """Return whether Go made the invoice after all that it could not make before.

        Raises:
            Undecidable: with a Park or Hold, when it is making it, or cannot deliver it.
        """
        if not due.was_tried:
            return False
        told = look(self.tools, due.link.go_id)
        if told.progress in (Progress.UNSEEN, Progress.FAILED):
            return False
        if told.progress is Progress.UNDERWAY:
            self._follow_from_now_on(due)
        self._conclude(due, told)
        return True

    def _follow_from_now_on(self, due: _Due) -> None:
        """Keep that Go is making an invoice which it was not asked for just now, or not by us."""
        self.tools.writer.note_sending(due.link, due.status, due.order.read_at, is_accepted=True)

    def _ask_for_invoice(self, due: _Due) -> UnknownOutcome | None:
        """Ask Go for the invoice; return why it is not known whether it took that.

        Raises:
            Refused: Go said no.
            Undecidable: with a Hold, when the keys may not.
        """
        request = _request(due.order)
        try:
            self.tools.writer.send_invoice(due.link, request, due.status, due.order.read_at)
        except UnknownOutcome as unknown:
            return unknown
        except MissingPrivilege as missing:
            raise Undecidable(_MAY_NOT_SEND) from missing
        return None

    def _see_that_it_is_invoiced(self, due: _Due, refused: Refused) -> None:
        """Keep that a person invoiced an order a moment ago, which is why Go refused to.

        Raises:
            Undecidable: with a Park, when Go is at it; with a Reject, when that is not so.
        """
        told = look(self.tools, due.link.go_id)
        if told.invoice is not None:
            self._note(due, Stage.INVOICED)
            return
        if told.progress is Progress.UNDERWAY:
            self._follow_from_now_on(due)
            self._conclude(due, told)
        said = f": {refused.title}" if refused.title else ""
        reason = f"the order is in Go, but Go refused to make its invoice ({refused.status}{said})"
        title, detail = refused.title or None, refused.detail or None
        raise Undecidable(Reject(reason, title, detail, is_refusal=True)) from refused

    def _conclude(self, due: _Due, told: Sending) -> None:
        """Keep what became of an invoice.

        Raises:
            Undecidable: with a Park or a Hold, unless it was made and sent.
        """
        if told.progress in (Progress.UNDERWAY, Progress.UNSEEN):
            shop_id = due.link.shop_id  # parked already: nothing came of what Go took before
            is_again = self._is_open(shop_id, _BEING_SENT.reason)
            raise Undecidable(self._awaiting(shop_id, is_late=is_again))
        is_made = told.progress is Progress.SENT
        with self.tools.store.transaction():
            if is_made:
                self._note(due, Stage.UNDELIVERED if told.why else Stage.INVOICED)
            for intent in sendings_of(self.tools.store, due.link.shop_id):
                self.tools.store.end_intent(intent)
        if not is_made:
            raise Undecidable(_not_made(told))
        self.tools.tally.count_stage(self.entity, due.link.shop_id, "invoiced")
        if told.why:
            raise Undecidable(_not_delivered(told))
        number = told.invoice.body.get("InvoiceNo") if told.invoice else None
        if number is not None:
            logger.info("orders %s: Go made and sent invoice %s", due.link.shop_id, number)

    def _ask_for_delivery(self, order: OrderInGoForm, link: Link) -> None:
        """See whether an invoice got to the buyer that Go could not deliver before.

        Raises:
            Undecidable: with a Hold, when it did not.
        """
        told = look(self.tools, link.go_id)
        if told.why:
            raise Undecidable(_not_delivered(told))
        self._note(_Due(order, link, Stage.INVOICED, str(order.record.status)), Stage.INVOICED)


_DRY = Sending(Progress.SENT)

_MAY_NOT_SEND = Hold(
    "the keys may not send invoices in PowerOffice Go (missing privilege): allow it for the"
    " integration in Go's settings, or leave invoice_on out and send it from Go"
)


def _see_that_the_buyer_gets_what_the_shop_says(
    order: OrderInGoForm, complete: Mapping[str, Any]
) -> None:
    """See that nobody's edit in Go made it another order: what is sent cannot be taken back.

    Raises:
        Undecidable: with a Hold, when it is.
    """
    if found := answer_differences(order.lines, order.total, complete):
        reason = (
            f"it was edited in Go, and is not the shop's order by now: {'; '.join(found)}. If Go is"
            " right, invoice it from Go; else edit it back, and the next run goes on"
        )
        raise Undecidable(Hold(reason))


def _is_made_up(link: Link) -> bool:
    """Tell whether a dry run stands for Go, which so knows no such order."""
    return link.go_id.startswith("-")


def _not_made(told: Sending) -> Hold:
    return Hold(_NOT_MADE, told.why)


def _not_delivered(told: Sending) -> Hold:
    reason = (
        "Go made its invoice but could not deliver it, and says why: send it again from Go, then"
        " acknowledge this"
    )
    return Hold(reason, told.why)


def _request(order: OrderInGoForm) -> dict[str, Any]:
    """Return what Go is asked; the buyer's e-mail address is for customers who have none in Go."""
    try:
        email = values.email(order_email(order.record.raw), what="buyer.email")
    except Unusable:
        email = None
    return {"DeliveryType": "Auto", **({"EmailAddress": email} if email else {})}
