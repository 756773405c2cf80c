"""The account `gift_card` of `sales_accounts`: what is owed to whoever holds a gift card."""

from collections import Counter
from decimal import Decimal

import pytest
from ledger import the_order

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
    """Send the only order, and return what its invoice posts, by account."""
    invoice = box.go.send_invoice(the_order(box)["Id"])
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
    goods = line(quantity="20", total_excl="2000.00", total_tax="500.00", total_incl="2500.00")
    records = [customer(), product()]
    if "product_id" in product_of:
        listed = {"id": "601", "sku": "KORT", "name": "Gavekort", "type": "gift_card"}
        records.append(product(**listed, price_excl="499.90", price_incl="499.90", tax_rate=rate))

    outcome = ledger.run(
        *records, order(lines=[goods, card(quantity, tax_rate=rate, **product_of)])
    )

    assert (outcome.status, outcome.count("orders", "created")) == (0, 1)
    assert posted(box) == {3000: "2000.00", 2900: on_the_card}


BOOK = {"id": "3", "product_id": "502", "sku": "BOK-1", "name": "Bok", "quantity": "1"}
BOOK |= {"tax_rate": "0", "total_excl": "100.00", "total_tax": "0.00", "total_incl": "100.00"}
WITH_VAT = {"unit_price_excl": "400.00", "unit_price_incl": "500.00", "tax_rate": "25"}
WITH_VAT |= {"total_excl": "400.00", "total_tax": "100.00", "total_incl": "500.00"}


@pytest.mark.parametrize(
    ("accounts", "others", "card_changes", "expected"),
    [
        (ACCOUNTS, [], {}, {3000: "200.00", 3100: "499.90"}),
        (WITH_GIFT_CARD, [BOOK], {}, {3000: "200.00", 3100: "100.00", 2900: "499.90"}),
        (WITH_GIFT_CARD, [], WITH_VAT, {3000: "600.00"}),
    ],
    ids=["no account of gift cards", "beside goods without VAT", "a card that bears VAT"],
)
def test_an_account_of_gift_cards_is_only_for_gift_cards_without_vat(
    ledger, box, customer, product, order, line, card, accounts, others, card_changes, expected
):
    ledger.settings["sales_accounts"] = accounts
    lines = [line(), *(line(**changes) for changes in others), card(**card_changes)]

    assert ledger.run(customer(), product(), order(lines=lines)).status == 0
    assert posted(box) == expected


def test_a_gift_card_is_not_an_exempt_sale(ledger, box, customer, product, order, line, card):
    ledger.settings["sales_accounts"] = {**WITH_GIFT_CARD, "exempt": 3200}
    free = line(total_tax="0.00", total_incl="200.00", tax_rate="0")

    ledger.run(
        customer(tax_exempt=True),
        product(),
        order(lines=[free, card(-1)], total_incl="-299.90"),
        ends_with=0,
    )

    assert posted(box) == {3200: "200.00", 2900: "-499.90"}


def test_an_account_that_is_set_later_reaches_a_gift_card_that_the_shop_sends_again(
    ledger, box, product
):
    gift = product(type="gift_card", tax_rate="0")
    ledger.run(gift, sales_accounts=ACCOUNTS)

    assert ledger.run(gift, sales_accounts=WITH_GIFT_CARD).status == 0

    numbers = {entry["Id"]: entry["AccountNo"] for entry in box.go.entries("GeneralLedgerAccounts")}
    assert numbers[box.go.entries("Products")[0]["StandardSalesAccountId"]] == 2900


@pytest.mark.parametrize(
    ("number", "fault"),
    [(3000, "account 3000 carries 25 % VAT in Go, not 0 %"), (9999, "no active account 9999")],
)
def test_a_wrong_account_of_gift_cards_stops_at_start_up(ledger, product, number, fault):
    outcome = ledger.run(product(), sales_accounts={**ACCOUNTS, "gift_card": number}, ends_with=1)

    assert outcome.writes == []
    assert fault in outcome.log
