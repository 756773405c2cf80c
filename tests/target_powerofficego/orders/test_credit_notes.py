"""A credit note that turns out wrong: corrected or withdrawn while a Draft, otherwise held."""

import re
from decimal import Decimal

import pytest
from ledger import singer_lines

LATER = "2026-01-06T10:00:00Z"
LATEST = "2026-01-07T10:00:00Z"
LAST = "2026-01-08T10:00:00Z"


def money(amount, **changes):
    """A refund for no line in particular."""
    return {"id": "r1", "amount_incl": amount, "created_at": "2026-01-06T09:00:00Z", **changes}


def with_refunds(order, *refunds, **changes):
    back = sum((Decimal(refund["amount_incl"]) for refund in refunds), Decimal("0.00"))
    stated = {"refunds": [*refunds], "total_refunded": str(back), "updated_at": LATER}
    return {**order, **stated, **changes}


def cancelled(order, **changes):
    return {**order, "status": "cancelled", "updated_at": LATER, **changes}


def credit_notes(box):
    """Return the total of each credit note in Go, by its refund or cancellation."""
    return {
        entry["ExternalImportReference"].removeprefix("testshop:9001:"): entry["TotalAmount"]
        for entry in box.go.entries("SalesOrders")
    }


def confirm(box):
    (there,) = box.go.entries("SalesOrders")
    box.go.edit("SalesOrders", there["Id"], {"SalesOrderStatus": "Confirmed"})


def send(box):
    (there,) = box.go.entries("SalesOrders")
    box.go.send_invoice(there["Id"])


@pytest.fixture
def cut_off(box, ledger):
    """Runs the target, and kills it at a write."""

    def run(method, when, *records, path=None):
        running = ledger.start(workers=1)
        box.faults.on("go", method, path, lambda _: running.kill(), when=when)
        running.communicate(singer_lines(*records), timeout=60)
        box.faults.clear()

    return run


@pytest.mark.parametrize("is_refund", [True, False])
def test_a_note_whose_answer_is_lost_exists_once_though_go_shows_it_late(
    ledger, box, invoiced, is_refund
):
    record = with_refunds(invoiced, money("50.00")) if is_refund else cancelled(invoiced)
    box.go.switches.read_lag_reads = 12
    lost = box.faults.add(method="POST", path="/salesorders/complete$", reset="after")

    outcomes = [ledger.run(record), *(ledger.run() for _ in range(4))]

    assert lost.struck == 1
    assert len(box.go.entries("SalesOrders")) == 1
    assert [outcome.status for outcome in outcomes] == [0] * 5
    assert ledger.unsettled() == []
    assert ledger.run(record).writes == []


# The shop no longer sends it


@pytest.mark.parametrize("change", [with_refunds, cancelled], ids=["refund", "cancellation"])
def test_a_draft_for_something_the_shop_no_longer_sends_is_withdrawn(
    ledger, box, reasons, invoiced, change
):
    record = change(invoiced, money("50.00")) if change is with_refunds else change(invoiced)
    ledger.run(record)
    again = {**invoiced, "refunds": [], "updated_at": LATEST}

    outcome = ledger.run(again)

    assert (outcome.status, credit_notes(box), reasons()) == (0, {}, {})
    assert re.search(r"its credit note of \d+\.00 is withdrawn", outcome.log)
    assert ledger.run({**again, "updated_at": LAST}).writes == []
    ledger.run({**record, "updated_at": "2026-01-09T10:00:00Z"})
    assert list(credit_notes(box).values()) == [-50 if change is with_refunds else -250]


def test_a_record_without_refunds_withdraws_no_credit_note(ledger, box, invoiced):
    ledger.run(with_refunds(invoiced, money("50.00")))
    silent = {name: value for name, value in invoiced.items() if name != "refunds"}

    ledger.run({**silent, "note": "Ring på", "updated_at": LATEST})

    assert credit_notes(box) == {"refund:r1": -50}


@pytest.mark.parametrize("act", [confirm, send])
@pytest.mark.parametrize("change", [with_refunds, cancelled], ids=["refund", "cancellation"])
def test_a_confirmed_or_sent_note_is_held_when_the_shop_no_longer_sends_its_refund(
    ledger, box, reasons, invoiced, change, act
):
    ledger.run(change(invoiced, money("250.00")) if change is with_refunds else change(invoiced))
    act(box)

    outcome = ledger.run({**invoiced, "refunds": [], "updated_at": LATEST})

    assert (outcome.status, outcome.writes) == (3, [])
    (reason,) = reasons().values()
    assert "no longer " in reason
    assert "but 250.00 was credited in Go (" in reason


