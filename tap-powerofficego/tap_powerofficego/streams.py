"""The eight streams: which lists of Go they read, and which filters find changed entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_powerofficego.go_api import GoError
from typing_extensions import override

from tap_powerofficego import schemas, stamps
from tap_powerofficego.bookmarks import ChangeFilter
from tap_powerofficego.client import LAST_CHANGED, GoStream

if TYPE_CHECKING:
    from datetime import datetime

    from singer_sdk.helpers.types import Record

    from tap_powerofficego.lists import Entry


class CustomersStream(GoStream):
    """Buyers. An edit of the address alone moves no stamp of the customer."""

    name = "customers"
    path = "/Customers"
    entry_schema = schemas.CUSTOMERS
    has_unstamped_edits = True


class ProductsStream(GoStream):
    """Products for sale. The stock has a stamp and a filter of its own."""

    name = "products"
    path = "/Products"
    entry_schema = schemas.PRODUCTS
    filters = (
        LAST_CHANGED,
        ChangeFilter(
            "stockOnHandLastChangedDatetimeOffsetGreaterThan",
            "StockOnHandLastChangedDatetimeOffset",
            bookmark="stock_bookmark",
        ),
    )
    has_unstamped_edits = True


class SalesOrdersStream(GoStream):
    """Sales that are not invoiced yet, with their lines."""

    name = "salesorders"
    path = "/SalesOrders"
    entry_schema = schemas.SALES_ORDERS
    has_unstamped_edits = True
    lines = "SalesOrderLines"

    @override
    def read_with_lines(self, entry: Entry) -> tuple[Record, datetime]:
        path, read_at = f"{self.path}/{entry.go_id}/Complete", stamps.now()
        order = self.go.read(path)
        if not isinstance(order, dict):
            raise GoError(f"GET {path}: the answer is not an order")
        return order, read_at


class OutgoingInvoicesStream(GoStream):
    """Invoices and credit notes, with their lines.

    Balances are listed before what was sent, so that the credit note that explains a balance comes
    in the same run. Go has no filter for other changes; `start_date` is the earliest voucher date.
    """

    name = "outgoing_invoices"
    path = "/OutgoingInvoices"
    entry_schema = schemas.OUTGOING_INVOICES
    filters = (
        ChangeFilter(
            "balanceLastChangedDateTimeOffsetGreaterThan",
            "BalanceLastChangedDateTimeOffset",
            bookmark="balance_bookmark",
        ),
        ChangeFilter("sentDateTimeOffsetGreaterThan", "SentDateTimeOffset"),
    )
    lines = "Lines"

    @override
    def read_with_lines(self, entry: Entry) -> tuple[Record, datetime]:
        lines = self.go.list_all(f"{self.path}/{entry.go_id}/Lines")
        return {**entry.body, self.lines: list(lines)}, entry.read_at

    @override
    def earliest_change(self) -> str:
        return ""

    @override
    def params(self) -> dict[str, str]:
        start = super().earliest_change()
        return {"fromDate": start[:10]} if start else {}


class ContactPersonsStream(GoStream):
    """People to contact at a company."""

    name = "contact_persons"
    path = "/ContactPersons"
    selected_by_default = False
    entry_schema = schemas.CONTACT_PERSONS


class DeliveryAddressesStream(GoStream):
    """Where customers' goods go."""

    name = "delivery_addresses"
    path = "/ContactDeliveryAddresses"
    selected_by_default = False
    entry_schema = schemas.DELIVERY_ADDRESSES


class ProductGroupsStream(GoStream):
    """Groups of products, with what they have in common."""

    name = "product_groups"
    path = "/ProductGroups"
    selected_by_default = False
    entry_schema = schemas.PRODUCT_GROUPS


class VatCodesStream(GoStream):
    """VAT codes, including expired ones. They have no stamp, so all are read each time."""

    name = "vat_codes"
    path = "/VatCodes"
    selected_by_default = False
    entry_schema = schemas.VAT_CODES
    filters = ()

    @override
    def params(self) -> dict[str, str]:
        return {"includeExpired": "true"}


STREAMS: tuple[type[GoStream], ...] = (
    CustomersStream,
    ProductsStream,
    SalesOrdersStream,
    OutgoingInvoicesStream,
    ContactPersonsStream,
    DeliveryAddressesStream,
    ProductGroupsStream,
    VatCodesStream,
)
"""In the order in which they are emitted: orders and invoices refer to customers and products.

Orders come before invoices, so that an order that is invoiced meanwhile is in one of the two.
Streams that the way back does not need are read only if they are selected."""
