"""The shop's state, and what its merchant and its buyers do with it."""

from __future__ import annotations

import threading
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from go_sandbox.shop.stamps import Clock, parse
from go_sandbox.shops.shopify.costs import Bucket

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Record = dict[str, Any]

CLIENT_ID = "not-a-real-client-id"
CLIENT_SECRET = "shpss_not_a_real_secret"  # noqa: S105
SCOPES = (
    *("read_customers", "write_customers", "read_orders", "write_orders"),
    *("read_products", "write_products"),
)
RATE = Decimal("0.25")
CENT, ZERO = Decimal("0.01"), Decimal(0)
ADDRESS = (
    *("firstName", "lastName", "company", "address1", "address2", "zip", "city", "province"),
    *("provinceCode", "country", "countryCodeV2", "phone"),
)


class Currency:
    """The currency of an order's buyer, in which its amounts are calculated.

    Each amount is also given in the shop's currency, converted and rounded by itself, so the
    lines of an order in a foreign currency need not add up to its total there.

    Args:
        of_shop: the shop's currency.
        of_buyer: the buyer's ("presentment") currency.
        rate: the value of the shop's currency in it.
    """

    def __init__(self, of_shop: str, of_buyer: str | None = None, rate: Decimal | int = 1) -> None:
        self.of_shop = of_shop
        self.of_buyer = of_buyer or of_shop
        self.rate = Decimal(rate)

    def bag(self, amount: Decimal) -> Record:
        """Return an amount in both currencies (MoneyBag)."""
        return {
            "shopMoney": {"amount": cents(amount / self.rate), "currencyCode": self.of_shop},
            "presentmentMoney": {"amount": amount, "currencyCode": self.of_buyer},
        }


