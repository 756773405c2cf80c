"""Products and product groups: codes, sales accounts, stock, and rules for deletion."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from stdnum import ean

from go_sandbox.go import references, schema
from go_sandbox.go.problems import broken_rule, in_use, unknown_reference

if TYPE_CHECKING:
    from go_sandbox.go.ledger import Entry, Ledger

_STOCK = {"StockOnHand", "StockAvailable", "StockOnHandLastChangedDatetimeOffset"}
_GTIN_LENGTH = 13


def create(ledger: Ledger, body: dict[str, Any]) -> Entry:
    """Add a product from a body read as `ProductPostDto`.

    Raises:
        Refusal: a rule of Go is broken.
    """
    product = _new(ledger, schema.PRODUCT, body)
    product["IsStockItem"] = bool(product["IsStockItem"])
    _resolve_group(ledger, product)
    product = _checked(ledger, product)
    if product["IsStockItem"]:
        on_hand = product["StockOnHand"] or Decimal(0)
        stamp = product["LastChangedDateTimeOffset"]
        product |= {"StockOnHand": on_hand, "StockAvailable": on_hand}
        product["StockOnHandLastChangedDatetimeOffset"] = stamp
    return ledger.register("Products").put(product)


def change(ledger: Ledger, before: Entry, changes: dict[str, Any]) -> Entry:
    """Change a product; an edit of stock moves only the stock's own stamp.

    Raises:
        Refusal: a rule of Go is broken.
    """
    after = {**before, **changes}
    if after["IsStockItem"] and not before["IsStockItem"]:
        after["StockAvailable"] = Decimal(0)
        after["StockOnHand"] = after["StockOnHand"] or Decimal(0)
    elif before["IsStockItem"] and not after["IsStockItem"]:
        after |= dict.fromkeys(_STOCK)
    after = _checked(ledger, after)
    now = ledger.clock.stamp()
    if any(after[name] != before[name] for name in after if name not in _STOCK):
        after["LastChangedDateTimeOffset"] = now
    if after["StockOnHand"] is not None and after["StockOnHand"] != before["StockOnHand"]:
        moved = after["StockOnHand"] - (before["StockOnHand"] or 0)
        after["StockAvailable"] = (after["StockAvailable"] or 0) + moved
        after["StockOnHandLastChangedDatetimeOffset"] = now
    return ledger.register("Products").put(after)


def delete(ledger: Ledger, product: Entry) -> None:
    """Delete a product.

    Raises:
        Refusal: an order or an invoice has a line with it (409).
    """
    for order in ledger.register("SalesOrders").values():
        if any(line["ProductId"] == product["Id"] for line in order["SalesOrderLines"]):
            raise in_use("Product", product["Id"], f"sales order {order['SalesOrderNo']} has it")
    for invoice in ledger.register("OutgoingInvoiceLines").values():
        if any(line["ProductId"] == product["Id"] for line in invoice["Lines"]):
            raise in_use("Product", product["Id"], "an invoice has it")
    ledger.register("Products").remove(product["Id"])


def present(ledger: Ledger, product: Entry) -> Entry:
    """Return the product as the API shows it, with account numbers and its group's code."""
    group = ledger.register("ProductGroups").get(product["ProductGroupId"])
    return {**with_account_numbers(ledger, product), "ProductGroupCode": group and group["Code"]}


def create_group(ledger: Ledger, body: dict[str, Any]) -> Entry:
    """Add a product group from a body read as `ProductGroupPostDto`.

    Raises:
        Refusal: a sales account is unknown.
    """
    return ledger.register("ProductGroups").put(
        _checked(ledger, _new(ledger, schema.PRODUCT_GROUP, body), kind="Product group")
    )


def change_group(ledger: Ledger, before: Entry, changes: dict[str, Any]) -> Entry:
    """Change a product group.

    Raises:
        Refusal: a sales account is unknown.
    """
    after = _checked(ledger, {**before, **changes}, kind="Product group")
    if after != before:
        after["LastChangedDateTimeOffset"] = ledger.clock.stamp()
    return ledger.register("ProductGroups").put(after)


def delete_group(ledger: Ledger, group: Entry) -> None:
    """Delete a product group.

    Raises:
        Refusal: a product belongs to it (409).
    """
    for product in ledger.register("Products").values():
        if product["ProductGroupId"] == group["Id"]:
            raise in_use("Product group", group["Id"], f"product {product['Id']} belongs to it")
    ledger.register("ProductGroups").remove(group["Id"])


def _new(ledger: Ledger, members: tuple[str, ...], body: dict[str, Any]) -> Entry:
    now = ledger.clock.stamp()
    return {
        **dict.fromkeys(members),
        **body,
        "IsArchived": bool(body.get("IsArchived")),
        "ProductType": body.get("ProductType") or "Product",
        "Id": ledger.next_number("product", first=40_000_001),
        "CreatedDateTimeOffset": now,
        "LastChangedDateTimeOffset": now,
    }


def _resolve_group(ledger: Ledger, product: Entry) -> None:
    groups = ledger.register("ProductGroups")
    code = product["ProductGroupCode"]
    if product["ProductGroupId"] is None:
        fitting = (group["Id"] for group in groups.values() if code in (None, group["Code"]))
        product["ProductGroupId"] = next(fitting, None)
        if code is not None and product["ProductGroupId"] is None:
            raise unknown_reference("Product", "ProductGroupCode", code)


def _checked(ledger: Ledger, entry: Entry, kind: str = "Product") -> Entry:
    entry = {**entry, "UnitPrice": references.kept_price(ledger, entry["UnitPrice"])}
    for name in ("StandardSalesAccount", "OptionalSalesAccount"):
        entry[f"{name}Id"] = references.sales_account_id(ledger, kind, name, entry)
        entry[name] = None
    if kind == "Product":
        references.check_filled(kind, entry, ("Name",))
        _check_product(ledger, entry)
    return entry


def _check_product(ledger: Ledger, product: Entry) -> None:
    group_id = product["ProductGroupId"]
    if group_id is not None and ledger.register("ProductGroups").get(group_id) is None:
        raise unknown_reference("Product", "ProductGroupId", group_id)
    if product["StockOnHand"] is not None and not product["IsStockItem"]:
        raise broken_rule("Product", "StockOnHand can be set only when IsStockItem is true")
    gtin = product["Gtin"]
    if gtin and not (len(gtin) == _GTIN_LENGTH and ean.is_valid(gtin)):
        raise broken_rule("Product", "Gtin must have 13 digits and a right check digit")
    if product["Code"] and ledger.switches.product_code_unique:
        references.check_unique(ledger, "Product", "Products", "Code", product)


def with_account_numbers(ledger: Ledger, entry: Entry) -> Entry:
    """Return a product or its group as the API shows it, with the numbers of its accounts."""
    accounts = ledger.register("GeneralLedgerAccounts")
    shown = dict(entry)
    for name in ("StandardSalesAccount", "OptionalSalesAccount"):
        account = accounts.get(entry[f"{name}Id"])
        shown[name] = account["AccountNo"] if account else None
    return shown
