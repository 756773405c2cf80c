"""Fees, discounts on the whole order, gift cards, texts, bundles and sales without VAT."""

import copy
from decimal import Decimal

import pytest
from click.testing import CliRunner
from ledger import the_order
from target_powerofficego.links_command import main

ACCOUNTS = {"25": 3000, "15": 3001, "0": 3100}
WITH_EXEMPT = {**ACCOUNTS, "exempt": 3100}
LATER = "2026-01-06T10:00:00Z"
LATEST = "2026-01-07T10:00:00Z"
FREE = dict.fromkeys(("total_excl", "total_tax", "total_incl"), "0.00")
NO_VAT = {"total_excl": "100.00", "total_tax": "0.00", "total_incl": "100.00"}


def lines_in_go(box):
    return {line["ExternalImportReference"]: line for line in the_order(box)["SalesOrderLines"]}


def codes(box):
    return {entry["Id"]: entry["Code"] for entry in box.go.entries("Products")}


def account_id(box, number):
    accounts = box.go.entries("GeneralLedgerAccounts")
    return next(entry["Id"] for entry in accounts if entry["AccountNo"] == number)


@pytest.fixture
def charge():
    """Makes a fee or freight of 50 kr with 25 % VAT, with changes."""

    def make(**changes):
        return {
            "id": "g1",
            "name": "Fakturagebyr",
            "total_excl": "40.00",
            "total_tax": "10.00",
            "total_incl": "50.00",
            "tax_rate": "25",
            **changes,
        }

    return make


@pytest.fixture
def food(line):
    """Makes a line of a product at 15 %, 115 kr with VAT."""

    def make(**changes):
        return line(
            **{
                "id": "2",
                "product_id": "502",
                "sku": "MAT-1",
                "name": "Knekkebrød",
                "quantity": "1",
                "unit_price_excl": "100.00",
                "unit_price_incl": "115.00",
                "total_excl": "100.00",
                "total_tax": "15.00",
                "total_incl": "115.00",
                "tax_rate": "15",
                **changes,
            }
        )

    return make


@pytest.fixture
def stocked(ledger, customer, product):
    """A ledger with sales accounts, a customer, and a product at 25 and one at 15 %."""
    ledger.settings["sales_accounts"] = ACCOUNTS
    food = product(id="502", sku="MAT-1", name="Knekkebrød", tax_rate="15")
    assert ledger.run(customer(), product(), food).status == 0
    return ledger


def test_fees_and_freight_go_on_products_of_their_own_rate(stocked, box, order, charge):
    low = charge(id="g2", name="Kjøling", total_tax="6.00", total_incl="46.00", tax_rate="15")
    record = order(fees=[charge(), low], shipping=[charge(id="f1", name="Posten")])

    stocked.run(record, ends_with=0)

    lines = lines_in_go(box)
    assert {key: codes(box)[go_line["ProductId"]] for key, go_line in lines.items()} == {
        "1": "ULL-1",
        "shipping:f1": "FRAKT-25",
        "fee:g1": "GEBYR-25",
        "fee:g2": "GEBYR-15",
    }
    assert lines["fee:g2"]["Description"] == "Kjøling"
    assert the_order(box)["TotalAmount"] == 250 + 50 + 46 + 50
    names = {entry["Code"]: entry["Name"] for entry in box.go.entries("Products")}
    assert names["GEBYR-15"] == "Gebyr 15 %"
    assert stocked.run(record).writes == []


def test_a_fee_that_costs_nothing_is_left_out(stocked, box, order, charge):
    assert stocked.run(order(fees=[charge(**FREE)])).status == 0
    assert set(lines_in_go(box)) == {"1"}


