"""The lines of an order in Go's form: products, percentage discounts and freight, exact to the øre.

PowerOffice Go works out a line as quantity × price × (1 − allowance / 100), rounded to øre, and
adds VAT by the product's sales account; no VAT can be sent. So price and allowance are chosen such
that Go's own rounding gives the shop's amount, and Go's answer is compared afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.product import rate_key
from target_powerofficego.dataflow.units import unit_code
from target_powerofficego.dataflow.values import Unusable, to_ore

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.dataflow.values import Value

_ZERO = Decimal(0)
_ORE = Decimal("0.01")
_MOST_PRICE_DECIMALS = 8
_LARGEST_PRICE = Decimal(10) ** 15
_MOST_ALLOWANCE_DECIMALS = 2


@dataclass(frozen=True)
class Money:
    """An amount in the order's currency, without VAT, its VAT, and with VAT; whole øre."""

    excl: Decimal
    tax: Decimal
    incl: Decimal


@dataclass(frozen=True)
class Price:
    """What is sent for a line: krone a unit without VAT, and the discount in percent."""

    unit_price: Decimal
    allowance: Decimal


@dataclass(frozen=True)
class OrderLine:
    """One line as it is to stand in Go; `reference` names it among the lines of its order.

    A line is of a shop product (`product_id` and `sku`) or of freight (`service_code`, the code of
    the product that freight is posted on). `rate` is the VAT rate in percent that Go must answer.
    """

    reference: str
    product_id: str | None
    sku: str | None
    service_code: str | None
    description: str | None
    quantity: Decimal
    price: Price
    unit: str
    sort_order: int
    rate: Decimal | None
    total: Money

    def values(self, product_go_id: int, *, standard_account: bool) -> dict[str, Value]:
        """Return the line as PowerOffice Go names its members.

        Price, allowance, description and UseStandardSalesAccount are always given, for Go inherits
        what is left out from the product or the customer.
        """
        return {
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
    "ProductId": values.same_amount,
    "Description": values.same_text,
    "Quantity": values.same_amount,
    "ProductUnitPrice": values.same_amount,
    "Allowance": values.same_amount,
    "UnitOfMeasureCode": values.same_code,
    "SortOrder": values.same_amount,
    "UseStandardSalesAccount": values.same_flag,
}
"""The members of a line that are compared, with how each is normalised."""


def read_lines(order: Record, *, shipping_code: str) -> tuple[OrderLine, ...]:
    """Return the lines of an order: those of products in the shop's order, then freight.

    Raises:
        Unusable: with every reason that was found.
    """
    found: list[OrderLine] = []
    reasons: list[str] = []
    for number, raw in enumerate(dicts(order.get("lines"), what="lines"), start=1):
        try:
            found.append(_product_line(raw, f"line {number}", len(found)))
        except Unusable as unusable:
            reasons.append(str(unusable))
    for number, raw in enumerate(dicts(order.get("shipping"), what="shipping"), start=1):
        try:
            line = _freight_line(raw, number, len(found), shipping_code)
        except Unusable as unusable:
            reasons.append(str(unusable))
        else:
            found += [line] if line else []
    references = [line.reference for line in found]
    reasons += [
        f"two lines have the id {values.shown(reference)}"
        for reference in sorted({one for one in references if references.count(one) > 1})
    ]
    if reasons:
        raise Unusable("; ".join(reasons))
    return tuple(found)


def check_total(order: Record, lines: Iterable[OrderLine]) -> Decimal:
    """Return the order's total with VAT, after checking that its lines come to it.

    Raises:
        Unusable: the total is missing, or another than the lines' sum.
    """
    total = values.amount(order.get("total_incl"), what="total_incl")
    if total is None:
        msg = "the order has no total_incl"
        raise Unusable(msg)
    lines_total = sum((line.total.incl for line in lines), _ZERO)
    if to_ore(total) != lines_total:
        msg = f"the lines and freight come to {lines_total} but the order's total is {total}"
        raise Unusable(msg)
    return to_ore(total)


