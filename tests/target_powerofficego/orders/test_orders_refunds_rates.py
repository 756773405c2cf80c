"""Which VAT rates bear what is paid back, in whatever order the shop lists the refunds."""

from dataclasses import replace
from decimal import Decimal

import pytest
from ledger import the_order
from target_powerofficego.dataflow.orders.refund_shares import split

LATER = "2026-01-06T10:00:00Z"
LATEST = "2026-01-07T10:00:00Z"
LAST = "2026-01-08T10:00:00Z"


@pytest.fixture
def food(line):
    """A line of 115 kr at 15 %, as the second of an order."""
    amounts = {"total_excl": "100.00", "total_tax": "15.00", "total_incl": "115.00"}
    prices = {"unit_price_excl": "100.00", "unit_price_incl": "115.00", "tax_rate": "15"}
    return line(id="2", product_id="502", sku="MAT-1", quantity="1", **prices, **amounts)


@pytest.fixture
def two_rates(ledger, customer, product, order, line, food):
    """An order of 250 kr at 25 % and 115 kr at 15 % that has landed as a Draft."""
    ledger.settings["sales_accounts"] = {"25": 3000, "15": 3001, "0": 3100}
    ledger.settings["rounding_product_code"] = "AVRUNDING"
    record = order(lines=[line(), food])
    food_product = product(id="502", sku="MAT-1", tax_rate="15")
    assert ledger.run(customer(), product(), food_product, record).status == 0
    return record


@pytest.fixture
def invoiced(box, two_rates):
    """The order of two rates, once a person has sent its invoice."""
    box.go.send_invoice(the_order(box)["Id"])
    return two_rates


def money(amount, **changes):
    """A refund for no line in particular."""
    return {"id": "r1", "amount_incl": amount, "created_at": "2026-01-06T09:00:00Z", **changes}


def goods(amount, line_id="2", **changes):
    """A refund of a line, with the goods if it is all of them."""
    quantity = {"115.00": "1", "250.00": "2"}.get(amount, "0")
    lines = [{"line_id": line_id, "quantity": quantity, "amount_incl": amount}]
    return money(amount, **{"id": "r2", "lines": lines, **changes})


def with_refunds(order, *refunds, **changes):
    back = sum((Decimal(refund["amount_incl"]) for refund in refunds), Decimal("0.00"))
    members = {"refunds": [*refunds], "total_refunded": str(back), "updated_at": LATER}
    return {**order, **members, "payment_status": "partially_refunded", **changes}


def credit_notes(box):
    """Return what each credit note in Go comes to, by its refund."""
    return {
        entry["ExternalImportReference"].removeprefix("testshop:9001:"): entry["TotalAmount"]
        for entry in box.go.entries("SalesOrders")
    }


def left_by_rate(box):
    """Return what all orders and invoices in Go come to at each VAT rate with VAT, in percent."""
    lines = [line for entry in box.go.entries("SalesOrders") for line in entry["SalesOrderLines"]]
    for invoice in box.go.entries("OutgoingInvoices"):
        lines += box.go.invoice_lines(invoice["Id"])
    left: dict[Decimal, Decimal] = {}
    for line in lines:
        rate = line["VatRate"] * 100
        left[rate] = left.get(rate, 0) + line["TotalAmount"]
    return {rate: amount for rate, amount in left.items() if amount}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([money("73.00")], [goods("115.00"), money("73.00")]),
        (
            [goods("10.00"), money("71.00", id="r3")],
            [goods("115.00"), money("71.00", id="r3")],
        ),
    ],
    ids=["listed newest first", "an earlier refund changes"],
)
def test_refunds_are_credited_with_what_was_paid_back(ledger, box, invoiced, before, after):
    for refunds, at in ((before, LATER), (after, LATEST)):
        assert ledger.run(with_refunds(invoiced, *refunds, updated_at=at)).status == 0
        amounts = {f"refund:{back['id']}": -Decimal(back["amount_incl"]) for back in refunds}
        assert credit_notes(box) == amounts
    assert ledger.run(with_refunds(invoiced, *after, updated_at=LAST)).writes == []


def test_a_refund_after_one_that_is_withdrawn_is_credited_at_the_rates_that_it_now_has(
    ledger, box, invoiced
):
    later = money("73.00", id="r3", created_at="2026-01-06T10:00:00Z")
    ledger.run(with_refunds(invoiced, goods("115.00"), later))
    assert left_by_rate(box) == {25: 177}

    record = with_refunds(invoiced, later, updated_at=LATEST)

    assert ledger.run(record).status == 0
    assert credit_notes(box) == {"refund:r3": -73}
    assert left_by_rate(box) == {25: 200, 15: 92}
    assert ledger.run({**record, "updated_at": LAST}).writes == []


