"""The way back: the shop as what entries of Go are settled into."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.orders.order import is_made_up
from target_powerofficego.decisions.personal_data import ERASED
from target_powerofficego.settle.settlement import Side
from target_powerofficego.store.ways import ENTITIES, entity_of, on_the_way_back
from target_powerofficego.sync.customers import CustomersWalk
from target_powerofficego.sync.products import ProductsWalk

from target_customwebshop.order_walk import OrderBackWalk
from target_customwebshop.walk import CREDIT_NOTES, BackTools, BackWalk

if TYPE_CHECKING:
    import datetime

    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.settle.arrival import Arrival
    from target_powerofficego.store.link_store import Link

_SILENT_ROWS = {"customers": CustomersWalk.silent_rows, "products": ProductsWalk.silent_rows}
_WALKS = {"orders": OrderBackWalk}


class BackSide(Side[BackTools, BackWalk]):
    """Customers, products and orders of Go, settled into the shop; see `Side`."""

    entities: tuple[str, ...] = tuple(on_the_way_back(entity) for entity in ENTITIES)
    source = "Go"

    def __init__(self, tools: BackTools) -> None:
        self.has_all_credit_notes = False
        """Whether the input was whole, so that no credit note of it is missing."""
        walks = {}
        for entity in ENTITIES:
            walk, silent_rows = _WALKS.get(entity, BackWalk), _SILENT_ROWS.get(entity, frozenset())
            walks[on_the_way_back(entity)] = walk(tools, entity, silent_rows)
        super().__init__(tools, walks)

    def link_of(self, entity: str, go_id: str) -> Link | None:
        """Return the link of the one shop record whose properties an entry of Go has.

        None for an entry that is only in Go, and for one that the shop has no record of: a guest, a
        product for freight, a customer whose data was erased.
        """
        for link in self._tools.store.links.to(entity, go_id):
            if not link.is_follower and not is_made_up(link.shop_id):
                return None if link.shop_id.startswith(ERASED) else link
        return None

    def note_credit_note(self, entry: Record, read_at: datetime.datetime) -> None:
        """Keep which invoice a credit note relates to."""
        key = f"invoice:{entry['RelatedInvoiceNo']}"
        self._tools.store.go_entries.put(CREDIT_NOTES, str(entry["Id"]), {}, [key], read_at)

    def take(self, entity: str, arrival: Arrival) -> str:
        """See `Side`; the end has not come until all credit notes have been read."""
        is_sure = arrival.at_end and self.has_all_credit_notes
        return super().take(entity, replace(arrival, at_end=is_sure))

    def is_settled(self, entity: str, arrival: Arrival) -> bool:
        """Return whether Go changed nothing that would be sent to the shop."""
        link = self._tools.store.links.get(entity_of(entity), arrival.shop_id)
        return link is None or not self._walks[entity].moved(link, arrival)
