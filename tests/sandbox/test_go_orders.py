"""The life of a sales order, from draft to confirmed or deleted."""

from __future__ import annotations

import pytest
from members import assert_members


@pytest.fixture
def customer(go):
    return go.customer()


@pytest.fixture
def product(go):
    return go.product(Code="ULL-1", Name="Ull", UnitPrice=100, UnitOfMeasureCode="EA", UnitCost=40)


@pytest.fixture
def order(go, customer, product):
    line = {"ProductId": product["Id"], "Quantity": 2, "ExternalImportReference": "1"}
    return go.order(customer, line, ExternalImportReference="shop:1")


@pytest.fixture
def path(order):
    return f"/SalesOrders/{order['Id']}"


def test_an_order_is_made_complete_and_read_with_or_without_lines(go, order, path):
    assert_members(
        order,
        SalesOrderStatus="Draft",
        CurrencyCode="NOK",
        IsCreatedByCurrentIntegration=True,
        LineCount=1,
    )
    assert go.get(f"{path}/Complete").json() == order
    header = {name: value for name, value in order.items() if name != "SalesOrderLines"}
    assert go.get(path).json() == header
    assert go.get("/SalesOrders").json() == [header]
    assert len(header) == 44
    assert go.get(f"{path}/Lines").json() == order["SalesOrderLines"]
    line = order["SalesOrderLines"][0]
    assert len(line) == 36
    assert go.get(f"{path}/Lines/{line['Id']}").json() == line


def test_the_customer_is_named_by_id_or_number_and_must_exist(go, customer):
    created = go.create("/SalesOrders/Complete", {"CustomerNo": customer["Number"]})
    assert created["CustomerId"] == customer["Id"]
    go.refuses(go.post("/SalesOrders/Complete", {"CustomerNo": 99}), "Sales order", 404)
    go.refuses(go.post("/SalesOrders/Complete", {"CustomerId": 99}), "Sales order", 404)
    go.refuses(go.post("/SalesOrders/Complete", {}), "Sales order")


def test_a_line_inherits_what_it_leaves_out(go, customer, product):
    go.put_value(f"/Customers/{customer['Id']}", "Allowance", 10)
    line = go.order(customer, {"ProductCode": "ULL-1", "Quantity": 1})["SalesOrderLines"][0]
    assert_members(
        line,
        ProductId=product["Id"],
        ProductUnitPrice=100,
        ProductUnitCost=40,
        Description="Ull",
        UnitOfMeasureCode="EA",
        Allowance=10,
        UseStandardSalesAccount=True,
        LineType="Normal",
        NetAmount=90,
        TotalAmount=112.5,
    )


def test_the_values_of_a_line_are_kept(go, customer, product):
    values = {
        "ProductId": product["Id"],
        "Quantity": 1,
        "ProductUnitPrice": 0,
        "Description": "Garn",
        "Allowance": 0,
        "UseStandardSalesAccount": False,
        "UnitOfMeasureCode": "KGM",
        "SortOrder": 7,
    }
    line = go.order(customer, values)["SalesOrderLines"][0]
    assert {name: line[name] for name in values} == values


def test_a_line_needs_a_quantity_and_a_known_product(go, customer, product):
    def post(line):
        body = {"CustomerId": customer["Id"], "SalesOrderLines": [line]}
        return go.post("/SalesOrders/Complete", body)

    assert "Quantity" in go.refuses(post({"ProductId": product["Id"]}), "Sales order")
    go.refuses(post({"ProductId": 99, "Quantity": 1}), "Sales order", 404)
    go.refuses(post({"ProductCode": "X", "Quantity": 1}), "Sales order", 404)
    go.refuses(post({"ProductId": product["Id"], "Quantity": 1, "Allowance": 101}), "Sales order")


def test_a_text_line_contains_only_text(go, customer, product):
    text = {"LineType": "Text", "Description": "Gift", "ExternalImportReference": "t"}
    line = go.order(customer, text)["SalesOrderLines"][0]
    assert (line["Description"], line["TotalAmount"]) == ("Gift", 0)
    body = {"CustomerId": customer["Id"], "SalesOrderLines": [{**text, "Quantity": 1}]}
    assert "Quantity" in go.refuses(go.post("/SalesOrders/Complete", body), "Sales order")


def test_a_reference_is_unique_among_orders_and_invoices(go, customer, order):
    body = {"CustomerId": customer["Id"], "ExternalImportReference": "shop:1"}
    detail = go.refuses(go.post("/SalesOrders/Complete", body), "Sales order")
    assert "shop:1" in detail
    assert order["Id"] in detail
    go.books.send_invoice(order["Id"])
    assert order["Id"] in go.refuses(go.post("/SalesOrders/Complete", body), "Sales order")
    assert go.get("/SalesOrders").status_code == 204


def test_line_references_are_unique_within_an_order_only(go, customer, order, product):
    line = {"ProductId": product["Id"], "Quantity": 1, "ExternalImportReference": "1"}
    go.refuses(go.post(f"/SalesOrders/{order['Id']}/Lines", line), "Sales order")
    assert go.order(customer, line)["LineCount"] == 1


def test_lines_are_added_changed_and_deleted_and_move_the_orders_stamp(go, order, product, path):
    added = go.create(f"{path}/Lines", {"ProductId": product["Id"], "Quantity": 1})
    assert_members(added, SortOrder=1, SalesOrderId=order["Id"])
    changed = go.put_value(f"{path}/Lines/{added['Id']}", "quantity", 3).json()
    assert changed["NetAmount"] == 300
    complete = go.get(f"{path}/Complete").json()
    assert (complete["LineCount"], complete["NetAmount"], complete["TotalAmount"]) == (2, 500, 625)
    assert complete["LastChangedDateTimeOffset"] > order["LastChangedDateTimeOffset"]
    assert go.delete(f"{path}/Lines/{added['Id']}").status_code == 200
    assert go.get(path).json()["TotalAmount"] == 250
    assert go.get(f"{path}/Lines/{added['Id']}").status_code == 404


