"""The account `gift_card` of `sales_accounts`: what is owed to whoever holds a gift card."""

from collections import Counter
from decimal import Decimal

import pytest

ACCOUNTS = {"25": 3000, "15": 3001, "0": 3100}
WITH_GIFT_CARD = {**ACCOUNTS, "gift_card": 2900}
LATER = "2026-01-06T10:00:00Z"


@pytest.fixture
def card(line):
    """Makes a line of gift cards of 499,90 kr; a quantity below zero redeems them."""

    def make(quantity=1, **changes):
        total = str(Decimal("499.90") * quantity)
        amounts = {"total_excl": total, "total_tax": "0.00", "total_incl": total}
        price = {"unit_price_excl": "499.90", "unit_price_incl": "499.90"}
        nameless = {"product_id": None, "sku": None, "name": "Gavekort", "tax_rate": None}
        return line(
            id="2", type="gift_card", quantity=str(quantity), **{**amounts, **price, **nameless}
        ) | dict(changes)

    return make


def posted(box):
    """Send the one order, and return what its invoice posts, by account."""
    (order,) = box.go.entries("SalesOrders")
    invoice = box.go.send_invoice(order["Id"])
    sums: Counter[int] = Counter()
    for line in box.go.invoice_lines(invoice["Id"]):
        sums[line["AccountNo"]] += line["NetAmount"]
    return {account: str(round(amount, 2)) for account, amount in sums.items()}


@pytest.mark.parametrize("rate", [None, "0"])
@pytest.mark.parametrize(
    "product_of",
    [{}, {"product_id": "601", "sku": "KORT"}, {"sku": "KORT"}],
    ids=["no product", "of the shop", "by its SKU"],
)
@pytest.mark.parametrize(
    ("quantity", "on_the_card"), [(1, "499.90"), (-1, "-499.90"), (3, "1499.70")]
)
def test_gift_cards_sold_and_redeemed_are_posted_on_their_account(
    ledger, box, customer, product, order, line, card, quantity, on_the_card, product_of, rate
):
    ledger.settings["sales_accounts"] = WITH_GIFT_CARD
    dear = line(quantity="20", total_excl="2000.00", total_tax="500.00", total_incl="2500.00")
    records = [customer(), product()]
    if "product_id" in product_of:
        named = {"id": "601", "sku": "KORT", "name": "Gavekort", "type": "gift_card"}
        records.append(product(**named, price_excl="499.90", price_incl="499.90", tax_rate=rate))

    outcome = ledger.run(*records, order(lines=[dear, card(quantity, tax_rate=rate, **product_of)]))

    assert (outcome.status, outcome.count("orders", "created")) == (0, 1)
    assert posted(box) == {3000: "2000.00", 2900: on_the_card}


def test_without_the_key_gift_cards_go_to_the_account_of_rate_0(
    ledger, box, customer, product, order, line, card
):
    ledger.settings["sales_accounts"] = ACCOUNTS

    assert ledger.run(customer(), product(), order(lines=[line(), card()])).status == 0
    assert posted(box) == {3000: "200.00", 3100: "499.90"}


def test_only_gift_cards_go_there(ledger, box, customer, product, order, line, card):
    ledger.settings["sales_accounts"] = WITH_GIFT_CARD
    book = {"product_id": "502", "sku": "BOK-1", "name": "Bok", "tax_rate": "0"}
    amounts = {"total_excl": "100.00", "total_tax": "0.00", "total_incl": "100.00"}
    told = order(lines=[line(), line(id="3", quantity="1", **book, **amounts), card()])

    assert ledger.run(customer(), product(), told).status == 0
    assert posted(box) == {3000: "200.00", 3100: "100.00", 2900: "499.90"}


def test_a_gift_card_that_bears_vat_goes_to_the_account_of_its_rate(
    ledger, box, customer, product, order, line, card
):
    ledger.settings["sales_accounts"] = WITH_GIFT_CARD
    amounts = {"total_excl": "400.00", "total_tax": "100.00", "total_incl": "500.00"}
    price = {"unit_price_excl": "400.00", "unit_price_incl": "500.00"}
    told = order(lines=[line(), card(tax_rate="25", **amounts, **price)])

    assert ledger.run(customer(), product(), told).status == 0
    assert posted(box) == {3000: "600.00"}


def test_a_gift_card_is_no_exempt_sale(ledger, box, customer, product, order, line, card):
    ledger.settings["sales_accounts"] = {**WITH_GIFT_CARD, "exempt": 3200}
    free = line(total_tax="0.00", total_incl="200.00", tax_rate="0")

    ledger.run(
        customer(tax_exempt=True),
        product(),
        order(lines=[free, card(-1)], total_incl="-299.90"),
        ends_with=0,
    )

    assert posted(box) == {3200: "200.00", 2900: "-499.90"}


def test_the_account_set_later_reaches_a_gift_card_that_the_shop_sends_again(ledger, box, product):
    gift = product(type="gift_card", tax_rate="0")
    ledger.run(gift, sales_accounts=ACCOUNTS)

    assert ledger.run(gift, sales_accounts=WITH_GIFT_CARD).status == 0

    (account,) = [
        one for one in box.go.entries("GeneralLedgerAccounts") if one["AccountNo"] == 2900
    ]
    assert box.go.entries("Products")[0]["StandardSalesAccountId"] == account["Id"]


@pytest.mark.parametrize(
    ("number", "why"),
    [(3000, "account 3000 carries 25 % VAT in Go, not 0 %"), (9999, "no active account 9999")],
)
def test_an_account_of_gift_cards_that_cannot_be_right_is_told(ledger, product, number, why):
    outcome = ledger.run(product(), sales_accounts={**ACCOUNTS, "gift_card": number})

    assert (outcome.status, outcome.writes) == (1, [])
    assert why in outcome.log
