"""The field names of the shop's three record types, as the default contract has them."""

from __future__ import annotations


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ADDRESS = _names(
    "id type is_default name company line1 line2 postal_code city region country_code phone email"
)

CUSTOMER = _names(
    "id number type is_guest email name first_name last_name company_name organization_number"
    " vat_number phone language currency tax_exempt is_active note addresses"
    " created_at updated_at deleted_at custom"
)

PRODUCT = _names(
    "id parent_id sku gtin type name variant_name description status unit category currency"
    " price_excl price_incl prices_include_tax cost_price tax_rate tax_class"
    " stock_tracked stock_on_hand url created_at updated_at deleted_at custom"
)

ORDER = _names(
    "id number status payment_status fulfillment_status source_status currency prices_include_tax"
    " customer_id is_guest buyer billing_address shipping_address reference note"
    " placed_at paid_at shipped_at completed_at cancelled_at created_at updated_at deleted_at"
    " lines shipping fees discounts taxes payments refunds"
    " total_excl total_tax total_incl total_refunded invoice custom"
)

BUYER = _names("email name first_name last_name phone company_name organization_number")

LINE = _names(
    "id type product_id sku name quantity unit unit_price_excl unit_price_incl"
    " discount_excl discount_incl total_excl total_tax total_incl tax_rate"
)

SHIPPING = _names("id name total_excl total_tax total_incl tax_rate")

PAYMENT = _names("id method reference status amount paid_at")

STREAMS = {"customers": CUSTOMER, "products": PRODUCT, "orders": ORDER}

SET_BY_THE_SHOP = frozenset({"id", "created_at", "updated_at"})
