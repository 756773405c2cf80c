"""What the link store keeps of an order: read by name, and written in the form it always had."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest
from target_powerofficego.dataflow.orders.line_amounts import Money
from target_powerofficego.dataflow.orders.shop_order import AgreedBuyer, ShopOrder
from target_powerofficego.dataflow.orders.state import (
    OrderAmounts,
    OrderState,
    Stage,
    shop_side_of_base,
)
from target_powerofficego.dataflow.table import NEVER, Agreement
from target_powerofficego.sync.orders.context import as_credited

AT = datetime.datetime(2026, 5, 1, 8, tzinfo=datetime.timezone.utc)
SUMS = OrderAmounts("2026-05-01", "NOK", {"25": Money(Decimal(100), Decimal(25), Decimal(125))})

KEPT: dict[str, Any] = {
    "customer": "4711",
    "reference": "PO 1",
    "line:1": {"Quantity": Decimal(1)},
    "address_key": ["4711", "Storgata 1", "", "0155", "Oslo", "NO"],
    "buyer_id": ["12"],
    "buyer_told": ["12 guest:0", True],
    "refunds": ["r1"],
    "amounts": ["2026-05-01", "NOK", [["25", "100", "25", "125"]]],
    "stage": ["confirmed", "processing"],
    "unlocked": ["Confirmed"],
    "credited": [["r3", "0f0f"], ["r2", None]],
    "taken_back": {"r2": ["ab", "Go made it otherwise"]},
}
"""The values of a base, under the names and in the form in which the link store keeps them."""


def agreed(value):
    return Agreement(value, None, NEVER, NEVER)


BASE = {name: agreed(value) for name, value in KEPT.items()}


def kept(state):
    return {name: agreement.shop for name, agreement in state.base.items()}


def test_what_was_stored_is_read_by_name():
    state = OrderState(BASE)
    expected = {
        "lines": {"1": BASE["line:1"]},
        "buyer": AgreedBuyer("12", "12 guest:0", is_known=True),
        "address": ["Storgata 1", "", "0155", "Oslo", "NO"],
        "amounts": SUMS,
        "stage": Stage.CONFIRMED,
        "is_unlocked": True,
        "is_invoiced": True,
        "credited": {"r3": "0f0f"},
        "known_refunds": ("r1", "r3", "r2"),
        "withdrawn": KEPT["taken_back"],
    }
    assert {name: getattr(state, name) for name in expected} == expected
    in_order = {"rows": [*state.rows], "credit_marks": [*state.credit_marks.items()]}
    assert in_order == {
        "rows": ["customer", "reference"],
        "credit_marks": [("r3", "0f0f"), ("r2", None)],
    }
    assert state.goes_to(KEPT["address_key"])


def test_what_is_written_has_the_form_that_is_read():
    buyer = OrderState(BASE).buyer
    assert buyer
    shop_side = shop_side_of_base(KEPT["address_key"], buyer, ["r1"], SUMS)
    rows = {name: BASE[name] for name in ("customer", "reference")}
    state = (
        OrderState({**rows, **{name: agreed(value) for name, value in shop_side.items()}})
        .with_lines({"1": BASE["line:1"]})
        .at_stage(Stage.CONFIRMED, "processing", AT)
        .unlocked(AT)
        .with_credit_marks({"r3": "0f0f", "r2": None}, AT)
        .with_withdrawn("r2", ["ab", "Go made it otherwise"], AT)
    )
    assert kept(state) == KEPT


def test_what_is_already_kept_is_not_written_again():
    state = OrderState(BASE)
    same = state.with_amounts(SUMS, AT).with_refunds(["r1"], AT).with_address([], AT).invoiced(AT)
    assert {name for name in BASE if same.base[name] is not BASE[name]} == {"address_key"}
    unchanged = state.with_amounts(SUMS, AT).invoiced(AT).at_stage(None, None, AT)
    assert unchanged.with_go_lines({}, AT).base is state.base


def test_once_invoiced_a_further_refund_is_credited_and_not_subtracted():
    assert OrderState(BASE).with_refunds(["r1", "r9"], AT).refunds == ("r1",)
    open_order = OrderState({"refunds": agreed(["r1"])})
    assert open_order.with_refunds(["r1", "r9"], AT).refunds == ("r1", "r9")


def test_what_lasts_stays_when_both_sides_agree_anew():
    new = OrderState({name: agreed(KEPT[name]) for name in ("customer", "amounts", "refunds")})
    after = new.after(OrderState(BASE))
    assert {"stage", "unlocked", "credited", "taken_back"} <= after.base.keys()
    assert after.base["amounts"] is BASE["amounts"]
    assert after.base["refunds"] is new.base["refunds"]
    assert OrderState({}).after(OrderState({})).base == {}


def test_nothing_stays_of_an_erased_buyer():
    kept_rows = OrderState(BASE).without_buyer(["customer"])
    assert kept_rows.buyer is None
    assert not kept_rows.address
    assert kept_rows.base.keys() == BASE.keys() - {"reference", "buyer_id", "buyer_told"}


def test_a_buyer_that_an_earlier_version_kept_is_known_by_id_alone():
    old = {"buyer_id": agreed(["guest:order-7"]), "buyer": agreed("Kari")}
    assert OrderState(old).buyer == AgreedBuyer("guest:order-7", None, is_known=False)
    assert OrderState({**old, "buyer_id": agreed(["12"])}).buyer == AgreedBuyer("12", None, True)
    assert OrderState({}).buyer is None
    assert OrderState({}).amounts is None


@pytest.mark.parametrize(
    ("vat", "mark"),
    [
        ({}, "962d76c3b67f70bf"),
        ({"amount_excl": "40.00"}, "3189b7d4c5cf3070"),
        ({"taxes": [{"rate": "25", "base": "40.00", "amount": "10.00"}]}, "7832de9b7ffc8042"),
    ],
)
def test_the_mark_of_a_credited_refund_is_the_one_that_link_stores_have(vat, mark):
    order = ShopOrder({"id": "1", "refunds": [{"id": "r1", "amount_incl": "50.00", **vat}]})

    assert as_credited(order.refunds[0]) == mark
