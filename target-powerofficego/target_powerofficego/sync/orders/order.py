"""The walk of an order: posted and edited as a Draft, compared to the øre, deleted if cancelled."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.customer import NO_NUMBER
from target_powerofficego.dataflow.orders.order import stakes
from target_powerofficego.dataflow.orders.shop_order import (
    ShopOrder,
    has_unusable_number,
    known_ids,
)
from target_powerofficego.dataflow.orders.state import Wanted, wanted
from target_powerofficego.decisions.changes import (
    Change,
    Delete,
    Hold,
    Nothing,
    Undecidable,
)
from target_powerofficego.decisions.personal_data import (
    impersonal_order,
    is_anonymised_order,
    with_agreed_buyer,
    without_marks,
)
from target_powerofficego.go_api import TestFailed
from target_powerofficego.sync.go.index import Entry
from target_powerofficego.sync.into_go import GoWalk
from target_powerofficego.sync.orders import draft, invoiced, linked, reading, stages, unlinked
from target_powerofficego.sync.orders.context import OrderArrival, OrderTools, state_of
from target_powerofficego.sync.orders.wanted import OrderInGoForm, Settled, has_other_refunds
from target_powerofficego.sync.payments.noting import OrderPayments

if TYPE_CHECKING:
    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.decisions.changes import Link as LinkChange
    from target_powerofficego.settle.arrival import Arrival
    from target_powerofficego.store.link_store import Link
    from target_powerofficego.sync.context import Tools
    from target_powerofficego.sync.customers import CustomersWalk
    from target_powerofficego.sync.products import ProductsWalk


class OrdersWalk(GoWalk):
    """Orders of the shop."""

    entity = "orders"

    def __init__(self, tools: Tools, customers: CustomersWalk, products: ProductsWalk) -> None:
        super().__init__(tools)
        self._tools = OrderTools(tools, customers, products)
        self.payments = OrderPayments(tools)

    def _settle(self, arrival: Arrival) -> Change:
        stages.require_none_underway(self._tools, arrival.shop_id)
        link = self.tools.store.links.get(self.entity, arrival.shop_id)
        if link is not None:
            link = self.identified(arrival.record, link)
        shop_order = ShopOrder(arrival.record, self.tools.settings.service_codes)
        order_arrival = OrderArrival(shop_order, arrival.read_at, arrival.at_end)
        with (
            self.payments.noted(shop_order),
            reading.splits_logged(self._tools, shop_order, link),
        ):
            done = self._bring_into_go(order_arrival, link)
        return stages.bring_to_stage(self._tools, done) if isinstance(done, Settled) else done

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
        if want is Wanted.LEFT_ALONE:
            return Nothing("left alone: its status or date is not one to write")
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
                self.tools.tally.note_repair(self.entity, shop_order.id, NO_NUMBER)
            return shop_order
        self.tools.tally.count_stage(self.entity, shop_order.id, "anonymised")
        if "customer" in state.base:
            return with_agreed_buyer(shop_order, state, marks)
        met = unlinked.meet(self._tools, shop_order, link)
        customer_id = None if met is None else unlinked.customer_of(self._tools, met)
        return without_marks(shop_order, marks, customer_id)

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
        own, earlier = (self.tools.erased.id_of(shop_id) for shop_id in known_ids(record))
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
    settled = unlinked.link_with(tools, invoiced.as_met(tools, order, met), met)
    if has_other_refunds(order, state_of(settled.link)):
        settled = _compare(tools, order, settled.link)
    return settled.change


# An order that the shop cancelled or deleted


def _cancel(tools: OrderTools, arrival: OrderArrival, link: Link | None) -> Change:
    """Delete a Draft, also one that has to be unlocked first; an invoice is credited."""
    if link is None:
        return _meet_cancelled(tools, arrival)
    there = draft.find_late(tools, link)
    if there is None:
        draft.forget(tools, link)
        return Nothing("cancelled, and gone from Go already")
    if isinstance(there, Entry):
        return invoiced.cancel(tools, arrival, link, there)
    if there.get("SalesOrderStatus") == "Confirmed":
        try:
            link = draft.unlock(tools, link, arrival.read_at)
        except TestFailed:
            raise Undecidable(Hold("Go was edited while this was to be deleted")) from None
    invoice = draft.delete(tools, link)
    return Delete() if invoice is None else invoiced.cancel(tools, arrival, link, invoice)


def _meet_cancelled(tools: OrderTools, arrival: OrderArrival) -> Change:
    """Link a cancelled order that Go has, where credit notes of ours take back all of it.

    Raises:
        Undecidable: with a Hold, when they do not.
    """
    shop_order = arrival.shop_order
    met = unlinked.find_named(tools, arrival.shop_id)
    if met is None:
        return Nothing("cancelled before it was ever in Go")
    invoice = unlinked.invoice_met(tools, met)
    if invoice is None or not invoiced.is_credited(tools, shop_order, invoice):
        reason = (
            "it is cancelled in the shop, but Go has it, and it was not linked: delete or credit it"
            " in Go, then acknowledge"
        )
        raise Undecidable(Hold(reason))
    if shop_order.is_deleted:
        return Nothing("deleted in the shop, and credited in Go")
    order = reading.order_less(tools, arrival, [refund.id for refund in shop_order.refunds])
    settled = unlinked.link_with(tools, invoiced.as_met(tools, order, met), met)
    invoiced.cancel(tools, arrival, settled.link, invoice)
    return settled.change
