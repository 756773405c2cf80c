"""One record in a hundred is bad: all others land, and so does what is corrected in the shop."""

import pytest

from .load import WRITTEN, Load
from .verdict import complaints

SPOILT: dict[str, dict] = {
    "customers": {"email": "not an address"},
    "products": {"sku": None},
    "orders": {"total_incl": "about a hundred"},
}


@pytest.fixture
def many(box, seed, is_long):
    """3 000 customers, 2 000 products and 5 000 orders in the long form, 300 in the short one."""
    share = 1 if is_long else 0.03
    return Load(
        box, seed, customers=int(3000 * share), products=int(2000 * share), orders=int(5000 * share)
    )


def spoil(load, share):
    """Spoil records that no other record needs; return each as it was, by stream and id."""
    orders = [record for record in load.shop.records("orders") if record["status"] in WRITTEN]
    used = {
        "customers": {order["customer_id"] for order in orders},
        "products": {line["product_id"] for order in orders for line in order["lines"]},
        "orders": set(),
    }
    good = {}
    for stream, changes in SPOILT.items():
        records = orders if stream == "orders" else load.shop.records(stream)
        free = [record for record in records if record["id"] not in used[stream]]
        wanted = max(1, int(share * len(load.shop.records(stream))))
        for record in load.chance.sample(free, min(wanted, len(free))):
            good[stream, record["id"]] = record
            load.shop.edit(stream, record["id"], changes)
    return good


def test_one_bad_record_in_a_hundred_stops_no_others_and_lands_once_it_is_corrected(
    box, sync, many
):
    good = spoil(many, 0.01)

    first = sync.run()

    assert first.status == 3, first.log
    rejects = {(record.entity, record.shop_id): record.reason for record in sync.unsettled()}
    assert set(rejects) == set(good)
    assert all(rejects.values())
    print(f"{len(good)} bad records rejected, {len(first.writes)} writes for the others")
    for (stream, shop_id), record in good.items():
        many.shop.edit(stream, shop_id, {name: record[name] for name in SPOILT[stream]})

    second = sync.run()

    assert complaints(box, sync) == []
    assert second.status == 0, second.log
    assert len(second.writes) >= len(good)
