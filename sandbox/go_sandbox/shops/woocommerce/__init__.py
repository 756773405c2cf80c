"""A local WooCommerce with its REST API v3, as its source and documentation describe it.

Each oddity names its source: a class or function of WooCommerce's or WordPress's source, a
page of the REST API's documentation, or an issue of github.com/woocommerce/woocommerce. It serves
customers, products, variations, orders and refunds: lists, single records, changes and deletion.
Records are made by the methods of `WooCommerce`, as buyers and the merchant make them.
"""

from __future__ import annotations

from go_sandbox.shops.serving import Served
from go_sandbox.shops.woocommerce.app import create_app
from go_sandbox.shops.woocommerce.shop import WooCommerce

__all__ = ["WooCommerce", "start"]


def start(shop: WooCommerce | None = None, port: int = 0) -> Served[WooCommerce]:
    """Serve a WooCommerce, a new one by default; port 0 takes a free one."""
    shop = shop or WooCommerce()
    return Served(shop, create_app(shop), port)
