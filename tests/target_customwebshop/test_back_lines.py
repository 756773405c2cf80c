"""With `order_lines_back` an edit of an order's line in Go reaches the shop's line, to the øre."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from both_ways import record_message
from hypothesis import given
from hypothesis import strategies as st
from target_customwebshop.shop_records import patched
from target_powerofficego.dataflow.orders.line_amounts import Money
from target_powerofficego.dataflow.orders.lines_back import LineEdit, patch_of
from target_powerofficego.dataflow.orders.shop_order import ShopOrder
from target_powerofficego.dataflow.table import now
from target_powerofficego.dataflow.values import Unusable
from target_powerofficego.store.link_store import LinkStore

ORE = Decimal("0.01")


class Lines:
    """Both ways with the lines of orders flowing back, as a tap that selects them reads Go."""

    def __init__(self, both):
        self.both = both
        self.box = both.box

    def line(self, reference="1"):
        lines = self.order_in_go()["SalesOrderLines"]
        return next(one for one in lines if one["ExternalImportReference"] == reference)

    def order_in_go(self):
        return self.box.go.entry("SalesOrders", self.both.go_id("orders", "9001"))

    def edit(self, reference="1", **changes):
        """Let a bookkeeper edit a line in Go."""
        self.edit_lines({self.line(reference)["Id"]: changes})

    def edit_lines(self, lines):
        """Let a bookkeeper edit lines by their id in Go: None removes one, "new" adds one."""
        self.box.go.edit("SalesOrders", self.both.go_id("orders", "9001"), {"lines": lines})

    def order(self):
        return self.box.shop.record("orders", "9001")

    def back(self, **settings):
        return self.both.back(self.message(), **{"order_lines_back": True, **settings})

    def message(self):
        return record_message("salesorders", self.order_in_go(), now())

    def forward(self):
        return self.both.forward()

    def kept_amounts(self):
        """Return what the link store has the shop's order come to."""
        with self.both.ledger.store() as store:
            ((_, link),) = store.links.in_all_namespaces("orders", "9001")
            return link.base["amounts"].shop

    def reason(self, kind="hold"):
        return self.both.open_ones()[kind, "orders_back", "9001"]

    def are_the_same(self):
        """Tell whether the shop's order comes to what Go's comes to, and no way has more to do."""
        order, there = self.order(), self.order_in_go()
        return (
            ShopOrder(order).total == there["TotalAmount"]
            and self.forward().writes == []
            and self.back().writes == []
            and self.both.open_ones() == {}
        )


@pytest.fixture
def lines(linked):
    """An order of 2 × 100.00 and 25 % VAT that is linked."""
    return Lines(linked)


@pytest.fixture
def three_lines(linked, order, line):
    """An order of two lines and freight, with its VAT by rate and a field of the shop's own."""
    linked.box.shop.put(
        "orders",
        order(
            lines=[line(), line(id="2", name="Lue", quantity="1", **amounts("80.00", "20.00"))],
            shipping=[{"id": "f1", "name": "Post", "tax_rate": "25", **amounts("40.00", "10.00")}],
            taxes=[{"rate": "25", "base": "320.00", "amount": "80.00"}],
        ),
    )
    assert linked.forward().status == 0
    return Lines(linked)


def amounts(excl, tax):
    incl = str(Decimal(excl) + Decimal(tax))
    return {"total_excl": excl, "total_tax": tax, "total_incl": incl}


def told(record, *names):
    return [record[name] for name in names]


def test_a_price_edited_in_go_is_the_price_of_the_line_and_the_order_follows(lines):
    before = lines.order()
    lines.edit(ProductUnitPrice=Decimal("120.00"))

    outcome = lines.back()

    assert (outcome.status, len(outcome.reads), len(outcome.writes)) == (0, 1, 1)
    order = lines.order()
    (line,) = order["lines"]
    assert line == {
        **before["lines"][0],
        "unit_price_excl": "120.00",
        "unit_price_incl": "150.00",
        **amounts("240.00", "60.00"),
    }
    changed = {"lines": [line], **amounts("240.00", "60.00"), "updated_at": order["updated_at"]}
    assert order == {**before, **changed}
    assert lines.kept_amounts() == ["2026-01-05", "NOK", [["25", "240.00", "60.00", "300.00"]]]
    assert lines.are_the_same()


