"""Where an entry is created in Go, and how it is found again when the answer is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_powerofficego.store.link_store import Intent


@dataclass(frozen=True)
class Destination:
    """Where a create goes, and how its entry is found again: a list filter, or by reference.

    `refuses_duplicates` means that Go is known to refuse the same entry a second time.
    """

    entity: str
    shop_id: str
    path: str
    look_path: str
    look_params: Mapping[str, str]
    member: str
    value: str
    refuses_duplicates: bool = True

    @property
    def place(self) -> tuple[str, str]:
        """What there may be one of: an entry of this path with this reference or code."""
        return self.path, self.value

    def detail(self, values_sent: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the intent keeps."""
        return {
            "path": self.path,
            "look_path": self.look_path,
            "look_params": dict(self.look_params),
            "member": self.member,
            "value": self.value,
            "refuses_duplicates": self.refuses_duplicates,
            "values": dict(values_sent),
        }

    @classmethod
    def of_intent(cls, intent: Intent) -> Destination:
        """Return the destination that an intent was left for."""
        detail = intent.detail
        return cls(
            intent.entity,
            intent.shop_id,
            detail["path"],
            detail["look_path"],
            detail["look_params"],
            detail["member"],
            detail["value"],
            detail["refuses_duplicates"],
        )


def customer_destination(shop_id: str, reference: str) -> Destination:
    """Return where a customer is created; Go refuses a second one with our reference."""
    params = {"externalImportReference": reference}
    return Destination(
        "customers",
        shop_id,
        "/Customers",
        "/Customers",
        params,
        "ExternalImportReference",
        reference,
    )


def product_destination(shop_id: str, code: str) -> Destination:
    """Return where a product is created; whether Go refuses a second code is not known."""
    return Destination(
        "products",
        shop_id,
        "/Products",
        "/Products",
        {"codes": code},
        "Code",
        code,
        refuses_duplicates=False,
    )


def order_destination(shop_id: str, reference: str) -> Destination:
    """Return where an order is created; it is found again by listing, as no filter exists."""
    return Destination(
        "orders",
        shop_id,
        "/SalesOrders/Complete",
        "/SalesOrders",
        {},
        "ExternalImportReference",
        reference,
    )


def contact_destination(
    resource: str, entity: str, shop_id: str, contact_id: str, code: str
) -> Destination:
    """Return where a customer's delivery address or contact person is created.

    Go refuses a second one with the same code, even of another customer.
    """
    return Destination(
        entity,
        shop_id,
        f"/{resource}/{contact_id}",
        f"/{resource}",
        {"externalCodes": code},
        "ExternalCode",
        code,
    )


def line_destination(shop_id: str, path: str, reference: str) -> Destination:
    """Return where a line of an order is created; references are unique within an order."""
    return Destination("orders", shop_id, path, path, {}, "ExternalImportReference", reference)
