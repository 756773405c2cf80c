"""A new order becomes one Draft, exact to the øre; one that cannot be posted is not written."""

from decimal import Decimal

import pytest
from ledger import the_order


def test_an_order_is_one_complete_draft_with_lines_discount_and_freight(
    ledger, box, customer, product, order, line, freight
):
    discounted = line(
        discount_excl="20.00",
        discount_incl="25.00",
        total_excl="180.00",
        total_tax="45.00",
        total_incl="225.00",
    )
    shop_order = order(lines=[discounted], shipping=[freight()], reference="Bilag 7")

    outcome = ledger.run(customer(), product(), shop_order, ends_with=0)

    assert outcome.calls(entity="SalesOrders") == ["POST /SalesOrders/Complete"]
    (person,) = box.go.entries("Customers")
    in_go = the_order(box)
    expected = {
        "SalesOrderStatus": "Draft",
        "ExternalImportReference": "testshop:9001",
        "ImportedOrderNo": 9001,
        "CustomMatchingReference": "9001",
        "CustomerId": person["Id"],
        "CustomerReference": "Kari Nordmann",
        "PurchaseOrderReference": "Bilag 7",
        "SalesOrderDate": "2026-01-05",
        "TotalAmount": Decimal("324.00"),
    }
    wool = {
        "ExternalImportReference": "1",
        "ProductCode": "ULL-1",
        "ProductUnitPrice": 100,
        "Allowance": 10,
        "Quantity": 2,
        "Description": "Ullgenser",
        "SortOrder": 0,
    }
    posten = {
        "ProductCode": "FRAKT-25",
        "Description": "Posten",
        "NetAmount": Decimal("79.20"),
        "SortOrder": 1,
    }
    assert {name: in_go[name] for name in expected} == expected
    for go_line, values in zip(in_go["SalesOrderLines"], (wool, posten), strict=True):
        assert {name: go_line[name] for name in values} == values


def test_an_order_is_dated_by_the_day_in_oslo(ledger, box, customer, product, order):
    ledger.run(customer(), product(), order(placed_at="2026-01-05T23:30:00Z"))

    assert the_order(box)["SalesOrderDate"] == "2026-01-06"


def test_freight_of_many_orders_is_posted_on_one_product(
    ledger, box, customer, product, order, freight
):
    orders = [
        order(id=str(n), number=str(n), shipping=[freight(name=("Posten", "Bring")[n % 2])])
        for n in range(12)
    ]

    ledger.run(customer(), product(), *orders, workers=8, ends_with=0)

    names = {entry["Code"]: entry["Name"] for entry in box.go.entries("Products")}
    assert names == {"FRAKT-25": "Frakt 25 %", "ULL-1": "Ullgenser"}
    assert len(box.go.entries("Products")) == 2
    assert len(box.go.entries("SalesOrders")) == 12


def test_freight_of_each_rate_is_posted_on_its_own_product(
    ledger, box, customer, product, order, freight
):
    food = freight(id="f2", total_tax="11.88", total_incl="91.08", tax_rate="15.0")
    ledger.settings["sales_accounts"] = {"25": 3000, "15": 3001, "0": 3100}

    ledger.run(
        customer(),
        product(),
        order(shipping=[freight(), food]),
        shipping_product_code="PORTO",
        ends_with=0,
    )

    codes = {entry["Code"]: entry["ProductType"] for entry in box.go.entries("Products")}
    assert codes == {"ULL-1": "Product", "PORTO-25": "Service", "PORTO-15": "Service"}
    assert the_order(box)["TotalAmount"] == Decimal("440.08")


def test_free_freight_makes_no_line(ledger, box, customer, product, order, freight):
    free = freight(total_excl="0.00", total_tax="0.00", total_incl="0.00")

    ledger.run(customer(), product(), order(shipping=[free]))

    assert len(the_order(box)["SalesOrderLines"]) == 1
    assert len(box.go.entries("Products")) == 1


def test_an_order_at_another_rate_than_gos_account_is_held_with_both_figures(
    ledger, box, customer, product, order, line, reasons
):
    food = line(tax_rate="15", total_tax="30.00", total_incl="230.00")

    ledger.run(customer(), product(tax_rate="15"), order(lines=[food]), ends_with=3)

    (reason,) = reasons().values()
    assert all(figure in reason for figure in ("15 %", "25 %", "230.00", "250.00")), reason
    assert the_order(box)["SalesOrderStatus"] == "Draft"


def test_rates_are_compared_even_if_the_total_happens_to_agree(
    ledger, customer, product, order, line, reasons
):
    lines = [
        line(id="a", tax_rate="15", total_tax="30.00", total_incl="230.00"),
        line(id="b", tax_rate="35", total_tax="70.00", total_incl="270.00"),
    ]

    assert ledger.run(customer(), product(), order(lines=lines)).count("orders", "held") == 1
    (reason,) = reasons().values()
    assert "15 %" in reason
    assert "35 %" in reason
    assert "total" not in reason


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "refunded"},
        {"payment_status": "refunded"},
        {"payment_status": "partially_refunded", "refunds": None},
        {"total_refunded": "250.00"},
        {"total_refunded": 1},
        {"total_refunded": "5.00", "refunds": [{"id": "r1", "amount_incl": "10.00"}]},
    ],
)
def test_a_refund_that_is_not_stated_in_full_holds_the_order_before_anything_is_written(
    ledger, customer, product, order, changes, reasons
):
    ledger.run(customer(), product())

    assert ledger.run(order(**changes), ends_with=3).writes == []
    assert "paid back" in reasons()["hold", "orders", "9001"]


