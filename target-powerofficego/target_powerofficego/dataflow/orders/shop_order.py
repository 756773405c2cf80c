"""An order as the shop gives it, and who buys it; pure.

Each part is read once, when it is first needed. Much of an order never is: an order that is left
out because of its status is not rejected for a line that cannot be read.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.customer import (
    Address,
    company_name,
    folded,
    person_names,
    read_address,
)
from target_powerofficego.dataflow.orders.lines import (
    OrderLine,
    ServiceCodes,
    read_lines,
    rounding_line,
    total_incl,
)
from target_powerofficego.dataflow.orders.order import (
    GUEST,
    MADE_FOR_ORDERS,
    buyer_name,
    credited_order,
    product_from_line,
)
from target_powerofficego.dataflow.orders.refunds import Refund, read_refunds
from target_powerofficego.dataflow.orders.sums import (
    adjusted_to_sums,
    discount_lines,
    read_discounts,
    stated_sums,
    sums_of,
    vat_faults,
)
from target_powerofficego.dataflow.table import Record, is_deleted
from target_powerofficego.dataflow.values import Contradiction, Unusable, Value, round_to_ore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from decimal import Decimal


_PAID_BACK = ("refunded", "partially_refunded")
_DEFAULT_CODES = ServiceCodes(rounding="AVRUND")
"""For callers that need only the sums of an order."""


@dataclass(frozen=True, eq=False)
class ShopOrder:
    """An order of the shop; reading a part that is invalid raises `Unusable`.

    `raw` is the record itself, to be kept, hashed, or read through the property table.
    """

    raw: Record
    codes: ServiceCodes = _DEFAULT_CODES

    @property
    def id(self) -> str:
        """The shop's id of the order; for a credit note, an id made from that of its order."""
        return str(self.raw["id"])

    @property
    def status(self) -> str | None:
        """The status in the shop, known or unknown."""
        return values.text(self.raw.get("status"), label="status")

    @property
    def currency(self) -> str | None:
        """The order's currency, ISO 4217; None where the shop gives none."""
        return values.currency(self.raw.get("currency"), label="currency")

    @property
    def customer_id(self) -> str | None:
        """The id of the registered customer who placed it; None for a guest."""
        return values.shop_id(self.raw.get("customer_id"), label="customer_id")

    @property
    def customer_label(self) -> Value:
        """The shop's id of the buyer, or "guest", for a plan: Go may have no id for them yet."""
        return self.raw.get("customer_id") or "guest"

    @property
    def is_of_guest(self) -> bool:
        """Whether it has no `customer_id`, or not one that can be read."""
        return values.text_id(self.raw.get("customer_id")) is None

    @property
    def updated_at(self) -> Value:
        """The shop's stamp of the last change."""
        return self.raw.get("updated_at")

    @property
    def is_deleted(self) -> bool:
        """Whether the shop has deleted it."""
        return is_deleted(self.raw)

    @property
    def states_refunds(self) -> bool:
        """Whether the shop states its refunds, even if only that there are none."""
        return self.raw.get("refunds") is not None

    @cached_property
    def buyer(self) -> Buyer:
        """Who placed it; what cannot be read counts as not given."""
        return read_buyer(self.raw)

    @cached_property
    def address(self) -> Address | None:
        """Where it is sent: the first complete one of shipping address and billing address."""
        for name in ("shipping_address", "billing_address"):
            address = read_address(self.raw.get(name), label=name)
            if address is not None and address.is_complete:
                return address
        return None

    @cached_property
    def refunds(self) -> tuple[Refund, ...]:
        """Its refunds, the earliest first; see `read_refunds`."""
        return read_refunds(self.raw)

    @cached_property
    def lines(self) -> tuple[OrderLine, ...]:
        """Its lines as sold: the shop's own in their order, freight, fees, discounts, rounding.

        They add up to the sums that the shop states, to the øre; only what it does not state is
        calculated.

        Raises:
            Contradiction: the shop's sums cannot all be true.
            Unusable: lines, discounts or sums cannot be read; the message has every reason found.
        """
        order, codes = self.raw, self.codes
        lines = read_lines(order, codes)
        rounding = rounding_line(order, codes, len(lines))
        stated = stated_sums(order, total_incl(rounding))
        lines += discount_lines(order, codes, lines, stated)
        sums = sums_of(lines)
        faults = [*vat_faults(sums), *stated.contradictions(sums)]
        if faults:
            raise Contradiction(
                f"the order's own sums contradict each other: {'; '.join(faults)}. Correct them in"
                " the shop; the amount by which it rounds the order as a whole belongs in"
                " `rounding`"
            )
        return (*adjusted_to_sums(lines, stated), *rounding)

    @property
    def total(self) -> Decimal:
        """What the order comes to with VAT, as sold.

        Raises:
            Unusable: the shop does not give it, or the lines cannot be read; the message says why.
        """
        self._require_total()
        return total_incl(self.lines)

    def _require_total(self) -> None:
        total = values.amount(self.raw.get("total_incl"), label="total_incl")
        values.require(total, "the order has no total_incl, its total with VAT")

    def faults(self) -> Iterator[str]:
        """Yield why parts of it cannot be read, so that all can be corrected at once."""
        parts: tuple[Callable[[], object], ...] = (
            lambda: read_lines(self.raw, self.codes),
            lambda: read_discounts(self.raw),
            lambda: self.refunds,
            self._require_total,
            lambda: self.address,
        )
        for read in parts:
            try:
                read()
            except Unusable as unusable:
                yield str(unusable)

    def unlisted_refund(self, paid_back: Decimal) -> str | None:
        """Return a sentence if the refunds do not account for all that was paid back; else None.

        `paid_back` is what the refunds come to.

        Raises:
            Unusable: `total_refunded` is not a number.
        """
        raw = self.raw
        stated = values.amount(raw.get("total_refunded"), label="total_refunded")
        if stated is not None and round_to_ore(abs(stated)) != paid_back:
            stated = round_to_ore(abs(stated))
            return f"the shop says that {stated} was paid back, but its refunds come to {paid_back}"
        is_marked = raw.get("status") == "refunded" or raw.get("payment_status") in _PAID_BACK
        if is_marked and not paid_back and values.amount(raw.get("total_incl"), label="total_incl"):
            return "the shop says that it was paid back, but lists no refund"
        return None

    def product_of(self, line: OrderLine) -> Record:
        """Return the product record for a line whose product the shop does not list."""
        shop_line = next(
            raw for raw in self.raw["lines"] if values.text_id(raw.get("id")) == line.reference
        )
        currency = values.text(self.raw.get("currency"), label="currency")
        return product_from_line(shop_line, currency, line.rate)


