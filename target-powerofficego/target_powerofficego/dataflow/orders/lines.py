"""The lines of an order in Go's form: products, gift cards, texts, freight, fees, rounding; pure.

Freight, fees, rounding and deductions are each a line on a service product. VAT cannot be sent to
PowerOffice Go, which calculates it by the product's sales account. Its answer is compared with the
shop's order afterwards (`answer`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.orders.line_amounts import (
    NORWEGIAN_RATES,
    NOTHING,
    ZERO,
    Money,
    Price,
    Rates,
    choose_price,
    read_money,
    sum_by,
)
from target_powerofficego.dataflow.values import (
    Contradiction,
    Unusable,
    Value,
    rate_key,
    round_to_ore,
    unit_code,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from target_powerofficego.dataflow.table import Record


ByRate = dict[Decimal, Money]

ORDER_ROUNDING = "rounding:order"
"""The reference of the line for the shop's own rounding of an order."""

ROUNDING_NAME = "Øreavrunding"


@dataclass(frozen=True)
class ServiceCodes:
    """The codes of the products in Go on which amounts without a product in the shop are posted.

    `rates` are the merchant's VAT rates in percent, if they are set: a line or charge for which the
    shop gives no rate has one of these.
    """

    shipping: str = "FRAKT"
    fee: str = "GEBYR"
    discount: str = "RABATT"
    gift_card: str = "GAVEKORT"
    rounding: str | None = None
    rates: tuple[Decimal, ...] = ()


LISTS = {"lines": "", "shipping": "shipping:", "fees": "fee:"}
"""The members in which the shop lists an order's lines, and the prefix of their references."""

CHARGES = tuple(filter(None, LISTS.values()))
"""Prefixes of the references of freight and fees."""
NOT_GOODS = (*CHARGES, "rounding:")
"""Prefixes of the references of freight, fees and rounding; an ordinary line's is its shop id."""


@dataclass(frozen=True)
class Service:
    """A product in Go that is created if missing: its code, and its name."""

    code: str
    name: str
    is_gift_card: bool = False


def service_at(code: str, name: str, rate: Decimal, *, is_gift_card: bool = False) -> Service:
    """Return the service on which amounts of one VAT rate, in percent, are posted."""
    return Service(f"{code}-{rate_key(rate)}", f"{name} {rate_key(rate)} %", is_gift_card)


@dataclass(frozen=True)
class OrderLine:
    """A line as it should be in Go; `reference` identifies it among the lines of its order.

    A line is for a shop product (`product_id` and `sku`), for a service, or text only. `rate` is
    the VAT rate in percent that Go's answer must have. `vat_moved` is by how much, in kroner, the
    VAT of its rate differs from what the shop states, so that the order comes to its total; one
    line of each rate has it.
    """

    reference: str
    product_id: str | None
    sku: str | None
    service: Service | None
    description: str | None
    quantity: Decimal
    price: Price
    unit: str
    sort_order: int
    rate: Decimal | None
    total: Money
    is_text: bool = False
    is_gift_card: bool = False
    vat_moved: Decimal = ZERO

    @property
    def is_goods(self) -> bool:
        """Whether it was sold, so that discounts on the whole order are taken off it."""
        return not (self.is_gift_card or self.reference.startswith(NOT_GOODS))

    def values(self, product_go_id: int | None, *, standard_account: bool) -> dict[str, Value]:
        """Return the line's members under PowerOffice Go's names.

        Price, allowance, description and UseStandardSalesAccount are always sent, because Go takes
        what is left out from the product or the customer.
        """
        if self.is_text:
            return {
                "LineType": "Text",
                "Description": self.description,
                "SortOrder": self.sort_order,
            }
        return {
            "LineType": "Normal",
            "ProductId": product_go_id,
            "Description": self.description,
            "Quantity": self.quantity,
            "ProductUnitPrice": self.price.unit_price,
            "Allowance": self.price.allowance,
            "UnitOfMeasureCode": self.unit,
            "SortOrder": self.sort_order,
            "UseStandardSalesAccount": standard_account,
        }


LINE_MEMBERS: Mapping[str, Callable[[Value], Value]] = {
    "ProductId": values.normalise_amount,
    "Description": values.normalise_text,
    "Quantity": values.normalise_amount,
    "ProductUnitPrice": values.normalise_amount,
    "Allowance": values.normalise_amount,
    "UnitOfMeasureCode": values.normalise_code,
    "SortOrder": values.normalise_amount,
    "UseStandardSalesAccount": values.normalise_flag,
}
"""The members of a line that are compared, and how each is normalised."""


