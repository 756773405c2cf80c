"""Whatever decimals and rounding Go has, an order comes to the shop's total or is held."""

import contextlib
import itertools
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ledger import the_order
from target_powerofficego.dataflow.orders.answer import answer_differences
from target_powerofficego.dataflow.orders.line_amounts import choose_price
from target_powerofficego.dataflow.orders.shop_order import ShopOrder
from target_powerofficego.dataflow.values import Contradiction, Unusable

ORE = Decimal("0.01")
RATES = ("25", "15", "12", "0")

ore = st.decimals("0.00", "99999.99", places=2)
rates = st.sampled_from(RATES)
quantities = st.one_of(
    st.integers(1, 200).map(Decimal),
    st.decimals("0.001", "50", places=3),
    st.integers(-20, -1).map(Decimal),
)
percents = st.one_of(
    st.just(Decimal(0)),
    st.integers(0, 100).map(Decimal),
    st.decimals("0", "100", places=2),
)


def rounded(amount):
    return amount.quantize(ORE, rounding=ROUND_HALF_UP)


def net_in_go(line, price_decimals):
    """Calculate a line as PowerOffice Go does, with this many decimals of a price."""
    price = line["ProductUnitPrice"]
    if price_decimals is not None:
        price = price.quantize(Decimal(1).scaleb(-price_decimals), rounding=ROUND_HALF_UP)
    return rounded(line["Quantity"] * price * (1 - line["Allowance"] / 100))


def shop_line(number, prices, quantity, unit, percent, rate):
    """Return a line of a shop that rounds each line; its prices are "excl" or "incl" VAT."""
    full = rounded(quantity * unit)
    left = rounded(full * (1 - percent / 100))
    excl = left if prices == "excl" else rounded(left / (1 + rate / 100))
    incl = left if prices == "incl" else left + rounded(left * rate / 100)
    return {
        "id": str(number),
        "type": "product",
        "product_id": f"p{rate}",
        "sku": f"S{rate}",
        "name": "Vare",
        "quantity": str(quantity),
        f"unit_price_{prices}": str(unit),
        f"discount_{prices}": str(full - left),
        "total_excl": str(excl),
        "total_tax": str(incl - excl),
        "total_incl": str(incl),
        "tax_rate": str(rate),
    }


shop_lines = st.builds(
    shop_line,
    st.just(0),
    st.sampled_from(("excl", "incl")),
    quantities,
    ore,
    percents,
    rates.map(Decimal),
)


@st.composite
def shop_orders(draw):
    drawn = draw(st.lists(shop_lines, max_size=5))
    lines = [{**line, "id": str(number)} for number, line in enumerate(drawn)]
    shipping = []
    if draw(st.booleans()):
        rate, excl = Decimal(draw(rates)), draw(ore)
        tax = rounded(excl * rate / 100)
        shipping = [
            {
                "total_excl": str(excl),
                "total_tax": str(tax),
                "total_incl": str(excl + tax),
                "tax_rate": str(rate),
            }
        ]
    total = sum((Decimal(line["total_incl"]) for line in [*lines, *shipping]), Decimal(0))
    return {"id": "1", "lines": lines, "shipping": shipping, "total_incl": str(total)}


@given(quantity=quantities, total=ore, unit=st.none() | ore, percent=percents)
@example(quantity=Decimal(3), total=Decimal("100.00"), unit=None, percent=Decimal(0))
@example(quantity=Decimal(7), total=Decimal("0.01"), unit=Decimal("0.01"), percent=Decimal(99))
def test_go_calculates_the_shops_amount_from_the_chosen_price(quantity, total, unit, percent):
    price = choose_price(
        quantity=quantity, total_excl=total, unit_price=unit, discount=percent / 100
    )

    sent = quantity * price.unit_price * (1 - price.allowance / 100)
    assert rounded(sent) == total
    assert 0 <= price.allowance <= 100


@given(unit=ore, quantity=st.integers(1, 99).map(Decimal), percent=st.integers(1, 99).map(Decimal))
def test_a_discount_in_whole_percent_becomes_the_allowance_and_leaves_the_price(
    unit, quantity, percent
):
    full = quantity * unit
    total = rounded(full * (1 - percent / 100))
    if total < 20:  # too few øre to distinguish a percentage from its neighbours
        return

    price = choose_price(
        quantity=quantity, total_excl=total, unit_price=unit, discount=(full - total) / full
    )

    assert (price.unit_price, price.allowance) == (unit, percent)