def test_a_quantity_and_a_description_edited_in_go_come_back_in_one_write(lines):
    lines.edit(Quantity=Decimal("2.5"), Description="Ullgenser, blå")

    assert len(lines.back().writes) == 1

    (line,) = lines.order()["lines"]
    assert told(line, "name", "quantity", "total_incl") == ["Ullgenser, blå", "2.5", "312.50"]
    assert lines.are_the_same()


def test_a_description_alone_leaves_every_amount_as_it_is(lines):
    before = lines.order()
    lines.edit(Description="Lusekofte")

    assert lines.back().patches == [{"lines": [{**before["lines"][0], "name": "Lusekofte"}]}]
    assert lines.are_the_same()


@pytest.mark.parametrize(
    ("allowance", "discount", "total"),
    [("10", "20.00", "225.00"), ("12.5", "25.00", "218.75"), ("100", "200.00", "0.00")],
)
def test_an_allowance_given_in_go_is_the_discount_of_the_line(lines, allowance, discount, total):
    lines.edit(Allowance=Decimal(allowance))

    assert lines.back().status == 0

    (line,) = lines.order()["lines"]
    assert told(line, "unit_price_excl", "discount_excl", "total_incl") == [
        "100.00",
        discount,
        total,
    ]
    assert lines.are_the_same()


def test_a_discount_that_go_takes_away_is_gone_in_the_shop(lines):
    lines.edit(Allowance=Decimal(10))
    lines.back()
    lines.edit(Allowance=Decimal(0))

    lines.back()

    (line,) = lines.order()["lines"]
    assert told(line, "discount_excl", "discount_incl", "total_incl") == ["0.00", "0.00", "250.00"]
    assert lines.are_the_same()


def test_a_small_amount_keeps_its_percentage(lines):
    """10 % of 5.55 is no whole øre: by whole øre the discount would be read as 9.9 %."""
    lines.edit(Quantity=Decimal(1), ProductUnitPrice=Decimal("5.55"), Allowance=Decimal(10))

    assert lines.back().status == 0

    (line,) = lines.order()["lines"]
    assert told(line, "total_excl", "total_tax", "total_incl") == ["5.00", "1.25", "6.25"]
    assert lines.are_the_same()


def test_other_lines_freight_and_vat_by_rate_go_back_as_they_were_or_follow(three_lines):
    before = three_lines.order()
    three_lines.edit("2", ProductUnitPrice=Decimal("99.99"))

    assert three_lines.back().status == 0

    order = three_lines.order()
    assert order["lines"][0] == before["lines"][0]
    assert order["shipping"] == before["shipping"]
    assert told(order, "total_excl", "total_tax", "total_incl") == ["339.99", "85.00", "424.99"]
    assert order["taxes"] == [{"rate": "25", "base": "339.99", "amount": "85.00"}]
    assert three_lines.are_the_same()


def test_freight_edited_in_go_comes_back_as_its_charge(three_lines):
    three_lines.edit("shipping:f1", ProductUnitPrice=Decimal("60.00"), Description="Pakke i posten")

    assert three_lines.back().status == 0

    (freight,) = three_lines.order()["shipping"]
    assert freight == {**freight, "name": "Pakke i posten", **amounts("60.00", "15.00")}
    assert three_lines.are_the_same()


def test_a_second_piece_of_freight_has_no_form_in_the_shop_and_is_held(three_lines):
    three_lines.edit("shipping:f1", Quantity=Decimal(2))

    outcome = three_lines.back()

    assert (outcome.status, outcome.writes) == (3, [])
    assert "no form for what Go says of line shipping:f1" in three_lines.reason()


