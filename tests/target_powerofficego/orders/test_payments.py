"""Payments of linked orders: one bank journal voucher per day and method, each payment once."""

import contextlib
import datetime
import sqlite3
from decimal import Decimal

import pytest
from click.testing import CliRunner
from ledger import the_order
from target_powerofficego.links_command import main

DAY = "2026-01-05"
LATER = "2026-01-06T10:00:00Z"
LATEST = "2026-01-07T10:00:00Z"
LAST = "2026-01-08T10:00:00Z"
VIPPS = "testshop:payments:vipps:2026-01-05"
CARD = "testshop:payments:card:2026-01-05"
PATH = "/vouchers/bankjournals"
NOON = datetime.datetime(2026, 3, 10, 12, tzinfo=datetime.timezone.utc)


def payment(**changes):
    return {
        "id": "p1",
        "method": "vipps",
        "reference": "TX1",
        "status": "captured",
        "amount": "250.00",
        "paid_at": "2026-01-05T09:31:00Z",
        **changes,
    }


@pytest.fixture(autouse=True)
def accounts(ledger):
    """The accounts of two methods: Kasse and Bank of the sandbox."""
    ledger.settings["payment_accounts"] = {"vipps": 1901, "card": 1920}


@pytest.fixture
def paid(order):
    """Makes an order with one payment, with changes to the payment."""

    def make(order_id="9001", **changes):
        payments = [payment(**{"id": f"p{order_id}", **changes})]
        return order(id=order_id, number=order_id, payments=payments)

    return make


@pytest.fixture
def goods(customer, product):
    return [customer(), product()]


@pytest.fixture
def vouchers(box):
    """Returns the vouchers in Go: by reference, the amounts by account or order."""

    def read():
        numbers = {
            entry["Id"]: entry["AccountNo"] for entry in box.go.entries("GeneralLedgerAccounts")
        }
        return {
            entry["ExternalImportReference"]: [
                (
                    numbers.get(line["AccountId"]) or line["CustomMatchingReference"],
                    line["CurrencyAmount"],
                )
                for line in entry["VoucherLines"]
            ]
            for entry in box.go.entries("BankVouchers")
        }

    return read


@pytest.fixture
def days_after_noon(box):
    """Sets Go's clock, by which a day is over, to days after NOON; at first it is NOON."""

    def set_clock(days):
        ahead = NOON + datetime.timedelta(days=days) - datetime.datetime.now(datetime.timezone.utc)
        box.go.switches.clock_skew_seconds = ahead.total_seconds()

    set_clock(0)
    return set_clock


def posts(outcome):
    return [call for call in outcome.calls() if call == "POST /Vouchers/BankJournals"]


def send_invoice(box):
    return box.go.send_invoice(the_order(box)["Id"])


def test_a_days_payments_make_one_voucher_for_each_method(ledger, box, goods, paid, vouchers):
    outcome = ledger.run(
        *goods,
        paid("1"),
        paid("2"),
        paid("3", method="Card"),
        paid("4", paid_at=LATER),
        ends_with=0,
    )

    assert vouchers() == {
        VIPPS: [(1901, 500), ("1", -250), ("2", -250)],
        CARD: [(1920, 250), ("3", -250)],
        "testshop:payments:vipps:2026-01-06": [(1901, 250), ("4", -250)],
    }
    assert outcome.count("payments", "created") == 3
    (customer,) = box.go.entries("Customers")
    for voucher in box.go.entries("BankVouchers"):
        assert voucher["CurrencyCode"] == "NOK"
        debit, *credit = voucher["VoucherLines"]
        assert {row["AccountId"] for row in credit} == {customer["SubledgerAccountId"]}
        assert {row["PostingDate"] for row in (debit, *credit)} == {voucher["VoucherDate"]}


def test_the_day_of_a_payment_is_that_in_the_time_zone(ledger, goods, paid, vouchers):
    ledger.run(*goods, paid("1", paid_at="2026-01-04T23:30:00Z"))

    assert list(vouchers()) == [VIPPS]


def test_a_payment_is_posted_once_however_often_the_order_comes(ledger, goods, paid, vouchers):
    ledger.run(*goods, paid())

    assert ledger.run(*goods, paid()).writes == []
    assert ledger.run({**paid(), "note": "x", "updated_at": LATER}).writes == []
    assert len(vouchers()) == 1


