"""What the steps of an order's walk work with: their tools, and the order in Go's form.

Beside the order as it is to stand in Go is what both sides hold of it, and what the shop changed.
"""

from __future__ import annotations

import hashlib
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
    """An order as it comes to its walk; see `Arrival`."""

    shop_order: ShopOrder
    read_at: datetime.datetime
    at_end: bool

    @property
    def shop_id(self) -> str:
        """The id that the order is kept under."""
        return self.shop_order.id


@dataclass(frozen=True)
class OrderTools:
    """The tools of the run, and the walks that make what an order needs where it is missing."""

    run: Tools
    customers: CustomersWalk
    products: ProductsWalk

    @property
    def store(self) -> LinkStore:
        """The link store."""
        return self.run.store

    @property
    def index(self) -> GoIndex:
        """What Go has, as last read."""
        return self.run.index

    @property
    def go(self) -> GoClient:
        """PowerOffice Go."""
        return self.run.go

    @property
    def writer(self) -> Writer:
        """Writes to Go, each under an intent."""
        return self.run.writer

    @property
    def settings(self) -> Settings:
        """What the user set."""
        return self.run.settings

    @property
    def table(self) -> Table:
        """The property table of orders."""
        return self.settings.tables[ORDERS]

    def log_repair(self, shop_id: str, what: str) -> None:
        """Say in words what an order was given, or left without, that it does not tell."""
        self.run.tally.log_repair(ORDERS, shop_id, what)

    def keep(self, link: Link, state: OrderState) -> Link:
        """Keep what is known of an order now, if it is anything new; return its link."""
        if state.base is link.base:
            return link
        link = replace(link, base=state.base)
        self.store.links.put(link)
        return link

    def save_step(self, link: Link, intent: Intent) -> Link:
        """Keep what a write has come to, which is yet to be compared with the shop; return it."""
        with self.store.transaction():
            self.store.links.put(link)
            self.store.intents.note_comparison(ORDERS, link.shop_id)
            self.store.intents.end(intent)
        return link

    def save_answer(self, link: Link, answer: Answer, known: Entry | None) -> Link:
        """Keep what Go answered to a patch of a header, and its stamp; return the link."""
        link = replace(link, own_stamp=answer.body.get(STAMP) or link.own_stamp)
        with self.store.transaction():
            self.store.links.put(link)
            self.index.remember(ORDERS, {**(known.body if known else {}), **answer.body}, now())
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
        """Read what stands on the invoice of an order now."""
        body: Mapping[str, Any] = self.go.read(f"/OutgoingInvoices/{link.go_id}")
        return body


def state_of(link: Link | None) -> OrderState:
    """Return what is kept of an order; nothing, while it is not linked."""
    return OrderState(link.base if link else {})


@dataclass(frozen=True)
class OrderInGoForm:
    """An order as it is to stand in Go: header values by row name, line members by reference.

    `refunds` are the ids of the refunds that the lines are less.
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
        """The order as the shop tells it."""
        return self.arrival.shop_order

    @property
    def read_at(self) -> datetime.datetime:
        """When the shop was read."""
        return self.arrival.read_at

    @property
    def amounts(self) -> OrderAmounts:
        """What it comes to by VAT rate."""
        return order_amounts(self.header, self.lines)

    @property
    def kept(self) -> dict[str, Value]:
        """What the base keeps of it beside what Go holds."""
        return shop_side_of_base(self.address_key, self.buyer, self.refunds, self.amounts)


@dataclass(frozen=True)
class Settled:
    """An order that is in Go, its link as kept by now, and what was done.

    `invoice` is given where Go has invoiced it, so that it is still to be settled by that.
    """

    order: OrderInGoForm
    link: Link
    change: Change
    invoice: Entry | None = None


def agreed_state(
    table: Table, order: OrderInGoForm, answer: Mapping[str, Any] | None
) -> OrderState:
    """Return what both sides hold now; without an answer, the shop's values twice."""
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


def credit_mark(refund: Refund | None) -> str:
    """Return what tells whether a credited refund is still the same; None: a cancellation."""
    if refund is None:
        return "cancelled"
    lines = [
        (line.line_id, line.quantity.normalize(), line.amount and line.amount.normalize())
        for line in refund.lines
    ]
    vat = (refund.vat,) if refund.vat.is_told else ()
    content = (refund.amount, lines, refund.shipping, *vat)
    return hashlib.blake2b(repr(content).encode(), digest_size=8).hexdigest()


def refunds_to_credit(refunds: Iterable[Refund], state: OrderState) -> list[Refund]:
    """Return the refunds of an invoiced order that no credit note says as the shop does.

    With one that is another by now come all that were credited after it: what each takes of a VAT
    rate is what those before it have left.
    """
    carried, marks = state.refunds, state.credit_marks
    since = {refund.id: refund for refund in refunds if refund.id not in carried}
    known = [since[name] for name in marks if name in since]
    changed = (place for place, one in enumerate(known) if marks[one.id] != credit_mark(one))
    first = next(changed, len(known))
    return known[first:] + [refund for refund in since.values() if refund.id not in marks]


