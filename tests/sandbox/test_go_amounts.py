"""Which VAT a line bears, and how amounts are rounded."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pytest
from go_sandbox.go.references import order_amounts, rounded
from hypothesis import given
from hypothesis import strategies as st
from members import assert_members

RATES = [Decimal("0.25"), Decimal("0.15"), Decimal("0.12"), Decimal(0)]
amounts = st.decimals(-100_000, 100_000, places=2)


def order_line(go, customer, product, **members):
    order = go.order(customer, {"ProductId": product["Id"], "Quantity": 1, **members})
    return order["SalesOrderLines"][0]


@pytest.mark.parametrize(
    ("account", "code", "rate"),
    [(3000, "3", 0.25), (3001, "31", 0.15), (3002, "33", 0.12), (3100, "5", 0)],
)
def test_vat_follows_the_products_sales_account(go, account, code, rate):
    line = order_line(go, go.customer(), go.product(StandardSalesAccount=account))
    assert_members(line, VatCode=code, VatRate=rate, VatAmount=100 * rate)


def test_the_account_is_inherited_from_the_group_or_else_from_the_client(go):
    group = go.create("/ProductGroups", {"Name": "Food", "StandardSalesAccount": 3001})
    customer = go.customer()
    assert order_line(go, customer, go.product(ProductGroupId=group["Id"]))["VatCode"] == "31"
    assert order_line(go, customer, go.product())["VatCode"] == "3"


def test_a_vat_free_customer_gets_the_optional_account(go):
    customer = go.customer(IsVatFree=True)
    product = go.product(OptionalSalesAccount=3150)
    assert order_line(go, customer, product)["VatCode"] == "52"
    assert order_line(go, customer, product, UseStandardSalesAccount=True)["VatCode"] == "3"
    assert order_line(go, customer, go.product())["VatCode"] == "5"


def test_net_is_quantity_times_price_less_the_allowance(go):
    line = order_line(
        go, go.customer(), go.product(), Quantity=3, ProductUnitPrice=9.99, Allowance=15
    )
    assert (line["NetAmount"], line["VatAmount"], line["TotalAmount"]) == (25.47, 6.37, 31.84)


@pytest.mark.parametrize(("rounding", "total"), [("line", 0.21), ("rate", 0.18)])
def test_vat_is_rounded_per_line_or_per_rate_as_switched(go, rounding, total):
    go.books.switches.vat_rounding = rounding
    product = go.product(UnitPrice=0.02)
    lines = [{"ProductId": product["Id"], "Quantity": 1, "Description": str(n)} for n in range(7)]
    order = go.order(go.customer(), *lines)
    assert_members(order, NetAmount=0.14, TotalAmount=total)


@pytest.mark.parametrize(("decimals", "net"), [(2, 9.9), (4, 10.0), (None, 10.0)])
def test_a_switch_sets_how_many_decimals_a_line_price_keeps(go, decimals, net):
    go.books.switches.price_decimals = decimals
    line = order_line(go, go.customer(), go.product(), Quantity=30, ProductUnitPrice=0.3333)
    assert line["NetAmount"] == net


@given(st.lists(st.tuples(amounts, st.sampled_from(RATES)), max_size=8))
def test_both_roundings_differ_by_less_than_an_ore_per_line(parts):
    lines = [
        {"NetAmount": net, "VatRate": rate, "VatAmount": rounded(net * rate)} for net, rate in parts
    ]
    by_line, by_rate = (order_amounts(lines, rounding) for rounding in ("line", "rate"))
    assert by_line["NetAmount"] == by_rate["NetAmount"] == sum(net for net, _ in parts)
    difference = abs(by_line["TotalAmount"] - by_rate["TotalAmount"])
    assert difference <= Decimal("0.01") * len(parts)


@given(amounts, st.sampled_from(RATES))
def test_rounding_is_the_same_for_a_sale_and_its_credit(net, rate):
    assert rounded(net * rate) == -rounded(-net * rate)
    assert rounded(net * rate) == (net * rate).quantize(Decimal("0.01"), ROUND_HALF_UP)