def answer_differences(
    lines: Iterable[OrderLine],
    total: Decimal,
    answer: Mapping[str, Any],
    *,
    edited_in_go: Collection[str] = (),
) -> tuple[str, ...]:
    """Compare Go's order with the shop's: the VAT rate of each line, and the total with VAT.

    Lines in `edited_in_go`, and lines that only Go has, count as Go has them. An answer without
    totals (a dry run) has no differences.
    """
    if answer.get("TotalAmount") is None:
        return ()
    found: list[str] = []
    expected = total
    in_go = {
        line.get("ExternalImportReference"): line for line in answer.get("SalesOrderLines") or ()
    }
    for line in lines:
        there = in_go.pop(line.reference, None)
        if line.reference in edited_in_go:
            expected += _total_in_go(there) - line.total.incl
            continue
        rate = None if there is None else there.get("VatRate")
        if line.rate is not None and rate is not None and Decimal(str(rate)) * 100 != line.rate:
            found.append(
                f"VAT of {values.shown(line.description)}: the shop says {rate_key(line.rate)} %,"
                f" Go's sales account gives {rate_key(Decimal(str(rate)) * 100)} %"
            )
    expected += sum((_total_in_go(line) for line in in_go.values()), _ZERO)
    off = total_difference(expected, answer["TotalAmount"])
    found += [off] if off else []
    return tuple(found)


def total_difference(expected: Decimal, go_total: Value) -> str | None:
    """Name both totals with VAT when they differ by an øre or more; None when Go tells none."""
    if go_total is None or abs(Decimal(str(go_total)) - expected) < _ORE:
        return None
    in_go = to_ore(Decimal(str(go_total)))
    return f"total with VAT: the shop says {expected}, Go says {in_go}"


def _total_in_go(line: Mapping[str, Any] | None) -> Decimal:
    return _ZERO if line is None else Decimal(str(line.get("TotalAmount") or 0))


def choose_price(
    *, quantity: Decimal, total_excl: Decimal, unit_price: Decimal | None, discount: Decimal
) -> Price:
    """Choose price and allowance so that Go's line sum rounds to `total_excl`.

    `discount` is the part taken off, between 0 and 1. A discount that is a percentage of at most
    two decimals becomes the allowance; otherwise it goes into the price. The fewest decimals that
    are exact are taken, for it is not known how many PowerOffice Go keeps.

    Raises:
        Unusable: no price gives the amount (a quantity of 0 with an amount).
    """
    if quantity == 0:
        if total_excl:
            msg = f"a quantity of 0 cannot come to {total_excl}"
            raise Unusable(msg)
        return Price(unit_price or _ZERO, _ZERO)
    for allowance in _allowances(discount):
        left = 1 - allowance / 100
        full_prices = [unit_price] if unit_price is not None else []
        if left:
            full_prices += _rounded(total_excl / quantity / left)
        for price in full_prices:
            if to_ore(quantity * price * left) == total_excl:
                return Price(price, allowance)
    msg = f"no unit price makes {quantity} come to {total_excl}"
    raise Unusable(msg)


def _allowances(discount: Decimal) -> list[Decimal]:
    """Return the percentages to try: the discount with 0, 1, 2 decimals, at last none at all.

    A surcharge, and a discount above the whole price, go into the price.
    """
    if not 0 < discount <= 1:
        return [_ZERO]
    tried = [
        (discount * 100).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
        for places in range(_MOST_ALLOWANCE_DECIMALS + 1)
    ]
    tolerance = Decimal("0.05")
    return [one for one in tried if abs(one - discount * 100) <= tolerance] + [_ZERO]


def _rounded(price: Decimal) -> list[Decimal]:
    if abs(price) >= _LARGEST_PRICE:
        return []
    return [
        price.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
        for places in range(2, _MOST_PRICE_DECIMALS + 1)
    ]


def _product_line(raw: Record, what: str, sort_order: int) -> OrderLine:
    reference = values.text(raw.get("id"), what=f"{what}, id")
    sku = values.text(raw.get("sku"), what=f"{what}, sku", longest=100)
    product_id = values.shop_id(raw.get("product_id"), what=f"{what}, product_id")
    quantity = values.amount(raw.get("quantity"), what=f"{what}, quantity")
    if reference is None:
        msg = f"{what} has no id"
        raise Unusable(msg)
    if sku is None and product_id is None:
        msg = f"{what} has neither a product nor a SKU"
        raise Unusable(msg)
    if quantity is None:
        msg = f"{what} has no quantity"
        raise Unusable(msg)
    rate = values.vat_rate(raw.get("tax_rate"), what=f"{what}, tax_rate")
    total = _money(raw, rate, what)
    return OrderLine(
        reference=reference,
        product_id=product_id,
        sku=sku,
        service_code=None,
        description=values.text(raw.get("name"), what=f"{what}, name") or sku,
        quantity=quantity,
        price=_line_price(raw, quantity, total, rate, what),
        unit=unit_code(values.text(raw.get("unit"), what=f"{what}, unit")),
        sort_order=sort_order,
        rate=rate,
        total=total,
    )