def read_lines(order: Record, codes: ServiceCodes) -> list[OrderLine]:
    """Return an order's lines in the shop's order, then its freight, then its fees.

    Freight and fees that cost nothing are left out.

    Raises:
        Unusable: lines cannot be read (the message has the reason of each), two have the same id,
            or a row of `taxes` cannot be read.
    """
    rates = _rates_of(order, codes)
    lines: list[OrderLine] = []
    reasons: list[str] = []
    for member in LISTS:
        for number, raw in enumerate(dicts(order.get(member), label=member), start=1):
            try:
                line = _read_line(member, raw, number, len(lines), codes, rates)
            except Unusable as unusable:
                reasons.append(str(unusable))
            else:
                lines += [] if line is None else [line]
    counts = Counter(line.reference for line in lines)
    doubled = sorted(reference for reference, count in counts.items() if count > 1)
    reasons += [f"two lines have the id {values.quoted(reference)}" for reference in doubled]
    if reasons:
        raise Unusable("; ".join(reasons))
    return lines


def _rates_of(order: Record, codes: ServiceCodes) -> Rates:
    """Return the rates from which a missing one is chosen: the merchant's, else Norway's."""
    rows = dicts(order.get("taxes"), label="taxes")
    listed = [values.vat_rate(row.get("rate"), label="taxes, rate") for row in rows]
    return Rates(codes.rates or NORWEGIAN_RATES, [rate for rate in listed if rate is not None])


def _read_line(
    member: str, raw: Record, number: int, place: int, codes: ServiceCodes, rates: Rates
) -> OrderLine | None:
    """Return the line for an object in one of the `LISTS`; None for a charge that costs nothing."""
    if member != "lines":
        return _charge(member, raw, number, place, codes, rates)
    if raw.get("type") == "text":
        return _text_line(raw, f"line {number}", place)
    return _product_line(raw, f"line {number}", place, codes, rates)


def _charge(
    member: str, raw: Record, number: int, place: int, codes: ServiceCodes, rates: Rates
) -> OrderLine | None:
    """Return the line of a freight or fee; a missing rate follows from its amounts."""
    kinds = {
        "shipping": ("freight", codes.shipping, "Frakt"),
        "fees": ("fee", codes.fee, "Gebyr"),
    }
    kind, code, name = kinds[member]
    label = f"{kind} {number}"
    rate = values.vat_rate(raw.get("tax_rate"), label=f"{label}, tax_rate")
    total = read_money(raw, rate, label)
    if not total.incl and not total.excl:
        return None
    if rate is None:
        rate = rates.infer(total, label) if total.tax else ZERO
    service = service_at(code, name, rate or ZERO)
    reference = values.text(raw.get("id"), label=f"{label}, id") or number
    description = values.unescaped_text(raw.get("name"), label=f"{label}, name") or name
    return service_line(f"{LISTS[member]}{reference}", service, description, place, rate, total)


def _text_line(raw: Record, label: str, sort_order: int) -> OrderLine:
    rate = values.vat_rate(raw.get("tax_rate"), label=f"{label}, tax_rate")
    amounts = [raw.get(name) for name in ("total_excl", "total_incl")]
    if any(values.amount(amount, label=f"{label}, total") for amount in amounts):
        raise Unusable(f"{label} is a text but has an amount")
    return OrderLine(
        reference=_reference(raw, label),
        product_id=None,
        sku=None,
        service=None,
        description=values.unescaped_text(raw.get("name"), label=f"{label}, name"),
        quantity=ZERO,
        price=Price(ZERO, ZERO),
        unit="EA",
        sort_order=sort_order,
        rate=rate,
        total=NOTHING,
        is_text=True,
    )


def _product_line(
    raw: Record, label: str, sort_order: int, codes: ServiceCodes, rates: Rates
) -> OrderLine:
    reference = _reference(raw, label)
    sku = values.text(raw.get("sku"), label=f"{label}, sku", longest=100)
    product_id = values.shop_id(raw.get("product_id"), label=f"{label}, product_id")
    quantity = values.require(
        values.amount(raw.get("quantity"), label=f"{label}, quantity"), f"{label} has no quantity"
    )
    is_gift_card = raw.get("type") == "gift_card"
    has_product = product_id is not None or sku is not None
    rate = values.vat_rate(raw.get("tax_rate"), label=f"{label}, tax_rate")
    rate = ZERO if rate is None and is_gift_card else rate
    total = read_money(raw, rate, label)
    if rate is None and (codes.rates or not has_product):
        rate = rates.infer(total, label)
    if rate is None and not has_product:
        rate = ZERO
    code, default_name = (codes.gift_card, "Gavekort") if is_gift_card else (codes.fee, "Gebyr")
    service = service_at(code, default_name, rate or ZERO, is_gift_card=is_gift_card)
    return OrderLine(
        reference=reference,
        product_id=product_id,
        sku=sku,
        service=None if has_product else service,
        description=values.unescaped_text(raw.get("name"), label=f"{label}, name")
        or sku
        or default_name,
        quantity=quantity,
        price=_line_price(raw, quantity, total, rate, label),
        unit=unit_code(values.text(raw.get("unit"), label=f"{label}, unit")),
        sort_order=sort_order,
        rate=rate,
        total=total,
        is_gift_card=is_gift_card,
    )


