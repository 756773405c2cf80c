"""Serves the REST API: access, routes, and the headers of its lists."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import simplejson
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from go_sandbox.shops.woocommerce.changes import change, read_changes
from go_sandbox.shops.woocommerce.errors import RestError, invalid_parameters, no_route
from go_sandbox.shops.woocommerce.queries import Query, pick
from go_sandbox.shops.woocommerce.shapes import Shapes, chosen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from go_sandbox.shops.woocommerce.queries import Listing
    from go_sandbox.shops.woocommerce.shop import Record, WooCommerce

ROOT = "/wp-json/wc/v3"
POST_TYPES = {"products": "product", "variations": "product_variation", "orders": "shop_order"}
EDITING = ("PUT", "PATCH", "POST")  # `WP_REST_Server::EDITABLE`


def create_app(shop: WooCommerce) -> Starlette:
    """Return the shop's API as an ASGI app."""
    api = Api(shop)
    lists: dict[str, Callable[[Request], Response]] = {
        "/customers": api.customers,
        "/products": api.products,
        "/products/{parent_id:int}/variations": api.variations_of_product,
        "/variations": api.variations,
        "/orders": api.orders,
        "/orders/{parent_id:int}/refunds": api.refunds_of_order,
        "/refunds": api.refunds,
        "/taxes": api.taxes,
        "/settings/{group}/{name}": api.setting,
    }
    singles = {
        "/customers/{id:int}": "customers",
        "/products/{id:int}": "products",
        "/products/{parent_id:int}/variations/{id:int}": "variations",
        "/orders/{id:int}": "orders",
        "/orders/{parent_id:int}/refunds/{id:int}": "refunds",
    }
    return Starlette(
        routes=[
            *(Route(ROOT + path, endpoint, methods=["GET"]) for path, endpoint in lists.items()),
            *(
                Route(ROOT + path, api.single(kind), methods=["GET", *EDITING, "DELETE"])
                for path, kind in singles.items()
            ),
        ],
        exception_handlers={RestError: _answer_error, 404: _answer_no_route, 405: _answer_no_route},
    )


async def _answer_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RestError)  # noqa: S101
    headers = {"WWW-Authenticate": "Basic"} if error.status == 401 else None
    return JSONResponse(error.body, status_code=error.status, headers=headers)


async def _answer_no_route(_: Request, __: Exception) -> JSONResponse:
    return JSONResponse(no_route().body, status_code=404)