OF_ONE_ORDER = f"{GUEST}order-"
"""Prefix of the id of a guest without an e-mail address, who is identified by the order."""

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
        """What distinguishes buyers: while it stays the same, so does the customer in Go."""
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

    `identity` is None if an earlier version stored the buyer; `is_known` is whether the shop gave
    both a name and an e-mail address at that time.
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
    """Return a guest's second id, used where an earlier version gave the first to a company."""
    return _guest(f"person {email.strip().lower()}")


def _guest(key: str) -> str:
    return GUEST + hashlib.sha256(key.encode()).hexdigest()[:16]


def order_email(order: Record) -> str | None:
    """Return the e-mail address of an order's buyer, or None."""
    email = _members(order, "buyer").get("email")
    return email.strip() or None if isinstance(email, str) else None


def read_buyer(order: Record) -> Buyer:
    """Return the buyer of an order; a credit note goes to the buyer of its order."""
    buyer = _members(order, "buyer")
    return Buyer(
        order_id=credited_order(order["id"]),
        customer_id=_read_or_none(values.shop_id, order.get("customer_id"), label="customer_id"),
        email=values.normalise_email(order_email(order)),
        name=_read_or_none(buyer_name, {"buyer": buyer}),
        company=_read_or_none(company_name, buyer),
        number=_number(order),
    )


def buyer_ids(order: Record) -> tuple[str, str]:
    """Return the shop ids of an order's buyer: the current one, and an earlier version's."""
    buyer = read_buyer(order)
    return buyer.customer_id or buyer.guest_id, buyer.id_by_email


def has_unusable_number(order: Record) -> bool:
    """Return whether the buyer typed something that is not a valid organisation number."""
    typed = _members(order, "buyer").get("organization_number")
    return bool(values.normalise_text(typed)) and _number(order) is None


def _number(order: Record) -> str | None:
    country = _members(order, "billing_address").get("country_code")
    return _read_or_none(
        values.organization_number,
        _members(order, "buyer").get("organization_number"),
        country_code=_read_or_none(values.country, country, label="billing_address, country_code"),
        label="buyer, organization_number",
    )


def _members(order: Record, name: str) -> Record:
    members = order.get(name)
    return members if isinstance(members, dict) else {}


def _read_or_none(read: Callable[..., _T | None], *raw: object, **options: object) -> _T | None:
    with contextlib.suppress(Unusable):
        return read(*raw, **options)
    return None


def buyer_as_customer(order: Record, customer_id: str) -> Record:
    """Return the customer record that an order's buyer stands for.

    It is used for guests, and for customers that the shop names but does not list. The buyer is a
    company if the order has members that only companies have; a person named beside them is then
    its contact.
    """
    raw, buyer = _members(order, "buyer"), read_buyer(order)
    person = buyer_name(order)
    name = person or buyer.company or raw.get("email")
    has_person = person is not None or not buyer.is_company
    first, last = person_names({**raw, "name": name}) if has_person else (None, None)
    billing = order.get("billing_address")
    return {
        "id": customer_id,
        "is_guest": True,
        "type": "company" if buyer.is_company else "person",
        "email": raw.get("email"),
        "name": name,
        "first_name": first,
        "last_name": last,
        "company_name": buyer.company,
        "organization_number": buyer.number,
        "phone": raw.get("phone"),
        "currency": order.get("currency"),
        "addresses": [{**billing, "type": "billing"}] if isinstance(billing, dict) else [],
        MADE_FOR_ORDERS: True,
    }
