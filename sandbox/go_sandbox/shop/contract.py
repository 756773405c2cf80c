"""The fields of the shop's records in the default contract, and the values of each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from go_sandbox.shop import stamps

if TYPE_CHECKING:
    from collections.abc import Iterator


SET_BY_THE_SHOP = frozenset({"id", "created_at", "updated_at"})
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TYPES = {"flag": bool, "object": dict}
_FORMS = {
    "text": "text",
    "phone": "text",
    "flag": "true or false",
    "amount": "a decimal string",
    "number": "a decimal string",
    "stamp": "an RFC 3339 stamp with its zone",
    "day": "a day such as 2026-01-31",
    "object": "an object",
    "list": "a list of objects",
}
_ORE = Decimal("0.01")


@dataclass(frozen=True)
class Field:
    """The values of a field, besides null.

    Attributes:
        kind: "text", "phone", "word", "flag", "amount" (money, a decimal string), "number" (any
            other decimal string), "stamp", "day", "object" or "list" (of objects).
        words: the allowed words of a "word".
        inner: the fields of an "object" or of a list's objects; None if any are allowed.
    """

    kind: str
    words: tuple[str, ...] = ()
    inner: Fields | None = None


Fields: TypeAlias = Mapping[str, Field]


def _word(text: str) -> Field:
    return Field("word", words=tuple(text.split()))


def _object(inner: Fields | None = None) -> Field:
    return Field("object", inner=inner)


def _list(inner: Fields) -> Field:
    return Field("list", inner=inner)


def _fields(names: str, *, given: Fields | None = None, **kinds: str) -> Fields:
    """Return the fields in the order of their names; those without a kind contain text."""
    fields = {name: Field(kind) for kind, listed in kinds.items() for name in listed.split()}
    fields |= given or {}
    return {name: fields.get(name, Field("text")) for name in names.split()}


ADDRESS = _fields(
    "id type is_default name company line1 line2 postal_code city region country_code phone email",
    flag="is_default",
    phone="phone",
    given={"type": _word("billing shipping other")},
)

CUSTOMER = _fields(
    "id number type is_guest email name first_name last_name company_name organization_number"
    " vat_number phone language currency tax_exempt is_active note addresses"
    " created_at updated_at deleted_at custom",
    flag="is_guest tax_exempt is_active",
    phone="phone",
    stamp="created_at updated_at deleted_at",
    given={"type": _word("person company"), "addresses": _list(ADDRESS), "custom": _object()},
)

PRODUCT = _fields(
    "id parent_id sku gtin type name variant_name description status unit category currency"
    " price_excl price_incl prices_include_tax cost_price tax_rate tax_class"
    " stock_tracked stock_on_hand url created_at updated_at deleted_at custom",
    amount="price_excl price_incl cost_price",
    flag="prices_include_tax stock_tracked",
    number="tax_rate stock_on_hand",
    stamp="created_at updated_at deleted_at",
    given={
        "type": _word("goods service gift_card"),
        "status": _word("active draft archived"),
        "custom": _object(),
    },
)

BUYER = _fields(
    "email name first_name last_name phone company_name organization_number", phone="phone"
)

LINE = _fields(
    "id type product_id sku name quantity unit unit_price_excl unit_price_incl"
    " discount_excl discount_incl total_excl total_tax total_incl tax_rate",
    amount="unit_price_excl unit_price_incl discount_excl discount_incl"
    " total_excl total_tax total_incl",
    number="quantity tax_rate",
    given={"type": _word("product gift_card text")},
)

SHIPPING = _fields(
    "id name total_excl total_tax total_incl tax_rate",
    amount="total_excl total_tax total_incl",
    number="tax_rate",
)

DISCOUNT = _fields(
    "code name amount_excl amount_incl is_in_lines",
    amount="amount_excl amount_incl",
    flag="is_in_lines",
)

TAX = _fields("rate base amount", amount="base amount", number="rate")

PAYMENT = _fields("id method reference status amount paid_at", amount="amount", stamp="paid_at")

REFUND_LINE = _fields("line_id quantity amount_incl", amount="amount_incl", number="quantity")

REFUND = _fields(
    "id amount_incl amount_excl taxes reason created_at lines shipping_incl",
    amount="amount_incl amount_excl shipping_incl",
    stamp="created_at",
    given={"taxes": _list(TAX), "lines": _list(REFUND_LINE)},
)

INVOICE = _fields("number sent_at due_on balance", amount="balance", day="due_on", stamp="sent_at")

ORDER = _fields(
    "id number status payment_status fulfillment_status source_status currency prices_include_tax"
    " customer_id is_guest buyer billing_address shipping_address reference note"
    " placed_at paid_at shipped_at completed_at cancelled_at created_at updated_at deleted_at"
    " lines shipping fees discounts taxes payments refunds"
    " total_excl total_tax total_incl rounding total_refunded invoice custom",
    amount="total_excl total_tax total_incl rounding total_refunded",
    flag="prices_include_tax is_guest",
    stamp="placed_at paid_at shipped_at completed_at cancelled_at created_at updated_at deleted_at",
    given={
        "status": _word("draft pending processing on_hold completed cancelled refunded failed"),
        "payment_status": _word(
            "unpaid authorized partially_paid paid partially_refunded refunded voided"
        ),
        "fulfillment_status": _word("unfulfilled partial fulfilled returned"),
        "buyer": _object(BUYER),
        "billing_address": _object(ADDRESS),
        "shipping_address": _object(ADDRESS),
        "lines": _list(LINE),
        "shipping": _list(SHIPPING),
        "fees": _list(SHIPPING),
        "discounts": _list(DISCOUNT),
        "taxes": _list(TAX),
        "payments": _list(PAYMENT),
        "refunds": _list(REFUND),
        "invoice": _object(INVOICE),
        "custom": _object(),
    },
)

STREAMS = {"customers": CUSTOMER, "products": PRODUCT, "orders": ORDER}


def mistakes(fields: Fields, values: Mapping[str, object], within: str = "") -> Iterator[str]:
    """Yield a line for each unknown field and each value that its field cannot hold.

    Null is never wrong.
    """
    for name, value in values.items():
        path = f"{within}{name}"
        if name not in fields:
            yield f"There is no field {path!r}."
        elif value is not None:
            yield from _mistakes_of(fields[name], path, value)


def _mistakes_of(field: Field, path: str, value: object) -> Iterator[str]:
    if field.kind == "word":
        if value not in field.words:
            yield f"{path} must be one of {', '.join(field.words)}."
    elif not _has_form(field.kind, value):
        yield f"{path} must be {_FORMS[field.kind]}."
    elif field.inner is not None and isinstance(value, dict):
        yield from mistakes(field.inner, value, f"{path}.")
    elif field.inner is not None and isinstance(value, list):
        for place, row in enumerate(value):
            yield from mistakes(field.inner, row, f"{path}[{place}].")


def _has_form(kind: str, value: object) -> bool:
    if kind == "list":
        return isinstance(value, list) and all(isinstance(row, dict) for row in value)
    if not isinstance(value, _TYPES.get(kind, str)):
        return False
    return not isinstance(value, str) or _is_written_as(kind, value)


def _is_written_as(kind: str, text: str) -> bool:
    try:
        if kind == "stamp":
            stamps.parse(text)
        elif kind == "day":
            date.fromisoformat(text)
            return bool(_DAY.fullmatch(text))
        elif kind in ("amount", "number"):
            return bool(_DECIMAL.fullmatch(text))
    except ValueError:
        return False
    return True


def reshaped(fields: Fields, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values of the right types as the shop would keep them.

    Text is trimmed and its repeated spaces become one, a phone number loses all its spaces, and
    money is rounded to two decimals, half up.
    """
    return {name: _reshaped(fields[name], value) for name, value in values.items()}


def _reshaped(field: Field, value: Any) -> Any:  # noqa: ANN401
    if value is None:
        return None
    if field.kind == "text":
        return re.sub(" {2,}", " ", value.strip())
    if field.kind == "phone":
        return re.sub(r"\s+", "", value)
    if field.kind == "amount":
        digits = Context(prec=len(value) + 2)
        return f"{Decimal(value).quantize(_ORE, ROUND_HALF_UP, digits):f}"
    if field.inner is None:
        return value
    if field.kind == "list":
        return [reshaped(field.inner, row) for row in value]
    return reshaped(field.inner, value)