@given(
    off=st.decimals("-500", "500", places=2),
    left=st.decimals("-500", "500", places=2),
    quantity=quantities,
)
def test_a_surcharge_or_a_discount_above_the_price_goes_into_the_price(off, left, quantity):
    full = left + off
    price = choose_price(
        quantity=quantity,
        total_excl=left,
        unit_price=None,
        discount=off / full if full else Decimal(0),
    )

    assert 0 <= price.allowance <= 100
    assert rounded(quantity * price.unit_price * (1 - price.allowance / 100)) == left


@given(order=shop_orders())
def test_every_line_sent_comes_to_the_shops_amount_where_go_keeps_all_decimals(order):
    lines = ShopOrder(order).lines

    assert ShopOrder(order).total == Decimal(order["total_incl"])
    for line in lines:
        sent = line.values(1, standard_account=True)
        assert net_in_go(sent, None) == line.total.excl
        assert line.total.excl + line.total.tax == line.total.incl


@given(
    excl=st.decimals("-99999", "99999", places=5),
    missing=st.sampled_from(("total_excl", "total_tax", "total_incl", None)),
)
@example(excl=Decimal("10.004"), missing=None)
def test_amounts_with_more_decimals_add_up_and_are_rounded_once(excl, missing):
    tax = excl / 4
    amounts = {"total_excl": str(excl), "total_tax": str(tax), "total_incl": str(excl + tax)}
    raw = {"id": "1", "sku": "S", "quantity": "1", "tax_rate": "25", **amounts, missing: None}

    (line,) = ShopOrder({"lines": [raw]}).lines

    assert line.total.excl == rounded(excl)
    assert line.total.incl == rounded(excl + tax)
    assert line.total.tax == line.total.incl - line.total.excl


@given(excl=ore, tax=ore, off=st.integers(2, 100), sign=st.sampled_from((1, -1)))
def test_amounts_that_are_more_than_an_ore_apart_are_rejected(excl, tax, off, sign):
    incl = excl + tax + sign * off * ORE
    amounts = {"total_excl": str(excl), "total_tax": str(tax), "total_incl": str(incl)}
    raw = {"id": "1", "sku": "S", "quantity": "1", **amounts}

    with pytest.raises(Unusable, match="do not make"):
        assert ShopOrder({"lines": [raw]}).lines


def without_rate(exact, rate):
    """Return an order of a line without a rate whose amounts are rounded separately."""
    tax = exact * Decimal(rate) / 100
    amounts = {"total_excl": exact, "total_tax": tax, "total_incl": exact + tax}
    raw = {name: str(rounded(amount)) for name, amount in amounts.items()}
    return ShopOrder({"lines": [{"id": "1", "name": "Tips", "quantity": "1", **raw}]})


# Below 3.00, rounded VAT of 12 % and of 11.11 % may be the same: that is a reject.
@given(exact=st.decimals("3", "9999", places=4), rate=st.sampled_from(("25", "15", "12", "0")))
@example(exact=Decimal("100.004"), rate="25")
def test_a_rate_that_is_not_stated_follows_from_amounts_that_are_each_rounded(exact, rate):
    (line,) = without_rate(exact, rate).lines

    assert line.rate == Decimal(rate)


@pytest.mark.parametrize("rate", ["25", "15", "12", "11.11", "0"])
def test_the_rate_of_a_small_amount_is_right_or_not_guessed(rate):
    """15 % of 0.465 is an øre less than 15 % of 0.47, which the shop may state; so is 12 %."""
    rates = set()
    for exact in (Decimal(tenths) / 1000 for tenths in range(5, 3000)):
        with contextlib.suppress(Unusable):
            rates |= {line.rate for line in without_rate(exact, rate).lines}

    assert rates == {Decimal(rate)}


def test_a_rate_that_fits_two_of_the_rates_is_not_guessed():
    amounts = {"total_excl": "1.47", "total_tax": "0.17", "total_incl": "1.64"}

    with pytest.raises(
        Unusable, match=r"fits several of the rates 12, 11\.11 %: let the shop send"
    ):
        assert ShopOrder({"lines": [{"id": "1", "name": "T", "quantity": "1", **amounts}]}).lines


@given(excl=ore, rate=rates)
def test_an_amount_with_vat_that_the_shop_does_not_state_is_rounded_as_in_go(excl, rate):
    raw = {"id": "1", "sku": "S", "quantity": "1", "total_excl": str(excl), "tax_rate": rate}

    (line,) = ShopOrder({"lines": [raw]}).lines

    assert line.total.incl == excl + rounded(excl * Decimal(rate) / 100)