class Shopify:
    """Customers, products, orders and refunds of one shop.

    Records are kept as the API shows them, with lists in place of connections. Stamps are in whole
    seconds; two changes within a second have the same.

    Attributes:
        clock_skew_seconds: how far the clock is ahead; raise it to let time pass.
        taxes_included: whether prices are entered with VAT (Shop.taxesIncluded).
        currency: the shop's currency.
        scopes: the app's scopes; without `read_all_orders` it sees the orders that were placed in
            the last 60 days (reference of Order).
        bucket: the points that pay for queries.
        seconds_per_answer: how far each answer to GraphQL advances the clock.
        tokens: when each issued access token expires, by the shop's clock.
    """

    def __init__(self, *, taxes_included: bool = True, currency: str = "NOK") -> None:
        self.taxes_included = taxes_included
        self.currency = currency
        self.client_id = CLIENT_ID
        self.client_secret = CLIENT_SECRET
        self.scopes = set(SCOPES)
        self.clock_skew_seconds: float = 0
        self.seconds_per_answer: float = 0
        self.clock = Clock(lambda: self.clock_skew_seconds, lambda: True)
        self.lock = threading.RLock()
        self.bucket = Bucket(self.clock.now)
        self.tokens: dict[str, float] = {}
        self.rates: dict[str, Decimal] = {}
        self._kinds: dict[str, dict[str, Record]] = defaultdict(dict)
        self._next = 1000
        self._names = 1000

    def get(self, gid: str) -> Record | None:
        """Return a record as it is kept, by its global id; not a copy."""
        return self._kinds[kind_of(gid)].get(gid)

    def all(self, kind: str) -> list[Record]:
        """Return the records of a kind: Customer, Product, ProductVariant, Order or Refund."""
        return list(self._kinds[kind].values())

    def record(self, kind: str, number: int) -> Record:
        """Return a record by its kind and the number in its global id.

        Raises:
            KeyError: there is no such record.
        """
        return self._kinds[kind][f"gid://shopify/{kind}/{number}"]

    def pass_seconds(self, seconds: float) -> None:
        """Let time pass in the shop."""
        self.clock_skew_seconds += seconds

    def now(self) -> str:
        """Return the present moment in UTC, in whole seconds."""
        return parse(self.clock.next()).strftime("%Y-%m-%dT%H:%M:%SZ")

    def touch(self, record: Record) -> None:
        """Move a record's stamp."""
        record["updatedAt"] = self.now()

    def _keep(self, kind: str, members: Record) -> Record:
        """Give a record its id and keep it."""
        record = {"__typename": kind, "id": self._gid(kind), **members}
        self._kinds[kind][record["id"]] = record
        return record

    def _gid(self, kind: str) -> str:
        self._next += 1
        return f"gid://shopify/{kind}/{self._next}"

    def _stamped(self, kind: str, members: Record) -> Record:
        now = self.now()
        return self._keep(kind, {"createdAt": now, "updatedAt": now, **members})

    def add_customer(
        self,
        email: str | None = None,
        *,
        addresses: Iterable[Mapping[str, str]] = (),
        metafields: Mapping[str, str] | None = None,
        **members: object,
    ) -> int:
        """Add a customer and return their number; the first address is the default one.

        Args:
            email: their e-mail address.
            addresses: by the names of MailingAddress.
            metafields: values by `namespace.key`.
            members: other members of Customer, such as firstName and phone.
        """
        with self.lock:
            own = [self.address(address) for address in addresses]
            record: Record = {
                **dict.fromkeys(("firstName", "lastName", "phone", "note")),
                "email": email,
                "locale": "nb",
                "state": "DISABLED",
                "tags": [],
                "taxExempt": False,
                **members,
                "addressesV2": own,
                "defaultAddress": own[0] if own else None,
                "metafields": [],
            }
            record = self._stamped("Customer", record)
            for name, value in (metafields or {}).items():
                self.set_metafield(record, name, value)
            return number_of(record["id"])

    def address(self, members: Mapping[str, str], of: str = "Customer") -> Record:
        """Return an address; its id says whose it is, as in `…/7?model_name=CustomerAddress`."""
        own = {name: members.get(name) for name in ADDRESS}
        name = f"{own['firstName'] or ''} {own['lastName'] or ''}".strip() or None
        gid = f"{self._gid('MailingAddress')}?model_name={of}Address"
        return {"__typename": "MailingAddress", "id": gid, "name": name, **own}

    def set_metafield(self, record: Record, name: str, value: str) -> None:
        """Set a metafield, as an app does: beside the record, whose stamp does not move."""
        namespace, _, key = name.partition(".")
        others = [
            metafield
            for metafield in record["metafields"]
            if (metafield["namespace"], metafield["key"]) != (namespace, key)
        ]
        field = {"id": self._gid("Metafield"), "namespace": namespace, "key": key, "value": value}
        record["metafields"] = [*others, field]

    def add_product(
        self,
        title: str,
        sku: str | None = None,
        price: str = "0.00",
        *,
        rate: Decimal | str = RATE,
        stock: int | None = None,
        variants: Iterable[Mapping[str, Any]] = (),
        **members: object,
    ) -> int:
        """Add a product and return the number of its first variant.

        Args:
            title: its name.
            sku: of its only variant.
            price: of its only variant, as prices are entered in this shop.
            rate: its VAT rate as a fraction. Shopify sends the rate
                of a line, but not of a product.
            stock: the stock of its only variant; None if it is not tracked.
            variants: several instead of the only one, as keywords of `add_variant`.
            members: other members of Product, such as status and isGiftCard.
        """
        with self.lock:
            product = self._stamped(
                "Product",
                {
                    "title": title,
                    "descriptionHtml": "",
                    "handle": title.lower().replace(" ", "-"),
                    "productType": "",
                    "vendor": "",
                    "status": "ACTIVE",
                    "isGiftCard": False,
                    "onlineStoreUrl": None,
                    "tags": [],
                    **members,
                    "variants": [],
                },
            )
            self.rates[product["id"]] = Decimal(rate)
            only = {"title": "Default Title", "sku": sku, "price": price, "stock": stock}
            for variant in list(variants) or [only]:
                self.add_variant(product, **variant)
            return number_of(product["variants"][0]["id"])

    def add_variant(
        self,
        product: Record,
        title: str,
        sku: str | None = None,
        price: str = "0.00",
        *,
        stock: int | None = None,
        requires_shipping: bool = True,
        **members: object,
    ) -> int:
        """Add a variant to a product, whose stamp moves; return its number."""
        item = self._keep(
            "InventoryItem",
            {"tracked": stock is not None, "requiresShipping": requires_shipping, "sku": sku},
        )
        options = [] if title == "Default Title" else title.split(" / ")
        variant = self._stamped(
            "ProductVariant",
            {
                "title": title,
                "displayName": f"{product['title']} - {title}",
                "sku": sku,
                "barcode": None,
                "price": Decimal(price),
                "compareAtPrice": None,
                "taxable": True,
                "inventoryQuantity": stock or 0,
                **members,
                "inventoryItem": item,
                "selectedOptions": [
                    {"name": f"Option{place}", "value": option}
                    for place, option in enumerate(options, 1)
                ],
                "product": product,
            },
        )
        product["variants"].append(variant)
        self.touch(product)
        return number_of(variant["id"])

    def place_order(
        self,
        lines: Iterable[tuple[Any, ...]],
        *,
        customer: int | None = None,
        billing: Mapping[str, str] | None = None,
        freight: str | None = None,
        freight_discount: str = "0",
        code: tuple[str, Decimal | str] | None = None,
        tip: str | None = None,
        fees: Iterable[tuple[str, str]] = (),
        currency: Currency | None = None,
        paid: str = "SALE",
        tax_exempt: bool = False,
        **members: object,
    ) -> int:
        """Check a basket out and return the number of the order.

        Args:
            lines: each a variant's number, a quantity, and optionally a discount on that line.
            customer: their number; None for a buyer who is not a customer, as at a till.
            billing: the billing address, by the names of MailingAddress; also for delivery.
            freight: its price, as prices are entered in this shop.
            freight_discount: the discount on it.
            code: a discount code on all goods, and the fraction of their price that it deducts.
            tip: a tip, which is a line without a product and without VAT.
            fees: name and price of each additional fee.
            currency: the buyer's, if not the shop's.
            paid: SALE, AUTHORIZATION, or "" if nothing is paid yet.
            tax_exempt: whether no VAT is charged; it is deducted from prices with VAT.
            members: other members of Order, such as test, note and customAttributes.
        """
        with self.lock:
            money = currency or Currency(self.currency)
            address = self.address(billing, "Order") if billing else None
            buyer = None if customer is None else self.record("Customer", customer)
            self._names += 1
            order = self._stamped(
                "Order",
                {
                    **dict.fromkeys(("phone", "note", "poNumber", "cancelledAt", "closedAt")),
                    "name": f"#{self._names}",
                    "email": buyer["email"] if buyer else None,
                    "test": False,
                    "confirmed": True,
                    "edited": False,
                    "tags": [],
                    "customAttributes": [],
                    "customerLocale": "nb",
                    **members,
                    "money": money,
                    "currencyCode": money.of_shop,
                    "presentmentCurrencyCode": money.of_buyer,
                    "taxesIncluded": self.taxes_included,
                    "taxExempt": tax_exempt,
                    "customer": buyer,
                    "billingAddress": address,
                    "shippingAddress": address,
                    "discountCodes": [code[0]] if code else [],
                    **{name: [] for name in ("transactions", "refunds", "fulfillments", "lines")},
                },
            )
            order["processedAt"] = order["createdAt"]
            off = Decimal(code[1]) if code else ZERO
            for variant, quantity, *taken in lines:
                self._add_line(order, variant, quantity, Decimal(taken[0]) if taken else ZERO, off)
            if tip is not None:
                order["lines"].append(self._tip(order, Decimal(tip)))
            order["freight"] = self._freight(order, freight, Decimal(freight_discount))
            order["fees"] = [self._fee(order, *fee) for fee in fees]
            if paid:
                self._pay(order, paid, order_total(order))
            return number_of(order["id"])

    def _add_line(
        self, order: Record, number: int, quantity: int, taken: Decimal, off: Decimal
    ) -> Record:
        variant = self.record("ProductVariant", number)
        product, money = variant["product"], order["money"]
        unit = cents(variant["price"] * money.rate)
        rate = self.rates[product["id"]] if variant["taxable"] else ZERO
        if order["taxExempt"]:
            unit = cents(unit / (1 + rate)) if order["taxesIncluded"] else unit
            rate = ZERO
        whole = unit * quantity
        discounts = [
            discount for discount in (cents(taken * money.rate), cents(whole * off)) if discount
        ]
        line = {
            "id": self._gid("LineItem"),
            "title": product["title"],
            "variantTitle": None if variant["title"] == "Default Title" else variant["title"],
            "sku": variant["sku"],
            "isGiftCard": product["isGiftCard"],
            "variant": variant,
            "quantity": quantity,
            "removed": 0,
            "unit": unit,
            "line_discount": cents(taken * money.rate),
            **self._priced(order, whole, discounts, rate),
        }
        order["lines"].append(line)
        if variant["inventoryItem"]["tracked"]:
            self.move_stock(number, -quantity)
        return line

    def _priced(
        self, order: Record, before: Decimal, discounts: list[Decimal], rate: Decimal
    ) -> Record:
        """Calculate a line: its VAT is rounded by line, from the amount after all discounts."""
        after = before - sum(discounts, ZERO)
        part = rate / (1 + rate) if order["taxesIncluded"] else rate
        return {
            "before": before,
            "discounts": discounts,
            "after": after,
            "rate": rate,
            "tax": cents(after * part),
        }

    def _tip(self, order: Record, amount: Decimal) -> Record:
        amount = cents(amount * order["money"].rate)
        return {
            "id": self._gid("LineItem"),
            "title": "Tip",
            **dict.fromkeys(("variantTitle", "sku", "variant")),
            "isGiftCard": False,
            "quantity": 1,
            "removed": 0,
            "unit": amount,
            "line_discount": ZERO,
            **self._priced(order, amount, [], ZERO),
        }

    def _freight(self, order: Record, price: str | None, discount: Decimal) -> list[Record]:
        if price is None:
            return []
        rate = ZERO if order["taxExempt"] else RATE
        convert = order["money"].rate
        off = [cents(discount * convert)] if discount else []
        line = self._priced(order, cents(Decimal(price) * convert), off, rate)
        return [{"id": self._gid("ShippingLine"), "title": "Posten", "code": "posten", **line}]

    def _fee(self, order: Record, name: str, price: str) -> Record:
        amount = cents(Decimal(price) * order["money"].rate)
        priced = self._priced(order, amount, [], ZERO if order["taxExempt"] else RATE)
        return {"id": self._gid("AdditionalFee"), "name": name, **priced}

    def move_stock(self, variant: int, change: int) -> None:
        """Change the stock of a variant, which is an update of the product (Product.updatedAt).

        The variant's own stamp stays: the reference does not say that it moves.
        """
        with self.lock:
            record = self.record("ProductVariant", variant)
            record["inventoryQuantity"] += change
            self.touch(record["product"])

    def _pay(self, order: Record, kind: str, amount: Decimal, status: str = "SUCCESS") -> Record:
        now = self.now()
        transaction = {
            "__typename": "OrderTransaction",
            "id": self._gid("OrderTransaction"),
            "kind": kind,
            "status": status,
            "gateway": "vipps",
            "formattedGateway": "Vipps",
            "paymentId": f"{order['name']}.{len(order['transactions']) + 1}",
            "createdAt": now,
            "processedAt": now,
            "amount": amount,
            "amountSet": order["money"].bag(amount),
        }
        order["transactions"].append(transaction)
        self.touch(order)
        return transaction

    def pay(self, number: int, amount: str | None = None, kind: str = "CAPTURE") -> None:
        """Capture or take the amount due, or a part of it."""
        with self.lock:
            order = self.record("Order", number)
            owed = order_total(order) - taken_in(order)
            self._pay(order, kind, owed if amount is None else Decimal(amount))

    def fulfil(self, number: int) -> None:
        """Send all goods."""
        with self.lock:
            order = self.record("Order", number)
            now = self.now()
            order["fulfillments"].append({"id": self._gid("Fulfillment"), "createdAt": now})
            self.touch(order)

    def cancel(self, number: int, *, refunded: bool = False) -> None:
        """Cancel an order, and on request pay it back in full."""
        with self.lock:
            order = self.record("Order", number)
            if refunded:
                whole = {number_of(line["id"]): line["quantity"] for line in order["lines"]}
                self.refund(number, whole, freight=True)
            elif not taken_in(order):
                order["transactions"] = []
            order["cancelledAt"] = self.now()
            self.touch(order)

    def refund(
        self,
        number: int,
        lines: Mapping[int, int] | None = None,
        *,
        freight: bool = False,
        amount: str | None = None,
        note: str | None = None,
    ) -> int:
        """Take goods back and pay for them; return the refund's number.

        Args:
            number: the order's.
            lines: the quantity of each line, by the line's number.
            freight: whether the freight is paid back, too.
            amount: the sum paid back, by default the value of the goods. The difference is an
                adjustment of the order (OrderAdjustment), negative if more is paid back.
            note: the reason.
        """
        with self.lock:
            order = self.record("Order", number)
            refund = self._taken_back(order, lines or {}, freight, note)
            worth = sum((part["value"] for part in (*refund["lines"], *refund["freight"])), ZERO)
            paid_back = worth if amount is None else Decimal(amount)
            if paid_back != worth:
                reason = "PENDING_REFUND_DISCREPANCY" if not paid_back else "REFUND_DISCREPANCY"
                refund["adjustments"].append(
                    {
                        "id": self._gid("OrderAdjustment"),
                        "amount": worth - paid_back,
                        "reason": reason,
                    }
                )
            if paid_back:
                refund["transactions"].append(self._pay(order, "REFUND", paid_back))
            self.touch(order)
            return number_of(refund["id"])

    def remove(self, number: int, lines: Mapping[int, int]) -> int:
        """Edit an order: remove goods that were not sent. Nothing is paid back.

        They appear as a refund without transactions, and the line's quantity stays: it includes
        removed units (LineItem.currentQuantity does not).
        """
        with self.lock:
            order = self.record("Order", number)
            order["edited"] = True
            refund = self._taken_back(order, lines, freight=False, note=None)
            self.touch(order)
            return number_of(refund["id"])

    def add_to_order(self, number: int, variant: int, quantity: int) -> None:
        """Edit an order: add goods to it."""
        with self.lock:
            order = self.record("Order", number)
            order["edited"] = True
            self._add_line(order, variant, quantity, ZERO, ZERO)
            self.touch(order)

    def _taken_back(
        self, order: Record, lines: Mapping[int, int], freight: bool, note: str | None
    ) -> Record:
        taken = []
        for line in order["lines"]:
            quantity = lines.get(number_of(line["id"]), 0)
            if not quantity:
                continue
            if quantity > line["quantity"] - line["removed"]:
                raise ValueError("Cannot refund more items than were purchased")
            subtotal, tax = share(line, quantity)
            line["removed"] += quantity
            taken.append({"line": line, "quantity": quantity, **worth(order, subtotal, tax)})
        back = [
            {
                "line": freight_line,
                "id": self._gid("RefundShippingLine"),
                **worth(order, freight_line["after"], freight_line["tax"]),
            }
            for freight_line in (order["freight"] if freight else ())
        ]
        members = {"note": note, "order": order, "lines": taken, "freight": back}
        refund = self._stamped("Refund", {**members, "adjustments": [], "transactions": []})
        order["refunds"].append(refund)
        return refund

    def edit(self, kind: str, number: int, **members: object) -> None:
        """Change members of a record as on its screen; only None empties one.

        A variant's change counts as one of its product (topic products/update: "variants are
        added, removed or updated").
        """
        with self.lock:
            record = self.record(kind, number)
            record.update(members)
            self.touch(record)
            if kind == "ProductVariant":
                self.touch(record["product"])

    def edit_address(self, customer: int, **members: object) -> None:
        """Change the default address of a customer."""
        with self.lock:
            record = self.record("Customer", customer)
            record["defaultAddress"].update(members)
            self.touch(record)

    def erase(self, kind: str, number: int) -> None:
        """Delete a record without a trace."""
        with self.lock:
            del self._kinds[kind][f"gid://shopify/{kind}/{number}"]


