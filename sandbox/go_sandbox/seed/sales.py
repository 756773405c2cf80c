"""The seeded orders: who buys what, with discounts and freight, correct to the øre."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from go_sandbox.seed.chance import REFERENCE, record
from go_sandbox.seed.goods import FREIGHT, VANISHED
from go_sandbox.seed.money import discount_is_exact, line_amounts, rounded
from go_sandbox.shop.contract import BUYER, LINE, ORDER, PAYMENT, SHIPPING
from go_sandbox.shop.stamps import render

if TYPE_CHECKING:
    from datetime import datetime

    from go_sandbox.seed.chance import Chance

FREIGHT_RATE = "25"
DISCOUNTS = (Decimal(10), Decimal(15), Decimal(20), Decimal(25))
METHODS = ("vipps", "card", "klarna")
GUEST_PERCENT = 15
DISCOUNT_PERCENT = 20
FREIGHT_PERCENT = 75
_TOTALS = ("total_excl", "total_tax", "total_incl")


@dataclass(frozen=True)
class Stage:
    """A stage of an order; `share` is how many of about a hundred orders are in it."""

    status: str
    payment_status: str
    fulfillment_status: str
    share: int


STAGES = (
    Stage("completed", "paid", "fulfilled", 50),
    Stage("processing", "paid", "unfulfilled", 18),
    Stage("processing", "authorized", "partial", 6),
    Stage("on_hold", "unpaid", "unfulfilled", 5),
    Stage("pending", "unpaid", "unfulfilled", 6),
    Stage("cancelled", "voided", "unfulfilled", 7),
    Stage("failed", "unpaid", "unfulfilled", 4),
    Stage("draft", "unpaid", "unfulfilled", 4),
)
ALL_STAGES = [stage for stage in STAGES for _ in range(stage.share)]


@dataclass(frozen=True)
class Store:
    """The possible buyers and goods."""

    customers: list[dict[str, Any]]
    guests: list[dict[str, Any]]
    products: list[dict[str, Any]]


def orders(chance: Chance, store: Store, count: int) -> list[dict[str, Any]]:
    """Return `count` orders, oldest first, over the ten weeks before the reference date."""
    return [_order(chance, store, number, placed(number, count)) for number in range(1, count + 1)]


def order_id(number: int) -> str:
    """Return the id of the order with this number, counted from 1."""
    return str(5000 + number)


def placed(number: int, count: int) -> datetime:
    """Return when the order with this number was placed, of `count` orders in all."""
    weeks = timedelta(weeks=10)
    return REFERENCE - weeks + weeks * number / (count + 1)


def registered(customer: dict[str, Any]) -> dict[str, Any]:
    """Return the order's members for the buyer, where that is a registered customer."""
    billing = next((a for a in customer["addresses"] if a["type"] == "billing"), None)
    shipping = next((a for a in customer["addresses"] if a["type"] == "shipping"), billing)
    return {
        "customer_id": customer["id"],
        "is_guest": False,
        "buyer": {name: customer[name] for name in BUYER},
        "billing_address": billing,
        "shipping_address": shipping and {**shipping, "type": "shipping"},
    }


def guest(person: dict[str, Any]) -> dict[str, Any]:
    """Return the order's members for the buyer, where that is a guest (`buyer` and `address`)."""
    return {
        "customer_id": None,
        "is_guest": True,
        "buyer": dict(person["buyer"]),
        "billing_address": dict(person["address"]),
        "shipping_address": dict(person["address"], type="shipping"),
    }


def _order(chance: Chance, store: Store, number: int, at: datetime) -> dict[str, Any]:
    shop_id = order_id(number)
    stage = STAGES[number - 1] if number <= len(STAGES) else chance.pick(ALL_STAGES)
    lines = _lines(chance, store, shop_id)
    shipping = [freight(shop_id, *chance.pick(FREIGHT))] if chance.happens(FREIGHT_PERCENT) else []
    totals = _totals(lines + shipping)
    return record(
        ORDER,
        id=shop_id,
        number=str(10000 + number),
        status=stage.status,
        payment_status=stage.payment_status,
        fulfillment_status=stage.fulfillment_status,
        source_status=stage.status,
        currency="NOK",
        prices_include_tax=True,
        reference=f"Best. {chance.number(100, 999)}" if chance.happens(15) else None,
        note="Ring på hos naboen, vær så snill." if chance.happens(6) else None,
        lines=lines,
        shipping=shipping,
        fees=[],
        discounts=[],
        taxes=_taxes(lines + shipping),
        payments=_payments(chance, shop_id, stage, totals["total_incl"], at),
        refunds=[],
        total_refunded="0.00",
        custom={},
        **_who(chance, store),
        **_moments(chance, stage, at),
        **totals,
    )