def test_an_odd_ore_of_amounts_with_more_decimals_is_moved_in_the_price(
    ledger, box, customer, product, order, line
):
    finer = line(
        quantity="1",
        unit_price_excl="10.004",
        unit_price_incl=None,
        total_excl="10.004",
        total_tax="2.501",
        total_incl="12.505",
    )

    ledger.run(customer(), product(), order(lines=[finer], total_incl="12.51"), ends_with=0)

    in_go = the_order(box)
    assert in_go["TotalAmount"] == Decimal("12.51")
    assert in_go["SalesOrderLines"][0]["ProductUnitPrice"] == Decimal("10.01")


@given(
    order=shop_orders(),
    price_decimals=st.sampled_from((2, 4, None)),
    vat_rounding=st.sampled_from(("line", "rate")),
)
def test_an_answer_equals_the_shops_total_or_is_reported_to_differ(
    order, price_decimals, vat_rounding
):
    lines = ShopOrder(order).lines
    answer = _answer(lines, price_decimals, vat_rounding)

    differences = answer_differences(lines, ShopOrder(order).total, answer)

    assert bool(differences) == (answer["TotalAmount"] != Decimal(order["total_incl"]))


def _answer(lines, price_decimals, vat_rounding):
    """Return Go's answer to an order of these lines."""
    nets: dict[Decimal, Decimal] = {}
    go_lines, tax = [], Decimal(0)
    for line in lines:
        net = net_in_go(line.values(1, standard_account=True), price_decimals)
        line_tax = rounded(net * line.rate / 100)
        nets[line.rate] = nets.get(line.rate, Decimal(0)) + net
        tax += line_tax
        go_lines.append(
            {
                "ExternalImportReference": line.reference,
                "VatRate": line.rate / 100,
                "TotalAmount": net + line_tax,
            }
        )
    if vat_rounding == "rate":
        tax = sum((rounded(net * rate / 100) for rate, net in nets.items()), Decimal(0))
    return {"TotalAmount": sum(nets.values(), Decimal(0)) + tax, "SalesOrderLines": go_lines}


@given(order=shop_orders(), more=st.integers(1, 1000), sign=st.sampled_from((1, -1)))
def test_a_total_that_rounding_cannot_explain_is_a_contradiction_and_any_other_is_reached(
    order, more, sign
):
    parts = [*order["lines"], *order["shipping"]]
    rates_in_use = [Decimal(part["tax_rate"]) for part in parts if Decimal(part["total_incl"])]
    most = sum((rates_in_use.count(rate) + 1) for rate in {*rates_in_use}) * ORE / 2
    off = more * ORE * sign
    total = Decimal(order["total_incl"]) + off
    order["total_incl"] = str(total)

    if abs(off) <= most:
        assert ShopOrder(order).total == total
    else:
        with pytest.raises(Contradiction, match=f"total_incl is {total}, but the lines come to"):
            assert ShopOrder(order).lines


AMOUNTS = (
    # quantity, price, discount and VAT rate per line: whole kroner, thirds, odd øre, weights
    (("1", "199.00", "0", "25"), ("2", "349.00", "10", "25")),
    (("3", "33.33", "0", "25"), ("7", "14.29", "15", "25"), ("1", "0.01", "0", "25")),
    (("1.375", "89.90", "0", "15"), ("0.333", "249.00", "20", "15")),
    (("1", "10.02", "0", "25"), ("1", "10.02", "0", "25"), ("1", "10.02", "0", "25")),
    (("12", "0.37", "33", "25"), ("5", "119.60", "7", "15"), ("1", "55.55", "0", "0")),
)


@pytest.mark.parametrize(
    ("price_decimals", "vat_rounding"), [*itertools.product((2, 4, None), ("line", "rate"))]
)
@pytest.mark.parametrize(
    ("settings", "most_held"), [({}, 3), ({"rounding_product_code": "AVRUND"}, 0)]
)
def test_a_total_in_go_is_exact_or_the_order_is_held_with_both_figures(
    ledger,
    box,
    reasons,
    customer,
    product,
    order,
    price_decimals,
    vat_rounding,
    settings,
    most_held,
):
    box.go.switches.price_decimals = price_decimals
    box.go.switches.vat_rounding = vat_rounding
    ledger.settings |= {"sales_accounts": {"25": 3000, "15": 3001, "0": 3100}, **settings}
    products = [product(id=f"p{rate}", sku=f"S{rate}", tax_rate=rate) for rate in ("25", "15", "0")]
    orders = [
        order(
            id=f"{prices}-{number}",
            lines=[shop_line(n, prices, *map(Decimal, amounts)) for n, amounts in enumerate(lines)],
        )
        for number, lines in enumerate(AMOUNTS)
        for prices in ("excl", "incl")
    ]

    outcome = ledger.run(customer(), *products, *orders)

    totals = {record["id"]: Decimal(record["total_incl"]) for record in orders}
    in_go = {
        entry["ExternalImportReference"].removeprefix("testshop:"): entry["TotalAmount"]
        for entry in box.go.entries("SalesOrders")
    }
    assert in_go.keys() == totals.keys()
    held = {shop_id: reason for (_, _, shop_id), reason in reasons().items()}
    assert held.keys() == {shop_id for shop_id in totals if in_go[shop_id] != totals[shop_id]}
    for shop_id, reason in held.items():
        assert str(totals[shop_id]) in reason
        assert str(rounded(in_go[shop_id])) in reason
    assert outcome.count("orders", "held") == len(held) <= most_held
    if price_decimals is None and vat_rounding == "line":
        assert not {shop_id for shop_id in held if shop_id.startswith("excl")}
    again = [{**record, "updated_at": "2026-01-06T10:00:00Z"} for record in orders]
    assert ledger.run(*again).writes == []