def test_a_discount_on_the_order_is_split_by_rate_in_proportion(stocked, box, order, line, food):
    # 250 at 25 % and 115 at 15 %: the first bears 50 of the 73 kr, the other 23
    discount = {"code": "JUL", "name": "Julerabatt", "amount_incl": "73.00"}
    record = order(lines=[line(), food()], discounts=[discount], total_incl="292.00")

    stocked.run(record, ends_with=0)

    lines = lines_in_go(box)
    assert lines["discount:25"]["TotalAmount"] == -50
    assert lines["discount:15"]["TotalAmount"] == -23
    assert lines["discount:25"]["Quantity"] == -1
    assert lines["discount:25"]["Description"] == "Julerabatt"
    assert codes(box)[lines["discount:15"]["ProductId"]] == "RABATT-15"
    assert the_order(box)["TotalAmount"] == 292
    assert stocked.run({**record, "updated_at": LATER}).writes == []


def test_a_discount_is_taken_from_the_rates_that_the_orders_taxes_imply(
    stocked, box, order, line, food
):
    discount = {"code": "MAT", "amount_incl": "23.00"}
    taxes = [
        {"rate": "25", "base": "200.00", "amount": "50.00"},
        {"rate": "15", "base": "80.00", "amount": "12.00"},
    ]

    stocked.run(
        order(lines=[line(), food()], discounts=[discount], taxes=taxes, total_incl="342.00"),
        ends_with=0,
    )

    lines = lines_in_go(box)
    assert "discount:25" not in lines
    assert lines["discount:15"]["TotalAmount"] == -23
    assert lines["discount:15"]["Description"] == "MAT"


def test_two_discounts_are_one_line_per_rate_and_a_changed_one_is_patched(stocked, box, order):
    discounts = [{"code": "A", "amount_incl": "10.00"}, {"code": "B", "amount_incl": "15.00"}]
    assert stocked.run(order(discounts=discounts, total_incl="225.00")).status == 0
    assert lines_in_go(box)["discount:25"]["Description"] == "A, B"
    assert the_order(box)["TotalAmount"] == 225

    less = order(discounts=discounts[:1], total_incl="240.00", updated_at=LATER)
    assert stocked.run(less).status == 0
    assert the_order(box)["TotalAmount"] == 240

    assert stocked.run(order(updated_at=LATEST)).status == 0
    assert set(lines_in_go(box)) == {"1"}


@pytest.mark.parametrize("base", ["100.00", "50.00", None])
def test_an_order_with_a_gift_card_lands_whatever_the_shop_states_as_the_base_at_zero_percent(
    stocked, box, order, line, base
):
    book = line(id="2", sku="BOK", product_id="b", quantity="1", tax_rate="0", **NO_VAT)
    gift_card = {"name": "Gavekort", "amount_excl": "50.00", "amount_incl": "50.00"}
    taxes = [
        {"rate": "25", "base": "200.00", "amount": "50.00"},
        {"rate": "0", "base": base, "amount": "0.00"},
    ]

    stocked.run(order(lines=[line(), book], discounts=[gift_card], taxes=taxes), ends_with=0)

    assert (the_order(box)["TotalAmount"], the_order(box)["NetAmount"]) == (300, 250)
    assert lines_in_go(box)["discount:0"]["TotalAmount"] == -50


def test_some_of_many_discounts_may_state_their_amount_with_vat_as_that_without(
    stocked, box, order, line, food
):
    amounts = [("20.00", "25.00"), ("25.00", "25.00"), ("10.00", "11.50"), ("50.00", "50.00")]
    discounts = [{"amount_excl": excl, "amount_incl": incl} for excl, incl in amounts]
    taxes = [
        {"rate": "25", "base": "160.00", "amount": "40.00"},
        {"rate": "15", "base": "90.00", "amount": "13.50"},
    ]
    totals = {"total_excl": "200.00", "total_tax": "53.50", "total_incl": "253.50"}

    stocked.run(
        order(lines=[line(), food()], discounts=discounts, taxes=taxes, **totals), ends_with=0
    )

    deductions = {key: line["TotalAmount"] for key, line in lines_in_go(box).items() if ":" in key}
    assert deductions == {"discount:25": -50, "discount:15": Decimal("-11.5"), "discount:0": -50}