@pytest.mark.parametrize(("rate", "status"), [("25", 3), ("0", 0)])
def test_an_order_with_no_vat_row_of_a_lines_rate_is_held_unless_that_bears_none(
    linked, order, line, rate, status
):
    free = line(quantity="1", unit_price_excl="0.00", tax_rate=rate, **amounts("0.00", "0.00"))
    freight = {"id": "f1", "name": "Post", "tax_rate": "15", **amounts("100.00", "15.00")}
    taxes = [{"rate": "15", "base": "100.00", "amount": "15.00"}]
    linked.ledger.settings["sales_accounts"] = {"25": 3000, "15": 3001, "0": 3100}
    linked.box.shop.put("products", {**linked.box.shop.record("products", "501"), "tax_rate": rate})
    linked.box.shop.put("orders", order(lines=[free], shipping=[freight], taxes=taxes))
    linked.forward()
    lines = Lines(linked)
    lines.edit(ProductUnitPrice=Decimal(40))

    assert (lines.back().status, lines.order()["taxes"]) == (status, taxes)
    told = " ".join(linked.open_ones().values())
    assert ("no row for the VAT rate of a line (25 %)" in told) is bool(status)


def test_where_prices_with_vat_lead_both_unit_prices_follow(lines):
    lines.box.shop.edit("orders", "9001", {"prices_include_tax": True})
    lines.forward()
    lines.edit(ProductUnitPrice=Decimal("119.992"), Allowance=Decimal(25))

    assert lines.back().status == 0

    (line,) = lines.order()["lines"]
    assert told(line, "unit_price_excl", "unit_price_incl") == ["119.992", "149.99"]
    assert told(line, "discount_incl", "total_excl", "total_incl") == ["74.99", "179.99", "224.99"]
    assert lines.are_the_same()


def test_a_shop_that_tells_prices_with_vat_only_is_told_those_only(linked, order, line):
    without = dict.fromkeys(("unit_price_excl", "discount_excl", "total_excl"))
    linked.box.shop.edit("orders", "9001", {"lines": [line(**without)]})
    linked.forward()
    lines = Lines(linked)
    lines.edit(ProductUnitPrice=Decimal("120.00"), Allowance=Decimal(50))

    assert lines.back().status == 0

    (kept,) = lines.order()["lines"]
    assert told(kept, *without) == [None, None, None]
    assert told(kept, "unit_price_incl", "discount_incl", "total_incl") == [
        "150.00",
        "150.00",
        "150.00",
    ]
    assert lines.are_the_same()


def test_a_price_that_the_shop_can_not_say_is_held(linked, line):
    """The shop tells unit prices with VAT only, in whole øre: 99.9912 is none of them."""
    shop_line = line(unit_price_excl=None)
    linked.box.shop.edit("orders", "9001", {"lines": [shop_line]})
    linked.forward()
    lines = Lines(linked)
    lines.edit(ProductUnitPrice=Decimal("99.9912"))

    outcome = lines.back()

    assert (outcome.status, outcome.writes) == (3, [])
    assert lines.reason() == "the shop has no form for what Go says of line 1"


def test_an_allowance_that_would_be_read_as_another_is_held(lines):
    """Of a discount of 33.333 % the way forward makes 33.3 % and another price."""
    lines.edit(Allowance=Decimal("33.333"))

    outcome = lines.back()

    assert (outcome.status, outcome.writes) == (3, [])
    assert lines.reason() == "the shop has no form for what Go says of line 1"


@pytest.mark.parametrize("moves", [True, False])
def test_neither_way_answers_what_the_other_has_written(lines, moves):
    lines.box.shop.patches_move_updated_at = moves
    lines.edit(Quantity=Decimal(3))
    assert len(lines.back().writes) == 1
    assert lines.forward().writes == []
    assert lines.back().writes == []

    line = {**lines.order()["lines"][0], "name": "Lusekofte"}
    lines.box.shop.edit("orders", "9001", {"lines": [line]})
    assert len(lines.forward().writes) == 1
    assert lines.back().writes == []
    assert lines.forward().writes == []
    assert told(lines.line(), "Description", "Quantity") == ["Lusekofte", 3]


def test_without_the_setting_no_edit_of_a_line_is_written(lines):
    lines.edit(ProductUnitPrice=Decimal("120.00"))
    outcome = lines.back(order_lines_back=False)
    assert (outcome.status, outcome.reads, outcome.writes) == (0, [], [])


def test_an_order_whose_lines_the_tap_leaves_out_costs_no_call(lines):
    lines.edit(ProductUnitPrice=Decimal("120.00"))
    message = lines.message()
    del message["record"]["SalesOrderLines"]
    outcome = lines.both.back(message, order_lines_back=True)
    assert (outcome.status, outcome.reads, outcome.writes) == (0, [], [])


