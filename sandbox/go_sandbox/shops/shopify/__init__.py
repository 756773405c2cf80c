"""A local Shopify with the part of its GraphQL Admin API that the preset uses, as documented.

It is written from Shopify's public documentation of version 2026-10: the reference of the Admin
API, and the pages named at each oddity. It serves customers, products, orders and
refunds, changes of customers and products, and the access tokens of a merchant's own app. Records
are made by the methods of `Shopify`, as buyers and the merchant make them.
"""

from __future__ import annotations

from go_sandbox.shops.serving import Served
from go_sandbox.shops.shopify.app import create_app
from go_sandbox.shops.shopify.shop import Currency, Shopify

__all__ = ["Currency", "Shopify", "start"]


def start(shop: Shopify | None = None, port: int = 0) -> Served[Shopify]:
    """Serve a Shopify, a new one by default; port 0 takes a free one."""
    shop = shop or Shopify()
    return Served(shop, create_app(shop), port)