def test_refunds_are_taken_off_in_the_order_in_which_they_were_made(ledger, box, two_rates):
    first = goods("115.00")
    second = money("50.00", created_at="2026-01-06T12:00:00+02:00")
    undated = money("10.00", id="r3", created_at=None)

    ledger.run(with_refunds(two_rates, undated, second, first))

    assert left_by_rate(box) == {25: 190}
    references = {line["ExternalImportReference"] for line in the_order(box)["SalesOrderLines"]}
    assert references - {"1", "2"} == {"refund:r1:25", "refund:r3:25"}


@pytest.mark.parametrize(
    ("changes", "notes"),
    [({"shipped_at": LATEST}, {}), ({"status": "cancelled"}, {"cancel": -255})],
)
def test_refunds_subtracted_before_the_invoice_are_not_held_if_listed_newest_first(
    ledger, box, two_rates, changes, notes
):
    ledger.run(with_refunds(two_rates, goods("50.00"), money("60.00")))
    box.go.send_invoice(the_order(box)["Id"])
    newest_first = [money("60.00"), goods("50.00")]

    record = with_refunds(two_rates, *newest_first, updated_at=LATEST, **changes)

    assert ledger.run(record).status == 0
    assert credit_notes(box) == notes


def test_a_cancelled_order_leaves_nothing_at_any_rate_in_whatever_order_its_refunds_are_listed(
    ledger, box, two_rates
):
    ledger.run(with_refunds(two_rates, goods("50.00", id="r9")))
    box.go.send_invoice(the_order(box)["Id"])
    ledger.run(with_refunds(two_rates, money("60.00"), goods("50.00", id="r9"), updated_at=LATER))
    refunds = (goods("20.00"), money("60.00"), goods("50.00", id="r9"))

    record = with_refunds(two_rates, *refunds, status="cancelled", updated_at=LATEST)

    assert ledger.run(record).status == 0
    assert credit_notes(box) == {"refund:r1": -60, "refund:r2": -20, "cancel": -235}
    left = left_by_rate(box).values()
    assert sum(left) == 0
    assert max(map(abs, left)) <= Decimal("0.01")  # Go rounds the VAT of each note


@pytest.mark.parametrize("is_invoiced", [False, True])
def test_money_and_then_the_goods_paid_back_leave_nothing_at_any_rate(
    ledger, box, two_rates, is_invoiced
):
    if is_invoiced:
        box.go.send_invoice(the_order(box)["Id"])
    refunds = [money("73.00"), goods("250.00", "1"), goods("42.00", id="r3")]
    for count, at in enumerate((LATER, LATEST, LAST), start=1):
        assert ledger.run(with_refunds(two_rates, *refunds[:count], updated_at=at)).status == 0

    assert left_by_rate(box) == {}


def test_goods_and_then_money_paid_back_leave_nothing_at_any_rate_if_listed_newest_first(
    ledger, box, two_rates
):
    refunds = (money("250.00", created_at=LATER), goods("115.00"))

    assert ledger.run(with_refunds(two_rates, *refunds)).status == 0
    assert left_by_rate(box) == {}


@pytest.mark.parametrize("is_invoiced", [False, True])
def test_goods_that_come_back_after_money_take_no_rate_below_zero(
    ledger, box, two_rates, is_invoiced
):
    if is_invoiced:
        box.go.send_invoice(the_order(box)["Id"])
    ledger.run(with_refunds(two_rates, money("73.00")))
    assert left_by_rate(box) == {25: 200, 15: 92}

    record = with_refunds(two_rates, money("73.00"), goods("115.00"), updated_at=LATEST)

    assert ledger.run(record).status == 0
    assert left_by_rate(box) == {25: 177}


def test_a_refund_for_no_line_takes_no_more_of_a_rate_than_was_sold_at_it(
    ledger, box, customer, product, order, line, food, two_rates
):
    taxes = [
        {"rate": "25", "base": "8.00", "amount": "2.00"},
        {"rate": "15", "base": "100.00", "amount": "15.00"},
    ]
    sale = {"code": "KLAR", "amount_incl": "240.00"}  # on the goods at 25 %
    sold = {"lines": [line(), food], "discounts": [sale], "taxes": taxes, "total_incl": "125.00"}
    record = order(id="9002", **sold)
    ledger.run({**two_rates, "status": "cancelled", "updated_at": LATER}, record)

    assert ledger.run(with_refunds(record, money("100.00"))).status == 0
    assert left_by_rate(box) == {25: 2, 15: 23}


# An invoice that an earlier version made, when it split refunds differently


