"""The functions that shop files use to make records and edits."""

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
    ("value", "options", "expected"),
    [
        (Decimal("89.82000000000001"), {}, "89.82"),
        ("131.235", {}, "131.24"),
        (19900, {"minor": True}, "199.00"),
        (19900, {"currency": "ISK", "minor": True}, "19900"),
        ("1.0005", {"currency": "KWD"}, "1.001"),
        ("-0.005", {}, "-0.01"),
    ],
)
def test_an_amount_is_rounded_to_the_digits_of_its_currency(value, options, expected):
    assert amount(value, **options) == Decimal(expected)
    assert money(value, **options) == f"{amount(value, **options)}" == expected


def test_an_empty_amount_is_none_in_a_record_and_zero_in_a_sum():
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


@pytest.mark.parametrize(
    ("rate", "expected"), [(Decimal("0.25"), "25"), ("0.1111", "11.11"), (0, "0")]
)
def test_a_rate_that_is_a_fraction_becomes_percent(rate, expected):
    assert percent(rate, fraction=True) == expected


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
    ("total", "paid", "paid_back", "is_reserved", "status"),
    [
        (100, 0, 0, False, "unpaid"),
        (100, 40, 0, False, "partially_paid"),
        (100, 100, 0, False, "paid"),
        (100, 100, 1, False, "partially_refunded"),
        (100, 100, 100, False, "refunded"),
        (1, 0, 0, True, "authorized"),
        (2, 1, 0, True, "partially_paid"),
        (0, 0, 0, False, "paid"),
    ],
)
def test_a_payment_status_shows_what_was_reserved_paid_and_paid_back(
    total, paid, paid_back, is_reserved, status
):
    amounts = map(Decimal, (total, paid, paid_back))
    assert payment_status(*amounts, is_reserved=is_reserved) == status


def test_members_are_renamed_for_a_record_and_back_for_the_shop():
    record = to_record({"mail": "kari@example.com", "mobile": "", "age": 7}, NAMES)
    assert record == {"email": "kari@example.com", "phone": None}
    assert to_shop({"phone": None, "note": "x"}, NAMES, empty="") == {"mobile": ""}
    assert to_shop({"email": "k@example.com", "phone": None}, NAMES) == {
        "mail": "k@example.com",
        "mobile": None,
    }


def test_false_and_zero_do_not_count_as_empty():
    assert to_record({"exempt": False, "count": 0}, {"a": "exempt", "b": "count"}) == {
        "a": False,
        "b": 0,
    }


def test_a_member_that_a_row_lacks_is_an_error_with_its_place():
    row = Notes().placed({"mail": "", "mobil": "1"}, "customers[0]")
    with pytest.raises(MissingMemberError, match=r"did you mean 'mobil'\?$"):
        to_record(row, NAMES)


def test_several_mutations_are_one_request_with_one_input_each():
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