def test_a_payment_of_today_is_posted_once_the_day_is_over(
    ledger, goods, paid, vouchers, days_after_noon
):
    ledger.settings["time_zone"] = "UTC"
    assert posts(ledger.run(*goods, paid(paid_at=NOON.isoformat()), ends_with=0)) == []

    days_after_noon(1)
    assert len(posts(ledger.run())) == 1
    assert list(vouchers()) == [f"testshop:payments:vipps:{NOON.date()}"]


def test_payments_that_come_late_go_on_further_vouchers(ledger, goods, paid, vouchers):
    ledger.run(*goods, paid("1"))
    ledger.run(paid("2"))
    ledger.run(paid("3"))

    assert vouchers() == {
        VIPPS: [(1901, 250), ("1", -250)],
        f"{VIPPS}:2": [(1901, 250), ("2", -250)],
        f"{VIPPS}:3": [(1901, 250), ("3", -250)],
    }


def test_a_payment_of_an_order_that_was_parked_goes_on_a_further_voucher(
    ledger, goods, customer, paid, vouchers
):
    other = {**paid("2"), "customer_id": "1002"}
    ledger.run(*goods, customer(id="1002", email="wrong"), paid("1"), other)
    assert list(vouchers()) == [VIPPS]

    assert ledger.run(customer(id="1002", email="ola@example.no")).status == 0
    assert vouchers()[f"{VIPPS}:2"] == [(1901, 250), ("2", -250)]


def test_a_long_reference_is_hashed(ledger, goods, paid, vouchers):
    method = "a method of payment with a very long name"
    ledger.settings["payment_accounts"] = {method: 1901}
    ledger.run(*goods, paid("1", method=method))
    ledger.run(paid("2", method=method))

    assert len(vouchers()) == 2
    assert all(len(reference) <= 50 for reference in vouchers())


# After the invoice


def test_the_invoice_of_a_paid_order_has_nothing_open(ledger, box, goods, paid):
    ledger.run(*goods, paid())

    assert send_invoice(box)["Balance"] == 0
    assert ledger.run({**paid(), "updated_at": LATER}).writes == []


def test_a_payment_settles_an_invoice_that_was_sent_before(ledger, box, goods, order, paid):
    ledger.run(*goods, order())
    send_invoice(box)

    assert ledger.run({**paid(), "updated_at": LATER}).status == 0
    assert [entry["Balance"] for entry in box.go.entries("OutgoingInvoices")] == [0]


def test_a_payment_that_a_bookkeeper_has_booked_is_not_posted_again(
    ledger, box, goods, order, paid
):
    ledger.run(*goods, order())
    box.go.pay_invoice(send_invoice(box)["Id"])

    outcome = ledger.run({**paid(), "updated_at": LATER}, ends_with=0)

    assert outcome.writes == []
    message = (
        "nothing is open on its invoice 1001 in Go, so it was already posted, or booked by hand"
    )
    assert message in outcome.log
    assert "nothing is open" not in ledger.run().log


def test_a_payment_of_more_than_is_open_on_the_invoice_is_held(
    ledger, box, goods, order, paid, reasons
):
    ledger.run(*goods, order())
    invoice = send_invoice(box)
    box.go.pay_invoice(invoice["Id"], "200.00")

    assert ledger.run({**paid(), "updated_at": LATER}, ends_with=3).writes == []
    assert "only 50.00 is open on its invoice 1001" in reasons()["hold", "payments", "9001"]

    ledger.acknowledge_all()
    assert ledger.run().status == 0

    box.go.pay_invoice(invoice["Id"])
    ledger.run()
    assert reasons() == {}


def test_an_amount_that_go_has_not_matched_yet_is_not_open_for_another_payment(
    ledger, box, goods, order, reasons, vouchers
):
    ledger.run(*goods, order())
    send_invoice(box)
    part = payment(id="p1", method="card", amount="6.59")

    ledger.run(order(payments=[part, payment(id="p2", amount="300.00")], updated_at=LATER))
    first = reasons()["hold", "payments", "9001"]
    assert ledger.run().status == 3
    assert reasons()["hold", "payments", "9001"] == first
    assert "only 243.41 is open on its invoice 1001 in Go, apart from payments already" in first

    ledger.run(order(payments=[part, payment(id="p2", amount="243.42")], updated_at=LATEST))
    assert list(vouchers()) == [CARD]
    ledger.run(order(payments=[part, payment(id="p2", amount="243.41")], updated_at=LAST))
    assert sorted(vouchers()) == [CARD, VIPPS]


