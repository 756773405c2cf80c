"""Runs a real Vendure for the tests, and does in it what buyers and the merchant do.

It is installed by npm once, beside the other caches of the user, and starts with an empty database
in memory. It sells to Norway at 25, 15 and 0 % VAT.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent / "vendure"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vendure-for-tests"
KARI = {
    "fullName": "Kari Nordmann",
    "streetLine1": "Storgata 1",
    "postalCode": "0155",
    "city": "Oslo",
    "countryCode": "NO",
}


class RefusedError(Exception):
    """Vendure did not do what it was asked to."""


class Session:
    """What one person asks of one of Vendure's two APIs."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._token = ""

    def __call__(self, query: str, **variables: Any) -> Any:
        """Return the answer to a query; the only member of the data if it has one."""
        content = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(self._url, content, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            self._token = answer.headers.get("vendure-auth-token") or self._token
            told = json.load(answer)
        if "errors" in told:
            raise RefusedError(told["errors"])
        data = told["data"]
        (value,) = data.values()
        if isinstance(value, dict) and "errorCode" in value:
            raise RefusedError(value)
        return value

    def do(self, name: str, kinds: str, answer: str = "", **values: Any) -> Any:
        """Call a mutation by its name, with types such as `id: ID!` of what is given to it.

        The answer is what is asked of the type, `Order {id}`; "" of mutations without one.
        """
        head = ", ".join(f"${one.strip()}" for one in kinds.split(","))
        given = ", ".join(f"{one}: ${one}" for one in values)
        wanted = f"{{{answer}}}" if answer else ""
        return self(f"mutation({head}) {{{name}({given}) {wanted}}}", **values)


def or_error(kind: str, fields: str = "id") -> str:
    """Return what to ask of an answer that is of a kind, or an error."""
    return f"__typename ...on {kind} {{{fields}}} ...on ErrorResult {{errorCode message}}"


class Vendure:
    """A running Vendure.

    Attributes:
        url: Where it answers.
        user: Who may do everything.
        password: That one's password.
        admin: A session of the merchant.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url, self.user, self.password = url, user, password
        self.admin = Session(f"{url}/admin-api")
        self.admin.do(
            "login",
            "username: String!, password: String!",
            "__typename",
            username=user,
            password=password,
        )
        (zone,) = self.admin("{zones {items {id}}}")["items"]
        self.admin.do(
            "updateChannel",
            "input: UpdateChannelInput!",
            "__typename",
            input={
                "id": "1",
                "defaultTaxZoneId": zone["id"],
                "defaultShippingZoneId": zone["id"],
                "availableCurrencyCodes": ["NOK"],
                "defaultCurrencyCode": "NOK",
                "pricesIncludeTax": True,
            },
        )
        categories = self.admin("{taxCategories {items {id name}}}")["items"]
        self._categories = {
            str(percent): one["id"]
            for name, percent in (("Standard", 25), ("Mat", 15), ("Fritatt", 0))
            for one in categories
            if name in one["name"]
        }
        methods = self.admin("{shippingMethods {items {id name}}}")["items"]
        self._freight = {one["name"]: one["id"] for one in methods}

    def add_product(
        self, name: str, *variants: tuple[str, int, str], options: str = ""
    ) -> list[str]:
        """Add a product with variants: SKU, price with VAT in øre, rate; return their ids.

        More than one are told apart by `options`, such as "S M L".
        """
        product = self.admin.do(
            "createProduct",
            "input: CreateProductInput!",
            "id",
            input={"translations": [_text(name, slug=name.lower(), description=f"{name}, fin")]},
        )
        values = self._options(product["id"], options.split())
        made = self.admin.do(
            "createProductVariants",
            "input: [CreateProductVariantInput!]!",
            "id",
            input=[
                {
                    "productId": product["id"],
                    "sku": sku,
                    "price": price,
                    "taxCategoryId": self._categories[rate],
                    "stockOnHand": 1000,
                    "optionIds": [values[number]] if values else [],
                    "translations": [
                        _text(" ".join([name, *options.split()[number : number + 1]]))
                    ],
                }
                for number, (sku, price, rate) in enumerate(variants)
            ],
        )
        return [one["id"] for one in made]

    def _options(self, product: str, names: list[str]) -> list[str]:
        if not names:
            return []
        group = self.admin.do(
            "createProductOptionGroup",
            "input: CreateProductOptionGroupInput!",
            "id options {id}",
            input={
                "code": f"size-{product}",
                "translations": [_text("Størrelse")],
                "options": [{"code": one, "translations": [_text(one)]} for one in names],
            },
        )
        self.admin.do(
            "addOptionGroupToProduct",
            "productId: ID!, optionGroupId: ID!",
            "id",
            productId=product,
            optionGroupId=group["id"],
        )
        return [one["id"] for one in group["options"]]

    def edit_variant(self, variant: str, **members: Any) -> None:
        """Change what a variant has."""
        self.admin.do(
            "updateProductVariants",
            "input: [UpdateProductVariantInput!]!",
            "id",
            input=[{"id": variant, **members}],
        )

    def add_customer(self, email: str, first: str, last: str, *addresses: Any, **more: Any) -> str:
        """Add a customer with a user, who logs in by their e-mail address as the password."""
        made = self.admin.do(
            "createCustomer",
            "input: CreateCustomerInput!, password: String!",
            or_error("Customer"),
            input={"emailAddress": email, "firstName": first, "lastName": last, **more},
            password=email,
        )
        for one in addresses:
            self.admin.do(
                "createCustomerAddress",
                "customerId: ID!, input: CreateAddressInput!",
                "id",
                customerId=made["id"],
                input=one,
            )
        return str(made["id"])

    def add_coupon(self, code: str, action: str, **arguments: Any) -> None:
        """Add a promotion that a code gives: `order_percentage_discount` with `discount="10"`."""
        told = [{"name": name, "value": str(value)} for name, value in arguments.items()]
        self.admin.do(
            "createPromotion",
            "input: CreatePromotionInput!",
            or_error("Promotion"),
            input={
                "enabled": True,
                "couponCode": code,
                "conditions": [],
                "actions": [{"code": action, "arguments": told}],
                "translations": [_text(f"Kupong {code}")],
            },
        )

    def fill_cart(
        self,
        lines: list[tuple[str, int]],
        *,
        email: str = "",
        guest: dict[str, str] | None = None,
        address: dict[str, str] = KARI,
        billing: dict[str, str] | None = None,
        freight: str = "Bring",
        coupons: tuple[str, ...] = (),
    ) -> Session:
        """Put variants into a cart, as a customer by their e-mail address, or as a guest."""
        buyer = Session(f"{self.url}/shop-api")
        if email:
            names = "username: String!, password: String!"
            buyer.do("login", names, "__typename", username=email, password=email)
        for variant, quantity in lines:
            buyer.do(
                "addItemToOrder",
                "productVariantId: ID!, quantity: Int!",
                or_error("Order"),
                productVariantId=variant,
                quantity=quantity,
            )
        if guest:
            kind = "input: CreateCustomerInput!"
            buyer.do("setCustomerForOrder", kind, or_error("Order"), input=guest)
        for code in coupons:
            kind = "couponCode: String!"
            buyer.do("applyCouponCode", kind, or_error("Order"), couponCode=code)
        kind = "input: CreateAddressInput!"
        buyer.do("setOrderShippingAddress", kind, or_error("Order"), input=address)
        buyer.do("setOrderBillingAddress", kind, or_error("Order"), input=billing or address)
        kind = "shippingMethodId: [ID!]!"
        method = [self._freight[freight]]
        buyer.do("setOrderShippingMethod", kind, or_error("Order"), shippingMethodId=method)
        return buyer

    def place_order(
        self, lines: list[tuple[str, int]], *, method: str = "vipps", **cart: Any
    ) -> str:
        """Buy variants, and return the order's id; "vipps" takes the money, "faktura" reserves it."""
        buyer = self.fill_cart(lines, **cart)
        kind, answer = "state: String!", or_error("Order")
        buyer.do("transitionOrderToState", kind, answer, state="ArrangingPayment")
        kind = "input: PaymentInput!"
        placed = buyer.do(
            "addPaymentToOrder", kind, answer, input={"method": method, "metadata": {}}
        )
        return str(placed["id"])

    def order(self, order: str, fields: str) -> Any:
        """Return members of an order."""
        return self.admin(f"query($id: ID!) {{order(id: $id) {{{fields}}}}}", id=order)

    def refund(self, order: str, amount: int, lines: dict[str, int] | None = None) -> None:
        """Pay back so many øre, for so many of these lines if any are named."""
        (payment,) = self.order(order, "payments {id}")["payments"]
        told = [{"orderLineId": one, "quantity": count} for one, count in (lines or {}).items()]
        self.admin.do(
            "refundOrder",
            "input: RefundOrderInput!",
            or_error("Refund"),
            input={
                "paymentId": payment["id"],
                "amount": amount,
                "lines": told,
                "shipping": 0,
                "adjustment": 0,
                "reason": "Angret",
            },
        )

    def cancel(
        self, order: str, lines: dict[str, int] | None = None, *, shipping: bool = False
    ) -> None:
        """Cancel an order, or so many of some lines."""
        told = [{"orderLineId": one, "quantity": count} for one, count in (lines or {}).items()]
        self.admin.do(
            "cancelOrder",
            "input: CancelOrderInput!",
            or_error("Order"),
            input={"orderId": order, "lines": told or None, "cancelShipping": shipping},
        )

    def modify(self, order: str, **changes: Any) -> None:
        """Change an order that was placed, as the merchant does; what it comes to falls back to it."""
        kind, answer = "id: ID!, state: String!", or_error("Order")
        self.admin.do("transitionOrderToState", kind, answer, id=order, state="Modifying")
        self.admin.do(
            "modifyOrder",
            "input: ModifyOrderInput!",
            answer,
            input={"orderId": order, "dryRun": False, **changes},
        )


def _text(name: str, **more: str) -> dict[str, str]:
    return {"languageCode": "en", "name": name, **more}
