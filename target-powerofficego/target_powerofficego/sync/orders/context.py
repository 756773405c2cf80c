"""What the steps of an order's walk share: their tools, and the order in Go's form.

It also compares that order with the base: what the shop has changed since both sides agreed.
"""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.orders.line_amounts import ORE
from target_powerofficego.dataflow.orders.lines import LINE_MEMBERS, OrderLine
from target_powerofficego.dataflow.orders.lines_back import NUMBERS
from target_powerofficego.dataflow.orders.order import CANCEL
from target_powerofficego.dataflow.orders.refunds import REFUND_LINE, Refund
from target_powerofficego.dataflow.orders.state import (
    OrderAmounts,
    OrderState,
    order_amounts,
    shop_side_of_base,
)
from target_powerofficego.dataflow.table import Agreement, now
from target_powerofficego.dataflow.values import Value, number_in_go, round_to_ore
from target_powerofficego.decisions.merge import are_lines_equal, lines_by_reference

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterable, Mapping, Sequence
    from decimal import Decimal

    from target_powerofficego.dataflow.orders.shop_order import AgreedBuyer, ShopOrder
    from target_powerofficego.dataflow.table import Table
    from target_powerofficego.decisions.changes import Change, RowChange
    from target_powerofficego.go_api import GoClient
    from target_powerofficego.settings.forward import Settings
    from target_powerofficego.store.link_store import Intent, Link, LinkStore
    from target_powerofficego.sync.context import Tools
    from target_powerofficego.sync.customers import CustomersWalk
    from target_powerofficego.sync.go.index import Entry, GoIndex
    from target_powerofficego.sync.go.writer import Answer, Writer
    from target_powerofficego.sync.products import ProductsWalk


ORDERS = "orders"
STAMP = "LastChangedDateTimeOffset"


@dataclass(frozen=True)
class OrderArrival:
    """An order as it arrives at its walk; see `Arrival`."""

    shop_order: ShopOrder
    read_at: datetime.datetime
    at_end: bool

    @property
    def shop_id(self) -> str:
        """The id under which the order is stored."""
        return self.shop_order.id


@dataclass(frozen=True)
class OrderTools:
    """The tools of the run, and the walks that create missing customers and products."""

    run: Tools
    customers: CustomersWalk
    products: ProductsWalk

    @property
    def store(self) -> LinkStore:
        """The link store."""
        return self.run.store

    @property
    def index(self) -> GoIndex:
        """Go's entries, as last read."""
        return self.run.index

    @property
    def go(self) -> GoClient:
        """The client of PowerOffice Go."""
        return self.run.go

    @property
    def writer(self) -> Writer:
        """The writer to Go, which leaves an intent with each write."""
        return self.run.writer

    @property
    def settings(self) -> Settings:
        """The user's settings."""
        return self.run.settings

    @property
    def table(self) -> Table:
        """The property table of orders."""
        return self.settings.tables[ORDERS]

    def log_repair(self, shop_id: str, repair: str) -> None:
        """Log what was assumed for an order, or left out, as the shop does not state it."""
        self.run.tally.log_repair(ORDERS, shop_id, repair)

    def save(self, link: Link, state: OrderState) -> Link:
        """Store the state of an order, if it is new; return its link."""
        if state.base is link.base:
            return link
        link = replace(link, base=state.base)
        self.store.links.put(link)
        return link

    def save_step(self, link: Link, intent: Intent) -> Link:
        """Store the link after a write, to be compared with the shop's order later; return it."""
        with self.store.transaction():
            self.store.links.put(link)
            self.store.intents.note_comparison(ORDERS, link.shop_id)
            self.store.intents.end(intent)
        return link

    def save_answer(self, link: Link, answer: Answer, previous: Entry | None) -> Link:
        """Store Go's answer to a patch of a header, and its stamp; return the link."""
        link = replace(link, own_stamp=answer.body.get(STAMP) or link.own_stamp)
        body = {**(previous.body if previous else {}), **answer.body}
        with self.store.transaction():
            self.store.links.put(link)
            self.index.remember(ORDERS, body, now())
            self.store.intents.end(answer.intent)
        return link

    def change(self, link: Link, rows: Sequence[RowChange], read_at: datetime.datetime) -> Answer:
        """Patch the header of an order.

        Raises:
            TestFailed: Go was edited meanwhile.
        """
        path = f"/SalesOrders/{link.go_id}"
        return self.writer.change(ORDERS, link.shop_id, path, rows, read_at=read_at)

    def read_invoice(self, link: Link) -> Mapping[str, Any]:
        """Read the invoice of an order."""
        body: Mapping[str, Any] = self.go.read(f"/OutgoingInvoices/{link.go_id}")
        return body


