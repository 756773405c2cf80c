"""Changes of a record by a caller: the writable members and their values.

Members that are read-only or unknown are silently ignored (`filter_writable_props`), and
so is null: only an empty text empties a member.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from go_sandbox.shops.woocommerce.errors import RestError, invalid_parameters
from go_sandbox.shops.woocommerce.shop import ADDRESS, STATUSES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from go_sandbox.shops.woocommerce.shop import Record, WooCommerce

TEXTS: dict[str, tuple[str, ...]] = {
    "customers": ("email", "first_name", "last_name"),
    "products": (
        *("name", "sku", "regular_price", "sale_price", "status", "description", "tax_status"),
        *("short_description", "tax_class", "weight", "global_unique_id"),
    ),
    "orders": (
        *("status", "customer_note", "payment_method", "payment_method_title", "transaction_id"),
    ),
    "refunds": (),
}
ADDRESSES = ("billing", "shipping")
TAKEN = {
    "customers": (*TEXTS["customers"], *ADDRESSES, "meta_data"),
    "products": (*TEXTS["products"], "manage_stock", "stock_quantity", "meta_data"),
    "orders": (*TEXTS["orders"], *ADDRESSES, "line_items", "meta_data"),
    "refunds": (),
}
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def read_changes(kind: str, body: Record) -> Record:
    """Return the members that a body changes in a record of this kind.

    Raises:
        RestError: 400 for a value of another type than its member's, such as a number as a price.
    """
    given = {name: value for name, value in body.items() if value is not None}
    taken = {name: value for name, value in given.items() if name in TAKEN[kind]}
    wrong = {}
    for name, value in taken.items():
        reason = _objection(kind, name, value)
        if reason:
            wrong[name] = reason
    if wrong:
        raise invalid_parameters(wrong)
    for name in ADDRESSES:
        members = (*ADDRESS, "email") if name == "billing" else ADDRESS
        if name in taken:
            taken[name] = {
                member: text for member, text in taken[name].items() if member in members
            }
    if "meta_data" in taken:
        taken["meta_data"] = {entry["key"]: entry["value"] for entry in taken["meta_data"]}
    if "stock_quantity" in taken:
        taken["stock_quantity"] = int(taken["stock_quantity"])
    return taken


def _objection(kind: str, name: str, value: object) -> str | None:
    """Return why a value is refused, in WordPress's words; None if it is accepted."""
    if name in ADDRESSES:
        return _address_objection(name, value)
    if name in TEXTS[kind] and not isinstance(value, str):
        return f"{name} is not of type string."
    if name == "email" and not EMAIL.fullmatch(str(value)):
        return "Invalid email address."
    if name == "status" and kind == "orders" and value not in STATUSES:
        return f"status is not one of {', '.join(STATUSES)}."
    if name == "manage_stock" and not isinstance(value, bool):
        return f"{name} is not of type boolean."
    if name == "stock_quantity" and not re.fullmatch(r"-?\d+", str(value)):
        return f"{name} is not of type integer."
    return None


def _address_objection(name: str, value: object) -> str | None:
    if not isinstance(value, dict):
        return f"{name} is not of type object."
    for member, text in value.items():
        if not isinstance(text, str):
            return f"{name}[{member}] is not of type string."
    if value.get("email") and not EMAIL.fullmatch(value["email"]):
        return "Invalid email address."
    return None


def change(shop: WooCommerce, kind: str, record: Record, changes: Record) -> None:
    """Change a record.

    A change of an order's lines or address recalculates all its VAT and sums
    (`WC_REST_Orders_Controller::save_object`).

    Raises:
        RestError: 400 for an e-mail address or a SKU that another record has.
    """
    _refuse_what_is_taken(shop, kind, record, changes)
    lines = changes.pop("line_items", None)
    if kind == "products" and not changes.get("manage_stock", record["manage_stock"]):
        changes["stock_quantity"] = None
    is_recalculated = lines is not None or "billing" in changes or "shipping" in changes
    for line in lines or ():
        _change_line(record, line)
    if kind == "orders" and is_recalculated:
        shop.recalculate(record)
    shop.edit(kind, record["id"], **changes)


def _refuse_what_is_taken(
    shop: WooCommerce, kind: str, record: Record, changes: Mapping[str, Any]
) -> None:
    others = [other for other in shop.all(kind) if other["id"] != record["id"]]
    email, sku = changes.get("email"), changes.get("sku")
    if email and any(other.get("email") == email for other in others):
        code = "woocommerce_rest_customer_invalid_email"
        raise RestError(400, code, "Email address is invalid.")
    same = next((other for other in others if sku and other.get("sku") == sku), None)
    if same:
        message = "Invalid or duplicated SKU."
        raise RestError(400, "product_invalid_sku", message, resource_id=same["id"])


def _change_line(order: Record, changes: Record) -> None:
    line = next((line for line in order["line_items"] if line["id"] == changes.get("id")), None)
    if line is None:
        code = "woocommerce_rest_invalid_item_id"
        raise RestError(400, code, "Order item ID provided is not associated with order.")
    if changes.get("quantity") == 0:
        order["line_items"].remove(line)
        return
    line["quantity"] = changes.get("quantity", line["quantity"])
    for name in ("total", "subtotal"):
        if name in changes:
            line[name] = Decimal(str(changes[name]))
    line["subtotal"] = max(line["subtotal"], line["total"])