def test_an_order_that_is_open_again_without_refunds_has_its_note_withdrawn(ledger, box, invoiced):
    silent = {name: value for name, value in invoiced.items() if name != "refunds"}
    ledger.run(cancelled(silent))

    assert ledger.run({**silent, "updated_at": LATEST}).status == 0
    assert credit_notes(box) == {}


def test_a_draft_that_a_person_sends_while_it_is_withdrawn_is_held(ledger, box, reasons, invoiced):
    ledger.run(with_refunds(invoiced, money("50.00")))
    box.faults.on("go", "DELETE", None, lambda _: send(box), when="before")

    assert ledger.run({**invoiced, "refunds": [], "updated_at": LATEST}).status == 3
    assert "should be withdrawn, but is sent" in reasons()["hold", "orders", "9001"]
    again = ledger.run({**invoiced, "refunds": [], "updated_at": LAST})
    assert (again.status, again.writes) == (3, [])


def test_a_dry_run_lists_the_withdrawal_of_a_credit_note_and_deletes_none(ledger, box, invoiced):
    ledger.run(with_refunds(invoiced, money("50.00")))

    outcome = ledger.run({**invoiced, "refunds": [], "updated_at": LATEST}, dry_run=True)

    assert (outcome.writes, credit_notes(box)) == ([], {"refund:r1": -50})
    assert "credit orders 9001: total with VAT: 50" in outcome.log


def test_a_refund_that_is_now_zero_has_its_draft_withdrawn(ledger, box, invoiced):
    ledger.run(with_refunds(invoiced, money("50.00")))
    record = with_refunds(invoiced, money("0.00"), updated_at=LATEST)

    assert ledger.run(record).status == 0
    assert credit_notes(box) == {}
    assert ledger.run({**record, "updated_at": LAST}).writes == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_credit_note_is_withdrawn_once_though_the_run_was_killed(
    ledger, box, invoiced, cut_off, when
):
    ledger.run(with_refunds(invoiced, money("50.00"), money("20.00", id="r2")))
    record = with_refunds(invoiced, money("20.00", id="r2"), updated_at=LATEST)
    cut_off("DELETE", when, record)

    assert ledger.run(record).status == 0
    assert credit_notes(box) == {"refund:r2": -20}
    assert ledger.run({**record, "updated_at": LAST}).writes == []


# It was corrected


@pytest.mark.parametrize("act", [confirm, send])
def test_a_confirmed_or_sent_note_is_held_when_its_refund_is_corrected(
    ledger, box, reasons, invoiced, act
):
    ledger.run(with_refunds(invoiced, money("50.00")))
    act(box)

    outcome = ledger.run(with_refunds(invoiced, money("60.00"), updated_at=LATEST))

    assert (outcome.status, outcome.writes) == (3, [])
    (reason,) = reasons().values()
    assert "60.00" in reason
    assert "50.00" in reason


# Go gives it another amount: at 25 %, no net amount comes to 50.02 with VAT


def test_a_credit_note_that_gos_rounding_misses_is_withdrawn_and_held(
    ledger, box, reasons, invoiced
):
    record = with_refunds(invoiced, money("50.02"))

    assert ledger.run(record).status == 3
    assert credit_notes(box) == {}
    (reason,) = reasons().values()
    assert reason.startswith("50.02 is to be credited, but Go made its credit note")
    assert "the shop says -50.02, Go says -50.0" in reason
    assert "rounding_product_code" in reason
    for at in (LATER, LATEST):
        again = ledger.run({**record, "updated_at": at})
        assert (again.status, again.writes) == (3, [])
    assert list(reasons().values()) == [reason]


@pytest.mark.parametrize("mended", ["setting", "refund"])
def test_a_withdrawn_refund_is_credited_once_it_can_be(ledger, box, reasons, invoiced, mended):
    ledger.run(with_refunds(invoiced, money("50.02")))
    amount = "50.02" if mended == "setting" else "50.00"
    if mended == "setting":
        ledger.settings["rounding_product_code"] = "AVRUNDING"

    record = with_refunds(invoiced, money(amount), updated_at=LATEST)

    assert ledger.run(record).status == 0
    assert credit_notes(box) == {"refund:r1": -Decimal(amount)}
    assert reasons() == {}
    assert ledger.run({**record, "updated_at": LAST}).writes == []


@pytest.mark.parametrize(("method", "path"), [("POST", "/complete$"), ("DELETE", "/salesorders/")])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_wrong_credit_note_is_withdrawn_though_the_run_was_killed(
    ledger, box, reasons, invoiced, cut_off, method, path, when
):
    record = with_refunds(invoiced, money("50.02"))
    cut_off(method, when, record, path=path)

    assert ledger.run(record).status == 3
    assert credit_notes(box) == {}
    assert "50.02 is to be credited" in next(iter(reasons().values()))
    assert ledger.run({**record, "updated_at": LATEST}).writes == []
