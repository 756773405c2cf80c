"""Every event of an order in every state that it can have in Go, also when runs are killed."""

import pytest
from ledger import singer_lines, the_order

LATER = "2026-01-06T10:00:00Z"
LATEST = "2026-01-07T10:00:00Z"
HALF = {"id": "r1", "amount_incl": "125.00", "lines": [{"line_id": "1", "quantity": "1"}]}

EVENTS: dict[str, dict] = {
    "edited": {"reference": "PO 17"},
    "refunded": {"refunds": [HALF], "total_refunded": "125.00"},
    "cancelled": {"status": "cancelled"},
    "deleted": {"deleted_at": LATER},
}

# state and event: exit status, totals in Go with VAT (order or invoice first), and status in Go
TABLE = {
    ("Draft", "edited"): (0, [250], "Draft"),
    ("Draft", "refunded"): (0, [125], "Draft"),
    ("Draft", "cancelled"): (0, [], None),
    ("Draft", "deleted"): (0, [], None),
    ("Confirmed", "edited"): (0, [250], "Confirmed"),
    ("Confirmed", "refunded"): (0, [125], "Confirmed"),
    ("Confirmed", "cancelled"): (0, [], None),
    ("Confirmed", "deleted"): (0, [], None),
    ("invoiced", "edited"): (0, [250], None),
    ("invoiced", "refunded"): (0, [250, -125], "Draft"),
    ("invoiced", "cancelled"): (0, [250, -250], "Draft"),
    ("invoiced", "deleted"): (3, [250], None),
}


@pytest.fixture
def landed(ledger, box, customer, product, order):
    """Makes an order that has landed and is in a given state in Go."""

    def land(state):
        assert ledger.run(customer(), product(), order()).status == 0
        go_id = the_order(box)["Id"]
        if state == "Confirmed":
            box.go.edit("SalesOrders", go_id, {"SalesOrderStatus": "Confirmed"})
        if state == "invoiced":
            box.go.send_invoice(go_id)
        return order()

    return land


def in_go(box):
    """Return the totals of what Go has, invoices first, and the status of the last Draft."""
    orders = box.go.entries("SalesOrders")
    totals = [entry["TotalAmount"] for entry in [*box.go.entries("OutgoingInvoices"), *orders]]
    return totals, orders[-1]["SalesOrderStatus"] if orders else None


@pytest.mark.parametrize(("state", "event"), TABLE)
def test_an_event_has_the_outcome_of_the_table_and_changes_nothing_when_it_comes_again(
    ledger, box, landed, state, event
):
    status, totals, status_in_go = TABLE[state, event]
    record = {**landed(state), **EVENTS[event], "updated_at": LATER}

    assert ledger.run(record).status == status
    assert in_go(box) == (totals, status_in_go)
    for at in (LATER, LATEST):
        assert ledger.run({**record, "updated_at": at}, ends_with=status).writes == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("state", "event", "write"),
    [
        ("Draft", "edited", 0),
        ("Draft", "refunded", 0),
        ("Draft", "cancelled", 0),
        ("Confirmed", "refunded", 0),
        ("Confirmed", "refunded", 1),
        ("Confirmed", "refunded", 2),
        ("Confirmed", "cancelled", 0),
        ("Confirmed", "cancelled", 1),
        ("invoiced", "refunded", 0),
        ("invoiced", "cancelled", 0),
    ],
)
def test_an_event_whose_run_is_killed_at_a_write_is_finished_by_the_next_run(
    ledger, box, landed, state, event, write, when
):
    status, totals, status_in_go = TABLE[state, event]
    record = {**landed(state), **EVENTS[event], "updated_at": LATER}
    running = ledger.start(workers=1)
    box.faults.on("go", "PATCH", None, lambda _: running.kill(), skip=write, when=when)
    box.faults.on("go", "POST", "/SalesOrders/Complete", lambda _: running.kill(), when=when)
    box.faults.on("go", "DELETE", None, lambda _: running.kill(), when=when)
    running.communicate(singer_lines(record), timeout=90)
    box.faults.clear()

    assert ledger.run(record).status == status
    assert in_go(box) == (totals, status_in_go)
    assert ledger.run({**record, "updated_at": LATEST}).writes == []