def test_without_an_edit_of_a_line_the_shop_is_not_even_asked(lines):
    outcome = lines.back()
    assert (outcome.status, outcome.reads, outcome.writes) == (0, [], [])


def test_the_same_member_edited_on_both_sides_is_a_conflict_for_a_person(lines, line):
    changed = line(quantity="4", **amounts("400.00", "100.00"))
    totals = amounts("400.00", "100.00")
    lines.box.shop.edit("orders", "9001", {"lines": [changed], **totals})
    lines.edit(Quantity=Decimal(3))

    outcome = lines.back()

    assert (outcome.status, outcome.writes) == (3, [])
    assert lines.reason() == "line 1: both sides changed Quantity"
    store = LinkStore(str(lines.both.ledger.link_store))
    (conflict,) = store.conflicts.newest(10)
    store.close()
    assert (conflict.property, conflict.winner) == ("line 1: Quantity", None)
    assert [Decimal(conflict.shop), Decimal(conflict.go)] == [4, 3]
    assert lines.order()["lines"] == [changed]
    assert lines.line()["Quantity"] == 3


def test_members_that_either_side_edited_alone_all_cross(lines, line):
    """The shop's quantity goes to Go first; then Go's line says what both come to."""
    changed = line(quantity="4", **amounts("400.00", "100.00"))
    totals = amounts("400.00", "100.00")
    lines.box.shop.edit("orders", "9001", {"lines": [changed], **totals})
    lines.edit(ProductUnitPrice=Decimal("120.00"))
    assert lines.back().writes == []
    assert "edited in the shop too" in lines.reason("parked")

    lines.forward()
    lines.back()

    assert told(lines.line(), "Quantity", "ProductUnitPrice") == [4, 120]
    (kept,) = lines.order()["lines"]
    assert told(kept, "quantity", "unit_price_excl", "total_incl") == ["4", "120.00", "600.00"]
    assert lines.are_the_same()


def test_the_same_edit_on_both_sides_is_agreed_on_and_written_nowhere(lines, line):
    changed = line(quantity="4", **amounts("400.00", "100.00"))
    totals = amounts("400.00", "100.00")
    lines.box.shop.edit("orders", "9001", {"lines": [changed], **totals})
    lines.edit(Quantity=Decimal(4))

    outcome = lines.back()

    assert (outcome.status, outcome.writes) == (0, [])
    assert lines.are_the_same()


def test_a_line_removed_in_go_is_held_and_stays_in_the_shop(three_lines):
    before = three_lines.order()
    three_lines.edit_lines({three_lines.line("2")["Id"]: None})

    outcome = three_lines.back()

    assert (outcome.status, outcome.writes) == (3, [])
    assert "line 2 was removed in Go" in three_lines.reason()
    assert three_lines.order() == before


def test_a_line_added_in_go_is_held_and_not_made_in_the_shop(lines):
    product_id = lines.line()["ProductId"]
    new = {"ProductId": product_id, "Quantity": 1, "Description": "Gavepapir"}
    lines.edit_lines({"new": new, lines.line()["Id"]: {"Quantity": Decimal(3)}})

    outcome = lines.back()

    assert (outcome.status, outcome.writes) == (3, [])
    assert 'the line "Gavepapir" was added in Go' in lines.reason()


def test_another_product_in_a_line_of_go_is_held(lines, product):
    lines.box.shop.put("products", product(id="502", sku="LUE-1", name="Lue"))
    lines.forward()
    lines.edit(ProductId=int(lines.both.go_id("products", "502")))

    outcome = lines.back()

    assert (outcome.status, outcome.writes) == (3, [])
    assert "line 1 has another product in Go" in lines.reason()


def test_a_hold_is_gone_once_go_has_what_it_had(lines):
    lines.box.shop.edit("orders", "9001", {"taxes": [{"rate": "15", "base": "1", "amount": "1"}]})
    lines.edit(Quantity=Decimal(3))
    assert lines.back().status == 3

    lines.edit(Quantity=Decimal(2))

    assert lines.back().status == 0
    assert lines.both.open_ones() == {}