def test_an_order_with_a_total_of_zero_is_written(ledger, box, customer, product, order, line):
    gift = line(
        discount_excl="200.00",
        discount_incl="250.00",
        total_excl="0.00",
        total_tax="0.00",
        total_incl="0.00",
    )

    ledger.run(customer(), product(), order(lines=[gift]), order(id="9002", lines=[]), ends_with=0)

    in_go = {entry["ExternalImportReference"]: entry for entry in box.go.entries("SalesOrders")}
    assert [entry["TotalAmount"] for entry in in_go.values()] == [0, 0]
    assert in_go["testshop:9001"]["SalesOrderLines"][0]["Allowance"] == 100
    assert in_go["testshop:9002"]["SalesOrderLines"] == []


def test_lines_of_quantity_zero_and_below_are_written(ledger, box, customer, product, order, line):
    empty = line(id="2", quantity="0", total_excl="0.00", total_tax="0.00", total_incl="0.00")
    returned = line(
        id="3", quantity="-1", total_excl="-100.00", total_tax="-25.00", total_incl="-125.00"
    )

    ledger.run(customer(), product(), order(lines=[line(), empty, returned]), ends_with=0)

    in_go = the_order(box)
    assert in_go["TotalAmount"] == 125
    assert [go_line["Quantity"] for go_line in in_go["SalesOrderLines"]] == [2, 0, -1]


@pytest.mark.parametrize(
    ("lines", "total", "reason"),
    [
        ([{}, {}], None, 'two lines have the id "1"'),
        ([{"total_tax": "49.98"}], None, "line 1: 200.00 and VAT 49.98 do not make 250.00"),
        ([{"quantity": "0"}], None, "line 1: a quantity of 0 cannot come to 200.00"),
        ([{"quantity": None}], None, "line 1 has no quantity"),
        ([{"id": None}], None, "line 1 has no id"),
        (
            [{"sku": None, "product_id": "", "tax_rate": None, "total_tax": "40.00"}],
            "240.00",
            "line 1: 200.00 and VAT 40.00 do not make 250.00",
        ),
        ([{"total_excl": None, "total_tax": None, "tax_rate": None}], None, "lacks amounts"),
        ([{"tax_rate": "-100"}], None, "tax_rate"),
        ([{"tax_rate": "2500"}], None, "tax_rate"),
        ([{"quantity": "to stk"}], None, 'line 1, quantity "to stk" is not a number'),
    ],
)
def test_impossible_figures_are_rejected_and_not_written(
    ledger, box, customer, product, order, line, lines, total, reason, reasons
):
    shop_lines = [line(**changes) for changes in lines]
    shop_order = {
        **order(),
        "lines": shop_lines,
        "total_incl": total or f"{250 * len(shop_lines)}.00",
    }

    ledger.run(customer(), product(), shop_order, ends_with=3)

    assert box.go.entries("SalesOrders") == []
    assert reason in reasons()["reject", "orders", "9001"]


def test_a_reject_gives_the_faults_of_all_lines(ledger, order, line, reasons):
    ledger.run(order(lines=[line(quantity=None), line(id="2", total_tax="40.00")]))

    reason = reasons()["reject", "orders", "9001"]
    assert "line 1 has no quantity" in reason
    assert "line 2: 200.00 and VAT 40.00 do not make 250.00" in reason


def test_a_reject_gives_everything_that_an_order_lacks(ledger, box, order, line, reasons):
    """The order has only its lines, a discount without an amount and a refund without an id."""
    bare = {"discounts": [{"code": "JUL"}], "refunds": [{"amount_incl": "10.00"}]}

    ledger.run(order(lines=[line(quantity=None)], total_incl=None, **bare), ends_with=3)

    assert reasons()["reject", "orders", "9001"] == (
        "line 1 has no quantity; discount 1 has no amount_incl, the discount with VAT; refund 1 has"
        " no id; the order has no total_incl, its total with VAT"
    )
    assert box.go.entries("SalesOrders") == []


@pytest.mark.parametrize("status", ["draft", "pending"])
def test_an_order_of_another_status_is_skipped_and_the_log_has_the_reason(
    ledger, box, customer, product, order, status
):
    outcome = ledger.run(customer(), product(), order(status=status), ends_with=0)

    assert box.go.entries("SalesOrders") == []
    assert outcome.count("orders", "skipped") == 1
    assert "orders: 1 skipped: the status is not among order_statuses (9001)\n" in outcome.log


