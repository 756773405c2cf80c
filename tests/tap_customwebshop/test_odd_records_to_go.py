"""Odd records, from the shop through the tap into Go."""

from preset_reader import ACCOUNTS

STAMPLESS = """
CUSTOMERS = Listing("/people", has_stamps=False)
def customer(row, shop):
    return {"id": row["id"], "name": row["name"], "email": row["mail"]}
"""


def test_edits_in_a_shop_without_stamps_reach_go_one_by_one(read, ledger):
    def to_go(state=None):
        emitted = read(lambda _: people, STAMPLESS, state=state)
        outcome = ledger.run(*emitted.messages, sales_accounts=ACCOUNTS)
        return outcome, emitted.states()[-1]

    people = [
        {"id": 1, "name": "Kari Nordmann", "mail": "kari@example.no"},
        {"id": 2, "name": "Ola Hansen", "mail": "ola@example.no"},
    ]
    outcome, state = to_go()
    assert (outcome.status, len(outcome.writes)) == (0, 2)
    for name in ("Berg", "Dal", "Berg"):
        people[1] = {**people[1], "name": f"Ola {name}"}
        outcome, state = to_go(state)
        assert (outcome.status, len(outcome.writes)) == (0, 1)
        customers = ledger.box.go.entries("Customers")
        assert {customer["LastName"] for customer in customers} == {"Nordmann", name}
    outcome, _ = to_go(state)
    assert (outcome.status, outcome.writes) == (0, [])
