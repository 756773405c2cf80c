"""An order as the shop gives it: each part is read once, when it is first asked for; pure.

It is read that late because much of an order is never needed: one that its status leaves alone is
not rejected for a line that cannot be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.addresses import read_address
from target_powerofficego.dataflow.buyers import Buyer, read_buyer
from target_powerofficego.dataflow.orders.charges import charge_lines, rounding_line
from target_powerofficego.dataflow.orders.discounts import discount_lines
from target_powerofficego.dataflow.orders.lines import (
    OrderLine,
    ServiceCodes,
    product_lines,
    rates_of,
    total_incl,
)
from target_powerofficego.dataflow.orders.order import product_from_line
from target_powerofficego.dataflow.orders.refunds import Refund, read_refunds
from target_powerofficego.dataflow.orders.sums import misrated, settled, sums_of, told_sums
from target_powerofficego.dataflow.table import is_deleted
from target_powerofficego.dataflow.values import Contradiction, Unusable, to_ore

if TYPE_CHECKING:
    from decimal import Decimal

    from target_powerofficego.dataflow.addresses import Address
    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.dataflow.values import Value

_PAID_BACK = ("refunded", "partially_refunded")
_PLAIN = ServiceCodes(rounding="AVRUND")
"""For callers that only read what an order comes to."""


@dataclass(frozen=True, eq=False)
class ShopOrder:
    """An order of the shop; a part that cannot be read raises `Unusable` when it is asked for.

    `raw` is the record itself, to be kept, hashed, or read through the property table.
    """

    raw: Record
    codes: ServiceCodes = _PLAIN

    @property
    def id(self) -> str:
        """The shop's id of the order; for a credit note, an id made from its order's."""
        return str(self.raw["id"])

    @property
    def status(self) -> str | None:
        """The status in the shop, whether it is a known one or not."""
        return values.text(self.raw.get("status"), what="status")

    @property
    def currency(self) -> str | None:
        """The currency that the shop gives, ISO 4217."""
        return values.currency(self.raw.get("currency"), what="currency")

    @property
    def customer_id(self) -> str | None:
        """The id of the registered customer who buys it; None for a guest."""
        return values.shop_id(self.raw.get("customer_id"), what="customer_id")

    @property
    def called_customer(self) -> Value:
        """The shop's id of the buyer, or "guest", for a plan: Go may have no id for them yet."""
        return self.raw.get("customer_id") or "guest"

    @property
    def is_of_guest(self) -> bool:
        """Whether it names no registered customer, or not one that can be read."""
        return values.text_id(self.raw.get("customer_id")) is None

    @property
    def updated_at(self) -> Value:
        """When the shop last changed it, according to the shop."""
        return self.raw.get("updated_at")

    @property
    def is_deleted(self) -> bool:
        """Whether the shop has deleted it."""
        return is_deleted(self.raw)

    @property
    def tells_refunds(self) -> bool:
        """Whether anything is said about refunds, even if only that there are none."""
        return self.raw.get("refunds") is not None

    @cached_property
    def buyer(self) -> Buyer:
        """Who buys it; what cannot be read counts as not given."""
        return read_buyer(self.raw)

    @cached_property
    def address(self) -> Address | None:
        """Where it is sent: the shipping address, else the billing address, if complete."""
        for name in ("shipping_address", "billing_address"):
            address = read_address(self.raw.get(name), what=name)
            if address is not None and address.is_complete:
                return address
        return None

    @cached_property
    def refunds(self) -> tuple[Refund, ...]:
        """What was paid back of it, the earliest first; see `read_refunds`."""
        return read_refunds(self.raw)

    @cached_property
    def lines(self) -> tuple[OrderLine, ...]:
        """Its lines as sold: the shop's own in their order, freight, fees, discounts, rounding.

        They come to the shop's own sums, to the øre; only what it does not give is calculated.

        Raises:
            Contradiction: the shop's sums cannot all be true.
            Unusable: with every reason found.
        """
        order, codes = self.raw, self.codes
        rates = rates_of(order, codes)
        found, reasons = product_lines(order, codes, rates)
        charges, more = charge_lines(order, codes, rates, len(found))
        found, reasons = found + charges, reasons + more
        references = [line.reference for line in found]
        reasons += [
            f"two lines have the id {values.shown(reference)}"
            for reference in sorted({one for one in references if references.count(one) > 1})
        ]
        if reasons:
            raise Unusable("; ".join(reasons))
        rounding = rounding_line(order, codes, len(found))
        told = told_sums(order, total_incl(rounding))
        found += discount_lines(order, codes, found, told)
        sums = sums_of(found)
        wrong = [*misrated(sums), *told.contradictions(sums)]
        if wrong:
            raise Contradiction(
                f"the order's own sums contradict each other: {'; '.join(wrong)}. Correct them in"
                " the shop; what it rounds the whole order by belongs in `rounding`"
            )
        return (*settled(found, told), *rounding)

    @property
    def total(self) -> Decimal:
        """What the order comes to with VAT, as sold.

        Raises:
            Unusable: the shop does not give it, or the lines cannot be read; the text says why.
        """
        told = values.amount(self.raw.get("total_incl"), what="total_incl")
        values.require(told, "the order has no total_incl")
        return total_incl(self.lines)

    def untold_refund(self, paid_back: Decimal) -> str | None:
        """Say that money was paid back that the refunds do not account for; else None.

        `paid_back` is what its refunds come to.

        Raises:
            Unusable: `total_refunded` is not a number.
        """
        raw = self.raw
        told = values.amount(raw.get("total_refunded"), what="total_refunded")
        if told is not None and to_ore(abs(told)) != paid_back:
            back = to_ore(abs(told))
            return f"the shop says that {back} was paid back, but its refunds come to {paid_back}"
        is_marked = raw.get("status") == "refunded" or raw.get("payment_status") in _PAID_BACK
        if is_marked and not paid_back and values.amount(raw.get("total_incl"), what="total_incl"):
            return "the shop says that it was paid back, but tells no refund"
        return None

    def product_of(self, line: OrderLine) -> Record:
        """Return the product record for a line whose product the shop does not list."""
        raw = next(
            one for one in self.raw["lines"] if values.text_id(one.get("id")) == line.reference
        )
        currency = values.text(self.raw.get("currency"), what="currency")
        return product_from_line(raw, currency, line.rate)
