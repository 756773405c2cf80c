"""Runs a Vendure for the tests, and acts in it as buyers and the merchant do.

Each test runs with the sandbox's Vendure and with a real one, so that they behave alike. npm
installs the real one once, in the user's cache, and it starts with an empty database in memory.
Both sell to Norway at 25, 15 and 0 % VAT.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from go_sandbox.shops import vendure as sandbox
from go_sandbox.shops.vendure.shop import KARI

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parent / "vendure"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vendure-for-tests"
OLDEST_NODE = 20


class RefusedError(Exception):
    """Vendure refused a request.

    Attributes:
        status: The HTTP status of the answer.
        code: Vendure's name for the error; "" if it has none.
    """

    def __init__(self, status: int, error: dict[str, Any]) -> None:
        super().__init__(error)
        self.status = status
        self.code = error.get("errorCode") or error.get("extensions", {}).get("code", "")


class Session:
    """The session of a person in one of Vendure's two APIs."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._token = ""

    def __call__(self, query: str, **variables: Any) -> Any:
        """Return the only member of the data that answers a query."""
        content = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(self._url, content, headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                self._token = answer.headers.get("vendure-auth-token") or self._token
                body = json.load(answer)
        except urllib.error.HTTPError as error:
            raise RefusedError(error.code, json.load(error)["errors"][0]) from None
        if "errors" in body:
            raise RefusedError(answer.status, body["errors"][0])
        (value,) = body["data"].values()

        if isinstance(value, dict) and "errorCode" in value:
            raise RefusedError(answer.status, value)
        return value

    def do(self, name: str, kinds: str, answer: str = "", **values: Any) -> Any:
        """Call a mutation by its name; `kinds` are the types of its arguments, such as `id: ID!`.

        `answer` are the members to return, such as `id`; "" for mutations without any.
        """
        head = ", ".join(f"${kind.strip()}" for kind in kinds.split(","))
        arguments = ", ".join(f"{argument}: ${argument}" for argument in values)
        members = f"{{{answer}}}" if answer else ""
        return self(f"mutation({head}) {{{name}({arguments}) {members}}}", **values)


def or_error(kind: str, fields: str = "id") -> str:
    """Return the members to request of an answer that is of a kind or an error."""
    return f"__typename ...on {kind} {{{fields}}} ...on ErrorResult {{errorCode message}}"


class Vendure:
    """A running Vendure, and its merchant's session in the admin API.

    Attributes:
        url: Its address.
        user: The merchant, who may do everything.
        password: The merchant's password.
        admin: The merchant's session.
    """

    user: str
    password: str

    def log_in(self, url: str) -> None:
        """Open the merchant's session."""
        self.url = url
        self.admin = Session(f"{url}/admin-api")
        self.admin.do(
            "login",
            "username: String!, password: String!",
            "__typename",
            username=self.user,
            password=self.password,
        )

    def order(self, order: str, fields: str) -> Any:
        """Return members of an order."""
        return self.admin(f"query($id: ID!) {{order(id: $id) {{{fields}}}}}", id=order)

    def customer(self, customer: str, fields: str) -> Any:
        """Return members of a customer."""
        return self.admin(f"query($id: ID!) {{customer(id: $id) {{{fields}}}}}", id=customer)


class LocalVendure(Vendure, sandbox.Vendure):
    """The sandbox's Vendure."""

    def pass_second(self) -> None:
        """Let a second pass, so that the next stamps differ."""
        self.clock_skew_seconds += 1


class RealVendure(Vendure):
    """A real Vendure with the methods of the sandbox's."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.user, self.password = user, password
        self.log_in(url)
        (zone,) = self.admin("{zones {items {id}}}")["items"]
        self._zone = zone["id"]
        self.enter_prices_with_vat()
        categories = self.admin("{taxCategories {items {id name}}}")["items"]
        self._categories = {
            str(percent): category["id"]
            for name, percent in (("Standard", 25), ("Mat", 15), ("Fritatt", 0))
            for category in categories
            if name in category["name"]
        }
        methods = self.admin("{shippingMethods {items {id name}}}")["items"]
        self._freight = {method["name"]: method["id"] for method in methods}

    def pass_second(self) -> None:
        """Wait for a second, so that the next stamps differ."""
        time.sleep(1)

    def enter_prices_with_vat(self, included: bool = True) -> None:
        """Set whether the merchant enters prices with VAT."""
        self.admin.do(
            "updateChannel",
            "input: UpdateChannelInput!",
            "__typename",
            input={
                "id": "1",
                "defaultTaxZoneId": self._zone,
                "defaultShippingZoneId": self._zone,
                "availableCurrencyCodes": ["NOK"],
                "defaultCurrencyCode": "NOK",
                "pricesIncludeTax": included,
            },
        )

    def add_product(
        self, name: str, *variants: tuple[str, int, str], options: str = ""
    ) -> list[str]:
        """Add a product with variants (SKU, price with VAT in øre, rate); return their ids.

        Several variants differ by `options`, such as "S M L".
        """
        product = self.admin.do(
            "createProduct",
            "input: CreateProductInput!",
            "id",
            input={"translations": [_text(name, slug=name.lower(), description=f"{name}, fin")]},
        )
        values = self._options(product["id"], options.split())
        created = self.admin.do(
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
        return [variant["id"] for variant in created]

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
                "options": [{"code": name, "translations": [_text(name)]} for name in names],
            },
        )
        self.admin.do(
            "addOptionGroupToProduct",
            "productId: ID!, optionGroupId: ID!",
            "id",
            productId=product,
            optionGroupId=group["id"],
        )
        return [option["id"] for option in group["options"]]

    def edit_variant(self, variant: str, *, stock: int | None = None, **members: Any) -> None:
        """Change the stock or other members of a variant."""
        if stock is not None:
            members["stockLevels"] = [{"stockLocationId": "1", "stockOnHand": stock}]
        self.admin.do(
            "updateProductVariants",
            "input: [UpdateProductVariantInput!]!",
            "id",
            input=[{"id": variant, **members}],
        )

    def describe(self, variant: str, text: str) -> None:
        """Change the description of a variant's product."""
        current = self.admin("query($id: ID!) {productVariant(id: $id) {productId}}", id=variant)
        translation = {"languageCode": "en", "description": text}
        changed = {"id": current["productId"], "translations": [translation]}
        self.admin.do("updateProduct", "input: UpdateProductInput!", "id", input=changed)

    def add_customer(self, email: str, first: str, last: str, *addresses: Any, **more: Any) -> str:
        """Add a customer with a user, whose password is the e-mail address."""
        created = self.admin.do(
            "createCustomer",
            "input: CreateCustomerInput!, password: String!",
            or_error("Customer"),
            input={"emailAddress": email, "firstName": first, "lastName": last, **more},
            password=email,
        )
        for address in addresses:
            self.admin.do(
                "createCustomerAddress",
                "customerId: ID!, input: CreateAddressInput!",
                "id",
                customerId=created["id"],
                input=address,
            )
        return str(created["id"])

    def remove_address(self, customer: str, place: int) -> None:
        """Remove a customer's address."""
        address = self.customer(customer, "addresses {id}")["addresses"][place]
        self.admin.do("deleteCustomerAddress", "id: ID!", "success", id=address["id"])

    def add_coupon(self, code: str, action: str, discount: float = 0) -> None:
        """Add a promotion with a coupon code; the action is such as `order_percentage_discount`."""
        arguments = [{"name": "discount", "value": str(discount)}] if discount else []
        self.admin.do(
            "createPromotion",
            "input: CreatePromotionInput!",
            or_error("Promotion"),
            input={
                "enabled": True,
                "couponCode": code,
                "conditions": [],
                "actions": [{"code": action, "arguments": arguments}],
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
        """Put variants into the cart of a customer, by the e-mail address, or of a guest."""
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

    def draft(self) -> str:
        """Create a draft order of the merchant."""
        return str(self.admin("mutation {createDraftOrder {id}}")["id"])

    def place_order(
        self, lines: list[tuple[str, int]], *, method: str = "vipps", **cart: Any
    ) -> str:
        """Buy variants, and return the order's id; "faktura" only reserves the money."""
        buyer = self.fill_cart(lines, **cart)
        kind, answer = "state: String!", or_error("Order")
        buyer.do("transitionOrderToState", kind, answer, state="ArrangingPayment")
        kind = "input: PaymentInput!"
        placed = buyer.do(
            "addPaymentToOrder", kind, answer, input={"method": method, "metadata": {}}
        )
        return str(placed["id"])

    def refund(self, order: str, amount: int, lines: dict[str, int] | None = None) -> None:
        """Pay back so many øre, for these quantities of lines if any are named."""
        (payment,) = self.order(order, "payments {id}")["payments"]
        refunded = [
            {"orderLineId": line, "quantity": count} for line, count in (lines or {}).items()
        ]
        self.admin.do(
            "refundOrder",
            "input: RefundOrderInput!",
            or_error("Refund"),
            input={
                "paymentId": payment["id"],
                "amount": amount,
                "lines": refunded,
                "shipping": 0,
                "adjustment": 0,
                "reason": "Angret",
            },
        )

    def settle_payment(self, order: str) -> None:
        """Take the money that a payment reserved."""
        (payment,) = self.order(order, "payments {id}")["payments"]
        self.admin.do("settlePayment", "id: ID!", or_error("Payment"), id=payment["id"])

    def settle_refunds(self, order: str) -> None:
        """Settle all refunds, whose money was paid back."""
        for payment in self.order(order, "payments {refunds {id state}}")["payments"]:
            for refund in payment["refunds"]:
                if refund["state"] == "Pending":
                    settled = {"id": refund["id"], "transactionId": "r-1"}
                    kind = "input: SettleRefundInput!"
                    self.admin.do("settleRefund", kind, or_error("Refund"), input=settled)

    def ship(self, order: str) -> None:
        """Send all lines of an order."""
        lines = self.order(order, "lines {id quantity}")["lines"]
        handler = {
            "code": "manual-fulfillment",
            "arguments": [{"name": "method", "value": "Bring"}],
        }
        sent = self.admin.do(
            "addFulfillmentToOrder",
            "input: FulfillOrderInput!",
            or_error("Fulfillment"),
            input={
                "lines": [
                    {"orderLineId": line["id"], "quantity": line["quantity"]} for line in lines
                ],
                "handler": handler,
            },
        )
        kind, answer = "id: ID!, state: String!", or_error("Fulfillment")
        self.admin.do("transitionFulfillmentToState", kind, answer, id=sent["id"], state="Shipped")

    def cancel(
        self, order: str, lines: dict[str, int] | None = None, *, shipping: bool = False
    ) -> None:
        """Cancel an order, or these quantities of its lines."""
        cancelled = [
            {"orderLineId": line, "quantity": count} for line, count in (lines or {}).items()
        ]
        self.admin.do(
            "cancelOrder",
            "input: CancelOrderInput!",
            or_error("Order"),
            input={"orderId": order, "lines": cancelled or None, "cancelShipping": shipping},
        )

    def modify(self, order: str, **changes: Any) -> None:
        """Change an order that was placed, as the merchant does."""
        kind, answer = "id: ID!, state: String!", or_error("Order")
        before = self.order(order, "state")
        self.admin.do("transitionOrderToState", kind, answer, id=order, state="Modifying")
        self.admin.do(
            "modifyOrder",
            "input: ModifyOrderInput!",
            answer,
            input={"orderId": order, "dryRun": False, **changes},
        )
        now = self.order(order, "totalWithTax payments {amount}")
        if now["totalWithTax"] > sum(payment["amount"] for payment in now["payments"]):
            state = "ArrangingAdditionalPayment"
            self.admin.do("transitionOrderToState", kind, answer, id=order, state=state)
            payment = {"orderId": order, "method": "vipps", "transactionId": "t-2", "metadata": {}}
            kind_of_payment = "input: ManualPaymentInput!"
            self.admin.do("addManualPaymentToOrder", kind_of_payment, answer, input=payment)
        self.admin.do("transitionOrderToState", kind, answer, id=order, state=before["state"])


@pytest.fixture(scope="session", params=["local", pytest.param("real", marks=pytest.mark.slow)])
def vendure(request: pytest.FixtureRequest) -> Iterator[Vendure]:
    """A Vendure for all tests of a run; skips if a real one cannot be installed."""
    yield from {"local": _local, "real": _real}[request.param]()


def _local() -> Iterator[LocalVendure]:
    shop = LocalVendure()
    with sandbox.start(shop) as served:
        shop.log_in(served.url)
        yield shop


def _real() -> Iterator[RealVendure]:
    installed = _installed()
    user, password = "merchant", secrets.token_urlsafe()
    process = subprocess.Popen(
        ["node", FOLDER / "shop.js"],
        env={
            **os.environ,
            "NODE_PATH": str(installed / "node_modules"),
            "VENDURE_USER": user,
            "VENDURE_PASSWORD": password,
            "VENDURE_DISABLE_TELEMETRY": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    with process:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.strip().isdecimal():
                break
        else:
            raise RuntimeError("".join(lines))
        rest = threading.Thread(target=process.stdout.read)
        rest.start()
        yield RealVendure(f"http://127.0.0.1:{lines[-1].strip()}", user, password)
        process.kill()
        rest.join()


def _installed() -> Path:
    """Return the folder where Vendure is installed, which is done once."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("a real Vendure needs node and npm")
    version = subprocess.check_output(["node", "--version"], text=True)
    if int(version.lstrip("v").split(".")[0]) < OLDEST_NODE:
        pytest.skip(f"a real Vendure needs node {OLDEST_NODE}, and this is {version.strip()}")
    package = (FOLDER / "package.json").read_bytes()
    folder = CACHE / hashlib.sha256(package).hexdigest()[:16]
    if folder.exists():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=CACHE))
    (fresh / "package.json").write_bytes(package)
    command = ["npm", "install", "--no-audit", "--no-fund"]
    ended = subprocess.run(command, cwd=fresh, capture_output=True, text=True, check=False)
    if ended.returncode:
        shutil.rmtree(fresh)
        pytest.skip(f"npm could not install a real Vendure: {ended.stderr.strip()[-200:]}")
    with contextlib.suppress(OSError):  # another run was faster
        fresh.rename(folder)
    return folder


def _text(name: str, **more: str) -> dict[str, str]:
    return {"languageCode": "en", "name": name, **more}