def test_a_discount_of_more_than_the_order_is_held(stocked, order, reasons):
    discount = {"code": "ALT", "amount_incl": "300.00"}

    assert stocked.run(order(discounts=[discount], total_incl="-50.00")).writes == []
    assert "the order comes to 250.00 before it" in reasons()["hold", "orders", "9001"]


@pytest.mark.parametrize(
    ("product_id", "sku", "code"), [("601", "KORT-500", "KORT-500"), (None, None, "GAVEKORT-0")]
)
def test_a_gift_card_is_sold_without_vat(stocked, box, order, line, product_id, sku, code):
    card = line(
        id="2",
        type="gift_card",
        product_id=product_id,
        sku=sku,
        name="Gavekort 500",
        quantity="1",
        unit_price_excl="500.00",
        unit_price_incl="500.00",
        total_excl="500.00",
        total_tax="0.00",
        total_incl="500.00",
        tax_rate=None,
    )

    stocked.run(order(lines=[line(), card]), ends_with=0)

    sold = lines_in_go(box)["2"]
    assert sold["VatRate"] == 0
    assert codes(box)[sold["ProductId"]] == code
    assert the_order(box)["TotalAmount"] == 750


def test_a_text_line_is_a_text_line_in_go_and_follows_the_shop(stocked, box, order, line):
    text = {"id": "t", "type": "text", "name": "Pakkes inn som gave"}
    record = order(lines=[line(), text])

    assert stocked.run(record).status == 0
    go_line = lines_in_go(box)["t"]
    assert (go_line["LineType"], go_line["Description"]) == ("Text", "Pakkes inn som gave")
    assert go_line["ProductId"] is None

    changed = {**record, "lines": [line(), {**text, "name": "Ikke pakk inn"}], "updated_at": LATER}
    assert [write.method for write in stocked.run(changed, ends_with=0).writes] == ["PATCH"]
    assert lines_in_go(box)["t"]["Description"] == "Ikke pakk inn"
    assert stocked.run({**changed, "updated_at": LATEST}).writes == []


def test_a_text_line_with_an_amount_is_rejected(stocked, order, line, reasons):
    assert stocked.run(order(lines=[line(type="text")])).writes == []
    assert "line 1 is a text but has an amount" in reasons()["reject", "orders", "9001"]


def test_the_parts_of_a_bundle_are_lines_that_cost_nothing(stocked, box, order, line, food):
    part = food(unit_price_excl="0.00", unit_price_incl="0.00", quantity="3", **FREE)

    assert stocked.run(order(lines=[line(), part])).status == 0
    go_line = lines_in_go(box)["2"]
    assert (go_line["Quantity"], go_line["ProductUnitPrice"], go_line["TotalAmount"]) == (3, 0, 0)
    assert the_order(box)["TotalAmount"] == 250


def test_an_order_in_another_currency_is_written_in_it(stocked, box, order):
    assert stocked.run(order(currency="EUR")).status == 0
    assert the_order(box)["CurrencyCode"] == "EUR"
    assert the_order(box)["TotalAmount"] == 250


def test_an_order_whose_currency_the_shop_changes_is_held(stocked, box, order, reasons):
    stocked.run(order())

    assert stocked.run(order(currency="EUR", updated_at=LATER), ends_with=3).writes == []
    assert "the shop says EUR, Go says NOK" in reasons()["hold", "orders", "9001"]
    assert stocked.run(order(updated_at=LATEST)).status == 0


def without_vat(line, **changes):
    return line(
        unit_price_incl="100.00", total_tax="0.00", total_incl="200.00", tax_rate="0", **changes
    )


def test_a_sale_abroad_uses_the_optional_account_of_the_product(
    ledger, box, customer, product, order, line
):
    ledger.settings["sales_accounts"] = WITH_EXEMPT
    book = product(id="502", sku="BOK-1", tax_rate="0")
    lines = [without_vat(line), without_vat(line, id="2", product_id="502", sku="BOK-1")]

    ledger.run(customer(), product(), book, order(lines=lines), ends_with=0)

    in_go = lines_in_go(box)
    assert in_go["1"]["UseStandardSalesAccount"] is False
    assert in_go["2"]["UseStandardSalesAccount"] is True
    assert the_order(box)["TotalAmount"] == 400
    optional = {entry["OptionalSalesAccountId"] for entry in box.go.entries("Products")}
    assert optional == {account_id(box, 3100)}


