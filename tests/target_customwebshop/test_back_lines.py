"""With `order_lines_back` an edit of an order line in Go reaches the shop's line, to the øre."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from both_ways import record_message
from hypothesis import given
from hypothesis import strategies as st
from members import assert_members
from target_customwebshop.shop_records import patched
from target_powerofficego.dataflow.orders.line_amounts import Money
from target_powerofficego.dataflow.orders.lines_back import LineEdit, patch_of
from target_powerofficego.dataflow.orders.shop_order import ShopOrder
from target_powerofficego.dataflow.table import now
from target_powerofficego.dataflow.values import Unusable

ORE = Decimal("0.01")


class Lines:
    """Both ways with `order_lines_back`, and messages as of a tap that selects the lines."""

    def __init__(self, both):
        self.both = both
        self.box = both.box

    def line(self, reference="1"):
        lines = self.order_in_go()["SalesOrderLines"]
        return next(line for line in lines if line["ExternalImportReference"] == reference)

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

    def stored_amounts(self):
        """Return the amounts of the shop's order that the link store has."""
        with self.both.ledger.store() as store:
            ((_, link),) = store.links.in_all_namespaces("orders", "9001")
            return link.base["amounts"].shop

    def only_line(self):
        (line,) = self.order()["lines"]
        return line

    def why_held(self, **settings):
        """Run the way back, check that nothing is written, and return the reason of the hold."""
        return self.both.why_held(
            "orders", "9001", self.message(), **{"order_lines_back": True, **settings}
        )

    def assert_crosses(self, **expected):
        """Run the way back, and check the shop's only line and that both sides agree."""
        self.back(ends_with=0)
        assert_members(self.only_line(), **expected)
        self.assert_same()

    def assert_same(self):
        """Check that both orders have the same total, and that neither way has more to write."""
        assert ShopOrder(self.order()).total == self.order_in_go()["TotalAmount"]
        writes = (self.forward().writes, self.back().writes)
        assert (*writes, self.both.open_ones()) == ([], [], {})


@pytest.fixture
def lines(linked):
    """An order of 2 × 100.00 and 25 % VAT that is linked."""
    return Lines(linked)


@pytest.fixture
def three_lines(linked, order, line):
    """An order with two lines, freight and its VAT by rate."""
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


@pytest.fixture
def lines_with_vat(linked, line):
    """An order of a shop that states only prices with VAT."""
    unstated = dict.fromkeys(("unit_price_excl", "discount_excl", "total_excl"))
    linked.box.shop.edit("orders", "9001", {"lines": [line(**unstated)]})
    linked.forward()
    return Lines(linked)


@pytest.fixture
def in_both(lines, line):
    """Sets the quantity in the shop to four, edits the line in Go, and returns the shop's line."""

    def edit(**changes):
        totals = amounts("400.00", "100.00")
        in_shop = line(quantity="4", **totals)
        lines.box.shop.edit("orders", "9001", {"lines": [in_shop], **totals})
        lines.edit(**changes)
        return in_shop

    return edit


def amounts(excl, tax):
    incl = str(Decimal(excl) + Decimal(tax))
    return {"total_excl": excl, "total_tax": tax, "total_incl": incl}


def select(record, *names):
    return [record[name] for name in names]


def test_a_price_edited_in_go_changes_the_line_and_the_totals_of_the_order(lines):
    before = lines.order()
    lines.edit(ProductUnitPrice=Decimal("120.00"))

    outcome = lines.back(ends_with=0)

    assert (len(outcome.reads), len(outcome.writes)) == (1, 1)
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
    assert lines.stored_amounts() == ["2026-01-05", "NOK", [["25", "240.00", "60.00", "300.00"]]]
    lines.assert_same()


def test_a_quantity_and_a_description_edited_in_go_cross_in_one_write(lines):
    lines.edit(Quantity=Decimal("2.5"), Description="Ullgenser, blå")

    assert len(lines.back().writes) == 1

    lines.assert_crosses(name="Ullgenser, blå", quantity="2.5", total_incl="312.50")


