"""What Go's entries are made of: one Singer schema per stream, member by member as Go names them.

Source: the published schemas of Go's API, version 2, with the words for each member our own.
"""

from __future__ import annotations

from tap_powerofficego.schemas.contacts import CONTACT_PERSONS, CUSTOMERS, DELIVERY_ADDRESSES
from tap_powerofficego.schemas.invoices import OUTGOING_INVOICES
from tap_powerofficego.schemas.orders import SALES_ORDERS
from tap_powerofficego.schemas.products import PRODUCT_GROUPS, PRODUCTS
from tap_powerofficego.schemas.vat_codes import VAT_CODES

__all__ = [
    "CONTACT_PERSONS",
    "CUSTOMERS",
    "DELIVERY_ADDRESSES",
    "OUTGOING_INVOICES",
    "PRODUCTS",
    "PRODUCT_GROUPS",
    "SALES_ORDERS",
    "VAT_CODES",
]
