"""The walk of a product, and of the services that freight, fees and discounts are posted to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.orders.order import MADE_FOR_ORDERS, SERVICE
from target_powerofficego.dataflow.product import EXEMPT, EXEMPT_ACCOUNT
from target_powerofficego.dataflow.values import rate_key
from target_powerofficego.decisions.changes import Hold, Nothing, Patch, Undecidable
from target_powerofficego.settle.record_flow import Arrival
from target_powerofficego.sync.go.operations import Destination, product_destination
from target_powerofficego.sync.linked import ParsedArrival
from target_powerofficego.sync.matching import match_product
from target_powerofficego.sync.unlinked import EntityWalk

if TYPE_CHECKING:
    import datetime
    from collections.abc import Collection, Sequence
    from decimal import Decimal

    from target_powerofficego.dataflow.orders.lines import Service
    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.decisions.changes import Change, Create, RowChange
    from target_powerofficego.decisions.changes import Link as LinkChange
    from target_powerofficego.store.link_store import Link


class ProductsWalk(EntityWalk):
    """Products of the shop."""

    entity = "products"
    unstamped_rows = frozenset({"stock_on_hand"})

    def match(self, arrival: ParsedArrival) -> LinkChange | Create:
        """See `match_product`."""
        return match_product(
            arrival.shop_id,
            arrival.values,
            is_deleted_in_shop=self.is_deleted_in_shop(arrival),
            index=self.tools.index,
            store=self.tools.store,
        )

    def check_writes(self, link: Link, rows: Sequence[RowChange]) -> None:
        """Require that a new SKU is not the code of another product; Go may allow duplicates.

        Raises:
            Undecidable: with a Hold naming that product.
        """
        for row in rows:
            code = values.normalise_code(row.after) if row.row == "sku" else None
            entries = self.tools.index.find("products", f"code:{code}") if code else []
            others = [entry.go_id for entry in entries if entry.go_id != link.go_id]
            if others:
                reason = (
                    f"its new SKU {values.quoted(row.after)} is the code of another product in Go"
                    f" (id {' and '.join(others)}): change the code there, or the SKU in the shop"
                )
                raise Undecidable(Hold(reason))

    def target(self, arrival: ParsedArrival) -> Destination:
        """Return where the product is created."""
        return product_destination(arrival.shop_id, arrival.values["sku"])

    def lacking_exempt_account(self, go_ids: Collection[int]) -> list[Link]:
        """Return the links of products that were never given the account of the setting `exempt`.

        If a person changed the account in Go since, that is left alone.
        """
        account = self.tools.conversion.sales_account_ids.get(EXEMPT)
        if account is None:
            return []
        links = [
            link
            for go_id in sorted(go_ids)
            for link in self.tools.store.links.to_entry(self.entity, str(go_id))
            if link.base and not link.is_follower  # without a base, it has yet to be merged
        ]
        return [
            link
            for link in links
            if (agreed := link.base.get(EXEMPT_ACCOUNT)) is None or agreed.shop != account
        ]

    def give_exempt_account(self, link: Link, read_at: datetime.datetime) -> None:
        """Write the account `exempt` to a linked product that the shop does not send in this run.

        This is done at the end of input, when only other orders may need the same; a lock makes
        them take turns.

        Raises:
            Undecidable: with a Hold, when the two sides cannot be merged; with a Park, while a
                change of the product has no answer and is not visible.
        """
        with self.tools.service_products:
            if not self.lacking_exempt_account([int(link.go_id)]):
                return
            self.settle_unanswered(link.shop_id)
            change = self._with_exempt_account(link.shop_id, read_at)
        if isinstance(change, Patch):
            self.tools.plan.add(self.entity, link.shop_id, change)
            self.tools.tally.count(self.entity, link.shop_id, "changed")

    def _with_exempt_account(self, shop_id: str, read_at: datetime.datetime) -> Change:
        link = self.tools.store.links.get(self.entity, shop_id)
        if link is None:
            return Nothing("gone from Go")
        rows = {EXEMPT_ACCOUNT: self.tools.conversion.sales_account_ids[EXEMPT]}
        try:
            return self.write_values(ParsedArrival({"id": shop_id}, read_at, values=rows), link)
        except Undecidable as undecidable:
            if not isinstance(undecidable.change, Hold):
                raise
            raise Undecidable(Hold(f"product {shop_id}: {undecidable.change.reason}")) from None

    def id_by_code(self, code: str) -> int | None:
        """Return the id of the product in Go with this code; None if there is none, or several."""
        entries = self.tools.index.find_current("products", f"code:{values.normalise_code(code)}")
        return int(entries[0].go_id) if len(entries) == 1 else None

    def service(self, service: Service, rate: Decimal, read_at: datetime.datetime) -> int | None:
        """Return the id of a service's product at this VAT rate, and create it if need be.

        None if it could not be created; it is then among the rejects.
        """
        code = service.code
        go_id = self.id_by_code(code)
        if go_id is not None:
            return go_id
        with self.tools.service_products:
            go_id = self.id_by_code(code)
            if go_id is None:
                record: Record = {
                    "id": f"{SERVICE}{code}",
                    "sku": code,
                    "name": service.name,
                    "type": "gift_card" if service.is_gift_card else "service",
                    "tax_rate": rate_key(rate),
                    MADE_FOR_ORDERS: True,
                }
                self.take(Arrival(record, read_at, at_end=True))
                go_id = self.id_by_code(code)
        return go_id
