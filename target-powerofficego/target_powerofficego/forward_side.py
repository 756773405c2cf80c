"""The forward side: PowerOffice Go as what shop records are settled into."""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.orders.order import product_from_line
from target_powerofficego.dataflow.orders.shop_order import buyer_as_customer, read_buyer
from target_powerofficego.dataflow.orders.state import AMOUNTS
from target_powerofficego.dataflow.values import ABSENT, Unusable, text_id
from target_powerofficego.decisions.changes import Hold
from target_powerofficego.settle.record_flow import Arrival
from target_powerofficego.settle.settlement import TargetSide
from target_powerofficego.store.values import ENTITIES, deleted_name
from target_powerofficego.sync.context import Tools
from target_powerofficego.sync.customers import CustomersWalk
from target_powerofficego.sync.erasures import archive_erased
from target_powerofficego.sync.into_go import GoWalk
from target_powerofficego.sync.linked import ARCHIVE_REFUSED, ARCHIVING
from target_powerofficego.sync.matching import MATCHED_ON
from target_powerofficego.sync.orders.order import OrdersWalk
from target_powerofficego.sync.payments.posting import PaymentPosting
from target_powerofficego.sync.products import ProductsWalk

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.settings.forward import Settings
    from target_powerofficego.store.link_store import Unsettled


class ForwardSide(TargetSide[Tools, GoWalk]):
    """Customers, products and orders of the shop, settled into Go."""

    entities: tuple[str, ...] = ENTITIES
    source = "the shop"

    def __init__(self, tools: Tools) -> None:
        customers, products = CustomersWalk(tools), ProductsWalk(tools)
        self._orders = OrdersWalk(tools, customers, products)
        super().__init__(
            tools, {"customers": customers, "products": products, "orders": self._orders}
        )

    def take(self, entity: str, arrival: Arrival) -> str:
        """See `TargetSide`; what the settings name in Go must be there before anything is written."""
        self._tools.named.entries()
        return super().take(entity, arrival)

    def is_settled(self, entity: str, arrival: Arrival) -> bool:
        """Return whether a record is exactly the one that was settled last."""
        settled = self._tools.store.settled.last(entity, arrival.shop_id)
        return settled is not None and settled.record_hash == self.fingerprint(arrival.record)

    def keys(self, entity: str, record: Record) -> tuple[Collection[str], Collection[str]]:
        """Return what a record is matched on, so that records that share it are settled in turn.

        An order waits for its customer and products that are under way, and for earlier orders of
        the same buyer, whose address or guest it may share.
        """
        if entity == "orders":
            return self._order_keys(record)
        return [*self._match_keys(entity, record), *self._keys_until_now(entity, record)], ()

    def _match_keys(self, entity: str, record: Record) -> list[str]:
        """Return the values that a customer or product is matched on, as matching reads them.

        A value that cannot be read is left out: the record is rejected because of it.
        """
        table = self._tools.settings.tables[entity]
        found = []
        for name, same in MATCHED_ON[entity].items():
            with contextlib.suppress(Unusable):
                value = table.row(name).to_go(record, self._tools.conversion)
                found += [f"{name}:{same(value)}"] if value is not ABSENT and same(value) else []
        return found

    def _keys_until_now(self, entity: str, record: Record) -> list[str]:
        """Return what a deleted record was matched on, for another may take over its entry.

        A shop often empties the fields of what it deletes.
        """
        if not record.get("deleted_at"):
            return []
        link = self._tools.store.links.get(entity, record["id"])
        base = link.base if link else {}
        return [
            f"{name}:{same(value)}"
            for name, same in MATCHED_ON[entity].items()
            if name in base
            for value in (base[name].shop, base[name].go)
            if same(value)
        ]

    def _order_keys(self, record: Record) -> tuple[list[str], list[str]]:
        writes: list[str] = []
        reads: list[str] = []
        buyer = read_buyer(record)
        matched: list[str] = []
        with contextlib.suppress(Unusable):
            customer = buyer_as_customer(record, buyer.customer_id or buyer.guest_id)
            matched = self._match_keys("customers", customer)
        if buyer.customer_id is None:
            writes += [f"customers:{buyer.guest_id}", *matched]
        else:
            writes.append(f"orders of:{buyer.customer_id}")
            reads += [f"customers:{buyer.customer_id}", *matched]
        if buyer.customer_id and buyer.company_id:  # its entry may be the company's, found or made
            writes += [f"customers:{buyer.company_id}", *matched]
        lines = record.get("lines")
        for line in lines if isinstance(lines, list) else ():
            if isinstance(line, dict):
                reads.append(f"products:{text_id(line.get('product_id'))}")
                reads += self._match_keys("products", product_from_line(line, None, None))
        return writes, reads

    def archives(self) -> list[Unsettled]:
        """Return the parked records that are to be archived."""
        store = self._tools.store
        return store.unsettled.waiting_for(ARCHIVING) + store.unsettled.waiting_for(ARCHIVE_REFUSED)

    def settle_at_end(self) -> Iterator[Callable[[], None]]:
        """Yield the payments whose day is over, then the archives, then what was erased."""
        yield self._settle_payments
        if archives := self.archives():
            yield lambda: self._settle_archives(archives)
        yield lambda: archive_erased(self._tools)

    def _settle_archives(self, archives: list[Unsettled]) -> None:
        """Archive all, or hold the new ones when there are more of them than `max_archives`.

        An entry made in Go for an order, of a record that had left the shop before, does not count.
        """
        most = self._tools.settings.max_archives
        waiting = self._tools.store.unsettled.waiting_for(ARCHIVING)
        new = {one.id: one.entity for one in waiting if not self.is_made_for_others(one)}
        told = " and ".join(sorted(set(new.values())))
        too_many = (
            f"{len(new)} {told} are to be archived, more than max_archives ({most}): if that is"
            " meant, raise it for one run"
        )
        for one in archives:
            arrival = Arrival(one.payload, one.read_at, at_end=True)
            if one.id in new and len(new) > most:
                self._walks[one.entity].keep(arrival, Hold(too_many))
            else:
                self.take(one.entity, arrival)

    def _settle_payments(self) -> None:
        """Post the payments whose day is over, and say which ones are left out."""
        PaymentPosting(self._tools).post()
        self._orders.payments.note_unposted()


def settings_fingerprint(settings: Settings) -> str:
    """Return a hash of all settings that decide what a record becomes in Go."""
    told = (
        settings.shop_name,
        settings.owners,
        settings.time_zone.key,
        settings.orders_from,
        sorted(settings.order_statuses),
        sorted(settings.confirm_on),
        sorted(settings.invoice_on),
        settings.guests,
        settings.is_vat_abroad_norwegian,
        settings.guest_customer_number,
        settings.anonymised_marks.domains,
        sorted(settings.anonymised_marks.words),
        sorted(settings.sales_accounts.items()),
        settings.service_codes,
        deleted_name(""),  # what was deleted before this was stored is known after a new reading
        AMOUNTS,  # a link from before amounts were stored gets them when its order is read again
        sorted(settings.payment_accounts.items()),
        [
            (row.name, row.shop, row.go, row.direction.value)
            for table in settings.tables.values()
            for row in table.rows
        ],
    )
    return hashlib.blake2b(repr(told).encode(), digest_size=16).hexdigest()
