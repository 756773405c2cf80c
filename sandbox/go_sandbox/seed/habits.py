"""Unusual habits of real shops: VAT, coupons, gift cards and buyers that easily get lost."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from go_sandbox.seed.chance import record
from go_sandbox.seed.money import rounded
from go_sandbox.seed.sales import freight, guest, order_id, placed, registered
from go_sandbox.shop import stamps
from go_sandbox.shop.contract import ADDRESS, BUYER, DISCOUNT, LINE, PAYMENT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from go_sandbox.shop.shop import Shop

Record = dict[str, Any]

ROOM = {"customers": 20, "products": 20, "orders": 60}
"""A store with fewer of any of these has no habits."""

_FIRST = 41
"""The number of the first order with a habit; the others follow it."""

_MADE_ANEW, _DELETED_ID = "KOPP-BLA", "1912"
_IN_HTML = {"DUK-LIN": "Linduk 150 &times; 250", "BØRSTE-TRE": "Oppvaskbørste &amp; krok"}
_BUYER_IN_HTML = {"name": "Per O&#039;Brien", "first_name": "Per", "last_name": "O&#039;Brien"}
_BUYER_IN_HTML_ID = "1007"

_LIV = {
    "email": "liv.strand@example.com",
    "name": "Liv Strand",
    "first_name": "Liv",
    "last_name": "Strand",
}
_ANONYMOUS: Record = {
    "buyer": record(
        BUYER,
        email="deleted@site.invalid",
        name="[deleted]",
        first_name="[deleted]",
        last_name="[deleted]",
        phone="000-0000-0000",
    ),
    "billing_address": record(ADDRESS, type="billing", name="[deleted]", country_code="NO"),
    "shipping_address": record(ADDRESS, type="shipping", name="[deleted]", country_code="NO"),
}
_STAGE = {
    "status": "processing",
    "payment_status": "paid",
    "fulfillment_status": "unfulfilled",
    "source_status": "processing",
    "shipped_at": None,
    "completed_at": None,
    "cancelled_at": None,
}


@dataclass(frozen=True)
class Sold:
    """A quantity of one SKU, its price in kroner without VAT, and its VAT `rate` in percent."""

    sku: str
    name: str
    price: str
    rate: str = "25"
    quantity: int = 1


@dataclass(frozen=True)
class Off:
    """An amount in kroner deducted from the entire order, with VAT of `rate` percent."""

    code: str
    name: str
    excl: str
    rate: str = "25"


@dataclass(frozen=True)
class Habit:
    """An order as real shops send them; members not given here are as in any other order.

    Attributes:
        words: its habit, in words.
        freight: in kroner without VAT, at 25 percent.
        tells_taxes: whether it gives VAT by rate, not only its totals.
        vat: where VAT is rounded: on each "line"; or once for the "order", whose lines show it
            rounded anyway; or once for an order whose lines have all decimals ("exact").
        is_in_kroner: whether the total is rounded to whole kroner.
        buyer: who buys without an account.
        customer_id: the customer who buys.
    """

    words: str
    sold: tuple[Sold, ...]
    off: Off | None = None
    freight: str | None = None
    tells_taxes: bool = True
    vat: str = "line"
    is_in_kroner: bool = False
    buyer: Mapping[str, str] | None = None
    customer_id: str | None = None


_SWEATER = Sold("GEN-FJORD-M", "Strikkegenser Fjord M", "1039.20")
_COFFEE = Sold("KAFFE-MØRK", "Kaffe Nordavind, mørkbrent 250 g", "112.20", "15")
_CUP = Sold(_MADE_ANEW, "Håndlaget kopp «Blåbær»", "239.20")

HABITS = (
    Habit(
        "a coupon for sweaters only",
        (_SWEATER, Sold("BOK-FJORD", "Boken om fjordene", "399.00", "0")),
        off=Off("GENSER20", "20 % på gensere", "207.84"),
    ),
    Habit(
        "the same coupon, given in the totals alone",
        (_SWEATER, _COFFEE),
        off=Off("GENSER20", "20 % på gensere", "207.84"),
        tells_taxes=False,
    ),
    Habit(
        "a coupon for the freight only",
        (Sold("BRUNOST", "Brunost fra Gudbrandsdalen 500 g", "86.00", "15", quantity=2),),
        off=Off("FRIFRAKT", "Fri frakt", "79.20"),
        freight="79.20",
    ),
    Habit(
        "a gift card, given as a discount",
        (Sold("PLEDD-ULL", "Ullpledd Sølvrev", "959.20"),),
        off=Off("GK-4711", "Gavekort", "300.00", "0"),
    ),
    Habit(
        "VAT rounded once for the order",
        (Sold("LYS-FURU", "Duftlys furunål", "79.90"), Sold("SITTE-UL", "Sitteunderlag", "119.90")),
        vat="order",
    ),
    Habit(
        "VAT rounded once, lines with all their decimals",
        (
            Sold("SÅPE-TJÆRE", "Tjæresåpe", "63.93"),
            Sold("LYS-FURU", "Duftlys furunål", "71.33"),
            Sold("SITTE-UL", "Sitteunderlag", "119.29"),
        ),
        vat="exact",
    ),
    Habit(
        "a total rounded to whole kroner",
        (Sold("SITTE-UL", "Sitteunderlag", "79.90"),),
        is_in_kroner=True,
    ),
    Habit("a guest, for herself", (_COFFEE,), buyer=_LIV),
    Habit(
        "the same guest, for a company",
        (_COFFEE,),
        buyer={**_LIV, "company_name": "Strand Rør AS", "organization_number": "974760673"},
    ),
    Habit(
        "the same guest, for another company",
        (_SWEATER,),
        buyer={**_LIV, "company_name": "Fjellheim DA", "organization_number": "923609016"},
    ),
    Habit(
        "names with HTML entities",
        (Sold("DUK-LIN", _IN_HTML["DUK-LIN"], "719.20"),),
        customer_id=_BUYER_IN_HTML_ID,
    ),
    Habit("a product that was deleted since", (_CUP,)),
    Habit("a product made anew under its SKU", (_CUP,)),
)


_BY_ORDER = {order_id(number): habit for number, habit in enumerate(HABITS, _FIRST)}
_DELETED_BEFORE = _FIRST + len(HABITS) - 1
"""The number of the first order after its product was deleted and created again."""


def named_habits(shop: Shop) -> dict[str, str]:
    """Return the habit, in words, of each order of the shop that has one, by its id."""
    has_them = shop.record("products", _DELETED_ID) is not None
    return {order_id: habit.words for order_id, habit in _BY_ORDER.items()} if has_them else {}


def people_with_habits(people: list[Record]) -> list[Record]:
    """Return the customers, one of them with a name escaped as in HTML."""
    return [
        {**customer, **_BUYER_IN_HTML} if customer["id"] == _BUYER_IN_HTML_ID else customer
        for customer in people
    ]


def goods_with_habits(goods: list[Record], orders: int) -> list[Record]:
    """Return the products: some with a name in HTML, and one deleted and created again.

    The deleted product replaces the last one; `orders` is the number of the store's orders.
    """
    before, after = (placed(number, orders) for number in (_DELETED_BEFORE - 1, _DELETED_BEFORE))
    deleted_at, made_at = before + (after - before) / 3, before + (after - before) / 2
    found = []
    for listed in goods[:-1]:
        product = {**listed, "name": _IN_HTML.get(listed["sku"], listed["name"])}
        if listed["sku"] == _MADE_ANEW:
            end = {name: stamps.render(deleted_at) for name in ("deleted_at", "updated_at")}
            found.append({**product, "id": _DELETED_ID, "gtin": None, **end})
            product |= {name: stamps.render(made_at) for name in ("created_at", "updated_at")}
        found.append(product)
    return found


def sales_with_habits(
    sales: list[Record], people: list[Record], goods: list[Record]
) -> list[Record]:
    """Return the orders, some of a kind that easily gets lost; see `HABITS`.

    An order from before a product was deleted and created again refers to the deleted product.
    """
    ids = {product["sku"]: product["id"] for product in goods if not product["deleted_at"]}
    customers = {customer["id"]: customer for customer in people}
    deleted_at = next(product["deleted_at"] for product in goods if product["id"] == _DELETED_ID)
    found = [
        _sale(order, _BY_ORDER[order["id"]], ids, customers) if order["id"] in _BY_ORDER else order
        for order in sales
    ]
    return [_with_deleted(order) if order["created_at"] < deleted_at else order for order in found]


def retire_guests(shop: Shop, before: datetime) -> int:
    """Erase the buyers of guest orders placed before a moment, as shops do; return how many."""
    old = [
        order
        for order in shop.records("orders")
        if order["is_guest"] and order["placed_at"] and stamps.parse(order["placed_at"]) < before
    ]
    for order in old:
        shop.edit("orders", order["id"], _ANONYMOUS)
    return len(old)


def _sale(
    order: Record, habit: Habit, ids: Mapping[str, str], customers: Mapping[str, Record]
) -> Record:
    lines = [
        _line(f"{order['id']}-{place}", sold, ids.get(sold.sku), is_exact=habit.vat == "exact")
        for place, sold in enumerate(habit.sold, 1)
    ]
    shipping = (
        [freight(order["id"], "Posten, hentested", Decimal(habit.freight))] if habit.freight else []
    )
    totals, taxes = _sums(habit, [*lines, *shipping])
    paid_at = stamps.render(stamps.parse(order["created_at"]) + timedelta(minutes=1))
    return {
        **order,
        **_STAGE,
        **_who(habit, customers),
        **totals,
        "placed_at": order["created_at"],
        "paid_at": paid_at,
        "updated_at": stamps.render(stamps.parse(order["created_at"]) + timedelta(minutes=2)),
        "lines": lines,
        "shipping": shipping,
        "discounts": [_discount(habit.off)] if habit.off else [],
        "taxes": taxes if habit.tells_taxes else [],
        "payments": [_payment(order["id"], totals["total_incl"], paid_at)],
    }


def _line(line_id: str, sold: Sold, product_id: str | None, *, is_exact: bool) -> Record:
    price = Decimal(sold.price)
    excl = price * sold.quantity
    tax, unit_tax = (amount * Decimal(sold.rate) / 100 for amount in (excl, price))
    if not is_exact:
        tax, unit_tax = rounded(tax), rounded(unit_tax)
    return record(
        LINE,
        id=line_id,
        type="product",
        product_id=product_id,
        sku=sold.sku,
        name=sold.name,
        quantity=str(sold.quantity),
        unit="stk",
        unit_price_excl=str(price),
        unit_price_incl=_written(price + unit_tax),
        discount_excl="0.00",
        discount_incl="0.00",
        total_excl=str(excl),
        total_tax=_written(tax),
        total_incl=_written(excl + tax),
        tax_rate=sold.rate,
    )


def _discount(off: Off) -> Record:
    excl = Decimal(off.excl)
    incl = excl + rounded(excl * Decimal(off.rate) / 100)
    return record(
        DISCOUNT, code=off.code, name=off.name, amount_excl=off.excl, amount_incl=str(incl)
    )


def _sums(habit: Habit, parts: list[Record]) -> tuple[dict[str, str | None], list[Record]]:
    """Return the totals of an order and its VAT by rate, after deductions."""
    bases: dict[str, Decimal] = defaultdict(Decimal)
    taxes: dict[str, Decimal] = defaultdict(Decimal)
    for part in parts:
        exact = Decimal(part["total_excl"]) * Decimal(part["tax_rate"]) / 100
        bases[part["tax_rate"]] += Decimal(part["total_excl"])
        taxes[part["tax_rate"]] += rounded(exact) if habit.vat == "line" else exact
    if habit.off is not None:
        bases[habit.off.rate] -= Decimal(habit.off.excl)
        taxes[habit.off.rate] -= rounded(Decimal(habit.off.excl) * Decimal(habit.off.rate) / 100)
    excl, tax = sum(bases.values(), Decimal()), rounded(sum(taxes.values(), Decimal()))
    whole = (excl + tax).quantize(Decimal(1)) if habit.is_in_kroner else excl + tax
    totals = {
        "total_excl": str(excl),
        "total_tax": str(tax),
        "total_incl": str(rounded(whole)),
        "rounding": str(whole - excl - tax) if habit.is_in_kroner else None,
    }
    vat = {rate: rounded(amount) for rate, amount in taxes.items() if amount}
    return totals, [
        {"rate": rate, "base": str(bases[rate]), "amount": str(vat[rate])} for rate in sorted(vat)
    ]


def _who(habit: Habit, customers: Mapping[str, Record]) -> Record:
    if habit.customer_id is not None:
        return registered(customers[habit.customer_id])
    if habit.buyer is None:
        return {}
    address = {"line1": "Sjøgata 7", "postal_code": "6003", "city": "Ålesund", "country_code": "NO"}
    home = record(ADDRESS, type="billing", is_default=True, name=habit.buyer["name"], **address)
    return guest({"buyer": record(BUYER, **habit.buyer), "address": home})


def _payment(order_id: str, amount: str | None, paid_at: str) -> Record:
    payment = {"method": "vipps", "status": "captured", "amount": amount, "paid_at": paid_at}
    return record(PAYMENT, id=f"{order_id}-p", reference=f"TX{order_id}", **payment)


def _with_deleted(order: Record) -> Record:
    """Return an order that refers to the deleted product wherever it sold that product."""
    lines = [
        {**line, "product_id": _DELETED_ID} if line["sku"] == _MADE_ANEW else line
        for line in order["lines"]
    ]
    return {**order, "lines": lines}


def _written(amount: Decimal) -> str:
    """Return an amount with at least two decimals, and with more if it has them."""
    exponent = int(amount.normalize().as_tuple().exponent)
    return f"{amount:.{max(2, -exponent)}f}"
