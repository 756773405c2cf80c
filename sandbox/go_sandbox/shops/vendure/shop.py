"""The shop's state, and what its merchant and its buyers do with it.

It sells to Norway at 25, 15 and 0 % VAT, with the payment methods "vipps", which takes the money at
once, and "faktura", which only reserves it.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from go_sandbox.shop.stamps import Clock
from go_sandbox.shops.vendure.prices import Adjustment, Price, Promotion, apply, total

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Record = dict[str, Any]

USER = "merchant"
PASSWORD = "not-a-real-password"  # noqa: S105
RATES = {"25": "Standard", "15": "Mat", "0": "Fritatt"}
FREIGHT = {"Bring": (9900, 25), "Matbud": (7990, 15)}
ADDRESS = (
    *("fullName", "company", "streetLine1", "streetLine2", "city", "province", "postalCode"),
    "phoneNumber",
)
KARI = {
    "fullName": "Kari Nordmann",
    "streetLine1": "Storgata 1",
    "postalCode": "0155",
    "city": "Oslo",
    "countryCode": "NO",
}
DEFAULTS = ("defaultBillingAddress", "defaultShippingAddress")


class Vendure:
    """Customers, products and orders of one shop.

    Records are kept as the API shows them, without calculated members. Each kind of record counts
    its own ids. Most stamps are of whole seconds, as the database sets them; those that Vendure
    sets itself have milliseconds.

    Attributes:
        user: The administrator who may do everything.
        password: The administrator's password.
        tokens: The open sessions.
        prices_include_tax: Whether prices are entered with VAT.
        clock_skew_seconds: How far the clock is ahead; raise it to let time pass.
    """

    def __init__(self) -> None:
        self.user, self.password = USER, PASSWORD
        self.tokens: set[str] = set()
        self.prices_include_tax = True
        self.clock_skew_seconds: float = 0
        self.clock = Clock(lambda: self.clock_skew_seconds)
        self.lock = threading.RLock()
        self._promotions: list[Promotion] = []
        self._kinds: dict[str, dict[str, Record]] = defaultdict(dict)
        self._ids: Counter[str] = Counter()

    def get(self, kind: str, record_id: str) -> Record | None:
        """Return a record as it is kept; not a copy."""
        return self._kinds[kind].get(record_id)

    def all(self, kind: str) -> list[Record]:
        """Return the records of a kind: Customer, Product, ProductVariant or Order."""
        return list(self._kinds[kind].values())

    def stamp(self, *, is_exact: bool = False) -> str:
        """Return the present moment in UTC: in whole seconds, or with milliseconds."""
        now = self.clock.now()
        milliseconds = now.microsecond // 1000 if is_exact else 0
        return f"{now:%Y-%m-%dT%H:%M:%S}.{milliseconds:03}Z"

    def _new(self, kind: str, **members: Any) -> Record:  # noqa: ANN401 - members of all types
        self._ids[kind] += 1
        now = self.stamp()
        return {"id": str(self._ids[kind]), "createdAt": now, "updatedAt": now, **members}

    def _keep(self, kind: str, **members: Any) -> Record:  # noqa: ANN401
        record = self._new(kind, __typename=kind, **members)
        self._kinds[kind][record["id"]] = record
        return record

    def _note(self, record: Record, *types: str) -> None:
        """Add to a history; that of a customer has milliseconds."""
        is_exact = record["__typename"] == "Customer"
        for kind in types:
            now = self.stamp(is_exact=is_exact)
            record["history"].append(self._new("HistoryEntry", type=kind) | {"createdAt": now})

    def enter_prices_with_vat(self, included: bool = True) -> None:
        """Set whether the merchant enters prices with VAT."""
        self.prices_include_tax = included

    def add_product(
        self, name: str, *variants: tuple[str, int, str], options: str = ""
    ) -> list[str]:
        """Add a product with variants: SKU, price in øre, rate; return their ids.

        Several are distinguished by `options`, such as "S M L".
        """
        product = self._keep("Product", name=name, description=f"{name}, fin", enabled=True)
        product["variants"] = [
            self._keep(
                "ProductVariant",
                product=product,
                productId=product["id"],
                enabled=True,
                sku=sku,
                name=" ".join([name, *options.split()[place : place + 1]]),
                entered=price,
                rate=rate,
                trackInventory="INHERIT",
                stockOnHand=1000,
                stockAllocated=0,
            )
            for place, (sku, price, rate) in enumerate(variants)
        ]
        return [variant["id"] for variant in product["variants"]]

    def price_of(self, variant: Record) -> Price:
        """Return the unit price of a variant."""
        name = f"{RATES[variant['rate']]} Norge"
        return Price(variant["entered"], self.prices_include_tax, int(variant["rate"]), name)

    def edit_variant(
        self,
        variant: str,
        *,
        price: int | None = None,
        stock: int | None = None,
        **members: Any,  # noqa: ANN401
    ) -> None:
        """Change members of a variant; its stamp moves even if nothing changes."""
        record = self._kinds["ProductVariant"][variant]
        further = {"entered": price, "stockOnHand": stock}
        record.update(
            members | {name: value for name, value in further.items() if value is not None}
        )
        record["updatedAt"] = self.stamp(is_exact=True)

    def describe(self, variant: str, text: str) -> None:
        """Change the description of a variant's product, whose own stamp moves."""
        product = self._kinds["ProductVariant"][variant]["product"]
        product.update(description=text, updatedAt=self.stamp(is_exact=True))

    def add_customer(
        self,
        email: str,
        first: str,
        last: str,
        *addresses: Mapping[str, Any],
        **more: Any,  # noqa: ANN401
    ) -> str:
        """Add a customer with a user."""
        customer = self._customer(email, first, last, self._new("User"), **more)
        self._note(customer, "CUSTOMER_REGISTERED", "CUSTOMER_VERIFIED")
        for address in addresses:
            self.add_address(customer, address)
        return str(customer["id"])

    def _customer(
        self,
        email: str,
        first: str,
        last: str,
        user: Record | None,
        **more: Any,  # noqa: ANN401
    ) -> Record:
        names = {"firstName": first, "lastName": last, "emailAddress": email}
        return self._keep(
            "Customer",
            **({"phoneNumber": None} | names | more),
            user=user,
            addresses=[],
            history=[],
        )

    def edit_customer(self, customer: Record, members: Mapping[str, Any]) -> None:
        """Change members of a customer; the stamp moves only if something changes."""
        if any(customer[name] != value for name, value in members.items()):
            customer.update(members, updatedAt=self.stamp())
        self._note(customer, "CUSTOMER_DETAIL_UPDATED")

    def add_address(self, customer: Record, members: Mapping[str, Any]) -> Record:
        """Give a customer an address; members that are not given are empty text."""
        empty = dict.fromkeys(ADDRESS, "") | dict.fromkeys(DEFAULTS, False)
        address = self._new("Address", **empty)
        customer["addresses"].append(address)
        self._fill(customer, address, members)
        self._note(customer, "CUSTOMER_ADDRESS_CREATED")
        return address

    def edit_address(self, address_id: str, members: Mapping[str, Any]) -> Record | None:
        """Change an address without moving the customer's stamp; None if it does not exist."""
        customer, address = self._address(address_id)
        if customer and address:
            self._fill(customer, address, members)
            self._note(customer, "CUSTOMER_ADDRESS_UPDATED")
        return address

    def remove_address(self, customer: str, place: int) -> None:
        """Remove a customer's address; another one takes its roles as default."""
        record = self._kinds["Customer"][customer]
        removed = record["addresses"].pop(place)
        for address in record["addresses"][:1]:
            self._fill(record, address, {name: True for name in DEFAULTS if removed[name]})
        self._note(record, "CUSTOMER_ADDRESS_DELETED")

    def _address(self, address_id: str) -> tuple[Record | None, Record | None]:
        pairs = ((who, address) for who in self.all("Customer") for address in who["addresses"])
        return next((pair for pair in pairs if pair[1]["id"] == address_id), (None, None))

    def _fill(self, customer: Record, address: Record, members: Mapping[str, Any]) -> None:
        """Change an address; only one is the default of its kind."""
        for name in (name for name in DEFAULTS if members.get(name)):
            for other in customer["addresses"]:
                other[name] = False
        address.update(members, updatedAt=self.stamp())

    def add_coupon(self, code: str, action: str, discount: float = 0) -> None:
        """Add a promotion with a coupon code; the action is such as `order_percentage_discount`."""
        source = f"PROMOTION:{len(self._promotions) + 1}"
        self._promotions.append(Promotion(source, code, action, discount))

    def fill_cart(
        self,
        lines: Iterable[tuple[str, int]],
        *,
        email: str = "",
        guest: Mapping[str, str] | None = None,
        address: Mapping[str, Any] = KARI,
        billing: Mapping[str, Any] | None = None,
        freight: str = "Bring",
        coupons: Iterable[str] = (),
    ) -> Record:
        """Put variants into the cart of a customer, by the e-mail address, or of a guest."""
        order = self._order("AddingItems", self._buyer(email, guest or {}))
        order["lines"] = [
            self._line(self._kinds["ProductVariant"][variant_id], count)
            for variant_id, count in lines
        ]
        order["couponCodes"] = list(coupons)
        order["shippingAddress"] = _order_address(address)
        order["billingAddress"] = _order_address(billing or address)
        listed, rate = FREIGHT[freight]
        price = Price(listed, self.prices_include_tax, rate, "shipping tax")
        method = {"id": str(list(FREIGHT).index(freight) + 1), "name": freight}
        order["shippingLines"] = [self._new("ShippingLine", shippingMethod=method, price=price)]
        self._work_out(order)
        self._note(order, *("ORDER_COUPON_APPLIED" for _ in order["couponCodes"]))
        return order

    def draft(self) -> str:
        """Create a draft order of the merchant."""
        return str(self._order("Draft", None)["id"])

    def _order(self, state: str, customer: Record | None) -> Record:
        lists: Record = {
            name: [] for name in ("lines", "shippingLines", "surcharges", "couponCodes", "payments")
        }
        order = self._keep(
            "Order",
            type="Regular",
            state=state,
            active=state != "Draft",
            orderPlacedAt=None,
            currencyCode="NOK",
            customer=customer,
            shippingAddress={},
            billingAddress={},
            history=[],
            **lists,
        )
        order["code"] = f"ORDRE{order['id']:>011}"
        self._note(order, "ORDER_STATE_TRANSITION")
        return order

    def _buyer(self, email: str, guest: Mapping[str, str]) -> Record:
        """Return the customer; a guest with the same e-mail address is the same customer.

        Raises:
            ValueError: A guest has the e-mail address of a customer with a user.
        """
        wanted = email or guest["emailAddress"]
        for customer in self.all("Customer"):
            if customer["emailAddress"] == wanted:
                if customer["user"] and not email:
                    raise ValueError("the e-mail address belongs to a customer, who must log in")
                return customer
        phone = guest.get("phoneNumber")
        names = (guest["firstName"], guest["lastName"])
        return self._customer(wanted, *names, None, phoneNumber=phone)

    def _line(self, variant: Record, count: int) -> Record:
        price = self.price_of(variant)
        price.quantity = count
        return self._new("OrderLine", productVariant=variant, price=price)

    def _work_out(self, order: Record) -> None:
        """Apply the promotions of the order's coupons."""
        given = [
            promotion for promotion in self._promotions if promotion.code in order["couponCodes"]
        ]
        lines, freight = ([part["price"] for part in order[name]] for name in PARTS[:2])
        apply(given, lines, freight)

    def place_order(
        self,
        lines: Iterable[tuple[str, int]],
        *,
        method: str = "vipps",
        **cart: Any,  # noqa: ANN401
    ) -> str:
        """Buy variants, and return the order's id. It is placed after its stamp last moved."""
        order = self.fill_cart(lines, **cart)
        is_settled = method == "vipps"
        self._pay(order, method, "Settled" if is_settled else "Authorized")
        for line in order["lines"]:
            line["price"].placed = line["price"].quantity
            line["productVariant"]["stockAllocated"] += line["price"].quantity
        order["active"], order["orderPlacedAt"] = False, self.stamp(is_exact=True)
        self._note(order, "ORDER_STATE_TRANSITION", "ORDER_PAYMENT_TRANSITION")
        self._move(order, "PaymentSettled" if is_settled else "PaymentAuthorized")
        return str(order["id"])

    def _move(self, order: Record, state: str) -> None:
        """Change an order's state, which moves no stamp."""
        order["state"] = state
        self._note(order, "ORDER_STATE_TRANSITION")

    def _pay(self, order: Record, method: str, state: str) -> None:
        """Pay the amount still due."""
        paid = sum(payment["amount"] for payment in order["payments"])
        payment = self._new("Payment", method=method, state=state, refunds=[])
        payment["amount"] = total(prices(order)).incl - paid
        payment["transactionId"] = f"t-{payment['id']}"
        order["payments"].append(payment)

    def settle_payment(self, order: str) -> None:
        """Take the money that a payment reserved."""
        record = self._kinds["Order"][order]
        (payment,) = record["payments"]
        payment.update(state="Settled", updatedAt=self.stamp())
        self._note(record, "ORDER_PAYMENT_TRANSITION")
        self._move(record, "PaymentSettled")

    def refund(self, order: str, amount: int, lines: Mapping[str, int] | None = None) -> None:
        """Begin to pay back so many øre, for these quantities of lines if any are named.

        A refund is pending until the merchant settles it; only then does it
        appear in the history.
        """
        (payment,) = self._kinds["Order"][order]["payments"]
        self._refund(payment, amount, "Angret", lines or {})

    def _refund(self, payment: Record, amount: int, reason: str, lines: Mapping[str, int]) -> None:
        refunded = [{"orderLineId": line_id, "quantity": count} for line_id, count in lines.items()]
        members = {"total": amount, "reason": reason, "lines": refunded}
        refund = self._new("Refund", **members, state="Pending", transactionId=None)
        payment["refunds"].append(refund)

    def settle_refunds(self, order: str) -> None:
        """Settle all refunds, whose money was paid back."""
        record = self._kinds["Order"][order]
        for refund in (refund for paid in record["payments"] for refund in paid["refunds"]):
            if refund["state"] == "Pending":
                refund.update(state="Settled", transactionId="r-1", updatedAt=self.stamp())
                self._note(record, "ORDER_REFUND_TRANSITION")

    def ship(self, order: str) -> None:
        """Send all lines of an order."""
        record = self._kinds["Order"][order]
        self._note(record, "ORDER_FULFILLMENT", *["ORDER_FULFILLMENT_TRANSITION"] * 2)
        self._move(record, "Shipped")

    def cancel(
        self, order: str, lines: Mapping[str, int] | None = None, *, shipping: bool = False
    ) -> None:
        """Cancel an order, or these quantities of its lines; its stamp moves."""
        record = self._kinds["Order"][order]
        for line in record["lines"]:
            price = line["price"]
            price.quantity -= price.quantity if lines is None else lines.get(line["id"], 0)
        for charge in record["shippingLines"] if shipping else ():
            price = charge["price"]
            off = Adjustment("CANCEL_ORDER", "shipping cancellation", -price.leading)
            price.adjustments.append(off)
        record["updatedAt"] = self.stamp()
        self._note(record, "ORDER_CANCELLATION")
        if not any(line["price"].quantity for line in record["lines"]):
            self._move(record, "Cancelled")

    def modify(
        self,
        order: str,
        *,
        surcharges: Iterable[Mapping[str, Any]],
        refunds: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        """Add surcharges to an order that was placed; the difference is paid at once."""
        record = self._kinds["Order"][order]
        before = record["state"]
        self._move(record, "Modifying")
        for surcharge in surcharges:
            price = Price(
                surcharge["price"],
                surcharge["priceIncludesTax"],
                surcharge["taxRate"],
                surcharge["taxDescription"],
            )
            members = {"description": surcharge["description"], "price": price}
            record["surcharges"].append(self._new("Surcharge", **members))
        for refund in refunds:
            (payment,) = (paid for paid in record["payments"] if paid["id"] == refund["paymentId"])
            self._refund(payment, refund["amount"], "", {})
        record["updatedAt"] = self.stamp()
        self._note(record, "ORDER_MODIFIED")
        if total(prices(record)).incl > sum(payment["amount"] for payment in record["payments"]):
            self._move(record, "ArrangingAdditionalPayment")
            self._pay(record, "vipps", "Settled")
            self._note(record, "ORDER_PAYMENT_TRANSITION")
        self._move(record, before)


PARTS = ("lines", "shippingLines", "surcharges")


def prices(order: Record) -> list[Price]:
    """Return the prices of the parts of an order."""
    return [part["price"] for name in PARTS for part in order[name]]


def _order_address(members: Mapping[str, Any]) -> Record:
    """Return an address as an order keeps it."""
    return {name: members.get(name) for name in (*ADDRESS, "countryCode")}
