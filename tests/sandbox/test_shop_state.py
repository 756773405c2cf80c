from datetime import datetime, timedelta, timezone

import pytest
from go_sandbox.shop import stamps
from go_sandbox.shop.shop import Shop
from go_sandbox.storage import Storage
from hypothesis import given
from hypothesis import strategies as st

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@pytest.fixture(name="shop")
def new_shop():
    return Shop(Storage())


def test_stamps_are_filled_in_and_always_increase(shop):
    moments = [shop.put("customers", {"id": str(number)})["updated_at"] for number in range(200)]
    assert moments == sorted(set(moments))
    assert all(stamp.endswith("Z") and len(stamp) == 27 for stamp in moments)


def test_given_stamps_are_kept(shop):
    record = {"id": "1", "created_at": "2025-01-01T00:00:00Z", "updated_at": "2025-02-01T00:00:00Z"}
    assert shop.put("customers", record) == record


def test_a_replaced_record_keeps_created_at_and_moves_updated_at(shop):
    first = shop.put("customers", {"id": "1", "name": "Åse", "phone": "1"})
    second = shop.put("customers", {"id": "1", "name": "Åsa"})
    assert second["created_at"] == first["created_at"]
    assert second["updated_at"] > first["updated_at"]
    assert shop.records("customers") == [second]
    assert "phone" not in second


def test_an_edit_moves_updated_at_even_past_a_stamp_in_the_future(shop):
    shop.put("customers", {"id": "1", "updated_at": "2099-01-01T00:00:00Z"})
    edited = shop.edit("customers", "1", {"name": "Åse"})
    assert edited["updated_at"] == "2099-01-01T00:00:00.000001Z"


def test_an_edit_of_one_member_keeps_the_others(shop):
    shop.put("orders", {"id": "1", "buyer": {"name": "Åse", "phone": "1"}, "note": "x"})
    shop.edit("orders", "1", {"buyer": {"phone": "2"}})
    assert shop.record("orders", "1")["buyer"] == {"name": "Åse", "phone": "2"}
    assert shop.record("orders", "1")["note"] == "x"


def test_a_removed_record_stays_listed_with_deleted_at(shop):
    before = shop.put("products", {"id": "1"})
    shop.remove("products", "1")
    [record] = shop.records("products")
    assert record["deleted_at"] == record["updated_at"] > before["updated_at"]


def test_a_record_without_an_id_gets_a_free_one(shop):
    shop.put("customers", {"id": "1"})
    created = [shop.put("customers", {"name": "Åse"})["id"] for _ in range(2)]
    assert len({"1", *created}) == 3


def test_editing_a_missing_record_names_it(shop):
    with pytest.raises(KeyError, match="no record 7 in customers"):
        shop.edit("customers", "7", {})


def test_the_shop_keeps_its_record_when_a_caller_changes_a_copy(shop):
    record: dict = {"id": "1", "addresses": [{"city": "Oslo"}]}
    shop.put("customers", record)["addresses"].clear()
    record["addresses"].append({})
    assert shop.record("customers", "1")["addresses"] == [{"city": "Oslo"}]


def test_mistakes_are_kept_unchanged(shop):
    shop.put("products", {"id": "1", "price_excl": "12,50 kr", "name": ["a", "list"]})
    record = shop.record("products", "1")
    assert (record["price_excl"], record["name"]) == ("12,50 kr", ["a", "list"])


moments = st.integers(-(10**16), 10**16).map(lambda count: EPOCH + timedelta(microseconds=count))
zones = st.integers(-14 * 60, 14 * 60).map(lambda count: timezone(timedelta(minutes=count)))


@given(moments, zones)
def test_any_moment_survives_rendering_and_parsing(moment, zone):
    assert stamps.parse(stamps.render(moment.astimezone(zone))) == moment


@given(moments, moments, zones)
def test_sortable_stamps_sort_by_time_whatever_the_zone(first, second, zone):
    zoned = first.astimezone(zone).isoformat()
    earlier = stamps.sortable(zoned) < stamps.sortable(stamps.render(second))
    assert earlier == (first < second)


@given(st.text().filter(lambda text: not stamps.RFC3339.fullmatch(text)))
def test_text_that_is_not_a_stamp_is_left_unchanged(text):
    assert stamps.sortable(text) == text