def test_the_header_patch_reaches_no_lines_and_no_codes(go, order, path):
    assert go.put_value(path, "customerReference", "Kari").json()["CustomerReference"] == "Kari"
    for member in ("SalesOrderLines", "CustomerNo", "TotalAmount"):
        detail = go.refuses(go.put_value(path, member, 1), "Sales order")
        assert detail.startswith("SalesOrderPatchDto:")


def test_a_confirmed_order_is_locked_until_it_is_draft_again(go, order, product, path):
    assert go.put_value(path, "SalesOrderStatus", "Confirmed").status_code == 200
    line_path = f"{path}/Lines/{order['SalesOrderLines'][0]['Id']}"
    go.refuses(go.put_value(path, "CustomerReference", "Kari"), "Sales order")
    go.refuses(go.put_value(line_path, "Quantity", 3), "Sales order")
    go.refuses(go.post(f"{path}/Lines", {"ProductId": product["Id"], "Quantity": 1}), "Sales order")
    assert go.delete(line_path).status_code == 409
    assert go.delete(path).status_code == 409
    both = go.patch(
        path,
        {"op": "replace", "path": "/SalesOrderStatus", "value": "Draft"},
        {"op": "replace", "path": "/CustomerReference", "value": "Kari"},
    )
    go.refuses(both, "Sales order")
    assert go.get(f"{path}/Complete").json()["TotalAmount"] == order["TotalAmount"]
    assert go.put_value(path, "SalesOrderStatus", "Draft").status_code == 200
    assert go.put_value(path, "CustomerReference", "Kari").status_code == 200
    assert go.delete(path).status_code == 200
    assert go.get(path).status_code == 404


def test_a_delivery_address_must_belong_to_the_customer(go, customer, order, path):
    address = {"City": "Oslo", "ZipCode": "0150"}
    mine = go.create(f"/ContactDeliveryAddresses/{customer['Id']}", address)
    other = go.create(f"/ContactDeliveryAddresses/{go.customer()['Id']}", address)
    assert go.put_value(path, "ContactDeliveryAddressId", mine["Id"]).status_code == 200
    go.refuses(go.put_value(path, "ContactDeliveryAddressId", other["Id"]), "Sales order")
    go.refuses(go.put_value(path, "ContactDeliveryAddressId", 9), "Sales order", 404)
    held = go.delete(f"/ContactDeliveryAddresses/{customer['Id']}/{mine['Id']}")
    assert held.status_code == 409


def test_inherited_values_are_shown_on_request(go, customer, path):
    address = go.create(
        f"/ContactDeliveryAddresses/{customer['Id']}", {"City": "Oslo", "ZipCode": "0150"}
    )
    assert go.get(path).json()["ContactDeliveryAddressId"] is None
    current = go.get(path, showInherited="true").json()
    assert current["ContactDeliveryAddressId"] == address["Id"]
    listed = go.get("/SalesOrders", showInherited="true").json()
    assert listed[0]["ContactDeliveryAddressId"] == address["Id"]


def test_the_contact_persons_name_becomes_the_customers_reference(go, customer, path):
    person = go.create(
        f"/ContactPersons/{customer['Id']}", {"FirstName": "Kari", "LastName": "Dal"}
    )
    changed = go.put_value(path, "CustomerReferenceContactPersonId", person["Id"]).json()
    assert changed["CustomerReference"] == "Kari Dal"


def test_orders_are_filtered(go, customer, order):
    confirmed = go.order(go.customer(), SalesOrderStatus="Confirmed")
    by_hand = go.books.create("SalesOrders", {"CustomerId": customer["Id"]})
    for filters, expected in (
        ({"orderStatus": "Confirmed"}, [confirmed]),
        ({"customerNos": customer["Number"]}, [order, by_hand]),
        ({"onlyCreatedByCurrentIntegration": "true"}, [order, confirmed]),
        ({"onlyCreatedByCurrentIntegration": "false"}, [order, confirmed, by_hand]),
        (
            {"lastChangedDateTimeOffsetGreaterThan": order["LastChangedDateTimeOffset"]},
            [confirmed, by_hand],
        ),
    ):
        listed = go.get("/SalesOrders", **filters).json()
        assert [order["Id"] for order in listed] == [order["Id"] for order in expected], filters
    assert go.get("/SalesOrders", externalImportReference="shop:1").status_code == 400


def test_an_imported_order_number_is_a_number(go, customer):
    body = {"CustomerId": customer["Id"], "ImportedOrderNo": "1001"}
    go.refuses(go.post("/SalesOrders/Complete", body), "Unable to cast object(s)")
    assert go.order(customer, ImportedOrderNo=1001)["ImportedOrderNo"] == 1001


def test_only_an_order_with_a_negative_sum_relates_to_an_invoice(go, customer, order, product):
    invoice = go.books.send_invoice(order["Id"])

    def post(quantity, number):
        lines = [{"ProductId": product["Id"], "Quantity": quantity}]
        body = {"CustomerId": customer["Id"], "SalesOrderLines": lines, "RelatedInvoiceNo": number}
        return go.post("/SalesOrders/Complete", body)

    go.refuses(post(1, invoice["InvoiceNo"]), "Sales order")
    go.refuses(post(-1, 99), "Sales order", 404)
    credit = post(-1, invoice["InvoiceNo"]).json()
    assert credit["TotalAmount"] == -125
    assert go.books.send_invoice(credit["Id"])["VoucherType"] == "OutgoingCreditNote"
