"""The walk of a product, and of the services that freight, fees and discounts are posted on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_powerofficego.changes import Hold, Undecidable
from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.order import MADE_FOR_ORDERS, SERVICE
from target_powerofficego.dataflow.product import rate_key
from target_powerofficego.destinations import Destination, product_destination
from target_powerofficego.matching import match_product
from target_powerofficego.walks.entity_walk import EntityWalk

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from target_powerofficego.changes import Create, RowChange
    from target_powerofficego.changes import Link as LinkChange
    from target_powerofficego.dataflow.order_lines import Service
    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.links import Link


class ProductsWalk(EntityWalk):
    """Products of the shop."""

    entity = "products"
    silent_rows = frozenset({"stock_on_hand"})

    def match(self, record: Record, row_values: Mapping[str, Value]) -> LinkChange | Create:
        """See `match_product`."""
        return match_product(
            record["id"], row_values, index=self.tools.index, store=self.tools.store
        )

    def check_writes(self, link: Link, rows: Sequence[RowChange]) -> None:
        """See that a new SKU is not the code of another product; Go perhaps allows two of a kind.

        Raises:
            Undecidable: with a Hold naming it.
        """
        for row in rows:
            code = values.same_code(row.after) if row.row == "sku" else None
            found = self.tools.index.find("products", f"code:{code}") if code else []
            others = [entry.go_id for entry in found if entry.go_id != link.go_id]
            if others:
                reason = (
                    f"its new SKU {values.shown(row.after)} is the code of another product in Go"
                    f" (id {' and '.join(others)})"
                )
                raise Undecidable(Hold(reason))

    def target(self, record: Record, row_values: Mapping[str, Value]) -> Destination:
        """Return where the product is created."""
        return product_destination(record["id"], row_values["sku"])

    def id_by_code(self, code: str) -> int | None:
        """Return the id of the one product in Go with this code, or None."""
        found = self.tools.index.find_present("products", f"code:{values.same_code(code)}")
        return int(found[0].go_id) if len(found) == 1 else None

    def service(self, service: Service, rate: Decimal, read_at: datetime.datetime) -> int | None:
        """Return the id of a service's product at this VAT rate; made when absent.

        None when it could not be made; it is then among the rejects.
        """
        code = service.code
        known = self.id_by_code(code)
        if known is not None:
            return known
        with self.tools.service_products:
            known = self.id_by_code(code)
            if known is None:
                record: Record = {
                    "id": f"{SERVICE}{code}",
                    "sku": code,
                    "name": service.name,
                    "type": "service",
                    "tax_rate": rate_key(rate),
                    MADE_FOR_ORDERS: True,
                }
                self.take(record, read_at, at_end=True)
                known = self.id_by_code(code)
        return known