def test_an_order_is_parked_while_go_does_not_show_the_exempt_account_of_its_product(
    ledger, box, reasons, customer, product, order, line
):
    ledger.settings["sales_accounts"] = ACCOUNTS
    ledger.run(customer(), product(), ends_with=0)
    ledger.settings["sales_accounts"] = WITH_EXEMPT
    box.go.switches.read_lag_reads = 10_000
    box.faults.add(method="PATCH", path="/products", reset="after")
    exempt = order(lines=[without_vat(line)])
    ledger.run(exempt, ends_with=3)

    ledger.run(exempt, ends_with=0)

    assert "does not show it (yet)" in reasons()["parked", "orders", "9001"]
    box.go.switches.read_lag_reads = 0
    ledger.run(exempt, ends_with=0)
    assert reasons() == {}
    assert the_order(box)["TotalAmount"] == 200


@pytest.mark.parametrize(("country", "is_exempt"), [("SE", True), ("SJ", True), ("NO", False)])
def test_goods_without_vat_at_home_go_to_the_exempt_account_when_delivered_abroad(
    ledger, box, customer, product, order, line, address, country, is_exempt
):
    ledger.settings["sales_accounts"] = {**ACCOUNTS, "exempt": 3150}
    book = product(tax_rate="0", price_incl="100.00")
    delivery = address(type="shipping", country_code=country, postal_code="9170", city="Byen")
    record = order(lines=[without_vat(line)], shipping_address=delivery)

    assert ledger.run(customer(), book, record).status == 0

    assert lines_in_go(box)["1"]["UseStandardSalesAccount"] is not is_exempt


@pytest.mark.parametrize("country", ["SE", "SJ"])
def test_vat_on_a_delivery_abroad_is_held_unless_it_is_set_to_be_norwegian(
    stocked, box, order, address, reasons, country
):
    abroad = address(type="shipping", country_code=country, postal_code="9170", city="Byen")
    assert stocked.run(order(shipping_address=abroad)).status == 3
    reason = reasons()["hold", "orders", "9001"]
    assert f"delivered to {country} with VAT of 25 %" in reason
    assert "abroad_vat" in reason
    assert box.go.entries("SalesOrders") == []

    assert stocked.run(abroad_vat="norwegian").status == 0
    assert the_order(box)["TotalAmount"] == 250


def test_vat_on_a_delivery_abroad_is_held_even_if_it_comes_to_nothing(
    stocked, box, order, line, address, reasons
):
    abroad = address(type="shipping", country_code="SE", postal_code="21111", city="Malmö")
    totals = {"total_excl": "-200.00", "total_tax": "-50.00", "total_incl": "-250.00"}
    returned = line(id="2", quantity="-1", **totals)
    exchange = order(lines=[line(), returned], total_incl="0.00", shipping_address=abroad)

    assert stocked.run(exchange).status == 3
    assert "delivered to SE with VAT of 25 %" in reasons()["hold", "orders", "9001"]
    assert box.go.entries("SalesOrders") == []


@pytest.mark.parametrize("changed", ["delivery address", "VAT"])
def test_a_draft_that_is_now_to_be_delivered_abroad_with_vat_is_held(
    ledger, box, customer, product, order, line, address, reasons, changed
):
    ledger.settings |= {"sales_accounts": {**ACCOUNTS, "exempt": 3150}}
    abroad = address(type="shipping", country_code="SE", postal_code="21111", city="Malmö")
    exported = order(shipping_address=abroad, lines=[without_vat(line)])
    first = order() if changed == "delivery address" else exported
    assert ledger.run(customer(), product(), first).status == 0
    before = copy.deepcopy(the_order(box))
    ledger.settings["confirm_on"] = ["completed"]
    edited = order(status="completed", updated_at=LATER, shipping_address=abroad)

    for _ in range(2):
        assert ledger.run(edited, ends_with=3).writes == []
        assert "delivered to SE with VAT of 25 %" in reasons()["hold", "orders", "9001"]
        assert the_order(box) == before

    assert ledger.run(abroad_vat="norwegian").status == 0
    in_go = the_order(box)
    assert (in_go["TotalAmount"], in_go["SalesOrderStatus"]) == (250, "Confirmed")


