"""Odd records, from the shop through the tap into Go."""

import pytest
from odd_shop import OddShop

ACCOUNTS = {"25": 3000, "15": 3001, "0": 3100}


@pytest.fixture
def to_go(ledger, read_shop):
    """Reads a shop, and brings what the tap emits to Go; returns how that went, and the state."""

    def run(config, state=None):
        emitted = read_shop(config, state=state)
        outcome = ledger.run(*emitted.messages, sales_accounts=ACCOUNTS)
        return outcome, emitted.states()[-1]

    return run


STAMPLESS = """
from tap_customwebshop.shop import Listing
CUSTOMERS = Listing("/people", has_stamps=False)
def customer(row, shop):
    return {"id": row["id"], "name": row["name"], "email": row["mail"]}
"""


def test_edits_in_a_shop_without_stamps_reach_go_one_by_one(to_go, box, tmp_path):
    people = [
        {"id": 1, "name": "Kari Nordmann", "mail": "kari@example.no"},
        {"id": 2, "name": "Ola Hansen", "mail": "ola@example.no"},
    ]
    shop = OddShop(lambda _: people)
    (tmp_path / "my_shop.py").write_text(STAMPLESS, encoding="utf-8")
    config = {"api_url": shop.url, "auth_token": "x", "shop": str(tmp_path / "my_shop.py")}
    try:
        first, state = to_go(config)
        assert (first.status, len(first.writes)) == (0, 2)
        for name in ("Berg", "Dal", "Berg"):
            people[1] = {**people[1], "name": f"Ola {name}"}
            outcome, state = to_go(config, state)
            assert (outcome.status, len(outcome.writes)) == (0, 1)
            assert {entry["LastName"] for entry in box.go.entries("Customers")} == {
                "Nordmann",
                name,
            }
        outcome, _ = to_go(config, state)
        assert (outcome.status, outcome.writes) == (0, [])
    finally:
        shop.close()
