"""Fills a shop with the data of a realistic Norwegian store, on request with a few mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from go_sandbox.seed.chance import Chance
from go_sandbox.seed.goods import products
from go_sandbox.seed.goods import products as make_products
from go_sandbox.seed.habits import ROOM, goods_with_habits, people_with_habits, sales_with_habits
from go_sandbox.seed.people import customers
from go_sandbox.seed.people import customers as make_customers
from go_sandbox.seed.people import guests as make_guests
from go_sandbox.seed.sales import Store
from go_sandbox.seed.sales import orders as make_orders

if TYPE_CHECKING:
    from go_sandbox.shop.shop import Shop

ORDERS_A_GUEST = 25


def customers_amiss(chance: Chance, people: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a customer without a postal code, and a company that is already registered."""
    *_, person, company = customers(chance, 4)
    person.update(id="1901", number="1901", email="uten.postnummer@example.com")
    person["addresses"][0].update(id="1901-1", postal_code=None)
    company.update(id="1902", number="1902", email="innkjop@dobbel.example.com")
    twin = next((customer for customer in people if customer["organization_number"]), company)
    company["organization_number"] = twin["organization_number"]
    return [person, company]


def products_amiss(chance: Chance, goods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a product without a SKU, and one whose price is not a number."""
    no_sku, odd_price = products(chance, len(goods) + 2)[-2:]
    no_sku.update(id="2901", sku=None, name="Vare uten varenummer")
    odd_price.update(id="2902", price_excl=None, price_incl="12,50 kr")
    return [no_sku, odd_price]


def seed_store(
    shop: Shop,
    *,
    customers: int = 60,
    products: int = 40,
    orders: int = 150,
    seed: int = 20260101,
    habits: bool = True,
    with_mistakes: bool = False,
) -> None:
    """Put customers, products and orders into the shop; the same seed gives the same store.

    `habits` are unusual orders of real shops that easily get lost, such as coupons for one VAT
    rate; a store has them if it is large enough. `with_mistakes` adds a few more records that a
    sync must reject or ask about.

    Raises:
        ValueError: orders are requested but no customers.
    """
    if orders and not customers:
        raise ValueError("orders need customers: ask for at least one customer")
    people = make_customers(Chance(seed), customers)
    goods = make_products(Chance(seed + 1), products)
    guests = make_guests(Chance(seed + 2), 1 + orders // ORDERS_A_GUEST)
    counts = {"customers": customers, "products": products, "orders": orders}
    has_habits = habits and all(counts[stream] >= fewest for stream, fewest in ROOM.items())
    if has_habits:
        people, goods = people_with_habits(people), goods_with_habits(goods, orders)
    sales = make_orders(Chance(seed + 3), Store(people, guests, goods), orders)
    if has_habits:
        sales = sales_with_habits(sales, people, goods)
    if with_mistakes:
        people += customers_amiss(Chance(seed + 4), people)
        goods += products_amiss(Chance(seed + 5), goods)
    for stream, records in (("customers", people), ("products", goods), ("orders", sales)):
        for record in records:
            shop.put(stream, record)