def test_a_skipped_order_that_is_sent_again_in_the_same_run_counts_by_its_last_outcome(
    ledger, box, customer, product, order
):
    outcome = ledger.run(customer(), product(), order(status="pending"), order())

    assert len(box.go.entries("SalesOrders")) == 1
    assert outcome.summary["records"]["orders"] == {"created": 1}
    assert " skipped: " not in outcome.log


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (None, "the status is missing"),
        (" ", "the status is missing"),
        ("Processing", 'the status "Processing" is not known'),
        ("shipped", 'the status "shipped" is not known'),
    ],
)
def test_an_unknown_status_is_rejected_with_the_known_ones(
    ledger, box, customer, product, order, status, fault, reasons
):
    ledger.run(customer(), product(), order(status=status), ends_with=3)

    assert box.go.entries("SalesOrders") == []
    reason = reasons()["reject", "orders", "9001"]
    assert fault in reason
    assert "draft, pending, processing, on_hold, completed, cancelled" in reason


def test_an_order_of_an_unknown_status_from_before_orders_from_is_skipped(ledger, order):
    outcome = ledger.run(order(status="shipped"), orders_from="2026-02-01", ends_with=0)

    assert outcome.count("orders", "skipped") == 1
    assert "orders: 1 skipped: placed before orders_from (9001)\n" in outcome.log


def test_an_order_of_an_unknown_status_is_written_once_its_status_is_known(
    ledger, box, customer, product, order, reasons
):
    ledger.run(customer(), product(), order(status="shipped"))

    assert ledger.run(order(updated_at="2026-01-06T10:00:00Z")).status == 0
    assert len(box.go.entries("SalesOrders")) == 1
    assert reasons() == {}


def test_only_orders_whose_status_is_in_order_statuses_are_written(
    ledger, box, customer, product, order
):
    orders = [order(id=status, status=status) for status in ("pending", "processing")]

    ledger.run(customer(), product(), *orders, order_statuses=["pending"])

    assert the_order(box)["ExternalImportReference"] == "testshop:pending"


def test_an_order_is_written_once_its_status_is_in_order_statuses(
    ledger, box, customer, product, order
):
    ledger.run(customer(), product(), order(status="pending"))

    ledger.run(order(status="processing", updated_at="2026-01-06T10:00:00Z"))

    assert len(box.go.entries("SalesOrders")) == 1


@pytest.mark.parametrize(
    ("stamps", "written"),
    [
        (
            {
                "before": {"placed_at": "2025-12-31T22:59:59Z"},
                "first": {"placed_at": "2025-12-31T23:00:00Z"},
                "later": {"placed_at": "2026-01-01T09:00:00Z"},
            },
            {"testshop:first", "testshop:later"},
        ),
        (
            {
                "old": {"placed_at": None, "created_at": "2019-01-01T00:00:00Z"},
                "new": {"placed_at": None, "created_at": "2026-01-01T09:00:00Z"},
            },
            {"testshop:new"},
        ),
    ],
    ids=["placed_at, by days in the time zone", "created_at if there is no placed_at"],
)
def test_orders_from_is_compared_with_the_date_of_the_order(
    ledger, box, customer, product, order, stamps, written
):
    orders = [order(id=order_id, **changes) for order_id, changes in stamps.items()]

    ledger.run(customer(), product(), *orders, orders_from="2026-01-01", ends_with=0)

    assert {entry["ExternalImportReference"] for entry in box.go.entries("SalesOrders")} == written


@pytest.mark.parametrize(
    ("stamps", "reason"),
    [
        ({"placed_at": None, "created_at": None}, "neither placed_at nor created_at"),
        ({"placed_at": "i går"}, 'placed_at "i går" is not a date and time'),
        ({"placed_at": None, "created_at": "2019-01-01"}, 'created_at "2019-01-01" is not'),
    ],
)
def test_an_order_without_a_usable_date_is_rejected(
    ledger, box, customer, product, order, reasons, stamps, reason
):
    ledger.run(customer(), product(), order(**stamps), orders_from="2026-01-01", ends_with=3)

    assert box.go.entries("SalesOrders") == []
    assert reason in reasons()["reject", "orders", "9001"]


def test_a_long_order_id_is_hashed_and_found_again(ledger, box, customer, product, order):
    shop = [customer(), product(), order(id="o" * 60)]
    ledger.run(*shop)
    ledger.lose_link_store()

    assert ledger.run(*shop).writes == []
    assert len(the_order(box)["ExternalImportReference"]) <= 50


def test_the_lines_of_a_customer_without_vat_are_posted_on_the_optional_account(
    ledger, box, customer, product, order, line
):
    free = line(total_excl="200.00", total_tax="0.00", total_incl="200.00", tax_rate="0")

    ledger.run(customer(tax_exempt=True), product(), order(lines=[free]), ends_with=0)

    in_go = the_order(box)
    assert in_go["TotalAmount"] == 200
    assert in_go["SalesOrderLines"][0]["UseStandardSalesAccount"] is False


def test_a_customers_own_discount_in_go_is_not_inherited(ledger, box, customer, product, order):
    ledger.run(customer(), product())
    (person,) = box.go.entries("Customers")
    box.go.edit("Customers", person["Id"], {"Allowance": 10})

    ledger.run(customer(), product(), order(), ends_with=0)

    assert the_order(box)["TotalAmount"] == 250