def _reference(raw: Record, label: str) -> str:
    return values.require(values.text(raw.get("id"), label=f"{label}, id"), f"{label} has no id")


def _line_price(
    raw: Record, quantity: Decimal, total: Money, rate: Decimal | None, label: str
) -> Price:
    unit_price = values.amount(raw.get("unit_price_excl"), label=f"{label}, unit_price_excl")
    if unit_price is None and rate is not None:
        incl = values.amount(raw.get("unit_price_incl"), label=f"{label}, unit_price_incl")
        unit_price = None if incl is None else round_to_ore(incl / (1 + rate / 100))
    try:
        return choose_price(
            quantity=quantity,
            total_excl=round_to_ore(total.excl),
            unit_price=unit_price,
            discount=_discount(raw, total, label),
        )
    except Unusable as unusable:
        raise Unusable(f"{label}: {unusable}") from None


def _discount(raw: Record, total: Money, label: str) -> Decimal:
    """Return the fraction that was taken off the line, between 0 and 1."""
    for kind, left in (("excl", total.excl), ("incl", total.incl)):
        discount = values.amount(raw.get(f"discount_{kind}"), label=f"{label}, discount_{kind}")
        if discount and left + discount:
            return discount / (left + discount)
    return ZERO


def total_incl(lines: Iterable[OrderLine]) -> Decimal:
    """Return what lines come to with VAT."""
    return sum((line.total.incl for line in lines), ZERO)


def format_deductions(lines: Iterable[OrderLine]) -> str:
    """Return what negative lines take off at each rate: "10.00 at 25 % and 2.00 at 15 %"."""
    return " and ".join(f"{-line.total.incl} at {rate_key(line.rate or ZERO)} %" for line in lines)


def dicts(raw: object, *, label: str) -> list[Record]:
    """Return a list of objects; null counts as an empty list.

    Raises:
        Unusable: it is anything else.
    """
    if raw is None:
        return []
    if not isinstance(raw, list) or not all(isinstance(item, dict) for item in raw):
        raise Unusable(f"{label} should be a list but is a {values.kind_of(raw)}")
    return raw


def service_line(
    reference: str,
    service: Service,
    description: str,
    sort_order: int,
    rate: Decimal | None,
    total: Money,
) -> OrderLine:
    """Return a line of one unit of a service; an amount below zero has a quantity of -1.

    PowerOffice Go credits by quantity.
    """
    quantity = Decimal(-1) if total.excl < 0 or total.incl < 0 else Decimal(1)
    return OrderLine(
        reference=reference,
        product_id=None,
        sku=None,
        service=service,
        description=description,
        quantity=quantity,
        price=Price(round_to_ore(total.excl) * quantity, ZERO),
        unit="EA",
        sort_order=sort_order,
        rate=rate,
        total=total,
    )


def rounding_line(order: Record, codes: ServiceCodes, start: int) -> list[OrderLine]:
    """Return the line, without VAT, for the shop's rounding of the order as a whole, if any.

    Raises:
        Contradiction: the merchant has set no product for it.
        Unusable: it is not a number.
    """
    amount = round_to_ore(values.amount(order.get("rounding"), label="rounding") or ZERO)
    if not amount:
        return []
    if codes.rounding is None:
        raise Contradiction(
            f"the shop rounds the order by {amount}, and no rounding_product_code is set to post"
            " that on: set it"
        )
    service = Service(codes.rounding, ROUNDING_NAME)
    total = Money(amount, ZERO, amount)
    return [service_line(ORDER_ROUNDING, service, service.name, start, ZERO, total)]


def spread_lines(
    reference: str, code: str, name: str, description: str, start: int, shares: ByRate
) -> list[OrderLine]:
    """Return a negative line for each VAT rate, the highest rate first."""
    nonzero = [(rate, share) for rate, share in sorted(shares.items(), reverse=True) if share.incl]
    return [
        service_line(
            f"{reference}:{rate_key(rate)}",
            service_at(code, name, rate),
            description,
            start + place,
            rate,
            -share,
        )
        for place, (rate, share) in enumerate(nonzero)
    ]


def without_rate(lines: Iterable[OrderLine], label: str) -> str:
    """Return the reason why an amount cannot be split by VAT rate: one of these lines has none."""
    line = next(line for line in lines if line.rate is None and line.total.incl)
    return f"{label} cannot be split by VAT rate: {values.quoted(line.description)} has none"


def by_rate(lines: Iterable[OrderLine]) -> ByRate | None:
    """Return what lines come to at each VAT rate; None if a line with an amount has no rate."""
    lines = list(lines)
    if any(line.rate is None and line.total.incl for line in lines):
        return None
    return sum_by((line.rate, line.total) for line in lines if line.rate is not None)