class Api:
    """The endpoints."""

    def __init__(self, shop: WooCommerce) -> None:
        self._shop = shop

    def customers(self, request: Request) -> Response:
        """List customers: by name by default, and only users with the role customer."""
        return self._list(request, "customers", self._shop.all("customers"), Shapes.customer)

    def products(self, request: Request) -> Response:
        """List products, without variations."""
        found = [
            product for product in self._shop.all("products") if product["type"] != "variation"
        ]
        return self._list(request, "products", found, Shapes.product)

    def variations_of_product(self, request: Request) -> Response:
        """List the variations of a product; there are none of a product that does not exist."""
        parent = request.path_params["parent_id"]
        found = [
            product for product in self._shop.all("products") if product["parent_id"] == parent
        ]
        return self._list(request, "variations", found, Shapes.variation)

    def variations(self, request: Request) -> Response:
        """List the variations of all products."""
        if not self._shop.has_variations_list:
            raise no_route()
        found = [
            product for product in self._shop.all("products") if product["type"] == "variation"
        ]
        return self._list(request, "variations", found, Shapes.variation_of_all)

    def orders(self, request: Request) -> Response:
        """List orders, without refunds."""
        return self._list(request, "orders", self._shop.all("orders"), Shapes.order)

    def refunds_of_order(self, request: Request) -> Response:
        """List the refunds of an order, ten to a page like every list."""
        self._admit(request)
        order_id = request.path_params["parent_id"]
        if self._shop.get("orders", order_id) is None:
            raise RestError(404, "woocommerce_rest_invalid_order_id", "Invalid order ID.")
        found = self._shop.refunds_of(order_id)
        return self._list(request, "refunds", found, Shapes.refund)

    def refunds(self, request: Request) -> Response:
        """List all refunds."""
        if not self._shop.has_refunds_list:
            raise no_route()
        return self._list(request, "refunds", self._shop.all("refunds"), Shapes.refund_of_all)

    def taxes(self, request: Request) -> Response:
        """List the few tax rates, all on the first page."""
        self._admit(request)
        shapes, rates = self._shapes(request), self._shop.rules.rates
        body = [shapes.tax_rate(tax_class, rate) for tax_class, rate in rates.items()]
        shown = body if request.query_params.get("page", "1") == "1" else []
        return JSONResponse(shown, headers={"X-WP-Total": str(len(body)), "X-WP-TotalPages": "1"})

    def setting(self, request: Request) -> Response:
        """Answer an option of the settings."""
        self._admit(request)
        rules = self._shop.rules
        options = {
            ("tax", "woocommerce_prices_include_tax"): _yes_or_no(rules.prices_include_tax),
            ("tax", "woocommerce_tax_round_at_subtotal"): _yes_or_no(rules.round_at_subtotal),
            ("general", "woocommerce_price_num_decimals"): str(rules.decimals),
            ("general", "woocommerce_currency"): self._shop.currency,
        }
        group, name = request.path_params["group"], request.path_params["name"]
        if (group, name) not in options:
            code = "rest_setting_setting_invalid"
            raise RestError(404, code, "Invalid setting.")
        return JSONResponse(self._shapes(request).setting(group, name, options[group, name]))

    def _list(
        self,
        request: Request,
        kind: str,
        records: Sequence[Record],
        show: Callable[[Shapes, Record], Record],
    ) -> Response:
        self._admit(request)
        given = dict(request.query_params)
        with self._shop.lock:
            listing = pick(Query(kind, given, self._shop), records, self._shop.time_zone)
            shapes = self._shapes(request)
            body = [
                chosen(show(shapes, record), given.get("_fields")) for record in listing.records
            ]
        headers = {"X-WP-Total": str(listing.total), "X-WP-TotalPages": str(listing.pages)}
        links = self._page_links(request, listing)
        return JSONResponse(body, headers={**headers, **({"Link": links} if links else {})})

    def _page_links(self, request: Request, listing: Listing) -> str:
        """Return the links to the pages before and after, with all parameters, including keys."""
        base = f"{self._site(request)}{request.url.path}"
        links = []
        for page, relation in ((listing.page - 1, "prev"), (listing.page + 1, "next")):
            shown = min(page, listing.pages) if relation == "prev" else page
            if page >= 1 and (relation == "prev" or page <= listing.pages):
                query = urlencode({**request.query_params, "page": shown})
                links.append(f'<{base}?{query}>; rel="{relation}"')
        return ", ".join(links)

    def single(self, kind: str) -> Callable[[Request], Any]:
        """Return the endpoint of single records of a kind: read, change and delete."""
        table = "products" if kind == "variations" else kind
        shape = {
            "customers": Shapes.customer,
            "products": Shapes.product,
            "variations": Shapes.variation,
            "orders": Shapes.order,
            "refunds": Shapes.refund,
        }[kind]

        async def endpoint(request: Request) -> Response:
            self._admit(request)
            body = await request.body()
            with self._shop.lock:
                record = self._found(request, kind, table)
                if request.method == "DELETE":
                    shown = shape(self._shapes(request), record)
                    self._delete(request, kind, table, record)
                    return JSONResponse(shown)
                if request.method in EDITING:
                    _refuse_a_variation(kind, record)
                    change(self._shop, table, record, read_changes(table, _json(body)))
                shown = shape(self._shapes(request), record)
            return JSONResponse(chosen(shown, request.query_params.get("_fields")))

        return endpoint

    def _found(self, request: Request, kind: str, table: str) -> Record:
        """Return the record in the address, which may be in the trash.

        Changing a missing record is 400, reading it is 404 (`WC_REST_CRUD_Controller`).
        """
        record = self._shop.get(table, request.path_params["id"])
        parent = request.path_params.get("parent_id")
        is_other = record is not None and parent is not None and record["parent_id"] != parent
        if record is not None and not is_other:
            return record
        if kind == "customers":
            raise RestError(404, "wc_user_invalid_id", "Invalid user ID.")
        if kind == "refunds":
            code = "woocommerce_rest_invalid_order_refund_id"
            raise RestError(404, code, "Invalid order refund ID.")
        status = 400 if request.method in EDITING else 404
        raise RestError(status, f"woocommerce_rest_{POST_TYPES[kind]}_invalid_id", "Invalid ID.")

    def _delete(self, request: Request, kind: str, table: str, record: Record) -> None:
        """Delete permanently with `force`; else move to the trash, which customers do not have."""
        if request.query_params.get("force", "false") in ("true", "1"):
            self._shop.erase(table, record["id"])
        elif kind in ("customers", "refunds"):
            what = "Customers do" if kind == "customers" else "The shop_order_refund does"
            message = f"{what} not support trashing."
            raise RestError(501, "woocommerce_rest_trash_not_supported", message)
        elif record["status"] == "trash":
            message = f"The {POST_TYPES[kind]} has already been deleted."
            raise RestError(410, "woocommerce_rest_already_trashed", message)
        else:
            self._shop.trash(table, record["id"])

    def _shapes(self, request: Request) -> Shapes:
        text = request.query_params.get("dp")
        if text is not None and not text.isdigit():
            raise invalid_parameters({"dp": "dp is not of type integer."})
        decimals = None if text is None else int(text)
        return Shapes(self._shop, self._site(request) + ROOT, decimals)

    def _site(self, request: Request) -> str:
        return self._shop.site_url or f"{request.url.scheme}://{request.url.netloc}"

    def _admit(self, request: Request) -> None:
        """Refuse a caller without a key, with a wrong secret, or without permission (401).

        The key and the secret may be in the query; then a header is not looked at. An unknown key
        is nobody: the answer is that nobody may see this, not that the key is wrong.
        """
        key, secret = _credentials(request)
        is_known = not self._shop.is_over_http and key == self._shop.consumer_key
        if is_known and secret != self._shop.consumer_secret:
            code = "woocommerce_rest_authentication_error"
            raise RestError(401, code, "Consumer secret is invalid.")
        if not is_known:
            message = "Sorry, you cannot list resources."
            raise RestError(401, "woocommerce_rest_cannot_view", message)
        needed = "read" if request.method == "GET" else "write"
        if needed not in self._shop.permissions:
            message = f"The API key provided does not have {needed} permissions."
            raise RestError(401, "woocommerce_rest_authentication_error", message)


def _refuse_a_variation(kind: str, record: Record) -> None:
    """Refuse to change a variation as a product; it can be read as one."""
    if kind == "products" and record["type"] == "variation":
        message = (
            "To manipulate product variations you should use the"
            " /products/<product_id>/variations/<id> endpoint."
        )
        raise RestError(404, "woocommerce_rest_invalid_product_id", message)


def _yes_or_no(is_set: bool) -> str:
    return "yes" if is_set else "no"


def _credentials(request: Request) -> tuple[str, str]:
    query = request.query_params
    if query.get("consumer_key") and query.get("consumer_secret"):
        return query["consumer_key"], query["consumer_secret"]
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return "", ""
    try:
        key, _, secret = base64.b64decode(text.strip()).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return key, secret


def _json(body: bytes) -> Record:
    try:
        content = simplejson.loads(body, use_decimal=True)
    except ValueError as error:
        message = "Invalid JSON body passed."
        raise RestError(400, "rest_invalid_json", message) from error
    return content if isinstance(content, dict) else {}
