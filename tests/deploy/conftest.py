"""A shop with a folder, in a simulated shop and Go."""

from __future__ import annotations

import pytest
from go_sandbox.seed.store import seed_store
from shop_folders import Shop


@pytest.fixture
def both_ways(box, tmp_path):
    """A shop with a few records, and a folder for rounds both ways."""
    seed_store(box.shop, customers=4, products=4, orders=6, habits=False)
    return Shop(tmp_path / "myshop").write_configs(box)


@pytest.fixture
def shop(both_ways):
    """A shop with a few records, and a folder for rounds of the way forward alone."""
    return both_ways.go_one_way()