def state_of(link: Link | None) -> OrderState:
    """Return the stored state of an order, which is empty while the order is not linked."""
    return OrderState(link.base if link else {})


@dataclass(frozen=True)
class OrderInGoForm:
    """An order as it should be in Go: header values by row name, line members by reference.

    `refunds` are the ids of the refunds that are subtracted from its lines.
    """

    arrival: OrderArrival
    header: Mapping[str, Value]
    lines: tuple[OrderLine, ...]
    members: Mapping[str, Mapping[str, Value]]
    total: Decimal
    address_key: list[str] | None
    buyer: AgreedBuyer
    refunds: tuple[str, ...] = ()

    @property
    def shop_order(self) -> ShopOrder:
        """The order as the shop sends it."""
        return self.arrival.shop_order

    @property
    def read_at(self) -> datetime.datetime:
        """When the shop was read."""
        return self.arrival.read_at

    @property
    def amounts(self) -> OrderAmounts:
        """Its amounts by VAT rate."""
        return order_amounts(self.header, self.lines)

    @property
    def kept(self) -> dict[str, Value]:
        """What its base keeps besides the values that Go has."""
        return shop_side_of_base(self.address_key, self.buyer, self.refunds, self.amounts)


@dataclass(frozen=True)
class Settled:
    """An order that is in Go, its current link, and what was done.

    If Go has invoiced it, `invoice` is the invoice, by which the order has still to be settled.
    """

    order: OrderInGoForm
    link: Link
    change: Change
    invoice: Entry | None = None


def agreed_state(
    table: Table, order: OrderInGoForm, answer: Mapping[str, Any] | None
) -> OrderState:
    """Return the state that both sides agree on; without an answer, the shop's values twice."""
    read_at, answered_at = order.read_at, now()
    rows = {
        row.name: Agreement(
            order.header[row.name],
            order.header[row.name] if answer is None else row.from_go(answer),
            read_at,
            answered_at,
        )
        for row in table.active
        if row.name in order.header
    }
    in_go = order.members if answer is None else lines_by_reference(answer)
    lines = {
        reference: Agreement(members, in_go.get(reference), read_at, answered_at)
        for reference, members in order.members.items()
    }
    rows.setdefault("shipping_address", Agreement(None, None, read_at, answered_at))
    kept = {
        name: Agreement(value, None, read_at, answered_at) for name, value in order.kept.items()
    }
    return OrderState(rows).with_lines(lines).with_rows(kept)


def as_credited(refund: Refund | None) -> str:
    """Return a mark by which a change of a credited refund is noticed; None is a cancellation."""
    if refund is None:
        return "cancelled"
    lines = [
        (line.line_id, line.quantity.normalize(), line.amount and line.amount.normalize())
        for line in refund.lines
    ]
    vat = (refund.vat,) if refund.vat.is_stated else ()
    content = (refund.amount, lines, refund.shipping, *vat)
    return hashlib.blake2b(repr(content).encode(), digest_size=8).hexdigest()


def refunds_to_credit(refunds: Iterable[Refund], state: OrderState) -> list[Refund]:
    """Return the refunds of an invoiced order that have no credit note, or a different one.

    If a refund has changed, all that were credited after it are included: what each takes from a
    VAT rate is what the earlier ones have left.
    """
    on_invoice, marks = state.refunds, state.credit_marks
    later = {refund.id: refund for refund in refunds if refund.id not in on_invoice}
    credited = [later[refund_id] for refund_id in marks if refund_id in later]
    changed = itertools.dropwhile(lambda refund: marks[refund.id] == as_credited(refund), credited)
    return [*changed, *(refund for refund in later.values() if refund.id not in marks)]


def address_key(shop_order: ShopOrder, customer_id: int) -> list[str] | None:
    """Return customer and address: while they stay the same, no address is looked for."""
    address = shop_order.address
    return None if address is None else [str(customer_id), *address.content]


def changed_header(table: Table, order: OrderInGoForm, state: OrderState) -> list[str]:
    """Return the names of the header rows that the shop changed since both sides agreed."""
    return [
        row.name
        for row in table.active
        if row.direction.reaches_go
        and row.name in order.header
        and (agreed := state.base.get(row.name)) is not None
        and not row.are_equal(order.header[row.name], agreed.shop)
    ]


def changed_lines(order: OrderInGoForm, state: OrderState) -> list[str]:
    """Return the references of lines that the shop changed, added or removed since then."""
    base = state.lines
    return [
        reference
        for reference in dict.fromkeys([*base, *order.members])
        if reference not in base
        or reference not in order.members
        or not are_lines_equal(order.members[reference], base[reference].shop)
    ]