def test_an_invoice_that_is_paid_a_second_time_is_held(
    ledger, box, goods, order, reasons, vouchers
):
    ledger.run(*goods, order(payments=[payment()]))
    send_invoice(box)
    again = payment(id="p2", method="card")

    assert ledger.run(order(payments=[payment(), again], updated_at=LATER)).status == 3

    assert list(vouchers()) == [VIPPS]
    assert (
        f"its payment of 250.00 NOK by card on {DAY} is not posted: nothing is open on its invoice"
        " 1001 in Go; settle it in Go"
    ) in reasons()["hold", "payments", "9001"]
    ledger.acknowledge_all()
    assert ledger.run().status == 0


def test_two_payments_that_are_more_than_is_open_share_one_hold(ledger, box, goods, order, reasons):
    ledger.run(*goods, order())
    box.go.pay_invoice(send_invoice(box)["Id"], "200.00")
    two = [payment(), payment(id="p2", amount="240.00")]

    assert ledger.run(order(payments=two, updated_at=LATER)).status == 3

    reason = reasons()["hold", "payments", "9001"]
    assert "250.00" in reason
    assert "240.00" in reason
    ledger.acknowledge_all()
    assert ledger.run().status == 0


def test_the_shop_gets_the_payment_status_and_nothing_is_sent_back_and_forth(
    both, linked, box, order, vouchers
):
    unpaid = order(payment_status="partially_paid", payments=[payment()])
    box.shop.put("orders", unpaid)
    assert both.forward().status == 0
    send_invoice(box)

    both.back()
    (record,) = box.shop.records("orders")
    assert record["payment_status"] == "paid"
    assert record["invoice"]["balance"] == "0.00"

    assert both.forward().writes == []
    assert both.back().writes == []
    assert len(vouchers()) == 1


# What is left out


@pytest.mark.parametrize("status", ["authorized", "pending", "failed", "refunded", None])
def test_only_completed_payments_are_posted(ledger, goods, paid, vouchers, status):
    ledger.run(*goods, paid(status=status), ends_with=0)

    assert vouchers() == {}


@pytest.mark.parametrize("status", ["betalt", "partially_refunded"])
def test_a_status_that_cannot_be_posted_is_reported_once(ledger, goods, paid, vouchers, status):
    outcome = ledger.run(*goods, paid("1", status=status), paid("2", status=status))

    assert vouchers() == {}
    message = f'payments with the status "{status}" are not posted (2 orders in this run)'
    assert outcome.log.count(message) == 1


def test_a_method_without_an_account_is_reported_once(ledger, goods, paid, vouchers):
    outcome = ledger.run(
        *goods, paid("1", method="klarna"), paid("2", method="klarna"), paid("3"), ends_with=0
    )

    assert vouchers() == {VIPPS: [(1901, 250), ("3", -250)]}
    message = 'payments by "klarna" are not posted (2 in this run): the method has no account'
    assert outcome.log.count(message) == 1


def test_a_method_that_gets_an_account_is_posted_when_the_order_comes_again(
    ledger, goods, paid, vouchers
):
    ledger.run(*goods, paid(method="klarna"))
    ledger.settings["payment_accounts"] = {"klarna": 1920}

    ledger.run(paid(method="klarna"))

    assert list(vouchers()) == ["testshop:payments:klarna:2026-01-05"]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"paid_at": None}, "has no paid_at"),
        ({"paid_at": "yesterday"}, 'has an invalid paid_at: "yesterday"'),
        ({"amount": None}, "has no amount"),
        ({"amount": "250 kr"}, 'has an invalid amount: "250 kr"'),
        ({"amount": "-250.00"}, "has an amount of -250.00; it should be above zero"),
        ({"amount": "0.00"}, "has an amount of 0.00; it should be above zero"),
        ({"amount": "250.005"}, "has an amount of 250.005; it should be above zero and in whole"),
        ({"method": None}, "has no method"),
    ],
)
def test_a_payment_that_cannot_be_read_is_reported_and_the_order_is_posted(
    ledger, box, goods, paid, vouchers, changes, fault
):
    outcome = ledger.run(*goods, paid(**changes), ends_with=0)

    assert len(box.go.entries("SalesOrders")) == 1
    assert vouchers() == {}
    assert f'orders 9001: payment "p9001" is not posted: it {fault}' in outcome.log


def test_a_payment_in_another_currency_is_reported_and_left_out(ledger, box, goods, paid, vouchers):
    outcome = ledger.run(*goods, {**paid(), "currency": "EUR"}, ends_with=0)

    assert vouchers() == {}
    assert "it is in EUR; only NOK is posted" in outcome.log