def address_key(shop_order: ShopOrder, customer_id: int) -> list[str] | None:
    """Return where an order goes and to whom: while it stays, no delivery address is looked for."""
    address = shop_order.address
    return None if address is None else [str(customer_id), *address.content]


def changed_header(table: Table, order: OrderInGoForm, state: OrderState) -> list[str]:
    """Name the rows of the header that the shop changed since both sides agreed; costs no call."""
    return [
        row.name
        for row in table.active
        if row.direction.reaches_go
        and row.name in order.header
        and (agreed := state.base.get(row.name)) is not None
        and not row.are_equal(order.header[row.name], agreed.shop)
    ]


def changed_lines(order: OrderInGoForm, state: OrderState) -> list[str]:
    """Name the lines, by reference, that the shop changed, added or removed since; no call."""
    base = state.lines
    return [
        reference
        for reference in dict.fromkeys([*base, *order.members])
        if reference not in base
        or reference not in order.members
        or not are_lines_equal(order.members[reference], base[reference].shop)
    ]


def is_changed(table: Table, order: OrderInGoForm, state: OrderState) -> bool:
    """Return whether the shop changed anything since both sides agreed, or tells a row anew.

    Of a row that has no base both sides' values are first met.
    """
    rows = [row.name for row in table.active if row.direction.reaches_go]
    is_told_anew = any(name in order.header and name not in state.base for name in rows)
    return bool(changed_header(table, order, state) or changed_lines(order, state) or is_told_anew)


def has_outdated_credits(order: OrderInGoForm, state: OrderState) -> bool:
    """Return whether an order known to be invoiced, and not cancelled, has others than credited."""
    marks = state.credit_marks
    if not state.is_invoiced or not order.shop_order.states_refunds:
        return CANCEL in marks
    refunds = order.shop_order.refunds
    gone = marks.keys() - {refund.id for refund in refunds}
    return bool(gone or refunds_to_credit(refunds, state))


def changed_on_invoice(table: Table, order: OrderInGoForm, state: OrderState) -> list[str]:
    """Name what the shop changed that makes an invoice wrong: who buys, and what for how much.

    A date of shipping, say, often follows the invoice; that is no reason to call a person. Nor is
    who a guest is, the order of the lines, or what follows from settings and from the customer in
    Go; nor how øre are rounded and refunds are taken off, which an earlier version may have done
    otherwise.
    """
    changed = changed_header(table, order, state)
    names = [name for name in changed if name == "customer" and not order.shop_order.is_of_guest]
    lines = [line for line in changed_lines(order, state) if _is_another(line, order, state)]
    if lines and not (_are_of_refunds(lines, order) and _comes_to_the_same(order, state)):
        names.append("lines")
    return names


def _are_of_refunds(references: Iterable[str], order: OrderInGoForm) -> bool:
    """Return whether lines are only those that the refunds which an order is less bear upon."""
    carried = [refund for refund in order.shop_order.refunds if refund.id in order.refunds]
    named = {name for refund in carried for part in refund.lines for name in part.references}
    begins = (REFUND_LINE, "discount:", "shipping:") if carried else (REFUND_LINE,)
    return all(line in named or line.startswith(begins) for line in references)


def _comes_to_the_same(order: OrderInGoForm, state: OrderState) -> bool:
    return state.amounts is not None and state.amounts.total.incl == order.total


def _is_another(reference: str, order: OrderInGoForm, state: OrderState) -> bool:
    """Return whether a changed line says that something else was sold, or for another amount."""
    members, agreed = order.members.get(reference), state.lines.get(reference)
    if members is None or agreed is None:
        return True
    follows = {"SortOrder", "UseStandardSalesAccount"}
    if any(line.reference == reference and line.service for line in order.lines):
        follows.add("ProductId")
    if _comes_to_the_same(order, state) and abs(_net(members) - _net(agreed.shop)) <= ORE:
        follows |= {"ProductUnitPrice", "Allowance"}  # an øre was moved between lines, at most
    return any(
        same(members.get(name)) != same(agreed.shop.get(name))
        for name, same in LINE_MEMBERS.items()
        if name not in follows
    )


def _net(members: Mapping[str, Value]) -> Decimal:
    """Return what Go makes of a line without VAT; of a text nothing."""
    quantity, price, allowance = (
        number_in_go(members.get(name) or 0, label=name) for name in NUMBERS
    )
    return round_to_ore(quantity * price * (1 - allowance / 100))


def partially_agreed(
    now_agreed: Agreement, before: Agreement | None, rows: tuple[RowChange, ...]
) -> Agreement:
    """Return the base of a line: new are the members that were written or are the same by now.

    What only Go changed keeps its base, so that it is still known as an edit of Go's. A line that
    had no base is new as a whole.
    """
    if before is None:
        return now_agreed
    if before.go is None or now_agreed.go is None:
        is_agreed = are_lines_equal(now_agreed.shop, now_agreed.go)
        return now_agreed if is_agreed else replace(now_agreed, go=before.go)
    written = {row.row for row in rows}
    new = {
        name: now_agreed.go[name]
        for name, same in LINE_MEMBERS.items()
        if name in written or same(now_agreed.shop.get(name)) == same(now_agreed.go[name])
    }
    return replace(now_agreed, go={**before.go, **new})