def _who(chance: Chance, store: Store) -> dict[str, Any]:
    if store.guests and chance.happens(GUEST_PERCENT):
        return guest(chance.pick(store.guests))
    return registered(chance.pick(store.customers))


def _lines(chance: Chance, store: Store, shop_id: str) -> list[dict[str, Any]]:
    on_sale = [
        product
        for product in store.products
        if product["status"] == "active" and not product["deleted_at"]
    ]
    chosen = chance.some(on_sale, min(len(on_sale), chance.number(1, 4)))
    lines = [
        _product_line(chance, f"{shop_id}-{place}", product)
        for place, product in enumerate(chosen, 1)
    ]
    if chance.happens(4) or not lines:
        gone = chance.pick(VANISHED)
        sold = {"id": None, "sku": gone.code, "name": gone.name, "variant_name": None}
        terms = {"unit": gone.unit, "tax_rate": gone.rate, "price_excl": str(gone.price_excl)}
        lines.append(_product_line(chance, f"{shop_id}-{len(lines) + 1}", {**sold, **terms}))
    return lines


def _product_line(chance: Chance, line_id: str, product: dict[str, Any]) -> dict[str, Any]:
    rate = Decimal(product["tax_rate"])
    price_excl = _price_excl(product, rate)
    quantity = Decimal(chance.number(1, 4))
    if product["unit"] == "kg":
        quantity += Decimal(chance.number(0, 3)) / 4
    fitting = [d for d in DISCOUNTS if discount_is_exact(quantity * price_excl, d)]
    discounted = bool(fitting) and chance.happens(DISCOUNT_PERCENT)
    discount = chance.pick(fitting) if discounted else Decimal(0)
    amounts = asdict(line_amounts(quantity, price_excl, rate, discount))
    name = " ".join(filter(None, (product["name"], product["variant_name"])))
    return record(
        LINE,
        id=line_id,
        type="product",
        product_id=product["id"],
        sku=product["sku"],
        name=name,
        quantity=str(quantity),
        unit=product["unit"],
        tax_rate=product["tax_rate"],
        **{field: str(amount) for field, amount in amounts.items()},
    )


def _price_excl(product: dict[str, Any], rate: Decimal) -> Decimal:
    if product["price_excl"] is not None:
        return Decimal(product["price_excl"])
    return rounded(Decimal(product["price_incl"]) * 100 / (100 + rate))


def freight(shop_id: str, name: str, price: Decimal) -> dict[str, Any]:
    """Return an order's freight, at this price in kroner without VAT."""
    amounts = asdict(line_amounts(Decimal(1), price, Decimal(FREIGHT_RATE), Decimal(0)))
    totals = {total: str(amounts[total]) for total in _TOTALS}
    return record(SHIPPING, id=f"{shop_id}-f", name=name, tax_rate=FREIGHT_RATE, **totals)


def _totals(parts: list[dict[str, Any]]) -> dict[str, str]:
    return {
        name: str(sum((Decimal(part[name]) for part in parts), Decimal("0.00"))) for name in _TOTALS
    }


def _taxes(parts: list[dict[str, Any]]) -> list[dict[str, str]]:
    by_rate: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for part in parts:
        by_rate[part["tax_rate"]].append(part)
    sums = {rate: _totals(those) for rate, those in sorted(by_rate.items())}
    return [
        {"rate": rate, "base": total["total_excl"], "amount": total["total_tax"]}
        for rate, total in sums.items()
    ]


def _payments(
    chance: Chance, shop_id: str, stage: Stage, amount: str, at: datetime
) -> list[dict[str, Any]]:
    if stage.payment_status not in ("paid", "authorized"):
        return []
    is_paid = stage.payment_status == "paid"
    return [
        record(
            PAYMENT,
            id=f"{shop_id}-p",
            method=chance.pick(METHODS),
            reference=f"TX{chance.number(10**9, 10**10 - 1)}",
            status="captured" if is_paid else "authorized",
            amount=amount,
            paid_at=render(at + timedelta(minutes=1)) if is_paid else None,
        )
    ]


def _moments(chance: Chance, stage: Stage, at: datetime) -> dict[str, str | None]:
    done = at + timedelta(hours=chance.number(3, 70), seconds=chance.number(0, 3599))
    is_done = stage.status in ("completed", "cancelled", "failed")
    is_completed = stage.status == "completed"
    return {
        "placed_at": None if stage.status == "draft" else render(at),
        "paid_at": render(at + timedelta(minutes=1)) if stage.payment_status == "paid" else None,
        "shipped_at": render(done) if is_completed else None,
        "completed_at": render(done) if is_completed else None,
        "cancelled_at": render(done) if stage.status == "cancelled" else None,
        "created_at": render(at),
        "updated_at": render(done if is_done else at + timedelta(minutes=2)),
    }