def test_payments_of_an_order_without_a_number_are_not_posted(ledger, goods, paid, vouchers):
    outcome = ledger.run(*goods, {**paid(), "number": None})

    assert vouchers() == {}
    assert "has no CustomMatchingReference in Go" in outcome.log


def test_an_order_that_a_person_deleted_in_go_gets_no_payment(
    ledger, box, goods, order, paid, vouchers, days_after_noon
):
    ledger.run(*goods, paid(paid_at=NOON.isoformat()))
    box.go.delete("SalesOrders", the_order(box)["Id"])

    days_after_noon(2)
    outcome = ledger.run()

    assert vouchers() == {}
    assert "is not posted: the order is no longer in Go" in outcome.log


def test_without_the_setting_nothing_is_posted(ledger, goods, paid):
    del ledger.settings["payment_accounts"]

    assert posts(ledger.run(*goods, paid())) == []


def test_payments_without_ids_are_distinguished_by_their_content(ledger, goods, order, vouchers):
    payments = [payment(id=None, amount=amount) for amount in ("100.00", "75.00", "75.00")]
    ledger.run(*goods, order(payments=payments))

    assert sorted(amount for _, amount in vouchers()[VIPPS]) == [-100, -75, -75, 250]
    assert ledger.run(order(payments=payments[::-1], updated_at=LATER)).status == 0
    assert len(vouchers()) == 1


def test_two_payments_with_one_id_are_posted_as_one_and_reported(ledger, goods, order, vouchers):
    outcome = ledger.run(*goods, order(payments=[payment(), payment(amount="9.00")]))

    assert vouchers() == {VIPPS: [(1901, 250), ("9001", -250)]}
    assert 'it has the same id "p1" as another one' in outcome.log


# What changes after it was posted


@pytest.mark.parametrize(
    ("payments", "difference"),
    [
        ([], "the shop no longer lists it as paid"),
        (None, "the shop no longer lists it as paid"),
        ([payment(status="refunded")], "the shop no longer lists it as paid"),
        ([payment(amount="200.00")], "the shop now lists 200.00 NOK by vipps on 2026-01-05"),
        ([payment(method="card")], "the shop now lists 250.00 NOK by card on 2026-01-05"),
        ([payment(paid_at=LATER)], "the shop now lists 250.00 NOK by vipps on 2026-01-06"),
        ([payment(id="other")], "the shop no longer lists it as paid"),
    ],
)
def test_a_posted_payment_that_is_changed_is_held_and_nothing_more_is_posted(
    ledger, goods, order, reasons, vouchers, payments, difference
):
    ledger.run(*goods, order(payments=[payment()]))
    before = vouchers()

    ledger.run(order(payments=payments, updated_at=LATER), ends_with=3)

    assert vouchers() == before
    reason = reasons()["hold", "orders", "9001"]
    assert f"its payment of 250.00 NOK by vipps on {DAY} was posted in Go ({VIPPS})" in reason
    assert difference in reason

    ledger.acknowledge_all()
    assert ledger.run().status == 0
    assert ledger.run(order(payments=payments, updated_at=LATEST)).status == 0

    assert ledger.run(order(payments=[payment()], updated_at=LATEST)).status == 0
    assert reasons() == {}


def test_a_record_without_payments_changes_no_payment(ledger, goods, order):
    ledger.run(*goods, order(payments=[payment()]))
    record = order(updated_at=LATER)
    del record["payments"]

    assert ledger.run(record).status == 0


def test_an_edit_of_the_order_is_written_though_its_payment_is_held(ledger, box, goods, order):
    ledger.run(*goods, order(payments=[payment()]))

    ledger.run(order(payments=[], reference="PO 7", updated_at=LATER))

    assert the_order(box)["PurchaseOrderReference"] == "PO 7"


def test_a_hold_gives_the_reason_of_the_order_and_that_of_its_payment(
    ledger, box, goods, order, reasons
):
    ledger.run(*goods, order(payments=[payment()]))
    refunded = order(payments=[], total_refunded="50.00", updated_at=LATER)

    ledger.run(refunded)
    reason = reasons()["hold", "orders", "9001"]

    assert "refund" in reason.split(";")[0]
    assert "no longer lists it as paid" in reason
    ledger.run()
    assert reasons()["hold", "orders", "9001"] == reason


