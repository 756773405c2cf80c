"""A credit note that turns out wrong: corrected or withdrawn while a Draft, otherwise held."""

import re
from decimal import Decimal

import pytest
from ledger import the_order

LATER = "2026-01-06T10:00:00Z"
LATEST = "2026-01-07T10:00:00Z"
LAST = "2026-01-08T10:00:00Z"


def money(amount, **changes):
    """A refund for no line in particular."""
    return {"id": "r1", "amount_incl": amount, "created_at": "2026-01-06T09:00:00Z", **changes}


def with_refunds(order, *refunds, **changes):
    """Return the order with these refunds, and what was paid back in all."""
    back = sum((Decimal(refund["amount_incl"]) for refund in refunds), Decimal("0.00"))
    stated = {"refunds": [*refunds], "total_refunded": str(back), "updated_at": LATER}
    return {**order, **stated, **changes}


def credit_notes(box):
    """Return the total of each credit note in Go, by its refund or cancellation."""
    return {
        entry["ExternalImportReference"].removeprefix("testshop:9001:"): entry["TotalAmount"]
        for entry in box.go.entries("SalesOrders")
    }


def confirm(box):
    box.go.edit("SalesOrders", the_order(box)["Id"], {"SalesOrderStatus": "Confirmed"})


def send(box):
    box.go.send_invoice(the_order(box)["Id"])


REFUNDED = with_refunds({}, money("250.00"))
CANCELLED = {"status": "cancelled", "updated_at": LATER}


@pytest.mark.parametrize(
    "changes", [with_refunds({}, money("50.00")), CANCELLED], ids=["refund", "cancellation"]
)
def test_a_note_whose_answer_is_lost_exists_once_though_go_shows_it_late(
    ledger, box, invoiced, changes
):
    record = {**invoiced, **changes}
    box.go.switches.read_lag_reads = 12
    lost = box.faults.add(method="POST", path="/salesorders/complete$", reset="after")

    outcomes = [ledger.run(record), *(ledger.run() for _ in range(4))]

    assert lost.struck == 1
    assert len(box.go.entries("SalesOrders")) == 1
    assert [outcome.status for outcome in outcomes] == [0] * 5
    assert ledger.unsettled() == []
    assert ledger.run(record).writes == []


# The shop no longer sends the refund or the cancellation


@pytest.mark.parametrize(
    ("changes", "credited"),
    [(with_refunds({}, money("50.00")), -50), (CANCELLED, -250)],
    ids=["refund", "cancellation"],
)
def test_the_draft_of_a_refund_that_the_shop_no_longer_sends_is_withdrawn(
    ledger, box, reasons, invoiced, changes, credited
):
    record = {**invoiced, **changes}
    ledger.run(record)
    again = {**invoiced, "refunds": [], "updated_at": LATEST}

    outcome = ledger.run(again)

    assert (outcome.status, credit_notes(box), reasons()) == (0, {}, {})
    assert re.search(r"its credit note of \d+\.00 is withdrawn", outcome.log)
    assert ledger.run({**again, "updated_at": LAST}).writes == []
    ledger.run({**record, "updated_at": "2026-01-09T10:00:00Z"})
    assert list(credit_notes(box).values()) == [credited]


def test_a_record_without_refunds_withdraws_no_credit_note(ledger, box, invoiced):
    ledger.run(with_refunds(invoiced, money("50.00")))
    del invoiced["refunds"]

    ledger.run({**invoiced, "note": "Ring på", "updated_at": LATEST})

    assert credit_notes(box) == {"refund:r1": -50}


@pytest.mark.parametrize("act", [confirm, send])
@pytest.mark.parametrize("changes", [REFUNDED, CANCELLED], ids=["refund", "cancellation"])
def test_a_confirmed_or_sent_note_is_held_when_the_shop_no_longer_sends_its_refund(
    ledger, box, reasons, invoiced, changes, act
):
    ledger.run({**invoiced, **changes})
    act(box)

    assert ledger.run({**invoiced, "refunds": [], "updated_at": LATEST}, ends_with=3).writes == []
    (reason,) = reasons().values()
    assert "no longer " in reason
    assert "but 250.00 was credited in Go (" in reason


def test_an_order_that_is_open_again_without_refunds_has_its_note_withdrawn(ledger, box, invoiced):
    del invoiced["refunds"]
    ledger.run({**invoiced, **CANCELLED})

    assert ledger.run({**invoiced, "updated_at": LATEST}).status == 0
    assert credit_notes(box) == {}


def test_a_draft_that_a_person_sends_while_it_is_withdrawn_is_held(ledger, box, reasons, invoiced):
    ledger.run(with_refunds(invoiced, money("50.00")))
    box.faults.on("go", "DELETE", None, lambda _: send(box), when="before")

    assert ledger.run({**invoiced, "refunds": [], "updated_at": LATEST}).status == 3
    assert "should be withdrawn, but is sent" in reasons()["hold", "orders", "9001"]
    assert ledger.run({**invoiced, "refunds": [], "updated_at": LAST}, ends_with=3).writes == []


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


# The shop corrects the refund


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


# Go makes the note of another amount: at 25 %, no net amount comes to 50.02 with VAT


def test_a_credit_note_that_go_rounds_to_another_amount_is_withdrawn_and_held(
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
        assert ledger.run({**record, "updated_at": at}, ends_with=3).writes == []
    assert list(reasons().values()) == [reason]


@pytest.mark.parametrize(
    ("amount", "settings"),
    [("50.02", {"rounding_product_code": "AVRUNDING"}), ("50.00", {})],
    ids=["setting", "refund"],
)
def test_a_refund_whose_note_was_withdrawn_is_credited_once_go_can_make_its_amount(
    ledger, box, reasons, invoiced, amount, settings
):
    ledger.run(with_refunds(invoiced, money("50.02")))
    ledger.settings |= settings
    record = with_refunds(invoiced, money(amount), updated_at=LATEST)

    assert ledger.run(record).status == 0
    assert credit_notes(box) == {"refund:r1": -Decimal(amount)}
    assert reasons() == {}
    assert ledger.run({**record, "updated_at": LAST}).writes == []


@pytest.mark.parametrize(("method", "path"), [("POST", "/complete$"), ("DELETE", "/salesorders/")])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_credit_note_of_another_amount_is_withdrawn_though_the_run_was_killed(
    ledger, box, reasons, invoiced, cut_off, method, path, when
):
    record = with_refunds(invoiced, money("50.02"))
    cut_off(method, when, record, path=path)

    assert ledger.run(record).status == 3
    assert credit_notes(box) == {}
    assert "50.02 is to be credited" in next(iter(reasons().values()))
    assert ledger.run({**record, "updated_at": LATEST}).writes == []