def _line_price(
    raw: Record, quantity: Decimal, total: Money, rate: Decimal | None, what: str
) -> Price:
    unit_price = values.amount(raw.get("unit_price_excl"), what=f"{what}, unit_price_excl")
    if unit_price is None and rate is not None:
        incl = values.amount(raw.get("unit_price_incl"), what=f"{what}, unit_price_incl")
        unit_price = None if incl is None else to_ore(incl / (1 + rate / 100))
    try:
        return choose_price(
            quantity=quantity,
            total_excl=total.excl,
            unit_price=unit_price,
            discount=_discount(raw, total, what),
        )
    except Unusable as unusable:
        msg = f"{what}: {unusable}"
        raise Unusable(msg) from None


def _discount(raw: Record, total: Money, what: str) -> Decimal:
    """Return the part that was taken off the line, between 0 and 1."""
    for kind, left in (("excl", total.excl), ("incl", total.incl)):
        taken = values.amount(raw.get(f"discount_{kind}"), what=f"{what}, discount_{kind}")
        if taken and left + taken:
            return taken / (left + taken)
    return _ZERO


def _freight_line(raw: Record, number: int, sort_order: int, code: str) -> OrderLine | None:
    what = f"freight {number}"
    rate = values.vat_rate(raw.get("tax_rate"), what=f"{what}, tax_rate")
    total = _money(raw, rate, what)
    if not total.incl and not total.excl:
        return None
    if rate is None:
        msg = f"{what} has no tax_rate"
        raise Unusable(msg)
    shop_id = values.text(raw.get("id"), what=f"{what}, id")
    return OrderLine(
        reference=f"shipping:{shop_id or number}",
        product_id=None,
        sku=None,
        service_code=f"{code}-{rate_key(rate)}",
        description=values.text(raw.get("name"), what=f"{what}, name") or "Frakt",
        quantity=Decimal(1),
        price=Price(total.excl, _ZERO),
        unit="EA",
        sort_order=sort_order,
        rate=rate,
        total=total,
    )


def _money(raw: Record, rate: Decimal | None, what: str) -> Money:
    """Return a line's amounts; one that the shop does not tell follows from two others.

    Shops also tell amounts with more decimals than øre. Those add up before they are rounded, and
    not always afterwards: 10.004 and 2.501 make 12.505, which is 12.51.

    Raises:
        Unusable: too little is told, or the three do not add up.
    """
    excl, tax, incl = (
        values.amount(raw.get(name), what=f"{what}, {name}")
        for name in ("total_excl", "total_tax", "total_incl")
    )
    if excl is None and incl is not None:
        excl = _without_vat(incl, tax, rate)
    if incl is None and excl is not None:
        incl = _with_vat(excl, tax, rate)
    if excl is None or incl is None:
        msg = f"{what} lacks amounts: of total_excl, total_tax and total_incl two are needed"
        raise Unusable(msg)
    if tax is not None and abs(excl + tax - incl) >= _ORE:
        msg = f"{what}: {excl} and VAT {tax} do not make {incl}"
        raise Unusable(msg)
    return Money(to_ore(excl), to_ore(incl) - to_ore(excl), to_ore(incl))


def _without_vat(incl: Decimal, tax: Decimal | None, rate: Decimal | None) -> Decimal | None:
    if tax is not None:
        return incl - tax
    return None if rate is None else incl / (1 + rate / 100)


def _with_vat(excl: Decimal, tax: Decimal | None, rate: Decimal | None) -> Decimal | None:
    if tax is not None:
        return excl + tax
    return None if rate is None else excl * (1 + rate / 100)


def dicts(raw: object, *, what: str) -> list[Record]:
    """Return a list of objects; null is an empty one.

    Raises:
        Unusable: it is something else.
    """
    if raw is None:
        return []
    if not isinstance(raw, list) or not all(isinstance(one, dict) for one in raw):
        msg = f"{what} should be a list but is a {values.kind_of(raw)}"
        raise Unusable(msg)
    return raw
