"""Who buys an order according to the shop: a person or a company, and how each is recognised."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.addresses import folded
from target_powerofficego.dataflow.customer import company_name, person_names
from target_powerofficego.dataflow.orders.credits import credited_order
from target_powerofficego.dataflow.orders.order import GUEST, MADE_FOR_ORDERS, buyer_name
from target_powerofficego.dataflow.values import Unusable

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_powerofficego.dataflow.table import Record

OF_ONE_ORDER = f"{GUEST}order-"
"""Prefix of the key of a guest without an e-mail address, who is identified by the order."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Buyer:
    """The buyer as given in one order; what cannot be read counts as not given.

    `number` is an organisation number that is valid in the country of the billing address.
    """

    order_id: str
    customer_id: str | None
    email: str | None
    name: str | None
    company: str | None
    number: str | None

    @property
    def is_company(self) -> bool:
        """Whether the order names a company."""
        return self.company is not None or self.number is not None

    @property
    def company_id(self) -> str | None:
        """The shop id under which the company with this organisation number is linked."""
        return None if self.number is None else _guest(f"organization {self.number}")

    @property
    def guest_id(self) -> str:
        """The shop id under which a guest is linked.

        A company is identified by its number, else by name and e-mail together; a person by e-mail;
        a buyer without an e-mail address by the order.
        """
        if self.company_id is not None or self.email is None:
            return self.company_id or f"{OF_ONE_ORDER}{self.order_id}"
        if self.company is None:
            return guest_id(self.email)
        return _guest(f"company {folded(self.company)} {self.email}")

    @property
    def identity(self) -> str:
        """What distinguishes one buyer from another; while it is the same, so is Go's customer."""
        if self.customer_id is None:
            return self.guest_id
        return f"{self.customer_id} {self.company_id or ''}".strip()

    @property
    def id_by_email(self) -> str:
        """The shop id that an earlier version gave the buyer: a guest's by e-mail alone."""
        person = Buyer(self.order_id, None, self.email, None, None, None)
        return self.customer_id or person.guest_id


@dataclass(frozen=True)
class AgreedBuyer:
    """Who bought an order as last agreed on: the shop id of the customer who gets the invoice.

    `identity` is None where an earlier version stored it; `is_known` is whether the shop gave both
    a name and an e-mail address at that time.
    """

    id: str
    identity: str | None
    is_known: bool

    def is_still(self, buyer: Buyer) -> bool:
        """Return whether an order still has the same buyer."""
        if self.identity is None:
            return self.id == buyer.id_by_email
        return self.identity == buyer.identity


def guest_id(email: str) -> str:
    """Return the shop id under which a person who buys as a guest is linked."""
    return _guest(email.strip().lower())


def other_guest_id(email: str) -> str:
    """Return a guest's second id, for where an earlier version gave the first one to a company."""
    return _guest(f"person {email.strip().lower()}")


def _guest(key: str) -> str:
    return GUEST + hashlib.sha256(key.encode()).hexdigest()[:16]


def order_email(order: Record) -> str | None:
    """Return the e-mail address of an order's buyer, or None."""
    email = _members(order, "buyer").get("email")
    return email.strip() or None if isinstance(email, str) else None


def read_buyer(order: Record) -> Buyer:
    """Return who buys an order; a credit note goes to the buyer of its order."""
    buyer = _members(order, "buyer")
    return Buyer(
        order_id=credited_order(order["id"]),
        customer_id=_readable(values.shop_id, order.get("customer_id"), what="customer_id"),
        email=values.same_email(order_email(order)),
        name=_readable(buyer_name, {"buyer": buyer}),
        company=_readable(company_name, buyer),
        number=_number(order),
    )


def known_ids(order: Record) -> tuple[str, str]:
    """Return the shop ids of an order's buyer: the current one, and that of an earlier version."""
    buyer = read_buyer(order)
    return buyer.customer_id or buyer.guest_id, buyer.id_by_email


def has_unusable_number(order: Record) -> bool:
    """Return whether the buyer typed something in place of an organisation number."""
    told = _members(order, "buyer").get("organization_number")
    return bool(values.same_text(told)) and _number(order) is None


def _number(order: Record) -> str | None:
    country = _members(order, "billing_address").get("country_code")
    return _readable(
        values.organization_number,
        _members(order, "buyer").get("organization_number"),
        country_code=_readable(values.country, country, what="billing_address, country_code"),
        what="buyer, organization_number",
    )


def _members(order: Record, name: str) -> Record:
    told = order.get(name)
    return told if isinstance(told, dict) else {}


def _readable(read: Callable[..., _T | None], *told: object, **how: object) -> _T | None:
    with contextlib.suppress(Unusable):
        return read(*told, **how)
    return None


def buyer_as_customer(order: Record, customer_id: str) -> Record:
    """Return the customer record that an order's buyer stands for.

    It is used for a guest, and for a customer whom the shop names but does not list. Whether the
    buyer is a company follows from members that only companies have; a person who is named is then
    its contact.
    """
    told, buyer = _members(order, "buyer"), read_buyer(order)
    person = buyer_name(order)
    name = person or buyer.company or told.get("email")
    is_person = person is not None or not buyer.is_company
    first, last = person_names({**told, "name": name}) if is_person else (None, None)
    billing = order.get("billing_address")
    return {
        "id": customer_id,
        "is_guest": True,
        "type": "company" if buyer.is_company else "person",
        "email": told.get("email"),
        "name": name,
        "first_name": first,
        "last_name": last,
        "company_name": buyer.company,
        "organization_number": buyer.number,
        "phone": told.get("phone"),
        "currency": order.get("currency"),
        "addresses": [{**billing, "type": "billing"}] if isinstance(billing, dict) else [],
        MADE_FOR_ORDERS: True,
    }
