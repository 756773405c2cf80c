"""Go accepts or refuses any body, and never breaks."""

from __future__ import annotations

from decimal import Decimal

import pytest
from go_sandbox.go.books import Books
from go_sandbox.go.ledger import Switches
from go_sandbox.go.problems import Refusal
from go_sandbox.go.schema import CUSTOMER_POST, LINE_POST, ORDER_POST, PRODUCT_POST
from go_sandbox.storage import Storage
from hypothesis import given
from hypothesis import strategies as st
from members import assert_members

plain = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
values = (
    plain | st.lists(plain, max_size=2) | st.dictionaries(st.text(max_size=5), plain, max_size=2)
)


def bodies(shape):
    """Bodies with any value in any member."""
    return st.dictionaries(st.sampled_from(shape.names), values, max_size=4)


def assert_accepted_or_refused(books, resource, body):
    try:
        entry = books.create(resource, body)
    except Refusal:
        return
    assert books.entry(resource, entry["Id"]) == entry


@pytest.fixture(scope="module")
def filled():
    books = Books(Storage(), Switches())
    customer = books.create("Customers", {"Name": "Fjell AS"})
    product = books.create("Products", {"Name": "Ull", "UnitPrice": Decimal(100)})
    return books, customer, product


@given(body=bodies(CUSTOMER_POST))
def test_any_customer_is_accepted_or_refused(filled, body):
    assert_accepted_or_refused(filled[0], "Customers", {"Name": "Dal AS", **body})


@given(body=bodies(PRODUCT_POST))
def test_any_product_is_accepted_or_refused(filled, body):
    assert_accepted_or_refused(filled[0], "Products", {"Name": "Garn", **body})


@given(header=bodies(ORDER_POST), line=bodies(LINE_POST))
def test_any_order_is_accepted_or_refused(filled, header, line):
    books, customer, product = filled
    line = {"ProductId": product["Id"], "Quantity": 1, **line}
    body = {"CustomerId": customer["Id"], "SalesOrderLines": [line], **header}
    assert_accepted_or_refused(books, "SalesOrders", body)


numbers = st.decimals(-(10**9), 10**9, places=6)


@given(quantity=numbers, price=numbers, allowance=st.decimals(-1000, 100, places=3))
def test_an_orders_total_is_the_sum_of_its_lines(filled, quantity, price, allowance):
    books, customer, product = filled
    line = {
        "ProductId": product["Id"],
        "Quantity": quantity,
        "ProductUnitPrice": price,
        "Allowance": allowance,
    }
    body = {"CustomerId": customer["Id"], "SalesOrderLines": [line, line]}
    order = books.create("SalesOrders", body)
    assert_members(
        order,
        TotalAmount=sum(line["TotalAmount"] for line in order["SalesOrderLines"]),
        NetAmount=sum(line["NetAmount"] for line in order["SalesOrderLines"]),
    )
