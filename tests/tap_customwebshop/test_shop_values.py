"""The functions with which shop files make records and edits."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tap_customwebshop.shop import (
    Mutation,
    amount,
    money,
    mutations,
    payment_status,
    percent,
    taxes_by_rate,
    to_record,
    to_shop,
)
from tap_customwebshop.shop.values import MissingMemberError, Notes, WrongValueError

NAMES = {"email": "mail", "phone": "mobile"}


@pytest.mark.parametrize(
    ("value", "more", "expected"),
    [
        (Decimal("89.82000000000001"), {}, "89.82"),
        ("131.235", {}, "131.24"),
        (19900, {"minor": True}, "199.00"),
        (19900, {"currency": "ISK", "minor": True}, "19900"),
        ("1.0005", {"currency": "KWD"}, "1.001"),
        ("-0.005", {}, "-0.01"),
    ],
)
def test_an_amount_is_rounded_as_its_currency_is(value, more, expected):
    assert amount(value, **more) == Decimal(expected)
    assert money(value, **more) == f"{amount(value, **more)}" == expected


def test_an_empty_amount_is_none_in_a_record_and_nothing_in_a_sum():
    assert [money(None), money("")] == [None, None]
    assert [amount(None), amount("")] == [0, 0]


@pytest.mark.parametrize("make", [amount, money, percent])
def test_a_value_that_is_not_a_number_is_named_by_its_place_and_not_shown(make):
    row = Notes().placed({"sum": "hemmelig"}, "orders[3]")
    with pytest.raises(WrongValueError, match=r"^orders\[3\]\.sum is not an? (amount|rate)$"):
        make(row["sum"])


@pytest.mark.parametrize("make", [amount, money, percent])
@pytest.mark.parametrize("odd", ["NaN", "-Infinity", "sNaN", Decimal("Infinity")])
def test_a_number_that_is_not_finite_is_refused(make, odd):
    with pytest.raises(WrongValueError):
        make(odd)


@pytest.mark.parametrize(
    ("rate", "expected"),
    [("25.0000", "25"), (Decimal("11.11"), "11.11"), (100, "100"), ("0.00", "0"), ("", None)],
)
def test_a_rate_has_no_trailing_zeros(rate, expected):
    assert percent(rate) == expected


def test_a_rate_that_is_a_fraction_becomes_percent():
    assert [percent(rate, fraction=True) for rate in (Decimal("0.25"), "0.1111", 0)] == [
        "25",
        "11.11",
        "0",
    ]


def test_taxes_are_summed_by_rate():
    parts: list[dict[str, Any]] = [
        {"tax_rate": "25", "total_excl": "100.00", "total_tax": "25.00"},
        {"tax_rate": "15", "total_excl": Decimal("10.00"), "total_tax": Decimal("1.50")},
        {"tax_rate": None, "total_excl": "7.00", "total_tax": "1.00"},
        {"tax_rate": "25", "total_excl": "0.40", "total_tax": "0.10"},
    ]
    assert taxes_by_rate(parts) == [
        {"rate": "25", "base": Decimal("100.40"), "amount": Decimal("25.10")},
        {"rate": "15", "base": Decimal("10.00"), "amount": Decimal("1.50")},
    ]


@pytest.mark.parametrize(
    ("paid", "paid_back", "status"),
    [
        (0, 0, "unpaid"),
        (40, 0, "partially_paid"),
        (100, 0, "paid"),
        (100, 1, "partially_refunded"),
        (100, 100, "refunded"),
    ],
)
def test_a_payment_status_shows_what_was_paid_and_paid_back(paid, paid_back, status):
    assert payment_status(Decimal(100), Decimal(paid), Decimal(paid_back)) == status


def test_reserved_money_counts_until_some_is_taken_and_nothing_to_pay_is_paid():
    zero = Decimal(0)
    assert payment_status(Decimal(1), zero, zero, is_reserved=True) == "authorized"
    assert payment_status(Decimal(2), Decimal(1), zero, is_reserved=True) == "partially_paid"
    assert payment_status(zero, zero, zero) == "paid"


def test_members_have_the_records_names_and_go_back_by_the_shops():
    record = to_record({"mail": "kari@example.com", "mobile": "", "age": 7}, NAMES)
    assert record == {"email": "kari@example.com", "phone": None}
    assert to_shop({"phone": None, "note": "x"}, NAMES, empty="") == {"mobile": ""}
    assert to_shop({"email": "k@example.com", "phone": None}, NAMES) == {
        "mail": "k@example.com",
        "mobile": None,
    }


def test_no_is_not_taken_for_empty():
    assert to_record({"exempt": False, "count": 0}, {"a": "exempt", "b": "count"}) == {
        "a": False,
        "b": 0,
    }


def test_a_member_that_a_row_lacks_is_an_error_with_its_place():
    row = Notes().placed({"mail": "", "mobil": "1"}, "customers[0]")
    with pytest.raises(MissingMemberError, match=r"did you mean 'mobil'\?$"):
        to_record(row, NAMES)


def test_several_mutations_are_one_request_with_an_input_each():
    calls = [
        Mutation("rename(input: $input) { ok }", "Name!", {"name": "Kari"}),
        Mutation("move(to: $input) { ok }", "Place", "Oslo"),
    ]
    assert mutations("/graphql", calls) == (
        "POST",
        "/graphql",
        {
            "query": "mutation($input0: Name!, $input1: Place) {"
            " input0: rename(input: $input0) { ok } input1: move(to: $input1) { ok } }",
            "variables": {"input0": {"name": "Kari"}, "input1": "Oslo"},
        },
    )
    assert mutations("/graphql", []) is None