def kind_of(gid: str) -> str:
    """Return the type that a global id names."""
    return gid.removeprefix("gid://shopify/").partition("/")[0]


def number_of(gid: str) -> int:
    """Return the number in a global id."""
    return int(gid.rpartition("/")[2].partition("?")[0])


def cents(amount: Decimal) -> Decimal:
    """Return an amount rounded to two decimals."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def share(line: Record, quantity: int) -> tuple[Decimal, Decimal]:
    """Return the price of some units of a line and their VAT; the last ones take the rest."""
    before, after = line["removed"], line["removed"] + quantity
    cuts = [
        [cents(line[name] * units / line["quantity"]) for units in (before, after)]
        for name in ("after", "tax")
    ]
    (from_price, to_price), (from_tax, to_tax) = cuts
    return to_price - from_price, to_tax - from_tax


def worth(order: Record, subtotal: Decimal, tax: Decimal) -> Record:
    """Return the value of returned goods; a subtotal includes VAT where the order's prices do."""
    value = subtotal if order["taxesIncluded"] else subtotal + tax
    return {"subtotal": subtotal, "tax": tax, "value": value}


def parts(order: Record) -> list[Record]:
    """Return all parts of an order's total: goods, freight and fees."""
    return [*order["lines"], *order["freight"], *order["fees"]]


def order_tax(order: Record) -> Decimal:
    """Return the VAT of an order as sold."""
    return sum((part["tax"] for part in parts(order)), ZERO)


def order_total(order: Record) -> Decimal:
    """Return the total of an order with VAT, before returns."""
    whole = sum((part["after"] for part in parts(order)), ZERO)
    return whole if order["taxesIncluded"] else whole + order_tax(order)


def removed_value(order: Record) -> Decimal:
    """Return the sum by which refunds and edits reduced the order."""
    taken = (part for refund in order["refunds"] for part in (*refund["lines"], *refund["freight"]))
    adjusted = (
        adjustment["amount"] for refund in order["refunds"] for adjustment in refund["adjustments"]
    )
    return sum((part["value"] for part in taken), ZERO) - sum(adjusted, ZERO)


def transacted(order: Record, *kinds: str) -> Decimal:
    """Return the sum of the order's transactions of some kinds."""
    amounts = (
        transaction["amount"]
        for transaction in order["transactions"]
        if transaction["kind"] in kinds and transaction["status"] == "SUCCESS"
    )
    return sum(amounts, ZERO)


def taken_in(order: Record) -> Decimal:
    """Return the sum paid for an order."""
    return transacted(order, "SALE", "CAPTURE")
