"""The way back: the shop as what entries of Go are settled into."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.orders.order import is_made_up
from target_powerofficego.dataflow.values import Unusable
from target_powerofficego.decisions.erased import ERASED
from target_powerofficego.settle.record_flow import record_hash
from target_powerofficego.store.ways import ENTITIES, entity_of, on_the_way_back
from target_powerofficego.sync.customers import CustomersWalk
from target_powerofficego.sync.products import ProductsWalk

from target_customwebshop.order_walk import OrderBackWalk
from target_customwebshop.walk import CREDIT_NOTES, BackWalk

if TYPE_CHECKING:
    import datetime
    from collections.abc import Collection

    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.settle.arrival import Arrival
    from target_powerofficego.store.link_store import Link, Unsettled

    from target_customwebshop.tools import BackTools

_SILENT_ROWS = {"customers": CustomersWalk.silent_rows, "products": ProductsWalk.silent_rows}
_WALKS = {"orders": OrderBackWalk}


class BackSide:
    """Customers, products and orders of Go, settled into the shop; see `Side`."""

    entities: tuple[str, ...] = tuple(on_the_way_back(entity) for entity in ENTITIES)
    source = "Go"

    def __init__(self, tools: BackTools) -> None:
        self.has_all_credit_notes = False
        """Whether the input was whole, so that no credit note of it is missing."""
        self._tools = tools
        self._walks = {
            entity: _WALKS.get(entity, BackWalk)(
                tools, entity, _SILENT_ROWS.get(entity, frozenset())
            )
            for entity in ENTITIES
        }

    def link_of(self, entity: str, go_id: str) -> Link | None:
        """Return the link of the one record of the shop whose properties an entry of Go has.

        None for an entry that is only in Go, and for one that the shop has no record of: a guest,
        a product for freight, a customer whose data was erased.
        """
        for link in self._tools.store.links_to(entity, go_id):
            if not link.is_follower and not is_made_up(link.shop_id):
                return None if link.shop_id.startswith(ERASED) else link
        return None

    def note_credit_note(self, entry: Record, read_at: datetime.datetime) -> None:
        """Keep which invoice a credit note relates to."""
        key = f"invoice:{entry['RelatedInvoiceNo']}"
        self._tools.store.put_go_entry(CREDIT_NOTES, str(entry["Id"]), {}, [key], read_at)

    def take(self, entity: str, arrival: Arrival) -> object:
        """Settle, park, reject or hold one entry."""
        is_sure = arrival.at_end and self.has_all_credit_notes
        return self._walks[entity_of(entity)].take(replace(arrival, at_end=is_sure))

    def keys(self, entity: str, record: Record) -> tuple[Collection[str], Collection[str]]:
        """Return nothing: each record is written by itself."""
        del entity, record
        return (), ()

    def is_settled(self, entity: str, arrival: Arrival) -> bool:
        """Return whether Go changed nothing that the shop would be told."""
        link = self._tools.store.link(entity_of(entity), arrival.shop_id)
        try:
            moved = link is None or self._walks[entity_of(entity)].moved(link, arrival)
        except Unusable:  # its walk says what is wrong with it
            return False
        return not moved

    def fingerprint(self, record: Record) -> str:
        """Return a hash of an entry."""
        return record_hash(record, self._tools.fingerprint)

    def archives(self) -> list[Unsettled]:
        """Return nothing: the shop archives nothing at the end."""
        return []

    def is_made_for_others(self, unsettled: Unsettled) -> bool:
        """Tell that none is: the shop's records are never made."""
        del unsettled
        return False

    def settle_archives(self, archives: list[Unsettled]) -> None:
        """Do nothing; see `archives`."""

    def settle_payments(self) -> None:
        """Do nothing: payments are posted on the way forward."""

    def settle_erased(self) -> None:
        """Do nothing: what was erased is archived on the way forward."""