def test_the_buyers_reference_comes_back_whatever_becomes_of_the_lines(lines):
    go_id = lines.both.go_id("orders", "9001")
    lines.box.go.edit("SalesOrders", go_id, {"PurchaseOrderReference": "PO 77"})
    lines.edit(Quantity=Decimal(3), Allowance=Decimal("12.345"))

    assert lines.back().status == 3

    assert lines.order()["reference"] == "PO 77"
    lines.edit(Allowance=Decimal("12.5"))
    lines.back()
    assert lines.order()["lines"][0]["quantity"] == "3"
    assert lines.are_the_same()


@pytest.mark.parametrize("reshapes", [True, False])
@pytest.mark.parametrize("fault", [{"reset": "after"}, {"status": 500, "after_commit": True}])
def test_a_write_whose_answer_is_lost_is_done_once_and_is_no_edit_of_the_shops(
    lines, fault, reshapes
):
    lines.box.shop.reshapes_patches = reshapes
    lines.box.faults.add(system="shop", method="PATCH", **fault)
    lines.edit(Quantity=Decimal(3), ProductUnitPrice=Decimal("33.3333"), Description="Ull  genser")

    outcome = lines.back()

    assert (outcome.status, len(outcome.writes)) == (0, 1)
    assert lines.order()["total_incl"] == "125.00"
    assert lines.are_the_same()


@pytest.mark.parametrize("reset", ["before", "after"])
def test_a_write_that_the_shop_never_answers_is_settled_by_the_next_run(lines, reset):
    box, path = lines.box, "/orders/9001"
    lines.edit(Quantity=Decimal(3))

    def hide(_):
        box.faults.add(system="shop", method="GET", path=path, status=500, times=99)

    box.faults.add(system="shop", method="PATCH", reset=reset, times=9)
    box.faults.on("shop", "PATCH", path, hide, when="before")
    assert lines.back(retry_seconds=1).status == 3
    box.faults.clear()

    assert lines.forward().writes == []
    lines.back()

    assert lines.order()["lines"][0]["quantity"] == "3"
    assert lines.are_the_same()


def test_an_edit_of_the_shop_while_a_write_has_no_answer_is_not_lost(lines):
    box = lines.box
    lines.edit(Quantity=Decimal(3))

    def rename(_):
        line = {**lines.order()["lines"][0], "name": "Lusekofte"}
        box.shop.edit("orders", "9001", {"lines": [line]})

    box.faults.add(system="shop", method="PATCH", reset="before")
    box.faults.on("shop", "PATCH", "/orders/9001", rename, when="before")
    lines.back()
    lines.forward()
    lines.back()

    (line,) = lines.order()["lines"]
    assert told(line, "name", "quantity") == ["Lusekofte", "3"]
    assert told(lines.line(), "Description", "Quantity") == ["Lusekofte", 3]
    assert lines.are_the_same()


def test_a_dry_run_tells_the_members_and_writes_nothing(lines):
    before = lines.order()
    lines.edit(Quantity=Decimal(3), Description="Lusekofte")

    assert lines.back(dry_run=True).writes == []
    assert lines.order() == before
    assert len(lines.back().writes) == 1


def test_what_differs_when_an_order_is_met_again_is_nobodys_edit(lines):
    """After a lost link store it is not known which side edited a line: both keep theirs."""
    lines.edit(Quantity=Decimal(3))
    lines.both.ledger.lose_link_store()
    lines.forward()

    assert lines.back().writes == []
    assert lines.order()["lines"][0]["quantity"] == "2"

    lines.edit(Description="Lusekofte")
    assert lines.back().writes == []
    assert "comes to 250.00 with VAT, but Go's to 375.00" in lines.reason()


@pytest.mark.parametrize(
    "told", ["none", [1], [{"ExternalImportReference": "1", "Quantity": "two"}]]
)
def test_lines_that_can_not_be_read_are_a_reject_and_stop_no_run(lines, told):
    message = lines.message()
    message["record"]["SalesOrderLines"] = told
    outcome = lines.both.back(message, order_lines_back=True)
    assert (outcome.status, outcome.writes) == (3, [])


# The law, for all amounts

QUANTITY = st.decimals("0.1", "50", places=2).filter(bool)
PRICE = st.decimals("0.01", "2000", places=4)
ALLOWANCE = st.just(Decimal(0)) | st.decimals("0", "100", places=2)
RATE = st.sampled_from([Decimal("0.25"), Decimal("0.15"), Decimal("0.12"), Decimal(0)])


