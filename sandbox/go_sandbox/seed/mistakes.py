"""A few records with mistakes, to show what a sync rejects and what it asks about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from go_sandbox.seed.goods import products
from go_sandbox.seed.people import customers

if TYPE_CHECKING:
    from go_sandbox.seed.chance import Chance


def customers_amiss(chance: Chance, people: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a customer whose postal code is missing, and a company that is there already."""
    *_, person, company = customers(chance, 4)
    person.update(id="1901", number="1901", email="uten.postnummer@example.com")
    person["addresses"][0].update(id="1901-1", postal_code=None)
    company.update(id="1902", number="1902", email="innkjop@dobbel.example.com")
    twin = next((one for one in people if one["organization_number"]), company)
    company["organization_number"] = twin["organization_number"]
    return [person, company]


def products_amiss(chance: Chance, goods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a product without a SKU, and one whose price is no number."""
    no_sku, odd_price = products(chance, len(goods) + 2)[-2:]
    no_sku.update(id="2901", sku=None, name="Vare uten varenummer")
    odd_price.update(id="2902", price_excl=None, price_incl="12,50 kr")
    return [no_sku, odd_price]
