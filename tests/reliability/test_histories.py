"""Whatever happened on either side, two quiet runs later both agree and no edit is lost."""

import random
from zoneinfo import ZoneInfo

import pytest
from target_powerofficego.dataflow.table import Conversion

from .histories import Histories

STEPS = 6


@pytest.fixture
def histories(both, seed, customer, product, order, line):
    """Plays histories over some pairs in one sandbox."""

    def play(batch, pairs, *, kills=False, clocks=False):
        chance = random.Random(f"{seed} {batch} {clocks}")
        box = both.box
        linked = []
        for number in range(pairs):
            customer_id, product_id, order_id = f"c{number}", f"p{number}", f"o{number}"
            box.shop.put("customers", customer(id=customer_id, email=f"kunde{number}@example.no"))
            box.shop.put("products", product(id=product_id, sku=f"SKU-{number}"))
            lines = [line(product_id="p0", sku="SKU-0")]
            placed = order(id=order_id, number=order_id, customer_id=customer_id, lines=lines)
            box.shop.put("orders", placed)
            linked += [("customers", customer_id), ("products", product_id), ("orders", order_id)]
        box.shop.patches_move_updated_at = chance.random() < 0.5
        box.shop.reshapes_patches = chance.random() < 0.5
        box.go.switches.price_decimals = chance.choice([2, 4, None])
        if clocks:
            box.shop.tells_updated_at = chance.random() < 0.7
            box.shop.whole_seconds = chance.random() < 0.5
        assert both.forward().status == 0
        box.shop.clock_skew_seconds = chance.randint(-300, 300)
        box.go.switches.clock_skew_seconds = chance.randint(-300, 300)
        conversion = Conversion(shop_name="testshop", time_zone=ZoneInfo("Europe/Oslo"))
        return Histories(both, chance, linked, kills, conversion, has_wrong_clocks=clocks)

    return play


def test_two_quiet_runs_after_any_history_both_sides_agree(histories, batch, pairs, with_kills):
    played = histories(batch, pairs, kills=with_kills)
    for _ in range(STEPS):
        played.step()

    played.quiet()
    played.quiet()

    print(played.summary())
    assert played.complaints() == []
    assert played.quiet() == []


def test_whatever_the_clocks_show_no_edit_is_lost_or_undone(histories, batch, pairs):
    played = histories(batch, pairs, clocks=True)
    for _ in range(STEPS):
        played.step()

    for _ in range(4):  # a change that no stamp shows to be newer counts from its third read
        played.quiet()

    print(played.summary())
    assert played.complaints() == []
    assert played.quiet() == []
