"""Resolvers of the queries, of calculated fields, and of the mutations."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError

from go_sandbox.shop.stamps import parse
from go_sandbox.shops.vendure.prices import Amount, tax_summary, total
from go_sandbox.shops.vendure.shop import PARTS, RATES, prices

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphql import GraphQLResolveInfo

    from go_sandbox.shops.vendure.prices import Price
    from go_sandbox.shops.vendure.shop import Record, Vendure

Resolver = Callable[..., Any]
MOST_ROWS = 1000
MAY_BE_NULL = {"customer.phoneNumber"}
COUNTRIES = {"NO": "Norge"}
NOTHING = {"amount": 0, "amountWithTax": 0}


class Asked:
    """One request, for its resolvers.

    Attributes:
        shop: The shop.
        token: The session of the request; of a log-in, the session that it opened.
    """

    def __init__(self, shop: Vendure, token: str) -> None:
        self.shop = shop
        self.token = token

    def allow(self) -> None:
        """Refuse a caller who is not logged in.

        Raises:
            GraphQLError: FORBIDDEN.
        """
        if self.token not in self.shop.tokens:
            raise refusal("You are not currently authorized to perform this action", "FORBIDDEN")

    def found(self, kind: str, record_id: str) -> Record:
        """Return the record that an input names.

        Raises:
            GraphQLError: There is no such record.
        """
        self.allow()
        return there(self.shop.get(kind, record_id), kind, record_id)


def refusal(message: str, code: str) -> GraphQLError:
    """Return an error with its code."""
    return GraphQLError(message, extensions={"code": code})


def there(record: Record | None, kind: str, record_id: str) -> Record:
    """Return the record that an input names, if it exists."""
    if record is None:
        message = f'No {kind} with the id "{record_id}" could be found'
        raise refusal(message, "ENTITY_NOT_FOUND")
    return record


def listed(kind: str) -> Resolver:
    """Return the resolver of a list of records."""

    def resolve(
        _: object, info: GraphQLResolveInfo[Any], options: Record | None = None, **__: object
    ) -> Record:
        info.context.allow()
        return page(info.context.shop.all(kind), options or {})

    return resolve


def single(kind: str) -> Resolver:
    """Return the resolver of a single record, which is null if it does not exist."""

    def resolve(_: object, info: GraphQLResolveInfo[Any], id: str) -> Record | None:  # noqa: A002
        info.context.allow()
        record: Record | None = info.context.shop.get(kind, id)
        return record

    return resolve


def history(record: Record, _: object, options: Record | None = None) -> Record:
    """Answer a history."""
    return page(record["history"], options or {})


def page(records: list[Record], options: Record) -> Record:
    """Return a part of a list, of at most 1,000 records; without a size, the entire list."""
    take = MOST_ROWS if options.get("take") is None else options["take"]
    if take > MOST_ROWS:
        message = f"Cannot take more than {MOST_ROWS} results from a list query"
        raise refusal(message, "USER_INPUT_ERROR")
    fits = [record for record in records if fits_all(record, options.get("filter") or {})]
    for name, order in reversed((options.get("sort") or {}).items()):
        fits.sort(key=lambda record: sortable(name, record[name]), reverse=order == "DESC")
    skip = max(options.get("skip") or 0, 0)
    until = skip + take if take > 0 else None
    return {"items": fits[skip:until], "totalItems": len(fits)}


def sortable(name: str, value: Any) -> Any:  # noqa: ANN401 - a member
    """Return the sort key of a member: ids are numbers, and null comes first."""
    return int(value) if name == "id" else (value is not None, value or "")


def fits_all(record: Record, filters: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return whether a record matches all filters; null matches none."""
    return all(
        record[name] is not None and OPERATORS[operator](record[name], wanted)
        for name, operators in filters.items()
        for operator, wanted in operators.items()
    )


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, wanted: bool(value == wanted),
    "notEq": lambda value, wanted: bool(value != wanted),
    "before": lambda value, wanted: parse(value) < parse(wanted),
    "after": lambda value, wanted: parse(value) > parse(wanted),
}


def channels(_: object, info: GraphQLResolveInfo[Any]) -> Record:
    """Answer the only channel."""
    info.context.allow()
    channel = {
        "id": "1",
        "code": "__default_channel__",
        "defaultLanguageCode": "en",
        "pricesIncludeTax": info.context.shop.prices_include_tax,
    }
    return {"items": [channel], "totalItems": 1}


def pair(name: str, amount: Callable[[Any, Vendure], Amount]) -> dict[str, Resolver]:
    """Return the resolvers of an amount without and with VAT."""
    return {
        name: lambda record, info: amount(record, info.context.shop).excl,
        f"{name}WithTax": lambda record, info: amount(record, info.context.shop).incl,
    }


def of_price(value: Callable[[Price], Any]) -> Resolver:
    """Return the resolver of a member that depends on the price of a part of an order."""
    return lambda part, _: value(part["price"])


def discounts(part: Record, _: object) -> list[Record]:
    """Answer the discounts on a part of an order."""
    return [
        {
            "adjustmentSource": adjustment.source,
            "description": adjustment.description,
            "amount": amount.excl,
            "amountWithTax": amount.incl,
        }
        for adjustment, amount in part["price"].discounts()
    ]


