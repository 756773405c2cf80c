"""Records as the API shows them: amounts as text with two decimals, stamps without a zone."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from go_sandbox.shops.woocommerce.money import ZERO
from go_sandbox.shops.woocommerce.shop import (
    PAID_STATUSES,
    is_on_sale,
    price_of,
    price_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from go_sandbox.shops.woocommerce.money import TaxRate
    from go_sandbox.shops.woocommerce.shop import Record, WooCommerce

ORDER_SUMS = (
    *("discount_total", "discount_tax", "shipping_total", "shipping_tax", "cart_tax", "total"),
    "total_tax",
)


class Shapes:
    """Shows records of a shop as JSON objects.

    Args:
        shop: the shop.
        root: the address of the API, for links.
        decimals: the number of decimals of orders' amounts (parameter `dp`); by default
            as many as prices have. Lines are kept with more, so more show more.
    """

    def __init__(self, shop: WooCommerce, root: str, decimals: int | None = None) -> None:
        self._shop = shop
        self._root = root
        self._decimals = shop.rules.decimals if decimals is None else decimals

    def customer(self, record: Record) -> Record:
        """Return a customer; there is no `deleted`, and no company beside that of an address."""
        return {
            "id": record["id"],
            **self._stamps(record, "date_created", "date_modified"),
            **_members(record, "email", "first_name", "last_name", "role", "username"),
            **_members(record, "billing", "shipping", "is_paying_customer"),
            "avatar_url": "",
            "meta_data": record["meta_data"],
            **self._links(f"customers/{record['id']}", "customers"),
        }

    def product(self, record: Record) -> Record:
        """Return a product. A variable one has the lowest price of its variations, not its own."""
        variations = self._shop.variations_of(record["id"])
        price = price_text(record)
        if record["type"] == "variable":
            prices = [price_of(variation) for variation in variations if price_text(variation)]
            price = str(min(prices)) if prices else ""
        return {
            **self._goods(record),
            **_members(record, "name", "type", "short_description", "parent_id", "categories"),
            "slug": record["name"].lower().replace(" ", "-"),
            "price": price,
            "sold_individually": False,
            "tags": [],
            "images": [],
            "attributes": _attributes(variations),
            "variations": [variation["id"] for variation in variations],
            **self._links(f"products/{record['id']}", "products"),
        }

    def variation(self, record: Record) -> Record:
        """Return a variation: without name, type and, in the list of its product, parent."""
        path = f"products/{record['parent_id']}/variations"
        return {
            **self._goods(record),
            "price": price_text(record),
            "attributes": [
                {"id": 0, "name": name, "option": option}
                for name, option in record["options"].items()
            ],
            **self._links(f"{path}/{record['id']}", path),
        }

    def variation_of_all(self, record: Record) -> Record:
        """Return a variation as `/variations` lists it: with its parent."""
        return {**self.variation(record), "parent_id": record["parent_id"]}

    def order(self, record: Record) -> Record:
        """Return an order: `total` is with VAT, the totals of lines are without."""
        path = f"orders/{record['id']}"
        return {
            **_members(record, "id", "number", "created_via", "status", "currency"),
            "parent_id": 0,
            "order_key": f"wc_order_{record['id']}",
            "version": "10.3.0",
            **self._stamps(record, "date_created", "date_modified", "date_paid", "date_completed"),
            **{name: self._amount(record[name]) for name in ORDER_SUMS},
            **_members(record, "prices_include_tax", "customer_id", "customer_note", "billing"),
            **_members(record, "shipping", "payment_method", "payment_method_title"),
            **_members(record, "transaction_id", "meta_data"),
            "line_items": [self._line_item(line) for line in record["line_items"]],
            "tax_lines": [self._tax_line(line) for line in record["tax_lines"]],
            "shipping_lines": [self._charge(line) for line in record["shipping_lines"]],
            "fee_lines": [self._charge(line) for line in record["fee_lines"]],
            "coupon_lines": [self._coupon_line(line) for line in record["coupon_lines"]],
            "refunds": [
                {
                    "id": refund["id"],
                    "reason": refund["reason"],
                    "total": f"-{self._amount(refund['amount'])}",
                }
                for refund in self._shop.refunds_of(record["id"])
                if self._shop.orders_tell_refunds
            ],
            "payment_url": "",
            "is_editable": record["status"] in ("pending", "on-hold"),
            "needs_payment": record["status"] in ("pending", "failed"),
            "needs_processing": record["status"] not in PAID_STATUSES,
            **self._links(path, "orders"),
        }

    def refund(self, record: Record) -> Record:
        """Return a refund: its `amount` is above 0, its lines are negative."""
        path = f"orders/{record['parent_id']}/refunds"
        return {
            "id": record["id"],
            **self._stamps(record, "date_created"),
            "amount": self._amount(record["amount"]),
            "reason": record["reason"],
            "refunded_by": 1,
            "refunded_payment": False,
            "meta_data": record["meta_data"],
            "line_items": [self._line_item(line) for line in record["line_items"]],
            "shipping_lines": [self._charge(line) for line in record["shipping_lines"]],
            "tax_lines": [],
            "fee_lines": [self._charge(line) for line in record["fee_lines"]],
            **self._links(f"{path}/{record['id']}", path),
        }

    def refund_of_all(self, record: Record) -> Record:
        """Return a refund as `/refunds` lists it: with its order."""
        return {**self.refund(record), "parent_id": record["parent_id"]}

    def tax_rate(self, tax_class: str, rate: TaxRate) -> Record:
        """Return a row of the table of tax rates; the standard class has a name here."""
        return {
            "id": rate.id,
            "country": "NO",
            "state": "",
            "postcode": "",
            "city": "",
            "postcodes": [],
            "cities": [],
            "rate": f"{rate.percent:.4f}",
            "name": rate.label,
            "priority": 1,
            "compound": False,
            "shipping": True,
            "order": rate.id,
            "class": tax_class or "standard",
            **self._links(f"taxes/{rate.id}", "taxes"),
        }

    def setting(self, group: str, name: str, value: str) -> Record:
        """Return an option of the shop's settings."""
        path = f"settings/{group}"
        return {"id": name, "value": value, **self._links(f"{path}/{name}", path)}

    def _goods(self, record: Record) -> Record:
        is_kept = bool(record["manage_stock"])
        return {
            "id": record["id"],
            "permalink": f"{self._root.partition('/wp-json')[0]}/product/{record['id']}/",
            **self._stamps(record, "date_created", "date_modified"),
            **_members(record, "status", "description", "sku", "global_unique_id"),
            **_members(record, "regular_price", "sale_price", "virtual", "tax_status", "weight"),
            "tax_class": self._shown_tax_class(record),
            "on_sale": is_on_sale(record),
            "manage_stock": is_kept,
            "stock_quantity": record["stock_quantity"] if is_kept else None,
            "stock_status": "outofstock"
            if is_kept and record["stock_quantity"] <= 0
            else "instock",
            "backorders": "no",
            "meta_data": record["meta_data"],
        }

    def _shown_tax_class(self, record: Record) -> str:
        """Return the tax class; a variation without one has that of its product.

        `WC_Product_Variation::get_tax_class` answers so in the view context.
        """
        if record["tax_class"] != "parent":
            return str(record["tax_class"])
        return self._shown_tax_class(self._shop.get("products", record["parent_id"]) or {})

    def _line_item(self, line: Record) -> Record:
        """Return a line; `price` is a JSON number, as PHP divides."""
        product = self._shop.get("products", line["variation_id"] or line["product_id"])
        quantity = line["quantity"]
        return {
            **_members(line, "id", "name", "product_id", "variation_id", "quantity", "tax_class"),
            **self._line_amounts(line),
            "subtotal": self._amount(line["subtotal"]),
            "subtotal_tax": self._amount(self._shop.rules.total_tax(line["subtotal_taxes"])),
            "meta_data": _shown_meta(line["meta_data"]),
            "sku": product["sku"] if product else None,
            "price": float(line["total"]) / quantity if quantity else 0,
            "image": {"id": "", "src": ""},
            "parent_name": None,
        }

    def _charge(self, line: Record) -> Record:
        named = ("id", "name", "tax_class", "tax_status", "method_title", "method_id")
        return {
            **_members(line, *(name for name in (*named, "instance_id") if name in line)),
            **self._line_amounts(line),
            "meta_data": _shown_meta(line["meta_data"]),
        }

    def _line_amounts(self, line: Record) -> Record:
        """Return the amounts of a line; the `taxes` keep all their digits."""
        before = line["subtotal_taxes"]
        return {
            "total": self._amount(line["total"]),
            "total_tax": self._amount(self._shop.rules.total_tax(line["taxes"])),
            "taxes": [
                {"id": rate, "total": _plain(tax), "subtotal": _plain(before.get(rate, ZERO))}
                for rate, tax in line["taxes"].items()
            ],
        }

    def _tax_line(self, line: Record) -> Record:
        rates = self._shop.rules.rates.values()
        rate = next(rate for rate in rates if rate.id == line["rate_id"])
        percent = float(rate.percent)
        shown = int(percent) if percent.is_integer() else percent
        return {
            "id": line["id"],
            "rate_code": rate.code,
            "rate_id": rate.id,
            "label": rate.label,
            "compound": False,
            "tax_total": self._amount(line["tax_total"]),
            "shipping_tax_total": self._amount(line["shipping_tax_total"]),
            **({"rate_percent": shown} if self._shop.tells_rate_percent else {}),
            "meta_data": [],
        }

    def _coupon_line(self, line: Record) -> Record:
        coupon = self._shop.coupons[line["code"]]
        return {
            **_members(line, "id", "code"),
            "discount": self._amount(line["discount"]),
            "discount_tax": self._amount(line["discount_tax"]),
            "meta_data": [],
            "discount_type": coupon.kind,
            "nominal_amount": float(coupon.amount),
            "free_shipping": False,
        }

    def _amount(self, value: Decimal) -> str:
        return f"{value.quantize(Decimal(1).scaleb(-self._decimals), ROUND_HALF_UP):f}"

    def _stamps(self, record: Record, *names: str) -> Record:
        """Return stamps in the site's zone, and in GMT with `_gmt`; neither states its zone."""
        shown: Record = {}
        for name in names:
            gmt = record[f"{name}_gmt"]
            shown[name] = gmt and self._local(gmt)
            shown[f"{name}_gmt"] = gmt
        return shown

    def _local(self, gmt: str) -> str:
        moment = datetime.fromisoformat(gmt).replace(tzinfo=timezone.utc)
        return moment.astimezone(self._shop.time_zone).strftime("%Y-%m-%dT%H:%M:%S")

    def _links(self, own: str, collection: str) -> Record:
        return {
            "_links": {
                "self": [{"href": f"{self._root}/{own}"}],
                "collection": [{"href": f"{self._root}/{collection}"}],
            }
        }


def _members(record: Record, *names: str) -> Record:
    return {name: record[name] for name in names}


def _attributes(variations: Iterable[Record]) -> list[Record]:
    options: dict[str, list[str]] = {}
    for variation in variations:
        for name, option in variation["options"].items():
            options.setdefault(name, []).append(option)
    return [
        {"id": 0, "name": name, "position": 0, "visible": True, "variation": True, "options": all_}
        for name, all_ in options.items()
    ]


def _shown_meta(entries: Iterable[Record]) -> list[Record]:
    return [
        {**entry, "display_key": entry["key"], "display_value": entry["value"]} for entry in entries
    ]


def _plain(value: Decimal) -> str:
    """Return a number without trailing zeros, as PHP writes it."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def chosen(shown: Record, fields: str | None) -> Record:
    """Return the members that `_fields` names; all of them without it."""
    if fields is None:
        return shown
    names = [name.strip() for name in fields.split(",")]
    return {name: value for name, value in shown.items() if name in names}
