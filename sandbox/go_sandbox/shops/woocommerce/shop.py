"""The shop's state, and what its merchant and its buyers do with it."""

from __future__ import annotations

import copy
import threading
from dataclasses import replace
from datetime import timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from go_sandbox.shop.stamps import Clock, parse
from go_sandbox.shops.woocommerce import money
from go_sandbox.shops.woocommerce.money import Coupon, Item, Priced, TaxRate, TaxRules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Record = dict[str, Any]

CONSUMER_KEY = "ck_not_a_real_key"
CONSUMER_SECRET = "cs_not_a_real_secret"  # noqa: S105
TAX_RATES = {
    "": TaxRate(1, Decimal(25), "NO-MVA-25-1", "MVA 25 %"),
    "reduced-rate": TaxRate(2, Decimal(15), "NO-MVA-15-1", "MVA 15 %"),
    "low-rate": TaxRate(3, Decimal(12), "NO-MVA-12-1", "MVA 12 %"),
    "zero-rate": TaxRate(4, Decimal(0), "NO-MVA-0-1", "MVA 0 %"),
}
ADDRESS = (
    *("first_name", "last_name", "company", "address_1", "address_2", "city", "state"),
    *("postcode", "country", "phone"),
)
STATUSES = ("pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed")
PAID_STATUSES = ("processing", "completed")


