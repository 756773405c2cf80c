"""Personal data that was anonymised in the shop, or erased at a person's request; pure.

A shop's retention routine, or a privacy request handled there, is not an edit: the ledger keeps the
buyer, and an anonymised record is read as if it still had one.

The link of a customer erased at a person's request is kept under a keyed hash of its shop id, so
that the customer is not created again and its orders can still be assigned to it.
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
"""The key that marks a record as anonymised by the shop. In an order its value is the customer's id
in Go, or None if that is not known."""

NEVER_IN_GO = "anonymised in the shop and never in Go"
"""The reason why a customer is skipped and nothing of it kept, unless an order needs it."""

_NAMES = ("company_name", "first_name", "last_name")
_ADDRESS = ("line1", "line2", "postal_code", "city", "country_code")
_IMPERSONAL_CUSTOMER_FIELDS = (
    *("id", "type", "is_active"),
    *("created_at", "updated_at", "deleted_at"),
)
_BUYER_FIELDS = ("buyer", "billing_address", "shipping_address")


@dataclass(frozen=True)
class Marks:
    """What a shop writes in place of personal data: words, and endings of e-mail domains."""

    words: frozenset[str]
    domains: tuple[str, ...]

    @classmethod
    def of(cls, setting: Iterable[str]) -> Marks:
        """Parse the setting; a mark that begins with a dot is the ending of an e-mail domain."""
        marks = [mark.strip().casefold() for mark in setting if mark.strip()]
        return cls(
            frozenset(mark for mark in marks if not mark.startswith(".")),
            tuple(mark for mark in marks if mark.startswith(".")),
        )

    def is_mark(self, value: object) -> bool:
        """Return whether a value stands in place of personal data."""
        text = normalise_text(value)
        if not isinstance(text, str):
            return False
        text = text.casefold()
        _, at, domain = text.rpartition("@")
        if at and f".{domain}".endswith(self.domains):
            return True
        return text in self.words or all(word in self.words for word in text.split())

    def are_wiped(self, *identity: object, were_known: bool) -> bool:
        """Return whether names and an e-mail address were wiped: each is empty or a mark.

        If none of them is a mark, they must have been known before; otherwise nothing was wiped.
        """
        marks = [self.is_mark(value) for value in identity]
        is_gone = all(
            is_mark or not normalise_text(value)
            for is_mark, value in zip(marks, identity, strict=True)
        )
        return is_gone and (were_known or any(marks))


def is_anonymised_customer(record: Record, base: Mapping[str, Agreement], marks: Marks) -> bool:
    """Return whether the shop has wiped a customer's identity."""
    if "email" not in record:
        return False
    identity = [record.get(name) for name in ("name", *_NAMES, "email")]
    last_agreed = {name: base[name].shop for name in (*_NAMES, "email") if name in base}
    had_name = any(last_agreed.get(name) not in (None, MISSING_NAME) for name in _NAMES)
    return marks.are_wiped(*identity, were_known=had_name and bool(last_agreed.get("email")))


def anonymous_customer(record: Record) -> Record:
    """Return a customer without personal data: its id, type, stamps and whether it is active."""
    fields = {name: record[name] for name in _IMPERSONAL_CUSTOMER_FIELDS if name in record}
    return fields | {ANONYMISED: None}


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
    raw = {name: value for name, value in order.raw.items() if name not in _BUYER_FIELDS}
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
    """Return the id of the customer in Go with which an anonymised order is marked, if any."""
    customer_id = order.raw.get(ANONYMISED)
    return None if customer_id is None else str(customer_id)


def without_marks(order: ShopOrder, marks: Marks, customer_id: int | None) -> ShopOrder:
    """Return an order that was anonymised before it was in Go, with what is left of its buyer.

    That may be a registered customer or a company's organisation number, or nothing.
    `customer_id` is the customer of the order in Go, if it was found there.
    """
    record = order.raw
    buyer = record["buyer"] if isinstance(record["buyer"], dict) else {}
    remaining = {name: None if marks.is_mark(value) else value for name, value in buyer.items()}
    raw = {**record, "buyer": remaining, ANONYMISED: customer_id}
    for name in ("billing_address", "shipping_address"):
        address = record.get(name)
        if isinstance(address, dict) and any(map(marks.is_mark, address.values())):
            raw[name] = None
    return replace(order, raw=raw)


ERASED = "erased:"
"""Prefix of the id under which an erased customer is linked, instead of its shop id."""

ERASED_CUSTOMER = "its personal data was erased"
"""The reason why a record of an erased customer is skipped."""

_ENTRY_MEMBERS = (
    *("Id", "SubledgerAccountId", "IsVatFree", "CurrencyCode", "IsArchived"),
    "LastChangedDateTimeOffset",
)
"""What orders and their payments need of their customer in Go."""

_PARTS_OF_CUSTOMERS = ("delivery_addresses", "contact_persons")

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
"""What is needed to post a payment; the provider's reference may reveal who paid."""

ORDER_ROWS = frozenset(
    {
        *("id", "number", "matching_reference", "customer", "placed_at", "shipped_at"),
        *("currency", "shipping_address"),
    }
)
"""Rows of an order's base that do not reveal the buyer; the delivery address is an id in Go."""


@dataclass(frozen=True)
class ErasedCustomers:
    """The erased customers of a namespace; `go_ids` are their entries in Go that are not shared."""

    key: str
    ids: frozenset[str]
    go_ids: frozenset[str]

    def id_of(self, shop_id: str | None) -> str | None:
        """Return the id under which a customer was erased, or None if it was not."""
        if not self.ids or shop_id is None:
            return None
        hashed_id = shop_id if shop_id.startswith(ERASED) else erased_id(self.key, shop_id)
        return hashed_id if hashed_id in self.ids else None

    def kept_entry(self, entity: str, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return what the index may keep of an entry of Go, or None if it may keep nothing."""
        if not self.go_ids:
            return body
        if entity == "customers" and str(body.get("Id")) in self.go_ids:
            return {name: body[name] for name in _ENTRY_MEMBERS if name in body}
        if entity in _PARTS_OF_CUSTOMERS and str(body.get("ContactId")) in self.go_ids:
            return None
        return body


def erased_id(key: str, shop_id: str) -> str:
    """Return what replaces a shop id that must not be kept; `key` belongs to the namespace."""
    digest = hashlib.blake2b(shop_id.encode(), digest_size=16, key=key.encode()[:64])
    return f"{ERASED}{digest.hexdigest()}"


def impersonal_order(record: Mapping[str, Any], customer_id: str) -> dict[str, Any]:
    """Return an order without personal data, for the customer erased under this id.

    A field that is left out counts as not sent by the shop, so it is not compared.
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
