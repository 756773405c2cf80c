"""Mutations: the faults of an input are in `userErrors`, beside a null result.

(shopify.dev, "Error handling": a mutation that is refused is answered with 200 and without
`errors`.) The mutations of one request are executed one after the other, and one that is refused
does not undo the others (GraphQL specification, 6.2.2).
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphql import GraphQLResolveInfo

    from go_sandbox.shops.shopify.shop import Record, Shopify

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
PHONE = re.compile(r"\+[1-9]\d{6,14}")
"""E.164 (reference of CustomerInput.phone)."""
COUNTRIES = {"NO": "Norway", "SE": "Sweden", "DK": "Denmark", "DE": "Germany"}


class UserError(Exception):
    """A fault of an input.

    Attributes:
        field: its place in the input.
    """

    def __init__(self, message: str, *field: str) -> None:
        super().__init__(message)
        self.field = list(field)


def mutation(scope: str, result: str, change: Callable[..., Any]) -> Callable[..., Record]:
    """Return the resolver of a mutation: the changed record, or the faults."""

    def resolve(_: object, info: GraphQLResolveInfo[Any], **arguments: object) -> Record:
        info.context.allow(scope, field=info.field_name)
        try:
            changed = change(info.context.shop, **arguments)
        except UserError as error:
            return {result: None, "userErrors": [{"field": error.field, "message": str(error)}]}
        return {**(changed if result == "product" else {result: changed}), "userErrors": []}

    return resolve


def found(shop: Shopify, gid: str | None, kind: str, *field: str) -> Record:
    """Return the record that an input names.

    Raises:
        UserError: There is no such record.
    """
    record = shop.get(gid or "")
    if record is None or record["__typename"] != kind:
        words = {"ProductVariant": "Product variant"}.get(kind, kind)
        raise UserError(f"{words} does not exist", *field)
    return record


def update_customer(shop: Shopify, input: Record) -> Record:  # noqa: A002
    """Change the members of a customer that are sent; null empties one."""
    sent = dict(input)
    customer = found(shop, sent.pop("id", None), "Customer", "id")
    sent = {name: value or None for name, value in sent.items()}
    if sent.get("email") and not EMAIL.fullmatch(sent["email"]):
        raise UserError("Email is invalid", "email")
    if sent.get("phone") and not PHONE.fullmatch(sent["phone"]):
        raise UserError("Phone is invalid", "phone")
    for name in ("email", "phone"):
        taken = (other for other in shop.all("Customer") if other is not customer)
        if sent.get(name) and any(other[name] == sent[name] for other in taken):
            raise UserError(f"{name.capitalize()} has already been taken", name)
    after = {**customer, **sent}
    if not any(after[name] for name in ("email", "phone", "firstName", "lastName")):
        message = "A name, phone number, or email address must be present"
        raise UserError(message)
    customer.update(sent)
    shop.touch(customer)
    return customer


def _address(sent: Record) -> Record:
    members = {name: value or None for name, value in sent.items()}
    if "countryCode" in members:
        code = members.pop("countryCode")
        members |= {"countryCodeV2": code, "country": COUNTRIES.get(code or "")}
    return members


def update_address(
    shop: Shopify,
    customerId: str,  # noqa: N803
    addressId: str,  # noqa: N803
    address: Record,
    setAsDefault: bool = False,  # noqa: N803
) -> Record:
    """Change an address of a customer, whose stamp moves."""
    customer = found(shop, customerId, "Customer", "customerId")
    kept: list[Record] = customer["addressesV2"]
    known = next((address for address in kept if address["id"] == addressId), None)
    if known is None:
        raise UserError("Address does not exist", "addressId")
    known.update(_address(address))
    known["name"] = f"{known['firstName'] or ''} {known['lastName'] or ''}".strip() or None
    if setAsDefault:
        customer["defaultAddress"] = known
    shop.touch(customer)
    return known


def create_address(
    shop: Shopify,
    customerId: str,  # noqa: N803
    address: Record,
    setAsDefault: bool = False,  # noqa: N803
) -> Record:
    """Give a customer an address; their first is their default one."""
    customer = found(shop, customerId, "Customer", "customerId")
    made = shop.address(_address(address))
    customer["addressesV2"].append(made)
    if setAsDefault or customer["defaultAddress"] is None:
        customer["defaultAddress"] = made
    shop.touch(customer)
    return made


def update_order(shop: Shopify, input: Record) -> Record:  # noqa: A002
    """Change the texts of an order; its amounts stay."""
    sent = dict(input)
    order = found(shop, sent.pop("id"), "Order", "id")
    order.update({name: value or None for name, value in sent.items()})
    shop.touch(order)
    return order


def update_product(shop: Shopify, product: Record) -> Record:
    """Change a product."""
    sent = dict(product)
    record = found(shop, sent.pop("id", None), "Product", "id")
    if "title" in sent and not (sent["title"] or "").strip():
        raise UserError("Title can't be blank", "title")
    record.update({name: value or "" for name, value in sent.items()})
    shop.touch(record)
    return {"product": record}


def update_variants(
    shop: Shopify,
    productId: str,  # noqa: N803
    variants: list[Record],
    allowPartialUpdates: bool = False,  # noqa: ARG001, N803
) -> Record:
    """Change either all of these variants of a product or none."""
    product = found(shop, productId, "Product", "productId")
    changes = [_of_variant(product, place, sent) for place, sent in enumerate(variants)]
    for variant, members, item in changes:
        variant.update(members)
        variant["inventoryItem"].update(item)
        if "sku" in item:
            variant["sku"] = item["sku"]
        shop.touch(variant)
    shop.touch(product)
    return {"product": product, "productVariants": [variant for variant, _, _ in changes]}


def _of_variant(product: Record, place: int, sent: Record) -> tuple[Record, Record, Record]:
    """Return a variant, and the checked changes of it and of its inventory item."""
    members = dict(sent)
    gid, at = members.pop("id", None), ("variants", str(place))
    variant = next((variant for variant in product["variants"] if variant["id"] == gid), None)
    if variant is None:
        raise UserError("Product variant does not exist", *at, "id")
    item = {
        name: value or None for name, value in (members.pop("inventoryItem", None) or {}).items()
    }
    if "price" in members:
        try:
            members["price"] = Decimal(members["price"])
        except (InvalidOperation, TypeError):
            raise UserError("Price must be a number", *at, "price") from None
        if members["price"] < 0:
            raise UserError("Price must be greater than or equal to 0", *at, "price")
    if "barcode" in members:
        members["barcode"] = members["barcode"] or None
    return variant, members, item


MUTATIONS = {
    "customerUpdate": mutation("write_customers", "customer", update_customer),
    "customerAddressUpdate": mutation("write_customers", "address", update_address),
    "customerAddressCreate": mutation("write_customers", "address", create_address),
    "orderUpdate": mutation("write_orders", "order", update_order),
    "productUpdate": mutation("write_products", "product", update_product),
    "productVariantsBulkUpdate": mutation("write_products", "product", update_variants),
}
