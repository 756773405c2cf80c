"""Personal data that is gone: wiped in the shop, or erased at a person's request; pure.

A shop's retention routine, or a request for privacy there, is not an edit: the ledger keeps the
buyer, and a record in which the shop has wiped who bought is read as if unwiped.

The link of a customer erased at a person's request is kept under a keyed hash of its shop id, so
that the customer is not created again and its orders still find whom they belong to.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.customer import MISSING_NAME
from target_powerofficego.dataflow.values import normalise_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_powerofficego.dataflow.orders.shop_order import ShopOrder
    from target_powerofficego.dataflow.orders.state import OrderState
    from target_powerofficego.dataflow.table import Agreement, Record

ANONYMISED = "anonymised"
"""Marks a record that the shop has anonymised. In an order its value is the id of the customer in
Go, or None where that is not known."""

NEVER_IN_GO = "anonymised in the shop and never in Go"
"""Why nothing is done with a customer or kept of it; if an order needs it, it is made for that."""

_NAMES = ("company_name", "first_name", "last_name")
_ADDRESS = ("line1", "line2", "postal_code", "city", "country_code")
_OF_A_CUSTOMER = ("id", "type", "is_active", "created_at", "updated_at", "deleted_at")
_OF_A_BUYER = ("buyer", "billing_address", "shipping_address")


@dataclass(frozen=True)
class Marks:
    """What a shop writes in place of what it has wiped: words, and endings of mail domains."""

    words: frozenset[str]
    domains: tuple[str, ...]

    @classmethod
    def of(cls, told: Iterable[str]) -> Marks:
        """Return the marks in the setting; one that begins with a dot applies to mail addresses."""
        marks = [mark.strip().casefold() for mark in told if mark.strip()]
        return cls(
            frozenset(one for one in marks if not one.startswith(".")),
            tuple(one for one in marks if one.startswith(".")),
        )

    def is_mark(self, value: object) -> bool:
        """Return whether a value is a placeholder for one that was wiped."""
        told = normalise_text(value)
        if not isinstance(told, str):
            return False
        told = told.casefold()
        _, at, domain = told.rpartition("@")
        if at and f".{domain}".endswith(self.domains):
            return True
        return told in self.words or all(one in self.words for one in told.split())

    def are_wiped(self, *told: object, were_known: bool) -> bool:
        """Return whether names and an e-mail address were wiped: all are empty or marks.

        If none of them is a mark, they must have been known before; otherwise nothing was wiped.
        """
        marks = [self.is_mark(one) for one in told]
        is_gone = all(
            mark or not normalise_text(one) for mark, one in zip(marks, told, strict=True)
        )
        return is_gone and (were_known or any(marks))


def is_anonymised_customer(record: Record, base: Mapping[str, Agreement], marks: Marks) -> bool:
    """Return whether the shop has wiped a customer's identity."""
    if "email" not in record:
        return False
    told = [record.get(one) for one in ("name", *_NAMES, "email")]
    known = {one: base[one].shop for one in (*_NAMES, "email") if one in base}
    has_name = any(known.get(one) not in (None, MISSING_NAME) for one in _NAMES)
    return marks.are_wiped(*told, were_known=has_name and bool(known.get("email")))


def anonymous_customer(record: Record) -> Record:
    """Return a customer without its identity: only whether it may buy, with its id and stamps."""
    return {name: record[name] for name in _OF_A_CUSTOMER if name in record} | {ANONYMISED: None}


def is_anonymised_order(order: ShopOrder, state: OrderState, marks: Marks) -> bool:
    """Return whether the shop has wiped the identity of an order's buyer."""
    if "buyer" not in order.raw:
        return False
    buyer, agreed = order.buyer, state.buyer
    is_erased = bool(state.base) and agreed is None
    were_known = is_erased or (agreed is not None and agreed.is_known)
    return marks.are_wiped(buyer.name, buyer.email, were_known=were_known)


def with_agreed_buyer(order: ShopOrder, state: OrderState, marks: Marks) -> ShopOrder:
    """Return an anonymised order with its buyer and delivery address as last agreed on."""
    base = state.base
    raw = {name: value for name, value in order.raw.items() if name not in _OF_A_BUYER}
    raw[ANONYMISED] = base["customer"].shop
    if "buyer" in base:
        raw["buyer"] = {"name": base["buyer"].shop}
    if state.address:
        raw["shipping_address"] = dict(zip(_ADDRESS, state.address, strict=True))
    reference = raw.get("reference")
    if "reference" in base and (not normalise_text(reference) or marks.is_mark(reference)):
        raw["reference"] = base["reference"].shop
    return replace(order, raw=raw)


def is_marked(order: ShopOrder) -> bool:
    """Return whether an order is marked as one that the shop has anonymised."""
    return ANONYMISED in order.raw


def marked_customer(order: ShopOrder) -> str | None:
    """Return the id of the customer in Go whom the mark of an anonymised order names, if any."""
    customer_id = order.raw.get(ANONYMISED)
    return None if customer_id is None else str(customer_id)


def without_marks(order: ShopOrder, marks: Marks, customer_id: int | None) -> ShopOrder:
    """Return an order that was anonymised before it was in Go, with what is left of its buyer.

    That may be a registered customer, or a company known by its number; else nobody is left.
    `customer_id` is the customer that the order has in Go, where it was found there.
    """
    record = order.raw
    buyer = record["buyer"] if isinstance(record["buyer"], dict) else {}
    left = {name: None if marks.is_mark(value) else value for name, value in buyer.items()}
    raw = {**record, "buyer": left, ANONYMISED: customer_id}
    for name in ("billing_address", "shipping_address"):
        address = record.get(name)
        if isinstance(address, dict) and any(map(marks.is_mark, address.values())):
            raw[name] = None
    return replace(order, raw=raw)


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