def test_an_edit_of_the_description_alone_changes_no_amount(lines):
    before = lines.order()
    lines.edit(Description="Lusekofte")

    assert lines.back().patches == [{"lines": [{**before["lines"][0], "name": "Lusekofte"}]}]
    lines.assert_same()


@pytest.mark.parametrize(
    ("allowance", "discount", "total"),
    [("10", "20.00", "225.00"), ("12.5", "25.00", "218.75"), ("100", "200.00", "0.00")],
)
def test_an_allowance_in_go_becomes_the_discount_of_the_line(lines, allowance, discount, total):
    lines.edit(Allowance=Decimal(allowance))

    lines.assert_crosses(unit_price_excl="100.00", discount_excl=discount, total_incl=total)


def test_a_discount_removed_in_go_is_removed_in_the_shop(lines):
    lines.edit(Allowance=Decimal(10))
    lines.back()
    lines.edit(Allowance=Decimal(0))

    lines.assert_crosses(discount_excl="0.00", discount_incl="0.00", total_incl="250.00")


def test_a_small_amount_keeps_its_discount_percentage(lines):
    """10 % of 5.55 is not whole øre; rounded, the discount would be read as 9.9 %."""
    lines.edit(Quantity=Decimal(1), ProductUnitPrice=Decimal("5.55"), Allowance=Decimal(10))

    lines.assert_crosses(**amounts("5.00", "1.25"))


def test_an_edit_of_a_line_changes_totals_and_vat_but_not_freight_or_other_lines(three_lines):
    before = three_lines.order()
    three_lines.edit("2", ProductUnitPrice=Decimal("99.99"))

    three_lines.back(ends_with=0)

    order = three_lines.order()
    assert order["lines"][0] == before["lines"][0]
    assert_members(
        order,
        shipping=before["shipping"],
        **amounts("339.99", "85.00"),
        taxes=[{"rate": "25", "base": "339.99", "amount": "85.00"}],
    )
    three_lines.assert_same()


def test_freight_edited_in_go_crosses(three_lines):
    three_lines.edit("shipping:f1", ProductUnitPrice=Decimal("60.00"), Description="Pakke i posten")

    three_lines.back(ends_with=0)

    (freight,) = three_lines.order()["shipping"]
    assert_members(freight, name="Pakke i posten", **amounts("60.00", "15.00"))
    three_lines.assert_same()