def test_an_order_held_for_its_payment_is_still_compared_after_an_interrupted_run(
    ledger, box, goods, order, reasons
):
    ledger.run(*goods, order(payments=[payment()]))
    changed = order(payments=[], updated_at=LATER)
    ledger.run(changed)
    box.go.register("SalesOrders").put({**the_order(box), "TotalAmount": Decimal("260.00")})
    with ledger.store() as store:
        store.namespaces.choose(store.namespaces.all()[0])
        store.intents.note_comparison("orders", "9001")

    ledger.run(changed, full_check_hours=0.000001)

    reason = reasons()["hold", "orders", "9001"]
    assert reason.startswith("Go's order differs from the shop's")
    assert "260.00" in reason
    assert reason.count("no longer lists it as paid") == 1


def test_a_cancelled_order_whose_payment_was_posted_is_held(ledger, box, goods, order, reasons):
    ledger.run(*goods, order(payments=[payment()]))
    cancelled = order(payments=[payment()], status="cancelled", updated_at=LATER)

    assert ledger.run(cancelled).status == 3
    assert box.go.entries("SalesOrders") == []
    assert "but the order is no longer in Go" in reasons()["hold", "orders", "9001"]


def test_a_payment_that_changes_before_its_day_is_over_is_posted_as_it_was_last(
    ledger, goods, order, vouchers
):
    in_two_days = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=2)
    ledger.run(*goods, order(payments=[payment(paid_at=in_two_days.isoformat())]))

    ledger.run(order(payments=[payment(amount="240.00")], updated_at=LATER), ends_with=0)

    assert vouchers() == {VIPPS: [(1901, 240), ("9001", -240)]}


def test_payments_of_another_order_under_the_same_id_are_not_posted_on_the_linked_one(
    ledger, goods, order, reasons, vouchers
):
    ledger.run(*goods, order())
    another = order(created_at=LATER, number="77", payments=[payment()], updated_at=LATER)

    assert ledger.run(another).status == 3

    assert vouchers() == {}
    reason = reasons()["hold", "orders", "9001"]
    assert reason.startswith("the shop now has another record under the id 9001")
    assert "payment" not in reason


# Answers that are lost


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_lost_answer_ends_in_one_voucher(ledger, box, goods, paid, vouchers, moment):
    box.faults.add(method="POST", path=PATH, reset=moment)

    ledger.run(*goods, paid("1"), paid("2"), ends_with=0)

    assert vouchers() == {VIPPS: [(1901, 500), ("1", -250), ("2", -250)]}
    assert ledger.run(paid("1"), paid("2")).writes == []


@pytest.mark.parametrize("go_id", [None, 17, True, "1"])
def test_an_answer_without_an_id_ends_in_one_voucher(ledger, box, goods, paid, vouchers, go_id):
    box.faults.add(method="POST", path=PATH, status=201, body={"Id": go_id}, after_commit=True)

    assert ledger.run(*goods, paid("1")).status == 0

    assert vouchers() == {VIPPS: [(1901, 250), ("1", -250)]}
    assert ledger.run(paid("1")).writes == []


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_voucher_without_any_answer_is_posted_again_as_it_was(
    ledger, box, goods, paid, reasons, vouchers, moment
):
    box.faults.add(method="POST", path=PATH, reset=moment, times=3)
    assert ledger.run(*goods, paid("1")).status == 3
    assert "did not answer" in reasons()["reject", "payments", VIPPS]

    ledger.run(paid("2"), ends_with=0)

    assert vouchers() == {
        VIPPS: [(1901, 250), ("1", -250)],
        f"{VIPPS}:2": [(1901, 250), ("2", -250)],
    }
    assert reasons() == {}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.both_link_stores
def test_a_run_that_is_killed_is_completed_by_the_next(
    ledger, box, goods, paid, vouchers, cut_off, when
):
    if when == "before":
        box.faults.add(method="POST", path=PATH, reset="before")
    assert cut_off("POST", when, *goods, paid("1"), paid("2"), path=PATH) == -9

    assert ledger.run(*goods, paid("1"), paid("2"), paid("3")).status == 0

    assert vouchers() == {
        VIPPS: [(1901, 500), ("1", -250), ("2", -250)],
        f"{VIPPS}:2": [(1901, 250), ("3", -250)],
    }
    assert ledger.run(*goods, paid("1"), paid("2"), paid("3")).writes == []


REFUSED = {"title": "Bank voucher validation error(s)", "status": 400, "detail": "period closed"}
UNREADABLE = {"title": "Object conflict", "status": 409, "detail": "reversed"}


