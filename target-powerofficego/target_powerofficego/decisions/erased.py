"""Customers whose personal data was erased: how they are recognised, what is kept of them; pure.

The link of an erased customer is kept under a keyed hash of its shop id, so that the customer is
not created again and its orders still find whom they belong to.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ERASED = "erased:"
"""Prefix of the id under which an erased customer is linked, in place of its shop id."""

ERASED_CUSTOMER = "its personal data was erased"
"""Why a record of an erased customer is left alone."""

_ENTRY_MEMBERS = (
    *("Id", "SubledgerAccountId", "IsVatFree", "CurrencyCode", "IsArchived"),
    "LastChangedDateTimeOffset",
)
"""What orders and their payments need to know of their customer in Go."""

_HANG_ON_A_CUSTOMER = ("delivery_addresses", "contact_persons")

_ORDER_FIELDS = frozenset(
    {
        *("id", "number", "status", "payment_status", "fulfillment_status", "source_status"),
        *("currency", "prices_include_tax", "customer_id", "is_guest", "placed_at", "paid_at"),
        *("shipped_at", "completed_at", "cancelled_at", "created_at", "updated_at", "deleted_at"),
        *("lines", "shipping", "fees", "discounts", "taxes", "total_excl", "total_tax"),
        *("rounding", "total_incl", "total_refunded"),
    }
)

_PAYMENT_FIELDS = ("id", "method", "status", "amount", "paid_at")
"""What a payment needs in order to be posted; the provider's reference may reveal who paid."""

ORDER_ROWS = frozenset(
    {
        *("id", "number", "matching_reference", "customer", "placed_at", "shipped_at"),
        *("currency", "shipping_address"),
    }
)
"""Rows of an order's base that do not reveal who bought; the delivery address is an id in Go."""


@dataclass(frozen=True)
class ErasedCustomers:
    """The erased customers of a namespace; `go_ids` are entries of Go that nobody else has."""

    key: str
    ids: frozenset[str]
    go_ids: frozenset[str]

    def id_of(self, shop_id: str | None) -> str | None:
        """Return the id under which a customer was erased; None: it was not."""
        if not self.ids or shop_id is None:
            return None
        found = shop_id if shop_id.startswith(ERASED) else erased_id(self.key, shop_id)
        return found if found in self.ids else None

    def kept_entry(self, entity: str, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return what the index may keep of an entry of Go; None: nothing at all."""
        if not self.go_ids:
            return body
        if entity == "customers" and str(body.get("Id")) in self.go_ids:
            return {name: body[name] for name in _ENTRY_MEMBERS if name in body}
        if entity in _HANG_ON_A_CUSTOMER and str(body.get("ContactId")) in self.go_ids:
            return None
        return body


def erased_id(key: str, shop_id: str) -> str:
    """Return the stand-in for a shop id that must not be kept; `key` is the namespace's own."""
    digest = hashlib.blake2b(shop_id.encode(), digest_size=16, key=key.encode()[:64])
    return f"{ERASED}{digest.hexdigest()}"


def impersonal_order(record: Mapping[str, Any], customer_id: str) -> dict[str, Any]:
    """Return an order, of the customer erased as this id, without who bought it and where it went.

    A field that is left out counts as one that the shop did not send, so it is not compared.
    """
    kept = {name: value for name, value in record.items() if name in _ORDER_FIELDS}
    refunds, payments = record.get("refunds"), record.get("payments")
    if isinstance(refunds, list):
        kept["refunds"] = [_without_reason(refund) for refund in refunds]
    if isinstance(payments, list):
        kept["payments"] = [_impersonal_payment(payment) for payment in payments]
    return {**kept, "customer_id": customer_id}


def _without_reason(refund: object) -> object:
    if not isinstance(refund, dict):
        return refund
    return {name: value for name, value in refund.items() if name != "reason"}


def _impersonal_payment(payment: object) -> object:
    if not isinstance(payment, dict):
        return payment
    return {name: payment[name] for name in _PAYMENT_FIELDS if name in payment}