@pytest.fixture
def odd(order, line):
    """Makes an order of one line whose total Go's rounding cannot reach: 1.02 with 25 % VAT."""

    def make(**changes):
        price = {"quantity": "1", "unit_price_excl": None, "unit_price_incl": "1.02"}
        totals = {"total_excl": "0.82", "total_tax": "0.20", "total_incl": "1.02"}
        return order(lines=[line(**price, **totals)], **changes)

    return make


@pytest.fixture
def rounding(ledger):
    """A ledger with accounts for 25 % and without VAT, and a product for rounding."""
    ledger.settings["sales_accounts"] = {"25": 3000, "0": 3100}
    ledger.settings["rounding_product_code"] = "AVRUND"
    return ledger


@pytest.fixture
def held(ledger, customer, product, odd):
    """A ledger without a product for rounding, whose order is held for an odd øre."""
    ledger.settings["sales_accounts"] = {"25": 3000, "0": 3100}
    assert ledger.run(customer(), product(), odd()).status == 3
    return ledger


def test_an_odd_ore_gets_its_own_line_without_vat(rounding, box, customer, product, odd):
    assert rounding.run(customer(), product(), odd()).status == 0
    in_go = the_order(box)
    assert in_go["TotalAmount"] == Decimal("1.02")
    lines = {line["ExternalImportReference"]: line for line in in_go["SalesOrderLines"]}
    assert lines.keys() == {"1", "rounding:"}
    assert (lines["rounding:"]["VatRate"], abs(lines["rounding:"]["TotalAmount"])) == (0, ORE)
    assert lines["rounding:"]["Description"] == "Øreavrunding"


def test_the_line_for_rounding_is_removed_when_it_is_no_longer_needed(
    rounding, box, customer, product, order, odd
):
    rounding.run(customer(), product(), odd())

    rounding.run(order(updated_at="2026-01-06T10:00:00Z"), ends_with=0)

    in_go = the_order(box)
    assert in_go["TotalAmount"] == 250
    assert [line["ExternalImportReference"] for line in in_go["SalesOrderLines"]] == ["1"]


def test_an_order_held_for_an_odd_ore_names_the_setting_that_helps_and_is_corrected_by_it(
    held, box, reasons
):
    reason = reasons()["hold", "orders", "9001"]
    assert "the shop says 1.02" in reason
    assert "with rounding_product_code set" in reason
    assert held.run().writes == []

    held.run(rounding_product_code="AVRUND", ends_with=0)

    assert the_order(box)["TotalAmount"] == Decimal("1.02")


def test_an_odd_ore_that_a_person_confirmed_is_left_as_it_is_and_held(held, box, reasons):
    box.go.edit("SalesOrders", the_order(box)["Id"], {"SalesOrderStatus": "Confirmed"})

    assert held.run(rounding_product_code="AVRUND").writes == []
    assert "the shop says 1.02" in reasons()["hold", "orders", "9001"]


def test_a_dry_run_foresees_no_failure_of_an_order_that_the_run_would_correct(held, box):
    outcome = held.run(rounding_product_code="AVRUND", dry_run=True)

    assert outcome.writes == []
    assert outcome.summary["unacknowledged"] == {"hold": 0, "reject": 0}
    assert the_order(box)["TotalAmount"] != Decimal("1.02")


@pytest.mark.parametrize("skip", range(3))
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_killed_during_a_correction_is_finished_by_the_next(
    rounding, box, customer, product, odd, cut_off, skip, when
):
    rounding.run(customer(), product())
    cut_off("POST", when, odd(), skip=skip)

    assert rounding.run(odd()).status == 0
    assert the_order(box)["TotalAmount"] == Decimal("1.02")
    assert rounding.run(odd(updated_at="2026-01-06T10:00:00Z")).writes == []