def test_a_voucher_that_go_refuses_is_rejected_and_tried_again_after_a_pause(
    ledger, box, goods, paid, reasons, vouchers
):
    box.faults.add(method="POST", path=PATH, status=400, body=REFUSED)
    assert ledger.run(*goods, paid()).status == 3
    assert "PowerOffice Go refused it (400" in reasons()["reject", "payments", VIPPS]
    assert vouchers() == {}

    assert ledger.run(ends_with=3).writes == []
    assert "PowerOffice Go refused it (400" in reasons()["reject", "payments", VIPPS]
    ledger.end_rests()
    assert ledger.run().status == 0
    assert vouchers() == {VIPPS: [(1901, 250), ("9001", -250)]}
    assert reasons() == {}


@pytest.mark.parametrize(
    ("account", "more", "debit"), [(1920, [], (1920, 250)), (1901, ["2"], (1901, 500))]
)
def test_a_refused_voucher_of_more_payments_or_another_account_is_tried_at_once(
    ledger, box, goods, paid, vouchers, account, more, debit
):
    box.faults.add(method="POST", path=PATH, status=400, body=REFUSED)
    assert ledger.run(*goods, paid("1")).status == 3

    ledger.settings["payment_accounts"] = {"vipps": account}
    assert ledger.run(*map(paid, more)).status == 0

    (lines,) = vouchers().values()
    assert lines[0] == debit


def test_a_voucher_refused_after_a_lost_answer_is_held_until_it_is_known_whether_go_has_it(
    ledger, box, goods, paid, reasons, vouchers
):
    box.faults.add(method="POST", path=PATH, reset="after")
    box.faults.add(method="POST", path=PATH, status=400, body=REFUSED)
    assert ledger.run(*goods, paid()).status == 3
    assert "it is not known whether Go has it" in reasons()["hold", "payments", VIPPS]

    assert ledger.run().status == 0
    assert vouchers() == {VIPPS: [(1901, 250), ("9001", -250)]}
    assert reasons() == {}


def test_an_unanswered_voucher_is_remembered_though_go_turns_its_repetition_away(
    ledger, box, goods, paid, vouchers
):
    box.faults.add(method="POST", path=PATH, reset="after")
    turned_away = box.faults.add(method="POST", path=PATH, status=429, times=None)
    ledger.run(*goods, paid(), retry_seconds=10)
    assert turned_away.struck
    box.faults.clear()

    assert "an unanswered voucher is in Go now" in ledger.run(ends_with=0).log
    assert vouchers() == {VIPPS: [(1901, 250), ("9001", -250)]}


def test_a_voucher_of_a_removed_setting_is_still_completed(ledger, box, goods, paid, vouchers):
    box.faults.add(method="POST", path=PATH, reset="before", times=3)
    ledger.run(*goods, paid())
    del ledger.settings["payment_accounts"]

    assert ledger.run().status == 0
    assert list(vouchers()) == [VIPPS]


# A lost link store


def test_a_lost_link_store_posts_nothing_twice(ledger, goods, paid, vouchers):
    ledger.run(*goods, paid("1"), paid("2"))
    ledger.run(paid("3"))
    before = vouchers()
    ledger.lose_link_store()

    ledger.run(*goods, paid("1"), paid("2"), paid("3"), paid("4"), ends_with=0)

    assert vouchers() == {**before, f"{VIPPS}:3": [(1901, 250), ("4", -250)]}
    assert ledger.run(*goods, paid("1"), paid("2"), paid("3"), paid("4")).writes == []


def test_a_lost_link_store_that_is_filled_gradually_posts_nothing_twice(
    ledger, goods, paid, vouchers
):
    ledger.run(*goods, paid("1"), paid("2"))
    before = vouchers()
    ledger.lose_link_store()

    ledger.run(*goods, paid("3"), paid("1"))
    ledger.run(paid("2"))

    assert vouchers() == {**before, f"{VIPPS}:2": [(1901, 250), ("3", -250)]}


def test_a_lost_answer_after_a_lost_store_loses_no_payment(ledger, box, goods, paid, vouchers):
    ledger.run(*goods, paid("1"))
    ledger.lose_link_store()
    box.faults.add(method="POST", path=PATH, reset="before")

    ledger.run(*goods, paid("1"), paid("2"))

    assert vouchers() == {
        VIPPS: [(1901, 250), ("1", -250)],
        f"{VIPPS}:2": [(1901, 250), ("2", -250)],
    }


