"""The walk of an order: posted and edited as a Draft, compared to the øre, deleted if cancelled."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from target_powerofficego.changes import (
    Change,
    Create,
    Delete,
    Hold,
    Nothing,
    Patch,
    RowChange,
    Undecidable,
)
from target_powerofficego.dataflow.order import Wanted, wanted
from target_powerofficego.dataflow.order_amounts import AMOUNTS
from target_powerofficego.dataflow.order_answer import total_difference
from target_powerofficego.dataflow.payments import ITS_PAYMENT
from target_powerofficego.destinations import order_destination
from target_powerofficego.erased import impersonal_order
from target_powerofficego.go_api import TestFailed
from target_powerofficego.go_index import Entry
from target_powerofficego.links import Link, now
from target_powerofficego.merge import Evidence, Side, go_side, human_edit, merge
from target_powerofficego.merge_lines import (
    LINE,
    LinesMerge,
    base_members,
    lines_by_reference,
    merge_lines,
)
from target_powerofficego.walks.credit_notes import CreditNotes
from target_powerofficego.walks.drafts import Drafts
from target_powerofficego.walks.entity_walk import both_edited
from target_powerofficego.walks.go_walk import GoWalk
from target_powerofficego.walks.invoiced_orders import InvoicedOrders
from target_powerofficego.walks.order_comparison import ROUNDING_HINT, OrderComparison
from target_powerofficego.walks.order_form import (
    ADDRESS_KEY,
    BUYER,
    REFUNDS,
    UNLOCKED,
    OrderInGoForm,
    agreed_base,
    has_other_refunds,
    is_changed,
    lasting,
    partly_agreed,
    with_amounts,
    with_lines_of_go,
    with_refunds,
)
from target_powerofficego.walks.order_forms import OrderForms
from target_powerofficego.walks.order_meetings import OrderMeetings
from target_powerofficego.walks.order_parties import OrderParties, buyer_id
from target_powerofficego.walks.order_payments import OrderPayments
from target_powerofficego.walks.order_stages import OrderStages
from target_powerofficego.walks.walk import created_at

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterator, Mapping, Sequence

    from target_powerofficego.changes import Link as LinkChange
    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.links import Unsettled
    from target_powerofficego.merge import Merge
    from target_powerofficego.walks.customers import CustomersWalk
    from target_powerofficego.walks.products import ProductsWalk
    from target_powerofficego.walks.tools import Tools


class OrdersWalk(GoWalk):
    """Orders of the shop."""

    entity = "orders"

    def __init__(self, tools: Tools, customers: CustomersWalk, products: ProductsWalk) -> None:
        super().__init__(tools)
        self._forms = OrderForms(tools, OrderParties(tools, customers, products))
        self._drafts = Drafts(tools)
        self._meetings = OrderMeetings(tools)
        self._comparison = OrderComparison(tools, self._drafts, products)
        notes = CreditNotes(tools, self._forms, self._meetings, self)
        self._invoiced = InvoicedOrders(tools, self._forms, notes)
        self._stages = OrderStages(tools, self._drafts, self._see_that_equal)
        self.payments = OrderPayments(tools)

    def kept(self, record: Record) -> Record:
        """Return an order without who bought it, when that customer was erased."""
        if not self.tools.erased.ids:
            return record
        erased = self.tools.erased.id_of(buyer_id(record))
        return record if erased is None else impersonal_order(record, erased)

    def _settle(
        self, record: Record, read_at: datetime.datetime, *, at_end: bool
    ) -> tuple[str, Change]:
        self._stages.see_that_none_is_sent(record["id"])
        link = self.tools.store.link(self.entity, record["id"])
        if link is not None:
            link = self.identified(record, link)
        with self.payments.noted(record):
            settled, order = self._settle_order(record, read_at, link, at_end=at_end)
        return settled if order is None else self._stages.take(order, settled)

    def _settle_order(
        self, record: Record, read_at: datetime.datetime, link: Link | None, *, at_end: bool
    ) -> tuple[tuple[str, Change], OrderInGoForm | None]:
        """Settle an order; return what was done, and the order if it may go on to a stage."""
        settings = self.tools.settings
        want = wanted(record, settings.order_statuses, settings.orders_from, settings.time_zone)
        if want is Wanted.LEFT_ALONE:
            why = "left alone: its status or date is not one to write"
            return ("unchanged", Nothing(why)), None
        if want is Wanted.DELETED:
            return self._delete(record, read_at, link, at_end=at_end), None
        met = self._meetings.met(record, link)
        order = self._forms.of_order(record, read_at, link, at_end=at_end)
        if met is not None:
            return self._link(order, met, at_end=at_end), None
        settled = self._create(order) if link is None else self.compare(order, link, at_end=at_end)
        return settled, order

    # An unlinked order

    def _link(self, order: OrderInGoForm, met: LinkChange, *, at_end: bool) -> tuple[str, Change]:
        """Link an order that is in Go; what an invoice and its credit notes lack is credited."""
        linked = self._meetings.link(self._invoiced.as_met(order, met, at_end=at_end), met)
        link = self.tools.store.link(self.entity, order.record["id"])
        if link is None or not has_other_refunds(order, link):
            return linked
        return self.compare(order, link, at_end=at_end)

    def _create(self, order: OrderInGoForm) -> tuple[str, Change]:
        self.post(order, {})
        return "created", Create(self._shown(order))

    def post(self, order: OrderInGoForm, more: Mapping[str, Value]) -> None:
        """Post an order as a Draft, with more members of the header; compare and mend it.

        Raises:
            Undecidable: with a Hold, when Go's order is not the shop's.
        """
        tools = self.tools
        order = self._forms.with_address(order, None)
        body = {**self.table.create_body(order.header), **more, "SalesOrderStatus": "Draft"}
        body["SalesOrderLines"] = [
            {"ExternalImportReference": reference, **members}
            for reference, members in order.members.items()
        ]
        target = order_destination(order.record["id"], body["ExternalImportReference"])
        sent = {**order.header, **{f"{LINE}{ref}": line for ref, line in order.members.items()}}
        answer = tools.writer.create(target, body, sent, read_at=order.read_at)
        answered_at = now()
        link = Link(
            self.entity,
            order.record["id"],
            str(answer.body["Id"]),
            shop_created_at=created_at(order.record),
            base=agreed_base(self.table, order, answer.body),
            own_stamp=answer.body.get("LastChangedDateTimeOffset"),
        )
        found = self._comparison.differences(order, answer.body, link)
        with tools.store.transaction():
            tools.store.put_link(link)
            tools.index.remember(self.entity, answer.body, answered_at)
            self._comparison.note(order, found)
            tools.store.end_intent(answer.intent)
        self._settle_differences(order, link, answer.body, found)

    def _shown(self, order: OrderInGoForm) -> dict[str, Value]:
        """Return the order for a plan: by shop ids, for Go has yet to give its own."""
        shown = dict(order.header)
        shown["customer"] = order.record.get("customer_id") or "guest"
        shown["shipping_address"] = None
        return {**shown, "lines": len(order.lines), "total with VAT": order.total}

    def _settle_differences(
        self, order: OrderInGoForm, link: Link, answer: Mapping[str, Any], found: Sequence[str]
    ) -> None:
        """Mend what only Go's rounding set off, and lock an order again that we unlocked.

        Raises:
            Undecidable: with a Hold, when Go's order still is not the shop's.
        """
        if found:
            found = self._comparison.mended(order, link, answer, found)
            self._comparison.note(order, found)
        _hold_if(found)
        link = self.tools.store.link(self.entity, link.shop_id) or link
        self._drafts.lock_again(link, order.read_at)

    def _see_that_equal(
        self, order: OrderInGoForm, complete: Mapping[str, Any], link: Link
    ) -> None:
        """See that Go's order is the shop's, before it goes on.

        Raises:
            Undecidable: with a Hold.
        """
        link = self._with_lines_of_go(link, complete)
        found = self._comparison.differences(order, complete, link)
        self._comparison.note(order, found)
        _hold_if(found)

    def _with_lines_of_go(self, link: Link, complete: Mapping[str, Any]) -> Link:
        """Keep Go's lines of an order that was met, once they are read for the first time."""
        seen = with_lines_of_go(link, complete)
        if seen is not link:
            self.tools.store.put_link(seen)
        return seen

    # A linked order

    def compare(self, order: OrderInGoForm, link: Link, *, at_end: bool) -> tuple[str, Change]:
        """Write what the shop changed in a linked order, or compare what was not found equal yet.

        Raises:
            Undecidable: with a Hold.
        """
        order = self._forms.with_address(order, link)
        if not is_changed(self.table, order, link) and not has_other_refunds(order, link):
            link = self._with_amounts(order, link)
            is_due = self.tools.store.is_comparison_due(self.entity, link.shop_id)
            if is_due or UNLOCKED in link.base:
                self._compare_again(order, link)
            return "unchanged", Nothing()
        try:
            return self._merge_and_write(order, link, at_end=at_end)
        except TestFailed:
            link = self.tools.store.link(self.entity, order.record["id"]) or link
        try:
            return self._merge_and_write(order, link, at_end=at_end)
        except TestFailed:
            raise Undecidable(Hold("Go was edited while this was to be written")) from None

    def _with_amounts(self, order: OrderInGoForm, link: Link) -> Link:
        """Keep what the order comes to in the shop now; if that is something else, it is compared.

        A VAT rate that the shop corrects changes no line in Go.
        """
        kept = with_amounts(order, link)
        if kept is not link:
            with self.tools.store.transaction():
                self.tools.store.put_link(kept)
                if AMOUNTS in link.base:
                    self.tools.store.note_comparison(self.entity, link.shop_id)
        return self._with_refunds(order, kept)

    def _with_refunds(self, order: OrderInGoForm, link: Link) -> Link:
        """Keep which refunds the order is less: once it is invoiced, those are not credited."""
        kept = with_refunds(order, link)
        if kept is not link:
            self.tools.store.put_link(kept)
        return kept

    def _merge_and_write(
        self, order: OrderInGoForm, link: Link, *, at_end: bool
    ) -> tuple[str, Change]:
        """Merge with what Go has now, write what follows, and compare what came of it.

        Raises:
            TestFailed: Go was edited meanwhile; the link holds what was written until then.
        """
        complete = self._drafts.read(link)
        if isinstance(complete, Entry):
            return self._invoiced.settle(order, link, complete, at_end=at_end)
        link = self._with_lines_of_go(link, complete)
        header = self._merge_header(order, link, complete)
        lines = merge_lines(order.members, lines_by_reference(complete), base_members(link.base))
        for conflict in (*header.conflicts, *lines.conflicts):
            self.tools.note_conflict(self.entity, order.record["id"], conflict)
        if header.open_conflicts:
            raise Undecidable(both_edited(header.open_conflicts))
        if lines.conflicts:
            raise Undecidable(Hold("; ".join(conflict.why for conflict in lines.conflicts)))
        wrote = bool(header.writes) or not lines.is_empty
        if wrote and complete.get("SalesOrderStatus") == "Confirmed":
            link = self._drafts.unlock(link, order.read_at)
        link = self._drafts.write_header(order, link, header.writes)
        written = self._drafts.write_lines(order, link, lines, lines_by_reference(complete))
        change = Patch((*_shown_header(order, header), *lines.shown())) if wrote else Nothing()
        if wrote and self.tools.plan.is_dry:
            return "changed", change
        answer = self._drafts.read_after_writes(link, written) if wrote else complete
        link = self._agreed(order, link, header, lines, answer, is_ours=wrote)
        self._settle_differences(
            order, link, answer, self._comparison.differences(order, answer, link)
        )
        self.tools.store.end_comparison(self.entity, link.shop_id)
        return ("changed" if wrote else "unchanged"), change

    def _compare_again(self, order: OrderInGoForm, link: Link) -> None:
        """Compare an order that was never found to be as the shop has it: a person may mend it."""
        entry = self.tools.index.entry(self.entity, link.go_id)
        before = self.tools.store.unsettled_of(self.entity, link.shop_id)
        if before and entry and self._is_as_held(entry, before, order, link):
            raise Undecidable(Hold(before.reason, before.detail))
        complete = self._drafts.read(link)
        if isinstance(complete, Entry):
            differing = total_difference(order.total, complete.body.get("TotalAmount"))
            _hold_if([f"on its invoice {differing}"] if differing else [])
        else:
            link = self._with_lines_of_go(link, complete)
            found = self._comparison.differences(order, complete, link)
            self._settle_differences(order, link, complete, found)
        self.tools.store.end_comparison(self.entity, link.shop_id)

    def _is_as_held(
        self, entry: Entry, before: Unsettled, order: OrderInGoForm, link: Link
    ) -> bool:
        """Tell from the index, without a call, that nobody has touched a held order in Go since."""
        may_mend = ROUNDING_HINT in before.reason and self.tools.settings.service_codes.rounding
        return (
            before.kind == "hold"
            and not before.reason.startswith(ITS_PAYMENT)
            and not may_mend
            and not entry.is_invoice
            and entry.body.get("LastChangedDateTimeOffset") == link.own_stamp
            and total_difference(order.total, entry.body.get("TotalAmount")) is not None
        )

    def _merge_header(self, order: OrderInGoForm, link: Link, complete: Mapping[str, Any]) -> Merge:
        settings = self.tools.settings
        return merge(
            self.table,
            Side(order.header, order.read_at),
            go_side(self.table, complete, now()),
            link.base,
            owners=settings.owners[self.entity],
            evidence=Evidence(
                shop=human_edit(order.record.get("updated_at"), link.own_shop_stamp),
                go=human_edit(complete.get("LastChangedDateTimeOffset"), link.own_stamp),
                margin=settings.clock_margin,
                asked=self.tools.store.asked(self.entity, link.shop_id),
            ),
        )

    def _agreed(
        self,
        order: OrderInGoForm,
        link: Link,
        header: Merge,
        lines: LinesMerge,
        answer: Mapping[str, Any],
        *,
        is_ours: bool,
    ) -> Link:
        """Keep what both sides now agree on; rows that only Go changed keep their base.

        That it is the shop's order to the øre is yet to be found.
        """
        agreed = agreed_base(self.table, order, answer)
        written = {ADDRESS_KEY, BUYER, REFUNDS, *(row.row for row in header.writes)}
        base = {
            name: agreed[name] if name in written or name not in header.base else header.base[name]
            for name in agreed
            if not name.startswith(LINE)
        }
        old = base_members(link.base)
        for reference in order.members:
            one = agreed[f"{LINE}{reference}"]
            if reference in old:
                one = partly_agreed(one, old[reference], lines.changed.get(reference, ()))
            base[f"{LINE}{reference}"] = one
        stamp = answer.get("LastChangedDateTimeOffset") if is_ours else link.own_stamp
        base[AMOUNTS] = with_amounts(order, link).base.get(AMOUNTS, base[AMOUNTS])
        link = replace(link, base={**base, **lasting(link.base)}, own_stamp=stamp)
        with self.tools.store.transaction():
            self.tools.store.put_link(link)
            self.tools.store.note_comparison(self.entity, link.shop_id)
            self.tools.index.remember(self.entity, answer, now())
        return link

    # An order that the shop cancelled or deleted

    def _delete(
        self, record: Record, read_at: datetime.datetime, link: Link | None, *, at_end: bool
    ) -> tuple[str, Change]:
        """Delete a Draft, also one that has to be unlocked first; an invoice is credited."""
        if link is None:
            if self._meetings.find(record) is not None:
                reason = (
                    "it is cancelled in the shop but in Go, and was not linked: see to it in Go"
                )
                raise Undecidable(Hold(reason))
            return "unchanged", Nothing("cancelled before it was ever in Go")
        found = self._drafts.find(link)
        if found is None:
            self._forget(record, link)
            return "unchanged", Nothing("cancelled, and gone from Go already")
        if isinstance(found, Entry):
            return self._invoiced.cancel(record, read_at, link, found, at_end=at_end)
        if found.get("SalesOrderStatus") == "Confirmed":
            self._unlock_to_delete(link, read_at)
        path = f"/SalesOrders/{link.go_id}"
        deletion = self.tools.writer.delete(self.entity, record["id"], path)
        invoice = None
        if deletion.was_gone:
            invoice = self.tools.index.read_invoice(self.entity, link.go_id)
        if invoice is not None:  # a person sent it a moment ago
            self.tools.store.end_intent(deletion.intent)
            return self._invoiced.cancel(record, read_at, link, invoice, at_end=at_end)
        with self.tools.store.transaction():
            self._forget(record, link)
            self.tools.store.end_intent(deletion.intent)
        return "deleted", Delete()

    def _unlock_to_delete(self, link: Link, read_at: datetime.datetime) -> None:
        try:
            self._drafts.unlock(link, read_at)
        except TestFailed:
            raise Undecidable(Hold("Go was edited while this was to be deleted")) from None

    def _forget(self, record: Record, link: Link) -> None:
        with self.tools.store.transaction():
            self.tools.store.delete_link(self.entity, record["id"])
            self.tools.store.end_comparison(self.entity, record["id"])
            self.tools.index.forget(self.entity, link.go_id)


def _shown_header(order: OrderInGoForm, header: Merge) -> Iterator[RowChange]:
    """Yield what was written to a header, for a plan: without ids, which Go has yet to give."""
    ids = {"customer": order.record.get("customer_id") or "guest", "shipping_address": "another"}
    for row in header.writes:
        yield replace(row, before=None, after=ids[row.row]) if row.row in ids else row


def _hold_if(differences: Sequence[str]) -> None:
    """Hold an order whose total or VAT rates in Go are not the shop's; it stays as it is.

    Raises:
        Undecidable: with a Hold, if there are any.
    """
    if differences:
        told = "; ".join(differences)
        raise Undecidable(Hold(f"Go's order is not the shop's: {told}. See to it in Go"))
