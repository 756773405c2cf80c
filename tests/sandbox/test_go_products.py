"""Which products and product groups Go accepts and refuses."""

from __future__ import annotations

import pytest
from members import assert_members

STAMP = "LastChangedDateTimeOffset"
STOCK_STAMP = "StockOnHandLastChangedDatetimeOffset"


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ({"Name": None}, 400),
        ({"Name": "a" * 401}, 400),
        ({"Code": "c" * 101}, 400),
        ({"Gtin": "7038010000066"}, 400),
        ({"Gtin": "x"}, 400),
        ({"StockOnHand": 5}, 400),
        ({"StandardSalesAccount": 3010}, 400),
        ({"StandardSalesAccount": 9999}, 404),
        ({"ProductGroupCode": "X"}, 404),
        ({"ProductGroupId": 1}, 404),
    ],
    ids=str,
)
def test_a_broken_rule_or_an_unknown_reference_is_refused(go, members, status):
    go.refuses(go.post("/Products", {"Name": "Ull", **members}), "Product", status)


def test_a_product_needs_only_a_name(go):
    created = go.create("/Products", {"Name": "Ull"})
    assert go.product(Gtin="7038010000065")["Gtin"] == "7038010000065"
    assert (created["ProductType"], created["ProductGroupCode"]) == ("Product", "1")
    assert len(created) == 25


def test_a_code_is_unique_unless_switched_off(go):
    holder = go.product(Code="A-1")
    detail = go.refuses(go.post("/Products", {"Name": "Ull", "Code": "A-1"}), "Product")
    assert "A-1" in detail
    assert str(holder["Id"]) in detail
    go.books.switches.product_code_unique = False
    assert go.product(Code="A-1")["Id"] != holder["Id"]


def test_the_sales_account_is_given_by_number_or_id_and_shown_as_both(go):
    account = go.get("/GeneralLedgerAccounts", accountNos="3001").json()[0]
    created = go.product(StandardSalesAccount=3001)
    assert_members(created, StandardSalesAccountId=account["Id"], StandardSalesAccount=3001)
    path = f"/Products/{created['Id']}"
    assert go.put_value(path, "StandardSalesAccountId", None).json()["StandardSalesAccount"] is None
    answer = go.put_value(path, "StandardSalesAccount", 3001)
    assert answer.json()["detail"].startswith("ProductPatchDto:")


def test_stock_is_set_only_on_a_stock_item(go):
    path = f"/Products/{go.product()['Id']}"
    go.refuses(go.put_value(path, "StockOnHand", 5), "Product")
    both = go.patch(
        path,
        {"op": "replace", "path": "/IsStockItem", "value": True},
        {"op": "replace", "path": "/StockOnHand", "value": 5},
    ).json()
    assert (both["StockOnHand"], both["StockAvailable"]) == (5, 5)
    assert go.put_value(path, "StockOnHand", 0).json()["StockOnHand"] == 0


def test_an_edit_of_stock_moves_only_the_stock_stamp(go):
    created = go.product(IsStockItem=True, StockOnHand=5)
    path = f"/Products/{created['Id']}"
    counted = go.put_value(path, "StockOnHand", 3).json()
    assert counted[STAMP] == created[STAMP]
    assert counted[STOCK_STAMP] > created[STOCK_STAMP]
    priced = go.put_value(path, "UnitPrice", 120).json()
    assert priced[STAMP] > created[STAMP]
    assert priced[STOCK_STAMP] == counted[STOCK_STAMP]


def test_confirmed_orders_reduce_available_stock_and_invoices_stock_on_hand(go):
    product = go.product(IsStockItem=True, StockOnHand=5)
    order = go.order(go.customer(), {"ProductId": product["Id"], "Quantity": 2})

    def counts():
        current = go.get(f"/Products/{product['Id']}").json()
        return current["StockOnHand"], current["StockAvailable"]

    assert counts() == (5, 5)
    go.put_value(f"/SalesOrders/{order['Id']}", "SalesOrderStatus", "Confirmed")
    assert counts() == (5, 3)
    go.books.send_invoice(order["Id"])
    assert counts() == (3, 3)


@pytest.mark.parametrize(("decimals", "kept"), [(2, 33.33), (4, 33.3333), (None, 33.333333)])
def test_a_switch_sets_how_many_decimals_prices_keep(go, decimals, kept):
    go.books.switches.price_decimals = decimals
    assert go.product(UnitPrice=33.333333)["UnitPrice"] == kept


def test_a_product_on_an_order_or_an_invoice_cannot_be_deleted(go):
    product = go.product()
    order = go.order(go.customer(), {"ProductId": product["Id"], "Quantity": 1})
    path = f"/Products/{product['Id']}"
    go.refuses(go.delete(path), "Product", 409)
    go.books.send_invoice(order["Id"])
    go.refuses(go.delete(path), "Product", 409)
    unused = go.product()
    assert go.delete(f"/Products/{unused['Id']}").status_code == 200


def test_a_product_group_in_use_cannot_be_deleted(go):
    group = go.create("/ProductGroups", {"Code": "W", "Name": "Wool"})
    path = f"/ProductGroups/{group['Id']}"
    assert go.put_value(path, "Name", "Wool and yarn").json()["Name"] == "Wool and yarn"
    product = go.product(ProductGroupCode="W")
    go.refuses(go.delete(path), "Product group", 409)
    go.delete(f"/Products/{product['Id']}")
    assert go.delete(path).status_code == 200
