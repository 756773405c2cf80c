"""What a shop file imports: how to call the shop, and how to convert its values.

docs/own-shop.md leads from an empty file to a synced shop.
"""

from tap_customwebshop.shop.auth import (
    Basic,
    Bearer,
    ClientCredentials,
    Header,
    Login,
    NoAuth,
    Query,
)
from tap_customwebshop.shop.graphql import Mutation, mutations
from tap_customwebshop.shop.listing import Cursor, Link, Listing, Next, Offset, OnePage, Page
from tap_customwebshop.shop.values import (
    amount,
    money,
    payment_status,
    percent,
    stamp,
    taxes_by_rate,
    to_record,
    to_shop,
)

__all__ = [
    "Basic",
    "Bearer",
    "ClientCredentials",
    "Cursor",
    "Header",
    "Link",
    "Listing",
    "Login",
    "Mutation",
    "Next",
    "NoAuth",
    "Offset",
    "OnePage",
    "Page",
    "Query",
    "amount",
    "money",
    "mutations",
    "payment_status",
    "percent",
    "stamp",
    "taxes_by_rate",
    "to_record",
    "to_shop",
]