@pytest.mark.parametrize(("rate", "status"), [("25", 3), ("0", 0)])
def test_an_order_without_a_vat_row_for_the_lines_rate_is_held_unless_that_is_zero(
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
    reasons = " ".join(linked.open_ones().values())
    assert ("no row for the VAT rate of an edited line (25 %)" in reasons) is bool(status)


def test_both_unit_prices_change_if_the_shops_prices_include_vat(lines):
    lines.box.shop.edit("orders", "9001", {"prices_include_tax": True})
    lines.forward()
    lines.edit(ProductUnitPrice=Decimal("119.992"), Allowance=Decimal(25))

    lines.assert_crosses(
        unit_price_excl="119.992",
        unit_price_incl="149.99",
        discount_incl="74.99",
        total_excl="179.99",
        total_incl="224.99",
    )


def test_a_shop_that_states_only_prices_with_vat_gets_only_those(lines_with_vat):
    lines_with_vat.edit(ProductUnitPrice=Decimal("120.00"), Allowance=Decimal(50))

    lines_with_vat.assert_crosses(
        **dict.fromkeys(("unit_price_excl", "discount_excl", "total_excl")),
        **dict.fromkeys(("unit_price_incl", "discount_incl", "total_incl"), "150.00"),
    )


@pytest.mark.parametrize(
    ("shop", "reference", "edit"),
    [
        # 99.9912 is not the price without VAT of any price in whole øre.
        ("lines_with_vat", "1", {"ProductUnitPrice": Decimal("99.9912")}),
        # The way forward turns a discount of 33.333 % into 33.3 % and another price.
        ("lines", "1", {"Allowance": Decimal("33.333")}),
        # Freight in the shop has no quantity.
        ("three_lines", "shipping:f1", {"Quantity": Decimal(2)}),
    ],
)
def test_values_that_the_shop_cannot_represent_are_held(request, shop, reference, edit):
    lines = request.getfixturevalue(shop)
    lines.edit(reference, **edit)

    assert lines.why_held() == f"the shop cannot represent Go's values of line {reference}"


@pytest.mark.parametrize("moves_updated_at", [True, False])
def test_neither_way_writes_back_what_the_other_has_written(lines, moves_updated_at):
    lines.box.shop.patches_move_updated_at = moves_updated_at
    lines.edit(Quantity=Decimal(3))
    assert len(lines.back().writes) == 1
    lines.assert_same()

    line = {**lines.only_line(), "name": "Lusekofte"}
    lines.box.shop.edit("orders", "9001", {"lines": [line]})
    assert len(lines.forward().writes) == 1
    assert (lines.back().writes, lines.forward().writes) == ([], [])
    assert select(lines.line(), "Description", "Quantity") == ["Lusekofte", 3]


@pytest.mark.parametrize(
    ("edit", "left_out", "is_set"),
    [
        pytest.param({"ProductUnitPrice": Decimal("120.00")}, (), False, id="not set"),
        pytest.param(
            {"ProductUnitPrice": Decimal("120.00")},
            ("SalesOrderLines",),
            True,
            id="the tap leaves the lines out",
        ),
        pytest.param({}, (), True, id="no edit"),
    ],
)
def test_without_the_setting_the_lines_or_an_edit_the_shop_gets_no_request(
    lines, edit, left_out, is_set
):
    lines.edit(**edit)
    message = lines.message()
    for member in left_out:
        del message["record"][member]
    outcome = lines.both.back(message, order_lines_back=is_set, ends_with=0)
    assert (outcome.reads, outcome.writes) == ([], [])


def test_the_same_member_edited_on_both_sides_is_a_conflict_for_a_person(lines, in_both):
    in_shop = in_both(Quantity=Decimal(3))

    assert lines.why_held() == "line 1: both sides changed Quantity"

    with lines.both.ledger.store() as store:
        (conflict,) = store.conflicts.newest(10)
    assert (conflict.property, conflict.winner) == ("line 1: Quantity", None)
    assert [Decimal(conflict.shop), Decimal(conflict.go)] == [4, 3]
    assert (lines.only_line(), lines.line()["Quantity"]) == (in_shop, 3)


def test_different_members_edited_on_each_side_all_cross(lines, in_both):
    """The shop's quantity goes to Go first; then Go's line has both edits."""
    in_both(ProductUnitPrice=Decimal("120.00"))
    assert lines.back().writes == []
    reason = lines.both.open_ones()["parked", "orders_back", "9001"]
    assert "also edited in the shop" in reason

    lines.forward()

    lines.assert_crosses(quantity="4", unit_price_excl="120.00", total_incl="600.00")
    assert select(lines.line(), "Quantity", "ProductUnitPrice") == [4, 120]


def test_the_same_edit_on_both_sides_is_written_to_neither(lines, in_both):
    in_both(Quantity=Decimal(4))

    assert lines.back(ends_with=0).writes == []
    lines.assert_same()


def test_a_line_removed_in_go_is_held_and_stays_in_the_shop(three_lines):
    before = three_lines.order()
    three_lines.edit_lines({three_lines.line("2")["Id"]: None})

    assert "line 2 was removed in Go" in three_lines.why_held()
    assert three_lines.order() == before


def test_a_line_added_in_go_is_held(lines):
    product_id = lines.line()["ProductId"]
    new = {"ProductId": product_id, "Quantity": 1, "Description": "Gavepapir"}
    lines.edit_lines({"new": new, lines.line()["Id"]: {"Quantity": Decimal(3)}})

    assert 'the line "Gavepapir" was added in Go' in lines.why_held()


def test_a_line_whose_product_was_changed_in_go_is_held(lines, product):
    lines.box.shop.put("products", product(id="502", sku="LUE-1", name="Lue"))
    lines.forward()
    lines.edit(ProductId=int(lines.both.go_id("products", "502")))

    assert "line 1 has another product in Go" in lines.why_held()


def test_an_edit_of_a_line_is_held_if_the_shop_has_made_a_refund(lines):
    refund = {"id": "r1", "amount_incl": "125.00", "lines": [], "taxes": []}
    lines.box.shop.edit("orders", "9001", {"refunds": [refund], "total_refunded": "125.00"})
    lines.edit(ProductUnitPrice=Decimal("120.00"))

    assert "a refund was made in the shop" in lines.why_held()


def test_an_edit_of_a_line_is_dropped_if_the_shop_has_deleted_the_order(lines):
    lines.box.shop.remove("orders", "9001")
    lines.edit(Quantity=Decimal(3))

    assert lines.back(ends_with=0).writes == []
    assert lines.both.open_ones() == {}


def test_a_hold_ends_once_the_edit_in_go_is_undone(lines):
    lines.box.shop.edit("orders", "9001", {"taxes": [{"rate": "15", "base": "1", "amount": "1"}]})
    lines.edit(Quantity=Decimal(3))
    lines.back(ends_with=3)

    lines.edit(Quantity=Decimal(2))

    lines.back(ends_with=0)
    assert lines.both.open_ones() == {}


def test_the_buyers_reference_crosses_even_if_the_lines_are_held(lines):
    lines.both.edit_in_go("orders", "9001", PurchaseOrderReference="PO 77")
    lines.edit(Quantity=Decimal(3), Allowance=Decimal("12.345"))

    lines.back(ends_with=3)

    assert lines.order()["reference"] == "PO 77"
    lines.edit(Allowance=Decimal("12.5"))
    lines.assert_crosses(quantity="3")


@pytest.mark.parametrize("reshapes", [True, False])
@pytest.mark.parametrize("fault", [{"reset": "after"}, {"status": 500, "after_commit": True}])
def test_a_write_whose_answer_is_lost_is_made_once_and_not_taken_for_an_edit_in_the_shop(
    lines, fault, reshapes
):
    lines.box.shop.reshapes_patches = reshapes
    lines.box.faults.add(system="shop", method="PATCH", **fault)
    lines.edit(Quantity=Decimal(3), ProductUnitPrice=Decimal("33.3333"), Description="Ull  genser")

    assert len(lines.back(ends_with=0).writes) == 1
    assert lines.order()["total_incl"] == "125.00"
    lines.assert_same()


@pytest.mark.slow
@pytest.mark.parametrize("reset", ["before", "after"])
def test_an_unanswered_write_is_settled_by_the_next_run(lines, reset):
    faults, path = lines.box.faults, "/orders/9001"
    lines.edit(Quantity=Decimal(3))
    hidden = {"system": "shop", "method": "GET", "path": path, "status": 500, "times": 99}
    faults.add(system="shop", method="PATCH", reset=reset, times=9)
    faults.on("shop", "PATCH", path, lambda _: faults.add(**hidden), when="before")
    lines.back(retry_seconds=1, ends_with=3)
    faults.clear()

    assert lines.forward().writes == []
    lines.assert_crosses(quantity="3")


def test_an_edit_in_the_shop_while_a_write_is_unanswered_is_not_lost(lines):
    box = lines.box
    lines.edit(Quantity=Decimal(3))

    def rename(_):
        line = {**lines.only_line(), "name": "Lusekofte"}
        box.shop.edit("orders", "9001", {"lines": [line]})

    box.faults.add(system="shop", method="PATCH", reset="before")
    box.faults.on("shop", "PATCH", "/orders/9001", rename, when="before")
    lines.back()
    lines.forward()

    lines.assert_crosses(name="Lusekofte", quantity="3")
    assert select(lines.line(), "Description", "Quantity") == ["Lusekofte", 3]


def test_a_dry_run_writes_no_line(lines):
    before = lines.order()
    lines.edit(Quantity=Decimal(3), Description="Lusekofte")

    assert (lines.back(dry_run=True).writes, lines.order()) == ([], before)
    assert len(lines.back().writes) == 1


def test_a_difference_after_a_lost_link_store_is_not_taken_for_an_edit(lines):
    """Which side edited a line is then unknown, so both sides keep their values."""
    lines.edit(Quantity=Decimal(3))
    lines.both.ledger.lose_link_store()
    lines.forward()

    assert (lines.back().writes, lines.only_line()["quantity"]) == ([], "2")

    lines.edit(Description="Lusekofte")
    assert "comes to 250.00 with VAT, but Go's to 375.00" in lines.why_held()


@pytest.mark.parametrize(
    "edited_lines", ["none", [1], [{"ExternalImportReference": "1", "Quantity": "two"}]]
)
def test_lines_that_cannot_be_read_are_a_reject_and_do_not_stop_the_run(lines, edited_lines):
    message = lines.message()
    message["record"]["SalesOrderLines"] = edited_lines
    assert lines.both.back(message, order_lines_back=True, ends_with=3).writes == []


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


def edit_of(in_go):
    """Return the edit that makes the shop's line the same as this line of Go."""
    numbers = {name: in_go[name] for name in ("Quantity", "ProductUnitPrice", "Allowance")}
    total = Money(in_go["NetAmount"], in_go["VatAmount"], in_go["TotalAmount"])
    return LineEdit(numbers, total, in_go["VatRate"] * 100)


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
def test_what_is_written_is_read_back_as_the_values_in_go_and_all_sums_agree(rate, data):
    order = order_with(rate, quantity=data.draw(QUANTITY), price=data.draw(PRICE))
    quantity, price, allowance = map(data.draw, (QUANTITY, PRICE, ALLOWANCE))
    edit = edit_of(line_in_go(quantity, price, allowance, rate))
    total = edit.total
    try:
        patch = patch_of(ShopOrder(order), {"1": edit}, total.incl)
    except Unusable:
        return
    after = patched(order, patch)
    (line,) = ShopOrder(after).lines
    numbers = (line.quantity, line.price.unit_price, line.price.allowance)
    assert (*numbers, line.total) == (quantity, price, allowance, total)
    assert ShopOrder(after).total == total.incl
    assert Decimal(after["total_excl"]) + Decimal(after["total_tax"]) == total.incl
    vat = [Decimal(after["taxes"][0][name]) for name in ("base", "amount")]
    assert vat == [total.excl, total.tax]
    (written,) = after["lines"]
    assert written["colour"] == "blå"
    assert all(
        len(written[name].partition(".")[2]) >= 2
        for name in written
        if name.startswith(("total_", "unit_price_", "discount_"))
    )


def assert_can_be_represented(quantity, price, allowance, rate):
    order = order_with(rate, quantity=Decimal(1), price=Decimal("10.00"))
    edit = edit_of(line_in_go(quantity, price, allowance, rate))
    assert patch_of(ShopOrder(order), {"1": edit}, edit.total.incl) is not None


@given(quantity=QUANTITY, price=PRICE, rate=RATE)
def test_every_quantity_and_price_without_an_allowance_can_be_represented(quantity, price, rate):
    assert_can_be_represented(quantity, price, Decimal(0), rate)


@given(
    quantity=st.integers(1, 20).map(Decimal),
    price=st.integers(10, 2000).map(Decimal),
    percent=st.integers(1, 100).map(Decimal),
    rate=RATE,
)
def test_every_whole_percentage_of_a_whole_price_can_be_represented(quantity, price, percent, rate):
    assert_can_be_represented(quantity, price, percent, rate)
