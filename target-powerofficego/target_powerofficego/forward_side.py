"""The forward side, which settles shop records into PowerOffice Go."""

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
        """See `TargetSide`; what the settings name in Go must exist before anything is written."""
        self._tools.named.entries()
        return super().take(entity, arrival)

    def is_settled(self, entity: str, arrival: Arrival) -> bool:
        """Return whether a record equals the one that was settled last."""
        settled = self._tools.store.settled.last(entity, arrival.shop_id)
        return settled is not None and settled.record_hash == self.fingerprint(arrival.record)

    def keys(self, entity: str, record: Record) -> tuple[Collection[str], Collection[str]]:
        """Return the keys that a record writes and reads; records that share one go in turn.

        Records are matched on these keys. An order waits for its customer and products that are
        under way, and for earlier orders of the same buyer, whose address or guest it may share.
        """
        if entity == "orders":
            return self._order_keys(record)
        return [*self._match_keys(entity, record), *self._previous_keys(entity, record)], ()

    def _match_keys(self, entity: str, record: Record) -> list[str]:
        """Return the values that a customer or product is matched on, normalised as in matching.

        A value that cannot be read is left out; it causes a reject later.
        """
        table = self._tools.settings.tables[entity]
        keys = []
        for name, normalise in MATCHED_ON[entity].items():
            with contextlib.suppress(Unusable):
                value = table.row(name).to_go(record, self._tools.conversion)
                if value is not ABSENT and normalise(value):
                    keys.append(f"{name}:{normalise(value)}")
        return keys

    def _previous_keys(self, entity: str, record: Record) -> list[str]:
        """Return what a deleted record was matched on, as another record may take over its entry.

        A shop often empties the fields of what it deletes.
        """
        if not record.get("deleted_at"):
            return []
        link = self._tools.store.links.get(entity, record["id"])
        base = link.base if link else {}
        return [
            f"{name}:{normalise(value)}"
            for name, normalise in MATCHED_ON[entity].items()
            if name in base
            for value in (base[name].shop, base[name].go)
            if normalise(value)
        ]

    def _order_keys(self, record: Record) -> tuple[list[str], list[str]]:
        writes: list[str] = []
        reads: list[str] = []
        buyer = read_buyer(record)
        buyer_keys: list[str] = []
        with contextlib.suppress(Unusable):
            customer = buyer_as_customer(record, buyer.customer_id or buyer.guest_id)
            buyer_keys = self._match_keys("customers", customer)
        if buyer.customer_id is None:
            writes += [f"customers:{buyer.guest_id}", *buyer_keys]
        else:
            writes.append(f"orders of:{buyer.customer_id}")
            reads += [f"customers:{buyer.customer_id}", *buyer_keys]
        if buyer.customer_id and buyer.company_id:  # the company's entry may be used or created
            writes += [f"customers:{buyer.company_id}", *buyer_keys]
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
        """Yield what is done at the end of a run: payments, archives, and entries of the erased."""
        yield self._settle_payments
        if archives := self.archives():
            yield lambda: self._settle_archives(archives)
        yield lambda: archive_erased(self._tools)

    def _settle_archives(self, archives: list[Unsettled]) -> None:
        """Archive all, or hold the new ones if they are more than `max_archives`.

        Entries that were created in Go for an order, after their records had left the shop, do not
        count.
        """
        most = self._tools.settings.max_archives
        waiting = self._tools.store.unsettled.waiting_for(ARCHIVING)
        new = {
            record.id: record.entity for record in waiting if not self.is_made_for_others(record)
        }
        entities = " and ".join(sorted(set(new.values())))
        too_many = (
            f"{len(new)} {entities} are to be archived, more than max_archives ({most}): if that is"
            " intended, raise it for one run"
        )
        for record in archives:
            arrival = Arrival(record.payload, record.read_at, at_end=True)
            if record.id in new and len(new) > most:
                self._walks[record.entity].keep(arrival, Hold(too_many))
            else:
                self.take(record.entity, arrival)

    def _settle_payments(self) -> None:
        """Post the payments whose day is over, and log which ones are left out."""
        PaymentPosting(self._tools).post()
        self._orders.payments.note_unposted()


def settings_fingerprint(settings: Settings) -> str:
    """Return a hash of all settings that decide what becomes of a record in Go."""
    decisive = (
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
        # stands for versions of this program that store deletions and amounts: a store of an
        # earlier version gets both by processing each record again
        deleted_name(""),
        AMOUNTS,
        sorted(settings.payment_accounts.items()),
        [
            (row.name, row.shop, row.go, row.direction.value)
            for table in settings.tables.values()
            for row in table.rows
        ],
    )
    return hashlib.blake2b(repr(decisive).encode(), digest_size=16).hexdigest()