def ore(amount):
    return amount.quantize(ORE, rounding=ROUND_HALF_UP)


def line_in_go(quantity, price, allowance, rate, **members):
    net = ore(quantity * price * (1 - allowance / 100))
    tax = ore(net * rate)
    return {
        "ExternalImportReference": "1",
        "Quantity": quantity,
        "ProductUnitPrice": price,
        "Allowance": allowance,
        "NetAmount": net,
        "VatAmount": tax,
        "TotalAmount": net + tax,
        "VatRate": rate,
        **members,
    }


def order_with(rate, *, quantity, price):
    net = ore(quantity * price)
    tax = ore(net * rate)
    rows = amounts(str(net), str(tax))
    line = {
        "id": "1",
        "sku": "ULL-1",
        "name": "Ullgenser",
        "quantity": str(quantity),
        "unit_price_excl": str(price),
        "unit_price_incl": str(ore(price * (1 + rate))),
        "discount_excl": "0.00",
        "discount_incl": "0.00",
        "tax_rate": str(rate * 100),
        "colour": "blå",
        **rows,
    }
    taxes = [{"rate": str(rate * 100), "base": str(net), "amount": str(tax)}]
    return {"lines": [line], "shipping": [], "taxes": taxes, **rows}


@given(rate=RATE, data=st.data())
def test_what_is_written_reads_back_as_go_says_and_all_sums_agree(rate, data):
    order = order_with(rate, quantity=data.draw(QUANTITY), price=data.draw(PRICE))
    quantity, price, allowance = (data.draw(one) for one in (QUANTITY, PRICE, ALLOWANCE))
    there = line_in_go(quantity, price, allowance, rate)
    numbers = {name: there[name] for name in ("Quantity", "ProductUnitPrice", "Allowance")}
    total = Money(there["NetAmount"], there["VatAmount"], there["TotalAmount"])
    try:
        patch = patch_of(ShopOrder(order), {"1": LineEdit(numbers, total, rate * 100)}, total.incl)
    except Unusable:
        return
    after = patched(order, patch)
    (line,) = ShopOrder(after).lines
    assert (line.quantity, line.price.unit_price, line.price.allowance) == tuple(numbers.values())
    assert line.total == total
    assert ShopOrder(after).total == total.incl
    assert Decimal(after["total_excl"]) + Decimal(after["total_tax"]) == total.incl
    assert Decimal(after["taxes"][0]["base"]) == total.excl
    assert Decimal(after["taxes"][0]["amount"]) == total.tax
    assert after["lines"][0]["colour"] == "blå"
    assert all(
        len(after["lines"][0][name].partition(".")[2]) >= 2
        for name in after["lines"][0]
        if name.startswith(("total_", "unit_price_", "discount_"))
    )


@given(quantity=QUANTITY, price=PRICE, rate=RATE)
def test_every_quantity_and_price_without_an_allowance_has_a_form(quantity, price, rate):
    order = order_with(rate, quantity=Decimal(1), price=Decimal("10.00"))
    there = line_in_go(quantity, price, Decimal(0), rate)
    numbers = {name: there[name] for name in ("Quantity", "ProductUnitPrice", "Allowance")}
    total = Money(there["NetAmount"], there["VatAmount"], there["TotalAmount"])
    assert (
        patch_of(ShopOrder(order), {"1": LineEdit(numbers, total, rate * 100)}, total.incl)
        is not None
    )


@given(
    quantity=st.integers(1, 20).map(Decimal),
    price=st.integers(10, 2000).map(Decimal),
    percent=st.integers(1, 100).map(Decimal),
    rate=RATE,
)
def test_every_whole_percentage_of_a_whole_price_has_a_form(quantity, price, percent, rate):
    order = order_with(rate, quantity=Decimal(1), price=Decimal("10.00"))
    there = line_in_go(quantity, price, percent, rate)
    numbers = {name: there[name] for name in ("Quantity", "ProductUnitPrice", "Allowance")}
    total = Money(there["NetAmount"], there["VatAmount"], there["TotalAmount"])
    assert (
        patch_of(ShopOrder(order), {"1": LineEdit(numbers, total, rate * 100)}, total.incl)
        is not None
    )