def test_a_customer_without_vat_is_posted_on_the_account_for_exempt_sales(
    ledger, box, customer, product, order, line
):
    ledger.settings["sales_accounts"] = WITH_EXEMPT

    ledger.run(customer(tax_exempt=True), product(), order(lines=[without_vat(line)]), ends_with=0)

    assert lines_in_go(box)["1"]["UseStandardSalesAccount"] is False
    assert the_order(box)["TotalAmount"] == 200


def test_an_account_for_exempt_sales_that_is_set_later_reaches_the_products_of_such_an_order(
    ledger, box, customer, product, order, line
):
    ledger.run(customer(), product(), product(id="502", sku="BOK-1"), sales_accounts=ACCOUNTS)
    ledger.settings["sales_accounts"] = WITH_EXEMPT
    lines = [without_vat(line), without_vat(line, id="2", name="Again")]

    outcome = ledger.run(order(lines=lines), ends_with=0)

    assert [write.method for write in outcome.writes] == ["PATCH", "POST"]
    assert {
        entry["Code"]: entry["OptionalSalesAccountId"] for entry in box.go.entries("Products")
    } == {
        "ULL-1": account_id(box, 3100),
        "BOK-1": None,
    }
    assert the_order(box)["TotalAmount"] == 400
    assert ledger.run(order(lines=lines, updated_at=LATER)).writes == []


def test_a_lost_answer_to_the_account_for_exempt_sales_costs_no_second_write(
    ledger, box, customer, product, order, line
):
    ledger.run(customer(), product(), sales_accounts=ACCOUNTS)
    ledger.settings["sales_accounts"] = WITH_EXEMPT
    box.faults.add(method="PATCH", path="/products", reset="after")

    outcome = ledger.run(order(lines=[without_vat(line)]), ends_with=0)

    assert [write.method for write in outcome.writes] == ["PATCH", "POST"]
    assert the_order(box)["TotalAmount"] == 200


def test_orders_that_need_the_account_at_the_same_time_give_it_to_their_product_once(
    ledger, box, customer, product, order, line
):
    ledger.run(product(), sales_accounts=ACCOUNTS)
    ledger.settings |= {"sales_accounts": WITH_EXEMPT, "workers": 8}
    box.faults.add(method="PATCH", path="/products", delay_seconds=0.2, times=None)
    buyers = [
        customer(id=str(n), email=f"k{n}@example.no", phone=None, first_name=f"Kari {n}")
        for n in range(6)
    ]
    lines = [without_vat(line, product_id=None if n % 2 else "501") for n in range(6)]
    orders = [order(id=f"9{n}", customer_id=str(n), lines=[lines[n]]) for n in range(6)]
    ledger.run(*buyers)

    outcome = ledger.run(*orders, ends_with=0)

    assert [write.method for write in outcome.writes] == ["PATCH", *["POST"] * 6]
    assert outcome.count("products", "changed") == 1


def test_a_product_that_a_person_edits_as_the_account_is_given_to_it_is_merged_again(
    ledger, box, customer, product, order, line, reasons
):
    ledger.run(customer(), product(), sales_accounts=ACCOUNTS)
    ledger.settings["sales_accounts"] = WITH_EXEMPT
    (entry,) = box.go.entries("Products")
    edit = {"OptionalSalesAccountId": account_id(box, 3150)}
    box.faults.on("go", "PATCH", "/products", lambda _: box.go.edit("Products", entry["Id"], edit))

    ledger.run(order(lines=[without_vat(line)]), ends_with=3)

    reason = reasons()["hold", "orders", "9001"]
    assert reason.startswith("product 501: both sides changed exempt_account")
    assert box.go.entries("Products")[0]["OptionalSalesAccountId"] == account_id(box, 3150)