def is_changed(table: Table, order: OrderInGoForm, state: OrderState) -> bool:
    """Return whether the shop changed anything since both sides agreed, or states a new row.

    A new row has no base: the values of both sides have yet to be compared.
    """
    rows = [row.name for row in table.active if row.direction.reaches_go]
    has_new_row = any(name in order.header and name not in state.base for name in rows)
    return bool(changed_header(table, order, state) or changed_lines(order, state) or has_new_row)


def has_outdated_credits(order: OrderInGoForm, state: OrderState) -> bool:
    """Return whether the credit notes of an invoiced order no longer match the shop's refunds.

    The order is not cancelled in the shop, so the credit note of a cancellation is outdated too.
    """
    marks = state.credit_marks
    if not state.is_invoiced or not order.shop_order.states_refunds:
        return CANCEL in marks
    refunds = order.shop_order.refunds
    gone = marks.keys() - {refund.id for refund in refunds}
    return bool(gone or refunds_to_credit(refunds, state))


def changed_on_invoice(table: Table, order: OrderInGoForm, state: OrderState) -> list[str]:
    """Return the names of what the shop changed that makes an invoice wrong: customer or lines.

    A shipping date, for example, often changes after the invoice, and no person need look at that.
    The same goes for the name of a guest, the order of the lines, what follows from settings and
    from the customer in Go, and how øre are rounded and refunds subtracted, which an earlier
    version may have done differently.
    """
    changed = changed_header(table, order, state)
    names = [name for name in changed if name == "customer" and not order.shop_order.is_of_guest]
    lines = [line for line in changed_lines(order, state) if _is_sale_changed(line, order, state)]
    if lines and not (_are_lines_of_refunds(lines, order) and _has_same_total(order, state)):
        names.append("lines")
    return names


def _are_lines_of_refunds(references: Iterable[str], order: OrderInGoForm) -> bool:
    """Return whether all these lines are affected by the refunds subtracted from an order."""
    subtracted = [refund for refund in order.shop_order.refunds if refund.id in order.refunds]
    refunded = {
        reference for refund in subtracted for part in refund.lines for reference in part.references
    }
    prefixes = (REFUND_LINE, "discount:", "shipping:") if subtracted else (REFUND_LINE,)
    return all(line in refunded or line.startswith(prefixes) for line in references)


def _has_same_total(order: OrderInGoForm, state: OrderState) -> bool:
    return state.amounts is not None and state.amounts.total.incl == order.total


def _is_sale_changed(reference: str, order: OrderInGoForm, state: OrderState) -> bool:
    """Return whether a line now sells something else, or for another amount."""
    members, agreed = order.members.get(reference), state.lines.get(reference)
    if members is None or agreed is None:
        return True
    ignored = {"SortOrder", "UseStandardSalesAccount"}
    if any(line.reference == reference and line.service for line in order.lines):
        ignored.add("ProductId")
    if _has_same_total(order, state) and abs(_net(members) - _net(agreed.shop)) <= ORE:
        ignored |= {"ProductUnitPrice", "Allowance"}  # at most an øre was moved between lines
    return any(
        normalise(members.get(name)) != normalise(agreed.shop.get(name))
        for name, normalise in LINE_MEMBERS.items()
        if name not in ignored
    )


def _net(members: Mapping[str, Value]) -> Decimal:
    """Return the amount without VAT that Go works out for a line; zero for a text."""
    quantity, price, allowance = (
        number_in_go(members.get(name) or 0, label=name) for name in NUMBERS
    )
    return round_to_ore(quantity * price * (1 - allowance / 100))


def partially_agreed(
    now_agreed: Agreement, before: Agreement | None, rows: tuple[RowChange, ...]
) -> Agreement:
    """Return the base of a line, updated in the members that were written or are equal by now.

    Members that only Go changed keep their base, so that they still count as edits in Go. A line
    that had no base gets all members.
    """
    if before is None:
        return now_agreed
    if before.go is None or now_agreed.go is None:
        is_agreed = are_lines_equal(now_agreed.shop, now_agreed.go)
        return now_agreed if is_agreed else replace(now_agreed, go=before.go)
    written = {row.row for row in rows}
    updated = {
        name: now_agreed.go[name]
        for name, normalise in LINE_MEMBERS.items()
        if name in written or normalise(now_agreed.shop.get(name)) == normalise(now_agreed.go[name])
    }
    return replace(now_agreed, go={**before.go, **updated})