@pytest.fixture
def set_price(ledger):
    """Stores the price at which an earlier version sent a line of the order; None for no line."""

    def store_price(name, price):
        with ledger.store() as store:
            store.namespaces.choose(store.namespaces.all()[0])
            link = store.links.get("orders", "9001")
            base = {**link.base}
            agreed = base.pop(f"line:{name}")
            if price is not None:
                shop = {**agreed.shop, "ProductUnitPrice": price}
                base[f"line:{name}"] = replace(agreed, shop=shop)
            store.links.put(replace(link, base=base))

    return store_price


@pytest.fixture
def split_differently(ledger, box, two_rates, set_price):
    """An invoiced order of whose refund 25 % bore 1.25 kr more, in an earlier version."""
    ledger.run(with_refunds(two_rates, money("73.00")))
    box.go.send_invoice(the_order(box)["Id"])
    set_price("refund:r1:25", 41)
    set_price("refund:r1:15", None)
    return two_rates


def test_an_invoiced_refund_that_an_earlier_version_split_differently_is_not_held(
    ledger, box, split_differently
):
    record = with_refunds(split_differently, money("73.00"), shipped_at=LATEST, updated_at=LATEST)
    assert (ledger.run(record).status, credit_notes(box)) == (0, {})

    more = with_refunds(split_differently, money("73.00"), goods("15.00"), updated_at=LATEST)

    assert ledger.run(more).status == 0
    assert credit_notes(box) == {"refund:r2": -15}


def test_another_amount_of_a_refund_subtracted_before_the_invoice_is_held(
    ledger, box, reasons, split_differently
):
    record = with_refunds(split_differently, money("74.00"), updated_at=LATEST)

    assert ledger.run(record).status == 3
    assert "the shop then changed the lines" in reasons()["hold", "orders", "9001"]
    assert credit_notes(box) == {}


@pytest.mark.usefixtures("invoiced")
@pytest.mark.parametrize("is_cancelled", [False, True])
def test_nothing_is_left_at_any_rate_though_a_credited_refund_was_corrected(
    ledger, box, two_rates, is_cancelled
):
    def first(amount):
        return goods(amount, id="r1")

    second = money("200.00", id="r2", created_at="2026-01-06T10:00:00Z")
    ledger.run(with_refunds(two_rates, first("100.00"), second))
    ledger.run(with_refunds(two_rates, first("10.00"), second, updated_at=LATEST))

    third = money("155.00", id="r3", created_at=LAST)
    refunds = [first("10.00"), second, *([] if is_cancelled else [third])]
    status = "cancelled" if is_cancelled else "refunded"
    record = with_refunds(two_rates, *refunds, status=status, updated_at=LAST)
    ledger.run(record, ends_with=0)

    left = left_by_rate(box).values()
    assert sum(left) == 0
    assert max(map(abs, left)) <= Decimal("0.01")  # Go rounds the VAT of each note


def test_a_refund_given_with_other_decimals_is_the_same_refund(ledger, invoiced):
    part = {"line_id": "1", "quantity": "1", "amount_incl": "125.00"}
    second = goods("115.00", created_at="2026-01-06T10:00:00Z")
    ledger.run(with_refunds(invoiced, money("198.00", lines=[part]), second))

    same = money("198.00", lines=[{**part, "quantity": "1.000"}])
    record = with_refunds(invoiced, same, second, updated_at=LATEST)

    assert ledger.run(record, ends_with=0).writes == []


def test_goods_that_an_earlier_version_took_off_differently_before_the_invoice_are_not_held(
    ledger, box, reasons, customer, product, order, set_price
):
    """It took less off the goods instead of their share of the discount."""
    ledger.settings["sales_accounts"] = {"25": 3000}
    sold = order(discounts=[{"code": "JUL", "amount_incl": "50.00"}], total_incl="200.00")
    one_back = [{"line_id": "1", "quantity": "1", "amount_incl": None}]
    record = with_refunds(sold, money("100.00", lines=one_back))
    ledger.run(customer(), product(), record)
    box.go.send_invoice(the_order(box)["Id"])
    set_price("1", 120)
    set_price("discount:25", 40)

    outcome = ledger.run({**record, "shipped_at": LATEST, "updated_at": LATEST})

    assert (outcome.status, reasons(), credit_notes(box)) == (0, {}, {})


def test_the_ore_that_a_split_leaves_over_go_to_the_largest_parts():
    ore = Decimal("0.01")
    assert split(7 * ore, {"a": ore, "b": 6 * ore, "c": 2 * ore}) == {
        "a": ore,
        "b": 4 * ore,
        "c": 2 * ore,
    }