def of_order(order: Record, info: object) -> list[Record]:
    """Answer Order.discounts: those of all parts, by their source."""
    by_source: dict[str, Record] = {}
    parts = (part for name in PARTS for part in order[name])
    for discount in (discount for part in parts for discount in discounts(part, info)):
        known = by_source.setdefault(discount["adjustmentSource"], {**discount, **NOTHING})
        for name in NOTHING:
            known[name] += discount[name]
    return list(by_source.values())


def login(
    _: object,
    info: GraphQLResolveInfo[Any],
    username: str,
    password: str,
    rememberMe: bool = False,  # noqa: ARG001, N803
) -> Record:
    """Open a session, whose token is in a header of the answer."""
    asked: Asked = info.context
    if (username, password) != (asked.shop.user, asked.shop.password):
        return {
            "__typename": "InvalidCredentialsError",
            "errorCode": "INVALID_CREDENTIALS_ERROR",
            "message": "The provided credentials are invalid",
            "authenticationError": "",
        }
    asked.token = secrets.token_hex(32)
    asked.shop.tokens.add(asked.token)
    return {"__typename": "CurrentUser", "id": "1", "identifier": username}


def update_customer(_: object, info: GraphQLResolveInfo[Any], input: Record) -> Record:  # noqa: A002
    """Change a customer; an e-mail address of another customer is refused in the result."""
    asked: Asked = info.context
    customer = asked.found("Customer", input.pop("id"))
    refuse_null("customer", input)
    emails = {
        other["emailAddress"]
        for other in asked.shop.all("Customer")
        if other["user"] and other is not customer
    }
    if input.get("emailAddress") in emails:
        return {
            "__typename": "EmailAddressConflictError",
            "errorCode": "EMAIL_ADDRESS_CONFLICT_ERROR",
            "message": "The email address is not available.",
        }
    asked.shop.edit_customer(customer, input)
    return customer


def create_address(
    _: object,
    info: GraphQLResolveInfo[Any],
    customerId: str,  # noqa: N803
    input: Record,  # noqa: A002
) -> Record:
    """Give a customer an address."""
    asked: Asked = info.context
    customer = asked.found("Customer", customerId)
    return asked.shop.add_address(customer, address_of(input))


def update_address(_: object, info: GraphQLResolveInfo[Any], input: Record) -> Record:  # noqa: A002
    """Change an address."""
    asked: Asked = info.context
    asked.allow()
    address_id = input.pop("id")
    return there(asked.shop.edit_address(address_id, address_of(input)), "Address", address_id)


def address_of(sent: Record) -> Record:
    """Return the checked members of an address that are sent."""
    code = sent.get("countryCode", "NO")
    if code not in COUNTRIES:
        raise refusal(f'The countryCode "{code}" was not recognized', "USER_INPUT_ERROR")
    refuse_null("address", sent)
    return sent


def refuse_null(table: str, sent: Record) -> None:
    """Refuse null where the database requires a value."""
    for name, value in sent.items():
        column = f"{table}.{name}"
        if value is None and column not in MAY_BE_NULL:
            raise GraphQLError(f"NOT NULL constraint failed: {column}")


def update_variant(_: object, info: GraphQLResolveInfo[Any], input: Record) -> Record:  # noqa: A002
    """Change a variant."""
    asked: Asked = info.context
    record_id = input.pop("id")
    variant = asked.found("ProductVariant", record_id)
    for translation in input.pop("translations", None) or []:
        input["name"] = translation["name"]
    asked.shop.edit_variant(record_id, **input)
    return variant


RESOLVERS: dict[str, dict[str, Resolver]] = {
    "Query": {
        "channels": channels,
        "customer": single("Customer"),
        "customers": listed("Customer"),
        "order": single("Order"),
        "orders": listed("Order"),
        "productVariant": single("ProductVariant"),
        "productVariants": listed("ProductVariant"),
        "products": listed("Product"),
    },
    "Mutation": {
        "login": login,
        "updateCustomer": update_customer,
        "createCustomerAddress": create_address,
        "updateCustomerAddress": update_address,
        "updateProductVariant": update_variant,
    },
    "Customer": {"history": history},
    "Address": {"country": lambda _, __: {"code": "NO", "name": COUNTRIES["NO"]}},
    "ProductVariant": {
        **pair("price", lambda variant, shop: shop.price_of(variant).unit),
        "currencyCode": lambda _, __: "NOK",
        "taxRateApplied": lambda variant, _: {
            "name": f"{RATES[variant['rate']]} Norge",
            "value": int(variant["rate"]),
        },
        "taxCategory": lambda variant, _: {"name": RATES[variant["rate"]]},
        "stockLevels": lambda variant, _: [{**variant, "stockLocationId": "1"}],
    },
    "Order": {
        "history": history,
        **pair("total", lambda order, _: total(prices(order))),
        "taxSummary": lambda order, _: tax_summary(prices(order)),
        "discounts": of_order,
    },
    "OrderLine": {
        **pair("unitPrice", lambda line, _: line["price"].unit),
        **pair("linePrice", lambda line, _: line["price"].before),
        **pair("proratedLinePrice", lambda line, _: line["price"].after),
        "quantity": of_price(lambda price: price.quantity),
        "orderPlacedQuantity": of_price(lambda price: price.placed),
        "taxRate": of_price(lambda price: price.rate),
    },
    "ShippingLine": {
        **pair("price", lambda line, _: line["price"].before),
        **pair("discountedPrice", lambda line, _: line["price"].after),
        "discounts": discounts,
    },
    "Surcharge": {
        **pair("price", lambda line, _: line["price"].after),
        "taxRate": of_price(lambda price: price.rate),
    },
}
