"""Each row that flows to the shop has a true inverse, for all values.

After the patch that `to_shop` returns for a record, `to_go` gives Go's value; a record that already
has it gets no patch; and no other row that flows back has another value than before.
"""

from __future__ import annotations

import string
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from target_customwebshop.shop_records import patched
from target_powerofficego.dataflow.customer import CUSTOMER
from target_powerofficego.dataflow.orders.order import ORDER
from target_powerofficego.dataflow.product import PRODUCT, with_stock
from target_powerofficego.dataflow.table import Conversion
from target_powerofficego.dataflow.values import ABSENT, UNIT_WORDS, Unusable

CONVERSION = Conversion(shop_name="shop", time_zone=ZoneInfo("Europe/Oslo"))
LETTERS = string.ascii_letters + "æøåÆØÅ -.&<>"
ENTITIES = st.sampled_from(
    ["O&#039;Brien", "Salt &amp; Pepper", "R&amp;amp;D", "5 &lt; 6", "&nbsp;A"]
)
NAME = st.text(LETTERS, min_size=1, max_size=20).map(str.strip).filter(bool) | ENTITIES
WORD = st.text(string.ascii_letters + "æøå", min_size=1, max_size=10)
EMAIL = st.builds("{}@{}.no".format, WORD, st.text(string.ascii_lowercase, min_size=1, max_size=8))
PHONE = st.integers(20000000, 99999999).map(lambda number: f"+47{number}")
ORE = st.decimals("0", "99999", places=2)
PRICE = st.decimals("0", "99999", places=4)
DAYS = st.dates(date(2024, 1, 1), date(2027, 12, 31)).map(str)
"""Including the 29th of February of a leap year."""

RATE = st.sampled_from(["0", "11.11", "12", "15", "25"])
TABLES = {"customers": CUSTOMER, "products": with_stock(PRODUCT, "go"), "orders": ORDER}


def money(value):
    return None if value is None else format(value, "f")


ADDRESSES = st.lists(
    st.fixed_dictionaries(
        {
            "id": WORD,
            "type": st.sampled_from(["billing", "shipping", "other"]),
            "is_default": st.booleans(),
            "line1": st.none() | NAME,
            "line2": st.none() | NAME,
            "postal_code": st.from_regex(r"[0-9]{4}", fullmatch=True),
            "city": NAME,
            "country_code": st.sampled_from(["NO", "SE", None]),
            "elevator_code": WORD,
        }
    ),
    max_size=3,
)
PERSON = st.fixed_dictionaries(
    {
        "id": WORD,
        "type": st.just("person"),
        "email": EMAIL,
        "name": st.none() | NAME,
        "first_name": st.none() | NAME,
        "last_name": st.none() | NAME,
        "phone": st.none() | PHONE,
        "organization_number": st.none(),
        "addresses": ADDRESSES,
        "is_active": st.booleans(),
        "deleted_at": st.none(),
    }
)
COMPANY = st.fixed_dictionaries(
    {
        "id": WORD,
        "type": st.just("company"),
        "email": st.none() | EMAIL,
        "name": NAME,
        "company_name": st.none() | NAME,
        "organization_number": st.sampled_from([None, "923609016", "923 609 016"]),
        "phone": st.none() | PHONE,
        "addresses": ADDRESSES,
        "is_active": st.booleans(),
        "deleted_at": st.none(),
    }
)
A_PRODUCT = st.fixed_dictionaries(
    {
        "id": WORD,
        "sku": WORD,
        "name": NAME,
        "variant_name": st.none() | NAME,
        "description": st.none() | NAME | NAME.map("<p>{}</p>".format),
        "gtin": st.sampled_from([None, "5901234123457", "96385074"]),
        "unit": st.sampled_from([None, "stk", "kg", "bunt"]),
        "currency": st.just("NOK"),
        "price_excl": st.none() | ORE.map(money),
        "price_incl": st.none() | ORE.map(money),
        "prices_include_tax": st.sampled_from([None, True, False]),
        "tax_rate": RATE,
        "cost_price": st.none() | ORE.map(money),
        "stock_tracked": st.booleans(),
        "stock_on_hand": st.none() | st.integers(0, 999).map(str),
        "status": st.sampled_from(["active", "draft", "archived"]),
        "deleted_at": st.none(),
    }
)
AN_ORDER = st.fixed_dictionaries(
    {
        "id": WORD,
        "reference": st.none() | NAME,
        "payment_status": st.sampled_from(["unpaid", "authorized", "paid", "refunded", None]),
        "invoice": st.none()
        | st.fixed_dictionaries(
            {"number": st.none() | WORD, "balance": st.none() | ORE.map(money)}
        ),
    }
)
RECORDS = {"customers": PERSON | COMPANY, "products": A_PRODUCT, "orders": AN_ORDER}

