"""What the steps of an order's walk work with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.orders.state import OrderState
from target_powerofficego.dataflow.table import now

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping, Sequence

    from target_powerofficego.dataflow.orders.shop_order import ShopOrder
    from target_powerofficego.dataflow.table import Table
    from target_powerofficego.decisions.changes import RowChange
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

    def note_repair(self, shop_id: str, what: str) -> None:
        """Say in words what an order was given, or left without, that it does not tell."""
        self.run.tally.note_repair(ORDERS, shop_id, what)

    def keep(self, link: Link, state: OrderState) -> Link:
        """Keep what is known of an order now, if it is anything new; return its link."""
        if state.base is link.base:
            return link
        link = replace(link, base=state.base)
        self.store.links.put(link)
        return link

    def keep_step(self, link: Link, intent: Intent) -> Link:
        """Keep what a write has come to, which is yet to be compared with the shop; return it."""
        with self.store.transaction():
            self.store.links.put(link)
            self.store.intents.note_comparison(ORDERS, link.shop_id)
            self.store.intents.end(intent)
        return link

    def keep_answer(self, link: Link, answer: Answer, known: Entry | None) -> Link:
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

    def invoice_of(self, link: Link) -> Mapping[str, Any]:
        """Read what stands on the invoice of an order now."""
        body: Mapping[str, Any] = self.go.read(f"/OutgoingInvoices/{link.go_id}")
        return body


def state_of(link: Link | None) -> OrderState:
    """Return what is kept of an order; nothing, while it is not linked."""
    return OrderState(link.base if link else {})