def test_a_lost_answer_adds_no_payment_to_a_voucher_that_go_had_already(
    ledger, box, goods, paid, reasons, vouchers
):
    ledger.run(*goods, paid("1"))
    ledger.lose_link_store()
    ledger.run(*goods, paid("1"))
    before = vouchers()
    box.faults.add(method="POST", path=PATH, reset="before")
    box.faults.add(method="GET", path=PATH, status=409, body=UNREADABLE)

    ledger.run(paid("2"), ends_with=3)

    assert "cannot be looked up" in reasons()["hold", "payments", VIPPS]
    ledger.run(ends_with=0)
    assert vouchers() == {**before, f"{VIPPS}:2": [(1901, 250), ("2", -250)]}


def test_a_payment_of_a_voucher_that_go_had_already_stays_posted_though_another_is_refused(
    ledger, box, goods, paid, reasons, vouchers
):
    ledger.run(*goods, paid("1"))
    ledger.lose_link_store()
    ledger.run(*goods, paid("1"))
    before = vouchers()
    box.faults.add(method="POST", path=PATH, status=400, body={"title": "no", "status": 400})
    ledger.run(paid("2"), ends_with=3)

    ledger.run({**paid("1", status="refunded"), "updated_at": LATER}, ends_with=3)

    assert "was posted in Go" in reasons()["hold", "orders", "1"]
    assert vouchers() == before


def test_a_voucher_that_cannot_be_looked_up_after_the_store_was_lost_is_held(
    ledger, box, goods, paid, reasons, vouchers
):
    ledger.run(*goods, paid("1"))
    before = vouchers()
    ledger.lose_link_store()
    body = {**REFUSED, "detail": "ExternalImportReference is already in use"}
    box.faults.add(method="POST", path=PATH, status=400, body=body, times=2)

    assert ledger.run(*goods, paid("1"), paid("2")).status == 3
    assert "cannot be looked up" in reasons()["hold", "payments", VIPPS]
    assert vouchers() == before
    ledger.acknowledge_all()
    assert ledger.run().status == 0


def test_a_voucher_that_cannot_be_read_is_held_and_the_run_continues(
    ledger, box, goods, paid, reasons, vouchers
):
    ledger.run(*goods, paid("1"))
    before = vouchers()
    ledger.lose_link_store()
    box.faults.add(method="GET", path=PATH, status=409, body=UNREADABLE)

    ledger.run(*goods, paid("1"), paid("3", method="card"), ends_with=3)

    assert "cannot be looked up" in reasons()["hold", "payments", VIPPS]
    assert vouchers() == {**before, CARD: [(1920, 250), ("3", -250)]}
    assert ledger.run().status == 0
    assert reasons() == {}


# Care


def test_a_dry_run_lists_the_voucher_it_would_post(ledger, goods, paid, vouchers):
    outcome = ledger.run(*goods, paid("1"), paid("2"), dry_run=True)

    assert outcome.writes == []
    assert vouchers() == {}
    assert f"create payments {VIPPS}: VoucherDate" in outcome.log
    assert "debit, account 1901" in outcome.log
    assert "credit, order 2" in outcome.log
    assert not ledger.link_store.exists()


def test_a_dry_run_of_payments_of_linked_orders_posts_and_keeps_nothing(
    ledger, goods, order, paid, vouchers
):
    ledger.run(*goods, order())

    outcome = ledger.run({**paid(), "updated_at": LATER}, dry_run=True)

    assert f"create payments {VIPPS}" in outcome.log
    assert vouchers() == {}
    ledger.run({**paid(), "updated_at": LATER})
    assert list(vouchers()) == [VIPPS]


def test_a_run_makes_the_changes_that_its_dry_run_lists(ledger, goods, paid, tmp_path):
    planned, done = tmp_path / "planned.jsonl", tmp_path / "done.jsonl"
    records = [*goods, paid("1"), paid("2", method="card")]
    ledger.run(*records, dry_run=True, changes_file=str(planned))
    ledger.run(*records, changes_file=str(done))

    def of_payments(path):
        return sorted(text for text in path.read_text().splitlines() if '"payments"' in text)

    assert len(of_payments(done)) == 2
    assert of_payments(planned) == of_payments(done)


def test_the_plan_of_a_first_run_posts_nothing(ledger, box, goods, paid, vouchers):
    box.go.create("Customers", {"Name": "Per AS"})

    assert ledger.run(*goods, paid(), first_run="plan", ends_with=1).writes == []
    assert vouchers() == {}