GO_VALUES = {
    ("customers", "company_name"): NAME,
    ("customers", "first_name"): NAME | st.just("-"),
    ("customers", "last_name"): NAME | st.just("-"),
    ("customers", "organization_number"): st.sampled_from(["923609016", "974760673", None]),
    ("customers", "email"): EMAIL | st.none(),
    ("customers", "phone"): PHONE | st.none(),
    ("customers", "address_line1"): NAME | st.none(),
    ("customers", "address_line2"): NAME | st.none(),
    ("customers", "address_postal_code"): st.from_regex(r"[0-9]{4}", fullmatch=True),
    ("customers", "address_city"): NAME,
    ("customers", "address_country_code"): st.sampled_from(["NO", "DK"]),
    ("customers", "archived"): st.booleans(),
    ("products", "name"): NAME,
    ("products", "description"): NAME | st.lists(NAME, max_size=4).map("\n".join) | st.none(),
    ("products", "gtin"): st.sampled_from(["5901234123457", "96385074", None]),
    ("products", "price"): ORE | PRICE | st.none(),
    ("products", "cost_price"): ORE | PRICE | st.none(),
    ("products", "unit"): st.sampled_from([*UNIT_WORDS, "XYZ"]),
    ("products", "stock_on_hand"): st.integers(0, 999) | ORE | st.none(),
    ("products", "archived"): st.booleans(),
    ("orders", "reference"): NAME | st.none(),
    ("orders", "invoice_number"): st.integers(1, 10**9) | st.none(),
    ("orders", "invoice_sent_at"): DAYS.map("{}T09:30:00.1234567Z".format),
    ("orders", "invoice_due_on"): DAYS,
    ("orders", "invoice_balance"): st.decimals("-9999", "9999", places=2) | st.none(),
    ("orders", "payment_status"): st.sampled_from(["paid"]),
}


def rows_back():
    return [
        (entity, row.name)
        for entity, table in TABLES.items()
        for row in table.rows
        if row.to_shop is not None
    ]


def value_of(row, record):
    try:
        return row.to_go(record, CONVERSION)
    except Unusable:
        return ABSENT


def test_every_row_that_can_flow_to_the_shop_is_tried():
    assert sorted(GO_VALUES) == sorted(rows_back())
    flowing = [
        (entity, row.name)
        for entity, table in TABLES.items()
        for row in table.active
        if row.direction.reaches_shop
    ]
    assert set(flowing) <= set(rows_back())


@pytest.mark.parametrize(("entity", "name"), rows_back())
@given(data=st.data())
def test_a_patch_gives_the_shop_gos_value_and_changes_nothing_else(entity, name, data):
    table = TABLES[entity]
    row = table.row(name)
    record = data.draw(RECORDS[entity])
    value = data.draw(GO_VALUES[entity, name])
    before = value_of(row, record)
    assume(before is not ABSENT)
    try:
        patch = row.patch(value, record, CONVERSION)
    except Unusable:  # such a value is held
        return

    after = patched(record, patch)

    if row.are_equal(before, value):
        assert patch == {}
    if not patch:
        return
    assert set(patch) <= set(record)
    again = value_of(row, after)
    if row.are_equal(again, value):  # else it is held: no form of the shop gives this value
        others = {"price"} if name == "price" else set()
        moved = [
            other.name
            for other in table.active
            if other.direction.reaches_shop
            and other.name not in {name, *others}
            and ABSENT not in (value_of(other, record), value_of(other, after))  # else it is held
            and not other.are_equal(value_of(other, record), value_of(other, after))
        ]
        assert [other_name for other_name in moved if not other_name.startswith("address_")] == []


@pytest.mark.parametrize(("entity", "name"), rows_back())
@given(data=st.data())
def test_an_ordinary_value_of_go_can_be_written_to_the_shop(entity, name, data):
    """The law above would also hold if every value were refused."""
    plain = {
        ("customers", "company_name"): st.just("Fjell AS"),
        ("customers", "first_name"): st.just("Kari"),
        ("customers", "last_name"): st.sampled_from(["Nordmann", "van Dam"]),
        ("products", "price"): st.integers(1, 9999).map(lambda number: Decimal(number) * 100),
        ("products", "unit"): st.sampled_from(list(UNIT_WORDS)),
        ("products", "description"): st.sampled_from(["Varm og god", "To\nlinjer", None]),
    }
    record = data.draw(RECORDS[entity])
    if entity == "products":
        record |= {"variant_name": None, "tax_rate": "25", "stock_tracked": True}
    if entity == "customers":
        is_company = name in ("company_name", "organization_number")
        record = data.draw(COMPANY if is_company else PERSON)
        record["addresses"] = [{"type": "billing", "postal_code": "0150", "city": "Oslo"}]
    if entity == "orders":
        record |= {"payment_status": "unpaid"}
    row = TABLES[entity].row(name)
    value = data.draw(plain.get((entity, name), GO_VALUES[entity, name]))

    after = patched(record, row.patch(value, record, CONVERSION))

    assert row.are_equal(row.to_go(after, CONVERSION), value)


def test_a_name_that_is_a_dash_in_the_shop_stays_when_the_other_is_edited_in_go():
    row = TABLES["customers"].row("first_name")
    record = {"type": "person", "name": "Kari", "first_name": "Kari", "last_name": "-"}

    assert row.patch("Kristin", record, CONVERSION) == {"first_name": "Kristin", "name": "Kristin"}