class WooCommerce:
    """Customers, products, orders and refunds of one shop.

    Records are kept with more digits than the API shows. Their stamps are in GMT and whole seconds;
    two changes within a second have the same (columns `post_modified_gmt`, `date_updated_gmt`).

    Attributes:
        clock_skew_seconds: how far the clock is ahead; raise it to let time pass.
        time_zone: the site's time zone, of stamps without `_gmt`.
        permissions: those of the API key: read, write or read_write.
        has_refunds_list: whether `/refunds` exists (since 9.0, pull request 46895).
        has_variations_list: whether `/variations` exists (since 10.3,
            `WC_REST_Variations_Controller`).
        sorts_by_modified: whether lists may be sorted by `modified`; the documentation of 2024
            does not name it, `WC_REST_CRUD_Controller` does.
        refunds_move_date_modified: whether a refund moves the stamp of its order. It does since
            pull request 37047 (7.6); some gateways still bypass it
            (woocommerce-paypal-payments issue 1125).
        orders_tell_refunds: whether orders list their refunds; issue 65488 reports an empty list.
        tells_rate_percent: whether tax lines state their rate; those in the examples of the
            documentation (page Orders) do not.
        trash_moves_date_modified: whether moving an order to the trash moves its stamp; earlier
            versions of `OrdersTableDataStore::trash_order` do not.
        is_over_http: whether the site knows that it is called without TLS. Then keys are not
            accepted (`WC_REST_Authentication::authenticate`). By default it does not, as behind a
            proxy that ends TLS.
        site_url: the address in links; by default the address of the request. Behind a proxy
            it may be an inner address (`rest_url`).
    """

    def __init__(
        self,
        *,
        prices_include_tax: bool = True,
        round_at_subtotal: bool = False,
        decimals: int = 2,
        tax_rates: Mapping[str, TaxRate] | None = None,
        currency: str = "NOK",
        time_zone: str = "Europe/Oslo",
    ) -> None:
        rates = tax_rates or TAX_RATES
        self.rules = TaxRules(prices_include_tax, round_at_subtotal, rates, decimals)
        self.currency = currency
        self.time_zone = ZoneInfo(time_zone)
        self.consumer_key = CONSUMER_KEY
        self.consumer_secret = CONSUMER_SECRET
        self.permissions = "read_write"
        self.has_refunds_list = True
        self.has_variations_list = True
        self.sorts_by_modified = True
        self.refunds_move_date_modified = True
        self.orders_tell_refunds = True
        self.tells_rate_percent = True
        self.trash_moves_date_modified = True
        self.is_over_http = False
        self.site_url: str | None = None
        self.clock_skew_seconds: float = 0
        self.clock = Clock(lambda: self.clock_skew_seconds, lambda: True)
        self.lock = threading.RLock()
        self.coupons: dict[str, Coupon] = {}
        self._kinds: dict[str, dict[int, Record]] = {
            kind: {} for kind in ("customers", "products", "orders", "refunds")
        }
        self._next = {"post": 101, "user": 2, "item": 1, "meta": 1001}

    def get(self, kind: str, record_id: int) -> Record | None:
        """Return a record as it is kept, even in the trash; not a copy."""
        return self._kinds[kind].get(record_id)

    def all(self, kind: str) -> list[Record]:
        """Return the records of a kind as they are kept; variations are among the products."""
        return list(self._kinds[kind].values())

    def refunds_of(self, order_id: int) -> list[Record]:
        """Return the refunds of an order, newest first."""
        found = [refund for refund in self.all("refunds") if refund["parent_id"] == order_id]
        return sorted(found, key=lambda refund: -refund["id"])

    def pass_seconds(self, seconds: float) -> None:
        """Let time pass in the shop."""
        self.clock_skew_seconds += seconds

    def now(self) -> str:
        """Return the present moment in GMT, in whole seconds and without a zone."""
        stamp = parse(self.clock.next()).astimezone(timezone.utc)
        return stamp.strftime("%Y-%m-%dT%H:%M:%S")

    def number(self, series: str) -> int:
        """Return the next number of a series: post, user, item or meta."""
        number = self._next[series]
        self._next[series] += 1
        return number

    def meta(self, values: Mapping[str, Any]) -> list[Record]:
        """Return entries of meta data."""
        return [
            {"id": self.number("meta"), "key": key, "value": value} for key, value in values.items()
        ]

    def touch(self, record: Record) -> None:
        """Move a record's stamp; two changes within a second have the same."""
        record["date_modified_gmt"] = self.now()

    def add_customer(
        self,
        email: str,
        *,
        billing: Mapping[str, str] | None = None,
        shipping: Mapping[str, str] | None = None,
        meta_data: Mapping[str, Any] | None = None,
        is_stamped: bool = True,
        **members: object,
    ) -> int:
        """Register a customer and return their id.

        A user not created by the shop has no `date_modified` (`WC_Customer_Data_Store` reads
        it from the user's meta data): `is_stamped=False`.
        """
        with self.lock:
            user_id = self.number("user")
            now = self.now()
            self._kinds["customers"][user_id] = {
                "id": user_id,
                "email": email,
                "first_name": "",
                "last_name": "",
                "role": "customer",
                "username": email.partition("@")[0],
                "is_paying_customer": False,
                **members,
                "billing": {**address(billing), "email": (billing or {}).get("email", "")},
                "shipping": address(shipping),
                "meta_data": self.meta(meta_data or {}),
                "date_created_gmt": now,
                "date_modified_gmt": now if is_stamped else None,
            }
            return user_id

    def add_product(
        self,
        name: str,
        sku: str = "",
        price: str = "",
        *,
        meta_data: Mapping[str, Any] | None = None,
        **members: object,
    ) -> int:
        """Add a product and return its id; `price` is the regular price, as entered.

        Stock is kept if `stock_quantity` is given. A product that has variations is
        `type="variable"`, and has no price of its own.
        """
        return self._add_product(name, sku, price, meta_data, {"type": "simple", **members})

    def add_variation(
        self,
        product_id: int,
        sku: str,
        price: str,
        attributes: Mapping[str, str],
        *,
        meta_data: Mapping[str, Any] | None = None,
        **members: object,
    ) -> int:
        """Add a variation of a product and return its id; `attributes` such as colour → red.

        Its own tax class may be `parent` (the default): then it has that of its product.
        """
        parent = self._kinds["products"][product_id]
        own = {"type": "variation", "parent_id": product_id, "tax_class": "parent", **members}
        own["options"] = dict(attributes)
        name = f"{parent['name']} - {', '.join(attributes.values())}"
        return self._add_product(name, sku, price, meta_data, own)

    def _add_product(
        self,
        name: str,
        sku: str,
        price: str,
        meta_data: Mapping[str, Any] | None,
        members: Mapping[str, Any],
    ) -> int:
        with self.lock:
            post_id = self.number("post")
            now = self.now()
            self._kinds["products"][post_id] = {
                "id": post_id,
                "parent_id": 0,
                "name": name,
                "sku": sku,
                "global_unique_id": "",
                "regular_price": price,
                "sale_price": "",
                "is_sale_on": True,
                "status": "publish",
                "description": "",
                "short_description": "",
                "virtual": False,
                "tax_status": "taxable",
                "tax_class": "",
                "manage_stock": members.get("stock_quantity") is not None,
                "stock_quantity": None,
                "categories": [],
                "weight": "",
                **members,
                "meta_data": self.meta(meta_data or {}),
                "date_created_gmt": now,
                "date_modified_gmt": now,
            }
            return post_id

    def variations_of(self, product_id: int) -> list[Record]:
        """Return the variations of a product that are not in the trash."""
        return [
            product
            for product in self.all("products")
            if product["parent_id"] == product_id and product["status"] != "trash"
        ]

    def tax_class_of(self, product: Record) -> str | None:
        """Return the tax class under which a product is sold; None if it is not taxable."""
        if product["tax_status"] != "taxable":
            return None
        if product["tax_class"] == "parent":
            return self.tax_class_of(self._kinds["products"][product["parent_id"]])
        return str(product["tax_class"])

    def add_coupon(self, code: str, kind: str, amount: str) -> None:
        """Add a coupon: percent, fixed_cart or fixed_product."""
        self.coupons[code] = Coupon(code, kind, Decimal(amount))

    def place_order(
        self,
        lines: Iterable[tuple[int, int]],
        *,
        customer_id: int = 0,
        billing: Mapping[str, str] | None = None,
        shipping: Mapping[str, str] | None = None,
        freight: str | None = None,
        fees: Iterable[tuple[str, str, str | None]] = (),
        coupons: Iterable[str] = (),
        is_vat_exempt: bool = False,
        status: str = "processing",
        meta_data: Mapping[str, Any] | None = None,
        **members: object,
    ) -> int:
        """Check a basket out and return the id of the order.

        Args:
            lines: ids of products or variations, each with a quantity.
            customer_id: 0 for a guest.
            billing: the billing address.
            shipping: the delivery address; by default the billing address.
            freight: the price of freight without VAT.
            fees: name, amount without VAT and tax class (None: not taxable) of each; a negative fee
                is a rebate, whose VAT is divided among the rates of the order.
            coupons: codes of the coupons used.
            is_vat_exempt: whether the buyer pays no VAT; prices lose the VAT of the shop's country.
            status: the order's first status.
            meta_data: by name.
            members: other members of the order, such as payment_method.
        """
        with self.lock:
            products = [
                (self._kinds["products"][product_id], quantity) for product_id, quantity in lines
            ]
            rules = self.rules if not is_vat_exempt else self._rules_without_vat()
            items = [self._basket_item(*item, is_vat_exempt) for item in products]
            money.apply_coupons(self.rules, [self.coupons[code] for code in coupons], items)
            goods = [money.priced_item(rules, item) for item in items]
            order: Record = {
                "id": self.number("post"),
                "line_items": [
                    self._line(product, quantity, item.tax_class, priced)
                    for (product, quantity), item, priced in zip(
                        products, items, goods, strict=True
                    )
                ],
                "shipping_lines": self._freight_lines(rules, freight, items),
                "coupon_lines": [
                    {"id": self.number("item"), "code": code, "discount": off, "discount_tax": tax}
                    for code, (off, tax) in money.coupon_sums(rules, items).items()
                ],
            }
            order["fee_lines"] = self._fee_lines(rules, order, fees)
            self._finish(
                order,
                {
                    "customer_id": customer_id,
                    "billing": {**address(billing), "email": (billing or {}).get("email", "")},
                    "shipping": address(billing if shipping is None else shipping),
                    "meta_data": self.meta(meta_data or {}),
                    **members,
                },
            )
            self._reduce_stock(products)
            self.set_status(order, status)
            return int(order["id"])

    def _finish(self, order: Record, members: Mapping[str, Any]) -> None:
        now = self.now()
        order.update(
            {
                "number": str(order["id"]),
                "status": "pending",
                "currency": self.currency,
                "prices_include_tax": self.rules.prices_include_tax,
                "customer_note": "",
                "payment_method": "bacs",
                "payment_method_title": "Bankoverføring",
                "transaction_id": "",
                "created_via": "checkout",
                **members,
                "date_created_gmt": now,
                "date_modified_gmt": now,
                "date_paid_gmt": None,
                "date_completed_gmt": None,
            }
        )
        self.add_up(order)
        self._kinds["orders"][order["id"]] = order

    def _rules_without_vat(self) -> TaxRules:
        return replace(self.rules, prices_include_tax=False, rates={})

    def _basket_item(self, product: Record, quantity: int, is_vat_exempt: bool) -> Item:
        amount = price_of(product) * quantity
        tax_class = self.tax_class_of(product)
        if is_vat_exempt and self.rules.prices_include_tax:
            base = self.rules.taxes(amount, tax_class, included=True)
            amount = self.rules.rounded(amount - sum(base.values(), money.ZERO))
        return Item(amount, quantity, tax_class)

    def _line(
        self, product: Record, quantity: int, tax_class: str | None, priced: Priced
    ) -> Record:
        is_variation = product["type"] == "variation"
        options = product.get("options", {})
        return {
            "id": self.number("item"),
            "name": product["name"],
            "product_id": product["parent_id"] if is_variation else product["id"],
            "variation_id": product["id"] if is_variation else 0,
            "quantity": quantity,
            "tax_class": tax_class or "",
            **amounts(priced),
            "meta_data": self.meta({name.lower(): value for name, value in options.items()}),
        }

    def _freight_lines(
        self, rules: TaxRules, freight: str | None, items: Iterable[Item]
    ) -> list[Record]:
        if freight is None:
            return []
        classes = [item.tax_class for item in items if item.tax_class is not None]
        tax_class = "" if "" in classes or not classes else classes[0]
        cost = self.rules.rounded(Decimal(freight))
        return [
            {
                "id": self.number("item"),
                "method_title": "Posten",
                "method_id": "flat_rate",
                "instance_id": "1",
                **amounts(money.priced_charge(rules, cost, tax_class)),
                "meta_data": [],
            }
        ]

    def _fee_lines(
        self, rules: TaxRules, order: Record, fees: Iterable[tuple[str, str, str | None]]
    ) -> list[Record]:
        made: list[Record] = []
        for name, text, tax_class in fees:
            amount = Decimal(text)
            if amount < 0:
                priced = money.priced_rebate(rules, amount, self._taxed(order, made))
            else:
                priced = money.priced_charge(rules, amount, tax_class)
            made.append(
                {
                    "id": self.number("item"),
                    "name": name,
                    "tax_class": tax_class or "",
                    "tax_status": "none" if tax_class is None else "taxable",
                    **amounts(priced),
                    "meta_data": [],
                }
            )
        return made

    def _taxed(self, order: Record, fees: Iterable[Record]) -> list[tuple[str | None, Priced]]:
        by_rate = {rate.id: tax_class for tax_class, rate in self.rules.rates.items()}
        lines = [*order["line_items"], *order["shipping_lines"], *fees]
        return [
            (by_rate.get(next(iter(line["taxes"]), 0)) if line["taxes"] else None, priced(line))
            for line in lines
        ]

    def _reduce_stock(self, products: Iterable[tuple[Record, int]]) -> None:
        """Deduct sold goods from the stock; the product's stamp does not move (issue 17841)."""
        for product, quantity in products:
            if product["manage_stock"]:
                product["stock_quantity"] -= quantity

    def add_up(self, order: Record) -> None:
        """Calculate the sums and the tax lines of an order from its lines."""
        goods = [priced(line) for line in order["line_items"]]
        freight = [priced(line) for line in order["shipping_lines"]]
        fees = [priced(line) for line in order["fee_lines"]]
        order.update(money.totals(self.rules, goods, freight, fees))
        known = {tax_line["rate_id"]: tax_line for tax_line in order.get("tax_lines", ())}
        by_rate = money.taxes_by_rate(self.rules, (*goods, *fees), freight)
        order["tax_lines"] = [
            {
                "id": known[rate]["id"] if rate in known else self.number("item"),
                "rate_id": rate,
                "tax_total": tax,
                "shipping_tax_total": freight_tax,
            }
            for rate, (tax, freight_tax) in by_rate.items()
        ]

    def recalculate(self, order: Record) -> None:
        """Recalculate all VAT of an order from its amounts without VAT, as an edit does.

        So VAT that was calculated from prices with VAT may change by an øre
        (`WC_Abstract_Order::calculate_taxes`).
        """
        for line in (*order["line_items"], *order["fee_lines"]):
            is_taxed = line.get("tax_status") != "none"
            self._tax_line(line, line["tax_class"] if is_taxed else None)
        classes = [line["tax_class"] for line in order["line_items"]]
        for line in order["shipping_lines"]:
            self._tax_line(line, "" if "" in classes or not classes else classes[0])
        self.add_up(order)

    def _tax_line(self, line: Record, tax_class: str | None) -> None:
        line["taxes"] = self.rules.taxes(line["total"], tax_class)
        line["subtotal_taxes"] = self.rules.taxes(line["subtotal"], tax_class)

    def set_status(self, order: Record, status: str) -> None:
        """Move an order to a status, with the consequences.

        The first status in which it counts as paid sets `date_paid`. Setting it to `refunded`
        refunds the rest without naming lines (`wc_order_fully_refunded`).
        """
        order["status"] = status
        if status in PAID_STATUSES and order["date_paid_gmt"] is None:
            order["date_paid_gmt"] = self.now()
        if status == "completed" and order["date_completed_gmt"] is None:
            order["date_completed_gmt"] = self.now()
        self.touch(order)
        left = order["total"] - self.refunded(order["id"])
        if status == "refunded" and left > 0:
            self.refund(order["id"], amount=str(left), reason="Order fully refunded.")

    def refunded(self, order_id: int) -> Decimal:
        """Return how much of an order was paid back."""
        return sum((refund["amount"] for refund in self.refunds_of(order_id)), money.ZERO)

    def refund(
        self,
        order_id: int,
        lines: Mapping[int, tuple[int, str | None]] | None = None,
        *,
        amount: str | None = None,
        reason: str = "",
    ) -> int:
        """Pay back and return the refund's id; a full refund sets the order to `refunded`.

        Args:
            order_id: the order.
            lines: quantity and amount without VAT by the id of a line, a freight or a fee; without
                an amount, that of the quantity, or all of a freight or fee. VAT follows in
                proportion. None pays back a sum that names no lines.
            amount: the sum with VAT; by default that of the lines.
            reason: the merchant's text.

        Raises:
            ValueError: that is more than is left of the order.
        """
        with self.lock:
            order = self._kinds["orders"][order_id]
            made: dict[str, list[Record]] = {
                kind: [
                    self._refunded_line(line, *lines[line["id"]])
                    for line in order[kind]
                    if line["id"] in (lines or {})
                ]
                for kind in ("line_items", "shipping_lines", "fee_lines")
                if lines is not None
            }
            every = [line for group in made.values() for line in group]
            whole = sum((line["total"] for line in every), money.ZERO)
            whole += sum((self.rules.total_tax(line["taxes"]) for line in every), money.ZERO)
            paid_back = Decimal(amount) if amount is not None else -self.rules.rounded(whole)
            if paid_back > order["total"] - self.refunded(order_id):
                raise ValueError("Invalid refund amount.")
            now = self.now()
            refund: Record = {
                "id": self.number("post"),
                "parent_id": order_id,
                "amount": paid_back,
                "reason": reason,
                "meta_data": [],
                "line_items": [],
                "shipping_lines": [],
                "fee_lines": [],
                **made,
                "date_created_gmt": now,
                "date_modified_gmt": now,
            }
            self._kinds["refunds"][refund["id"]] = refund
            if self.refunds_move_date_modified:
                self.touch(order)
            if self.refunded(order_id) >= order["total"] and order["status"] != "refunded":
                order["status"] = "refunded"
            return int(refund["id"])

    def _refunded_line(self, line: Record, quantity: int, total: str | None) -> Record:
        share = -Decimal(quantity or 1) / line.get("quantity", 1)
        amount = self.rules.rounded(line["total"] * share)
        if total is not None:
            amount = -Decimal(total)
            share = amount / line["total"] if line["total"] else money.ZERO
        taxes = {rate: self.rules.line_tax(tax * share) for rate, tax in line["taxes"].items()}
        return {
            **copy.deepcopy(line),
            "id": self.number("item"),
            "quantity": -quantity,
            "subtotal": amount,
            "total": amount,
            "taxes": taxes,
            "subtotal_taxes": taxes,
            "meta_data": self.meta({"_refunded_item_id": str(line["id"])}),
        }

    def edit(
        self,
        kind: str,
        record_id: int,
        *,
        status: str | None = None,
        meta_data: Mapping[str, Any] | None = None,
        **members: object,
    ) -> None:
        """Change members of a record as on its screen; addresses are merged.

        Every save moves the stamp, even if nothing changes (pull request 19595); but that of a
        customer only if something changed (`wc_meta_update_last_update_time`).
        """
        with self.lock:
            record = self._kinds[kind][record_id]
            before = copy.deepcopy(record)
            for name, value in members.items():
                record[name] = {**record[name], **value} if isinstance(value, dict) else value
            self.set_meta(record, meta_data or {})
            if status is not None and kind == "orders":
                self.set_status(record, status)
            elif status is not None:
                record["status"] = status
            if kind != "customers" or record != before:
                self.touch(record)

    def edit_line(self, order_id: int, line_id: int, quantity: int) -> None:
        """Change the quantity of a line on the order's screen; 0 removes the line."""
        with self.lock:
            order = self._kinds["orders"][order_id]
            line = next(line for line in order["line_items"] if line["id"] == line_id)
            for name in ("subtotal", "total"):
                line[name] = line[name] * quantity / line["quantity"]
            line["quantity"] = quantity
            order["line_items"] = [line for line in order["line_items"] if line["quantity"]]
            self.recalculate(order)
            self.touch(order)

    def set_meta(self, record: Record, values: Mapping[str, Any]) -> None:
        """Set meta data as a plug-in does: beside the record, whose stamp does not move."""
        with self.lock:
            for key, value in values.items():
                known = next((entry for entry in record["meta_data"] if entry["key"] == key), None)
                if known is None:
                    record["meta_data"] += self.meta({key: value})
                else:
                    known["value"] = value

    def trash(self, kind: str, record_id: int) -> None:
        """Move a product or an order to the trash, where it stays for some weeks.

        The variations of a product go with it (`WC_Post_Data::trash_post`).
        """
        with self.lock:
            record = self._kinds[kind][record_id]
            record["status"] = "trash"
            if kind != "orders" or self.trash_moves_date_modified:
                self.touch(record)
            for variation in self.variations_of(record_id) if kind == "products" else ():
                self.trash(kind, variation["id"])

    def erase(self, kind: str, record_id: int) -> None:
        """Delete a record permanently and without a trace."""
        with self.lock:
            del self._kinds[kind][record_id]


def address(given: Mapping[str, str] | None) -> Record:
    """Return an address with all members; those that are not given are empty."""
    return {name: (given or {}).get(name, "") for name in ADDRESS}


def is_on_sale(product: Record) -> bool:
    """Return whether a product has a sale price that applies now, by the dates of the sale.

    `WC_Product::is_on_sale`, where the dates of the sale decide that.
    """
    return bool(product["sale_price"] and product["is_sale_on"])


def price_of(product: Record) -> Decimal:
    """Return the current price of a product, if it has one."""
    return Decimal(price_text(product) or 0)


def price_text(product: Record) -> str:
    """Return the current price of a product, as the merchant entered it."""
    return str(product["sale_price" if is_on_sale(product) else "regular_price"])


def amounts(line: Priced) -> Record:
    """Return the members that keep a line's amounts."""
    return {
        "subtotal": line.subtotal,
        "total": line.total,
        "subtotal_taxes": line.subtotal_taxes,
        "taxes": line.taxes,
    }


def priced(line: Record) -> Priced:
    """Return the amounts of a stored line."""
    return Priced(line["subtotal"], line["total"], line["subtotal_taxes"], line["taxes"])
