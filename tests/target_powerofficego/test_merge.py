"""The three-way merge, for all values and all stamps."""

import datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from target_powerofficego.dataflow.customer import CUSTOMER
from target_powerofficego.dataflow.product import PRODUCT, with_stock
from target_powerofficego.dataflow.table import Agreement
from target_powerofficego.decisions.merge import Evidence, Owner, Side, base_of_linked, merge

NOON = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.timezone.utc)
MINUTE = datetime.timedelta(minutes=1)
TEXT = st.one_of(st.none(), st.sampled_from(["a", "b", "c", " a ", ""]))
OWNERS = st.sampled_from(Owner)


def merged(s, g, base, *, owner=Owner.NEWEST, shop_at=NOON, go_at=NOON, evidence=None, row="email"):
    return merge(
        CUSTOMER,
        Side({row: s}, shop_at),
        Side({row: g}, go_at),
        {row: base} if base else {},
        owners={row: owner},
        evidence=evidence or Evidence(None, None),
    )


def agreed(s, g=None, at=NOON - MINUTE):
    return Agreement(s, s if g is None else g, at, at)


@given(TEXT, TEXT, OWNERS)
def test_what_the_shop_did_not_change_is_never_written(s, g, owner):
    assert merged(s, g, agreed(s, s), owner=owner).writes == ()


@given(TEXT, TEXT, TEXT, OWNERS)
def test_a_write_is_the_shops_value_and_guarded_by_what_go_holds(s, g, b, owner):
    for change in merged(s, g, agreed(b, b), owner=owner).writes:
        assert change.after == s
        assert change.before == g
        assert CUSTOMER.row("email").are_equal(s, g) is False


@given(TEXT, TEXT, TEXT)
def test_any_one_sided_edit_crosses_even_if_it_clears(s, b, other):
    row = CUSTOMER.row("email")
    result = merged(s, b, agreed(b, b))
    assert bool(result.writes) is not row.are_equal(s, b)
    assert result.conflicts == ()
    assert merged(b, other, agreed(b, b)).conflicts == ()


def test_the_same_edit_on_both_sides_is_agreed_without_a_write():
    result = merged("new@x.no", "NEW@x.no", agreed("old@x.no"))
    assert result.writes == ()
    assert result.base["email"].shop == "new@x.no"


def test_the_owner_decides_a_conflict():
    assert merged("s", "g", agreed("b"), owner=Owner.SHOP).writes[0].after == "s"
    assert merged("s", "g", agreed("b"), owner=Owner.GO).writes == ()
    assert merged("s", "g", agreed("b"), owner=Owner.GO).open_conflicts == ()


def test_the_newest_edit_wins_if_the_stamps_show_it_else_a_person_decides():
    ten_later = Evidence(shop=NOON + 10 * MINUTE, go=NOON)
    ten_earlier = Evidence(shop=NOON - 10 * MINUTE, go=NOON)
    too_near = Evidence(shop=NOON + 5 * MINUTE, go=NOON)
    assert merged("s", "g", agreed("b"), evidence=ten_later).writes[0].after == "s"
    assert merged("s", "g", agreed("b"), evidence=ten_earlier).writes == ()
    assert merged("s", "g", agreed("b"), evidence=ten_earlier).open_conflicts == ()
    assert merged("s", "g", agreed("b"), evidence=too_near).open_conflicts
    assert merged("s", "g", agreed("b")).open_conflicts


def test_a_margin_of_zero_leaves_equal_stamps_to_a_person():
    equal = Evidence(shop=NOON, go=NOON, margin=0 * MINUTE)
    assert merged("s", "g", agreed("b"), evidence=equal).open_conflicts


def test_a_stamp_that_an_address_edit_does_not_change_is_not_evidence():
    evidence = Evidence(
        shop=NOON + 10 * MINUTE, go=NOON, unstamped_rows=frozenset({"address_city"})
    )
    result = merged("Oslo", "Moss", agreed("Hamar"), evidence=evidence, row="address_city")
    assert result.open_conflicts


@given(st.booleans())
def test_an_empty_value_loses_a_conflict_whatever_the_stamps(shop_is_newer):
    minutes = 10 if shop_is_newer else -10
    evidence = Evidence(shop=NOON + minutes * MINUTE, go=NOON)
    assert merged(None, "g", agreed("b"), evidence=evidence).writes == ()
    assert merged("s", None, agreed("b"), evidence=evidence).writes[0].after == "s"


def test_a_counter_is_overwritten_and_never_a_conflict():
    base = {"stock_on_hand": agreed(Decimal(5))}
    result = merge(
        with_stock(PRODUCT, "shop"),
        Side({"stock_on_hand": Decimal(7)}, NOON),
        Side({"stock_on_hand": Decimal(4)}, NOON),
        base,
        owners={"stock_on_hand": Owner.GO},
        evidence=Evidence(None, None),
    )
    assert [change.after for change in result.writes] == [Decimal(7)]
    assert result.conflicts == ()


@given(TEXT, TEXT, st.sampled_from(["keep", "fill_empty", "shop", "go"]))
def test_after_linking_only_the_chosen_side_flows_to_go(s, g, on_link):
    row = CUSTOMER.row("email")
    shop, go = Side({"email": s}, NOON), Side({"email": g}, NOON)
    base, _ = base_of_linked(CUSTOMER, shop, go, on_link=on_link)
    writes = merged(s, g, base["email"]).writes
    differ = not row.are_equal(s, g)
    is_given, is_empty = row.normalise(s) is not None, row.normalise(g) is None
    flows = {"keep": False, "go": False, "shop": is_given, "fill_empty": is_empty}[on_link]
    assert bool(writes) is (differ and flows)