def test_a_draft_found_in_go_with_another_total_stays_held_until_they_are_equal(
    ledger, box, customer, product, order, line, edit_line, reasons
):
    records = [customer(), product()]
    ledger.run(*records, order())
    ledger.lose_link_store()
    single = line(quantity="1", total_excl="100.00", total_tax="25.00", total_incl="125.00")
    changed = order(lines=[single], updated_at="2026-01-06T10:00:00Z")

    later = {**changed, "updated_at": "2026-01-07T10:00:00Z"}
    for messages in ([*records, changed], [], [later]):
        assert ledger.run(*messages).status == 3
        assert "the shop says 125.00, Go says 250.00" in reasons()["hold", "orders", "9001"]
    edit_line(Quantity=1)

    assert ledger.run().status == 0
    assert reasons() == {}


def test_a_price_that_go_cut_off_before_it_was_linked_is_compared_when_the_quantity_changes(
    rounding, box, customer, product, order, line
):
    box.go.switches.price_decimals = 2
    finer = {"unit_price_excl": "33.334", "unit_price_incl": None}
    single = line(quantity="1", total_excl="33.33", total_tax="8.33", total_incl="41.66", **finer)
    for _ in range(2):
        assert rounding.run(customer(), product(), order(lines=[single])).status == 0
        rounding.lose_link_store()
    rounding.run(customer(), product(), order(lines=[single]))
    more = line(quantity="3", total_excl="100.00", total_tax="25.00", total_incl="125.00", **finer)

    assert rounding.run(order(lines=[more], updated_at="2026-01-06T10:00:00Z")).status == 0
    assert the_order(box)["TotalAmount"] == Decimal("125.00")


@pytest.mark.parametrize("free_lines", [0, 3])
def test_vat_in_go_never_differs_from_the_stated_vat_by_more_than_rounding(
    ledger, box, customer, product, order, line, free_lines
):
    """Neither what was moved to reach the total nor free lines widen the tolerance."""
    ledger.settings["sales_accounts"] = {"25": 3000, "15": 3001, "0": 3100}
    food = {"quantity": "1", "unit_price_excl": "10.03", "tax_rate": "15"}
    sold = {"total_excl": "10.03", "total_tax": "1.50", "total_incl": "11.53"}
    free = dict.fromkeys(("unit_price_excl", "total_excl", "total_tax", "total_incl"), "0.00")
    lines = [line(**food, **sold), *(line(id=f"f{n}", **food | free) for n in range(free_lines))]
    taxes = [{"rate": "15", "base": "10.03", "amount": "1.49"}]
    record = order(lines=lines, taxes=taxes, total_incl="11.54", total_excl=None, total_tax=None)

    ledger.run(customer(), product(tax_rate="15"), record, ends_with=3)
    ledger.run(record, rounding_product_code="AVRUND", ends_with=0)

    in_go = the_order(box)
    vat = sum(line["TotalAmount"] - line["NetAmount"] for line in in_go["SalesOrderLines"])
    assert (in_go["TotalAmount"], vat) == (Decimal("11.54"), Decimal("1.50"))


@pytest.mark.parametrize("zero", ["0,0", "0.00"])
def test_the_account_without_vat_for_rounding_is_known_however_its_rate_is_written(
    ledger, box, product, zero
):
    accounts = {"25": 3000, zero: 3100}

    ledger.run(product(), rounding_product_code="AVRUND", sales_accounts=accounts, ends_with=0)

    assert [entry["Code"] for entry in box.go.entries("Products")] == ["ULL-1"]


def test_a_code_for_rounding_needs_an_account_without_vat(ledger, product):
    outcome = ledger.run(
        product(), rounding_product_code="AVRUND", sales_accounts={"25": 3000}, ends_with=1
    )

    assert 'rounding_product_code needs an account for "0" in sales_accounts' in outcome.log


def test_kroner_that_go_cuts_off_a_price_are_left_to_a_person(
    rounding, box, customer, product, order, line, reasons
):
    box.go.switches.price_decimals = 2
    screws = line(
        quantity="1000",
        unit_price_excl="0.125",
        unit_price_incl=None,
        total_excl="125.00",
        total_tax="31.25",
        total_incl="156.25",
    )

    assert rounding.run(customer(), product(), order(lines=[screws])).status == 3
    assert "the shop says 156.25, Go says 162.50" in reasons()["hold", "orders", "9001"]
    assert len(the_order(box)["SalesOrderLines"]) == 1