def test_a_product_that_is_linked_by_hand_follows_on_link_though_an_order_comes_first(
    ledger, box, customer, product, order, line
):
    book = product(id="502", sku="BOK-1")
    ledger.settings |= {"sales_accounts": ACCOUNTS, "on_link": "shop"}
    ledger.run(customer(), product(), book)
    go_id = next(go_id for go_id, code in codes(box).items() if code == "BOK-1")
    for command in (["unlink", "products", "502"], ["link", "products", "502", str(go_id)]):
        arguments = ["--link-store", str(ledger.link_store), *command, "--yes"]
        assert CliRunner().invoke(main, arguments).exit_code == 0
    ledger.settings["sales_accounts"] = WITH_EXEMPT

    ledger.run(order(lines=[without_vat(line, product_id="502", sku="BOK-1")]))
    ledger.run({**book, "name": "Ny", "updated_at": LATER})

    names = {entry["Code"]: entry["Name"] for entry in box.go.entries("Products")}
    assert names["BOK-1"] == "Ny"


def test_a_dry_run_shows_the_account_for_exempt_sales_as_a_change_of_the_product(
    ledger, box, customer, product, order, line
):
    ledger.run(customer(), product(), sales_accounts=ACCOUNTS)
    ledger.settings["sales_accounts"] = WITH_EXEMPT

    planned = ledger.run(order(lines=[without_vat(line)]), dry_run=True)

    assert planned.writes == []
    assert "OptionalSalesAccountId" in planned.log
    assert box.go.entries("Products")[0]["OptionalSalesAccountId"] is None


def test_the_account_for_exempt_sales_that_a_bookkeeper_chose_for_a_product_stays(
    ledger, box, customer, product, order, line
):
    ledger.settings["sales_accounts"] = WITH_EXEMPT
    ledger.run(customer(), product())
    (entry,) = box.go.entries("Products")
    box.go.edit("Products", entry["Id"], {"OptionalSalesAccountId": account_id(box, 3150)})

    outcome = ledger.run(order(lines=[without_vat(line)]))

    assert [write.method for write in outcome.writes] == ["POST"]
    assert box.go.entries("Products")[0]["OptionalSalesAccountId"] == account_id(box, 3150)


def test_an_account_for_exempt_sales_that_bears_vat_stops_at_start_up(ledger, product):
    outcome = ledger.run(product(), sales_accounts={**ACCOUNTS, "exempt": 3000}, ends_with=1)

    assert "account 3000 carries 25 % VAT in Go, not 0 %" in outcome.log


def test_a_product_whose_rate_changes_gets_the_account_of_the_new_rate(
    stocked, box, product, order, line
):
    stocked.run(product(tax_rate="15", updated_at=LATER))
    low = line(total_tax="30.00", total_incl="230.00", tax_rate="15")

    assert stocked.run(order(lines=[low])).status == 0
    assert lines_in_go(box)["1"]["VatRate"] == Decimal("0.15")


def test_an_order_placed_late_in_the_evening_lands_on_the_norwegian_day(stocked, box, order):
    days = {
        "2026-03-28T23:30:00Z": "2026-03-29",  # summer time begins that night
        "2026-06-30T22:30:00Z": "2026-07-01",
        "2026-10-31T23:30:00Z": "2026-11-01",
        "2026-12-31T22:59:59Z": "2026-12-31",
    }
    orders = [order(id=day, placed_at=placed_at) for placed_at, day in days.items()]

    assert stocked.run(*orders).status == 0
    in_go = {
        entry["ExternalImportReference"]: str(entry["SalesOrderDate"])[:10]
        for entry in box.go.entries("SalesOrders")
    }
    assert in_go == {f"testshop:{day}": day for day in days.values()}
