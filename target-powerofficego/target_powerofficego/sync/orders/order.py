"""The walk of an order: posted and edited as a Draft, compared to the øre, deleted if cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_powerofficego.dataflow.agreement import now
from target_powerofficego.dataflow.anonymised import (
    is_anonymised_order,
    with_agreed_buyer,
    without_marks,
)
from target_powerofficego.dataflow.buyers import has_unusable_number, known_ids
from target_powerofficego.dataflow.customer import NO_NUMBER
from target_powerofficego.dataflow.orders.discounts import assumed_rates
from target_powerofficego.dataflow.orders.order import stakes
from target_powerofficego.dataflow.orders.shop_order import ShopOrder
from target_powerofficego.dataflow.orders.stages import Wanted, wanted
from target_powerofficego.dataflow.product import rate_key
from target_powerofficego.decisions.changes import (
    Change,
    Create,
    Delete,
    Hold,
    Nothing,
    Undecidable,
)
from target_powerofficego.decisions.erased import impersonal_order
from target_powerofficego.decisions.merge_lines import LINE
from target_powerofficego.go_api import TestFailed
from target_powerofficego.settle.record_flow import created_at
from target_powerofficego.store.link_store import Link
from target_powerofficego.sync.go.destinations import order_destination
from target_powerofficego.sync.go.index import Entry
from target_powerofficego.sync.into_go import GoWalk
from target_powerofficego.sync.orders.comparison import OrderComparison
from target_powerofficego.sync.orders.credit_notes import CreditNotes
from target_powerofficego.sync.orders.draft import Drafts
from target_powerofficego.sync.orders.invoiced import InvoicedOrders
from target_powerofficego.sync.orders.linked import LinkedOrders
from target_powerofficego.sync.orders.parties import OrderParties, country_abroad
from target_powerofficego.sync.orders.reading import OrderForms
from target_powerofficego.sync.orders.stages import OrderStages
from target_powerofficego.sync.orders.unlinked import OrderMeetings
from target_powerofficego.sync.orders.wanted import (
    ADDRESS_KEY,
    OrderInGoForm,
    agreed_base,
    has_other_refunds,
    kept_beside,
)
from target_powerofficego.sync.payments.noting import OrderPayments

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping

    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.decisions.changes import Link as LinkChange
    from target_powerofficego.sync.context import Tools
    from target_powerofficego.sync.customers import CustomersWalk
    from target_powerofficego.sync.products import ProductsWalk


class OrdersWalk(GoWalk):
    """Orders of the shop."""

    entity = "orders"

    def __init__(self, tools: Tools, customers: CustomersWalk, products: ProductsWalk) -> None:
        super().__init__(tools)
        self._forms = OrderForms(tools, OrderParties(tools, customers, products))
        self._drafts = Drafts(tools)
        self._meetings = OrderMeetings(tools)
        self._comparison = OrderComparison(tools, self._drafts, products)
        notes = CreditNotes(tools, self._forms, self._meetings, self._drafts, self)
        self._invoiced = InvoicedOrders(tools, self._forms, notes)
        self._linked = LinkedOrders(
            tools, self._forms, self._drafts, self._comparison, self._invoiced
        )
        self._stages = OrderStages(tools, self._drafts, self._linked.see_that_equal)
        self.payments = OrderPayments(tools)

    def stakes(self, record: Record) -> Record:
        """See `Walk`."""
        return stakes(record)

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
        own, *earlier = (self.tools.erased.id_of(one) for one in known_ids(record))
        link = store.link(self.entity, record["id"])
        bought = link.base.get("customer") if link else None
        for one in earlier:
            customer = store.link("customers", one) if one and bought else None
            if own is None and customer and bought and str(bought.shop) == customer.go_id:
                return one
        return own

    def _settle(
        self, record: Record, read_at: datetime.datetime, *, at_end: bool
    ) -> tuple[str, Change]:
        self._stages.see_that_none_is_sent(record["id"])
        link = self.tools.store.link(self.entity, record["id"])
        if link is not None:
            link = self.identified(record, link)
        told = ShopOrder(record, self.tools.settings.service_codes)
        with self.payments.noted(told), self._forms.splits_logged(told, link):
            settled, order = self._settle_order(told, read_at, link, at_end=at_end)
        return settled if order is None else self._stages.take(order, settled)

    def _with_buyer(self, record: ShopOrder, link: Link | None) -> ShopOrder:
        """Return an order with who bought it as last agreed on, where the shop has wiped that.

        Of one that is met in Go only the customer is known.
        """
        marks, base = self.tools.settings.anonymised_marks, link.base if link else {}
        if not is_anonymised_order(record, base, marks):
            if has_unusable_number(record.raw):
                self.tools.tally.note_repair(self.entity, record.id, NO_NUMBER)
            return record
        self.tools.tally.count_stage(self.entity, record.id, "anonymised")
        if "customer" not in base:
            met = self._meetings.met(record, link)
            customer_id = None if met is None else self._meetings.customer_of(met)
            return without_marks(record, marks, customer_id)
        kept = base[ADDRESS_KEY].shop if ADDRESS_KEY in base else None
        return with_agreed_buyer(record, base, (kept or [])[1:], marks)

    def _settle_order(
        self, record: ShopOrder, read_at: datetime.datetime, link: Link | None, *, at_end: bool
    ) -> tuple[tuple[str, Change], OrderInGoForm | None]:
        """Settle an order; return what was done, and the order if it may go on to a stage."""
        settings = self.tools.settings
        want = wanted(
            record,
            settings.order_statuses,
            settings.orders_from,
            settings.time_zone,
            is_linked=link is not None,
        )
        if want is Wanted.LEFT_ALONE:
            why = "left alone: its status or date is not one to write"
            return ("unchanged", Nothing(why)), None
        record = self._with_buyer(record, link)
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
        link = self.tools.store.link(self.entity, order.record.id)
        if link is None or not has_other_refunds(order, link):
            return linked
        return self.compare(order, link, at_end=at_end)

    def _create(self, order: OrderInGoForm) -> tuple[str, Change]:
        self._see_that_vat_is_ours(order)
        if assumed := assumed_rates(order.record.raw, order.lines):
            self.tools.tally.note_repair(self.entity, order.record.id, assumed)
        self.post(order, {})
        return "created", Create(self._shown(order))

    def _see_that_vat_is_ours(self, order: OrderInGoForm) -> None:
        """See that an order that is delivered abroad bears no VAT of another country.

        Raises:
            Undecidable: with a Hold, when it may.
        """
        country = country_abroad(order.record)
        rates = {line.rate for line in order.lines if line.rate and line.total.tax}
        if country is None or not rates or self.tools.settings.is_vat_abroad_ours:
            return
        told = " and ".join(f"{rate_key(rate)} %" for rate in sorted(rates, reverse=True))
        reason = (
            f"it is delivered to {country} with VAT of {told}, which may be that country's: if it"
            " is Norwegian VAT, set abroad_vat to norwegian; else post it by hand in Go and"
            " acknowledge this"
        )
        raise Undecidable(Hold(reason))

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
        target = order_destination(order.record.id, body["ExternalImportReference"])
        lines = {f"{LINE}{reference}": members for reference, members in order.members.items()}
        sent = {**order.header, **lines, **kept_beside(order)}
        answer = tools.writer.create(target, body, sent, read_at=order.read_at)
        answered_at = now()
        link = Link(
            self.entity,
            order.record.id,
            str(answer.body["Id"]),
            shop_created_at=created_at(order.record.raw),
            base=agreed_base(self.table, order, answer.body),
            own_stamp=answer.body.get("LastChangedDateTimeOffset"),
        )
        found = self._comparison.differences(order, answer.body, link)
        with tools.store.transaction():
            tools.store.put_link(link)
            tools.index.remember(self.entity, answer.body, answered_at)
            self._comparison.note(order, found)
            tools.store.end_intent(answer.intent)
        self._linked.settle_differences(order, link, answer.body, found)

    def _shown(self, order: OrderInGoForm) -> dict[str, Value]:
        """Return the order for a plan: by shop ids, for Go has yet to give its own."""
        shown = dict(order.header)
        shown["customer"] = order.record.raw.get("customer_id") or "guest"
        shown["shipping_address"] = None
        return {**shown, "lines": len(order.lines), "total with VAT": order.total}

    def compare(self, order: OrderInGoForm, link: Link, *, at_end: bool) -> tuple[str, Change]:
        """See `LinkedOrders.compare`."""
        return self._linked.compare(order, link, at_end=at_end)

    # An order that the shop cancelled or deleted

    def _delete(
        self, record: ShopOrder, read_at: datetime.datetime, link: Link | None, *, at_end: bool
    ) -> tuple[str, Change]:
        """Delete a Draft, also one that has to be unlocked first; an invoice is credited."""
        if link is None:
            return self._meet_cancelled(record, read_at, at_end=at_end)
        found = self._drafts.find(link) or self._drafts.invoice_shown_late(link)
        if found is None:
            self._forget(record, link)
            return "unchanged", Nothing("cancelled, and gone from Go already")
        if isinstance(found, Entry):
            return self._invoiced.cancel(record, read_at, link, found, at_end=at_end)
        if found.get("SalesOrderStatus") == "Confirmed":
            self._unlock_to_delete(link, read_at)
        path = f"/SalesOrders/{link.go_id}"
        deletion = self.tools.writer.delete(self.entity, record.id, path)
        invoice = self._drafts.invoice_shown_late(link) if deletion.was_gone else None
        if invoice is not None:  # a person sent it a moment ago
            self.tools.store.end_intent(deletion.intent)
            return self._invoiced.cancel(record, read_at, link, invoice, at_end=at_end)
        with self.tools.store.transaction():
            self._forget(record, link)
            self.tools.store.end_intent(deletion.intent)
        return "deleted", Delete()

    def _meet_cancelled(
        self, record: ShopOrder, read_at: datetime.datetime, *, at_end: bool
    ) -> tuple[str, Change]:
        """Link a cancelled order that Go has, where credit notes of ours take back all of it.

        Raises:
            Undecidable: with a Hold, when they do not.
        """
        met = self._meetings.find(record)
        if met is None:
            return "unchanged", Nothing("cancelled before it was ever in Go")
        invoice = self.tools.index.entry(self.entity, met.go_id)
        if invoice is None or not self._invoiced.is_credited(record, invoice):
            reason = (
                "it is cancelled in the shop, but Go has it, and it was not linked: delete or"
                " credit it in Go, then acknowledge"
            )
            raise Undecidable(Hold(reason))
        if record.is_deleted:
            return "unchanged", Nothing("deleted in the shop, and credited in Go")
        refunds = [one.id for one in record.refunds]
        order = self._forms.less(record, read_at, refunds, at_end=at_end)
        linked = self._meetings.link(self._invoiced.as_met(order, met, at_end=at_end), met)
        if link := self.tools.store.link(self.entity, record.id):
            self._invoiced.cancel(record, read_at, link, invoice, at_end=at_end)
        return linked

    def _unlock_to_delete(self, link: Link, read_at: datetime.datetime) -> None:
        try:
            self._drafts.unlock(link, read_at)
        except TestFailed:
            raise Undecidable(Hold("Go was edited while this was to be deleted")) from None

    def _forget(self, record: ShopOrder, link: Link) -> None:
        with self.tools.store.transaction():
            self.tools.store.delete_link(self.entity, record.id)
            self.tools.store.end_comparison(self.entity, record.id)
            self.tools.index.forget(self.entity, link.go_id)