def test_max_creates_counts_vouchers(ledger, goods, paid, vouchers):
    assert "max_creates" in ledger.run(*goods, paid(), max_creates=3, ends_with=1).log
    assert vouchers() == {}
    ledger.run(max_creates=1)
    assert list(vouchers()) == [VIPPS]


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (9999, "payment_accounts: Go has no active account 9999"),
        (3010, "payment_accounts: Go has no active account 3010"),
        (3000, "payment_accounts: account 3000 carries 25 % VAT in Go"),
    ],
)
def test_a_wrong_account_stops_at_start_up(ledger, box, goods, paid, number, message):
    outcome = ledger.run(*goods, paid(), payment_accounts={"vipps": number}, ends_with=1)

    assert message in outcome.log
    assert outcome.writes == []


def test_an_account_of_another_currency_stops_at_start_up(ledger, box, goods, paid):
    ids = {entry["AccountNo"]: entry["Id"] for entry in box.go.entries("GeneralLedgerAccounts")}
    box.go.edit("GeneralLedgerAccounts", ids[1920], {"CurrencyCode": "EUR"})

    outcome = ledger.run(*goods, paid(), ends_with=1)

    assert "account 1920 is kept in EUR in Go, not in NOK" in outcome.log


def test_a_missing_privilege_stops_at_start_up(ledger, box, goods, paid):
    box.go.switches.privileges -= {"BankVoucher_Full"}

    outcome = ledger.run(*goods, paid(), ends_with=1)

    assert "lack privileges in PowerOffice Go: BankVoucher_Full" in outcome.log
    del ledger.settings["payment_accounts"]
    assert ledger.run(*goods, paid()).status == 0


def test_a_method_that_is_named_twice_stops_at_start_up(ledger):
    outcome = ledger.run(payment_accounts={"vipps": 1901, "Vipps": 1920}, ends_with=1)

    assert 'payment_accounts: "vipps" is named twice' in outcome.log


def test_amounts_are_exact(ledger, box, goods, paid):
    amounts = ["0.10", "0.20", "249.70"]
    ledger.run(*goods, *(paid(str(n), amount=amount) for n, amount in enumerate(amounts)))

    (voucher,) = box.go.entries("BankVouchers")
    assert voucher["VoucherLines"][0]["CurrencyAmount"] == Decimal("250")


# A customer that is erased


def test_an_erased_customers_payments_are_still_posted_once(
    ledger, box, goods, paid, vouchers, days_after_noon
):
    ledger.settings["time_zone"] = "UTC"
    today = paid("2", paid_at=NOON.isoformat())
    ledger.run(*goods, paid("1"), today)
    arguments = ["--link-store", str(ledger.link_store), "erase", "customer", "1001", "--yes"]
    assert CliRunner().invoke(main, arguments).exit_code == 0

    days_after_noon(1)
    ledger.run({**paid("1"), "updated_at": LATER}, today, paid("3"))

    assert vouchers() == {
        VIPPS: [(1901, 250), ("1", -250)],
        f"testshop:payments:vipps:{NOON.date()}": [(1901, 250), ("2", -250)],
        f"{VIPPS}:2": [(1901, 250), ("3", -250)],
    }
    assert posts(ledger.run(paid("1"), today, paid("3"))) == []


def test_no_personal_data_is_kept_of_a_payment(ledger, goods, paid):
    ledger.run(*goods, paid())

    with contextlib.closing(sqlite3.connect(ledger.link_store)) as store:
        store.row_factory = sqlite3.Row
        (row,) = [dict(row) for row in store.execute("SELECT * FROM payments")]
    assert row.pop("posted_at")
    assert row == {
        "namespace": 1,
        "order_id": "9001",
        "payment_id": "p9001",
        "day": DAY,
        "method": "vipps",
        "amount": "250.00",
        "currency": "NOK",
        "voucher": VIPPS,
        "was_met": 0,
    }


def test_an_order_that_is_held_for_its_payment_is_not_invoiced(ledger, box, goods, paid, vouchers):
    box.go.switches.allow_send_invoice = True
    ledger.settings["invoice_on"] = ["completed"]
    ledger.run(*goods, paid())
    assert len(vouchers()) == 1

    ledger.run({**paid(status="refunded"), "status": "completed", "updated_at": LATER}, ends_with=3)

    assert box.go.entries("OutgoingInvoices") == []
