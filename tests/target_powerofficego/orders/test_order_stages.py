"""An order that equals the shop's is confirmed in Go, or invoiced, once, if the settings say so."""

import pytest
from click.testing import CliRunner
from ledger import the_order
from target_powerofficego.links_command import main
from target_powerofficego.sync.invoice_sending import Progress, progress_of

LATER = "2026-01-06T10:00:00Z"
LATEST = "2026-01-07T10:00:00Z"

SEND = "createAndSendInvoice$"
STATE = "sentState$"


@pytest.fixture(autouse=True)
def _may_send(box):
    box.go.switches.allow_send_invoice = True


@pytest.fixture
def confirming(ledger):
    """A ledger whose completed orders are set to Confirmed."""
    ledger.settings["confirm_on"] = ["completed"]
    return ledger


@pytest.fixture
def invoicing(ledger):
    """A ledger whose completed orders are invoiced."""
    ledger.settings["invoice_on"] = ["completed"]
    return ledger


@pytest.fixture
def records(customer, product, order):
    """A customer, a product and an order of them, with changes to the order."""

    def make(**changes):
        return [customer(), product(), order(**changes)]

    return make


def completed(order, **changes):
    return order(status="completed", updated_at=LATER, **changes)


def requests_to_send(box):
    return [
        request for request in box.requests.all() if request.path.endswith("/createAndSendInvoice")
    ]


def short_calls(outcome):
    """Return each write as its method and the last part of its path."""
    return [f"{write.method} {write.path.rsplit('/', 1)[-1]}" for write in outcome.writes]


def assert_invoiced_once(box):
    (invoice,) = box.go.entries("OutgoingInvoices")
    assert invoice["ExternalImportReference"] == "testshop:9001"
    assert box.go.entries("SalesOrders") == []


# Confirmed


def test_without_the_settings_an_order_stays_a_draft_whatever_its_status(ledger, box, records):
    assert ledger.run(*records(status="completed")).status == 0
    assert the_order(box)["SalesOrderStatus"] == "Draft"


def test_a_new_order_of_the_status_is_created_and_confirmed(confirming, box, records):
    outcome = confirming.run(*records(status="completed"), ends_with=0)

    assert the_order(box)["SalesOrderStatus"] == "Confirmed"
    assert [write.method for write in outcome.writes] == ["POST", "POST", "POST", "PATCH"]
    assert not [read for read in outcome.reads if "/SalesOrders/" in read.path]
    assert outcome.summary["records"]["orders"] == {"created": 1, "confirmed": 1}
    again = confirming.run(*records(status="completed"))
    assert (again.status, again.writes) == (0, [])
    assert again.summary["records"]["orders"] == {"unchanged": 1}


def test_an_order_whose_status_alone_changed_is_confirmed(confirming, box, records, order):
    confirming.run(*records())
    assert the_order(box)["SalesOrderStatus"] == "Draft"

    outcome = confirming.run(completed(order), ends_with=0)

    assert the_order(box)["SalesOrderStatus"] == "Confirmed"
    assert [write.method for write in outcome.writes] == ["PATCH"]
    assert outcome.count("orders", "changed") == 1
    assert confirming.run(completed(order)).writes == []


def test_an_order_that_is_edited_and_completed_at_once_is_edited_and_then_confirmed(
    confirming, box, records, order
):
    confirming.run(*records())

    confirming.run(completed(order, reference="PO 17"), ends_with=0)

    in_go = the_order(box)
    assert (in_go["PurchaseOrderReference"], in_go["SalesOrderStatus"]) == ("PO 17", "Confirmed")


def test_an_order_that_a_bookkeeper_sets_back_to_draft_stays_a_draft(
    confirming, box, records, order
):
    confirming.run(*records(status="completed"))
    box.go.edit("SalesOrders", the_order(box)["Id"], {"SalesOrderStatus": "Draft"})

    for changes in ({}, {"note": "Ring først"}, {"reference": "PO 17"}):
        assert confirming.run(completed(order, **changes)).status == 0

    in_go = the_order(box)
    assert (in_go["PurchaseOrderReference"], in_go["SalesOrderStatus"]) == ("PO 17", "Draft")


def test_an_order_that_a_bookkeeper_confirmed_and_set_back_stays_a_draft(
    confirming, box, records, order
):
    confirming.run(*records())
    box.go.edit("SalesOrders", the_order(box)["Id"], {"SalesOrderStatus": "Confirmed"})
    assert confirming.run(completed(order)).writes == []
    box.go.edit("SalesOrders", the_order(box)["Id"], {"SalesOrderStatus": "Draft"})

    assert confirming.run(completed(order, note="Ring først")).writes == []
    assert the_order(box)["SalesOrderStatus"] == "Draft"


def test_an_order_whose_total_differs_is_never_confirmed(
    confirming, box, reasons, records, odd_line, edit_line
):
    box.go.switches.price_decimals = 2
    shop = records(status="completed", lines=[odd_line()])

    for _ in range(2):
        assert confirming.run(*shop, invoice_on=["completed"]).status == 3
        assert the_order(box)["SalesOrderStatus"] == "Draft"

    assert "Go's order differs from the shop's" in reasons()["hold", "orders", "9001"]
    edit_line(Quantity=1, ProductUnitPrice=100)
    assert confirming.run().status == 0
    assert the_order(box)["SalesOrderStatus"] == "Confirmed"


def test_an_order_of_another_vat_rate_is_held_and_not_invoiced(
    invoicing, box, records, line, reasons
):
    low = line(tax_rate="15", total_tax="30.00", total_incl="230.00")

    assert invoicing.run(*records(status="completed", lines=[low])).status == 3

    assert the_order(box)["SalesOrderStatus"] == "Draft"
    assert requests_to_send(box) == []


@pytest.mark.parametrize(
    "changes",
    [{"fees": [{"id": "g", "total_incl": "49.00"}]}, {"customer_id": "77"}, {"lines": []}],
    ids=["held", "parked", "rejected"],
)
def test_an_order_that_is_not_settled_is_neither_confirmed_nor_invoiced(
    confirming, box, records, order, changes
):
    confirming.run(*records())

    confirming.run(
        completed(order, **{"total_incl": "250.00", **changes}), invoice_on=["completed"]
    )

    assert [entry["SalesOrderStatus"] for entry in box.go.entries("SalesOrders")] == ["Draft"]
    assert requests_to_send(box) == []


@pytest.mark.parametrize("setting", ["confirm_on", "invoice_on"])
def test_an_order_that_was_equal_but_now_differs_is_held(
    ledger, box, reasons, records, order, setting
):
    ledger.run(*records())
    differing = {**the_order(box), "TotalAmount": 251}
    box.faults.add(method="GET", path="/complete$", status=200, body=differing, times=None)

    assert ledger.run(completed(order), **{setting: ["completed"]}, ends_with=3).writes == []
    assert "251" in reasons()["hold", "orders", "9001"]
    box.faults.clear()
    assert ledger.run(**{setting: ["completed"]}).status == 0


def test_an_order_whose_lines_a_bookkeeper_edited_is_confirmed_as_it_is_in_go(
    confirming, box, records, order, edit_line
):
    confirming.run(*records())
    edit_line(Quantity=3)

    assert confirming.run(completed(order)).status == 0

    assert the_order(box)["SalesOrderStatus"] == "Confirmed"
    assert the_order(box)["TotalAmount"] == 375


@pytest.mark.parametrize("note", [None, "Ring på"], ids=["unchanged", "edited in the shop too"])
def test_an_order_whose_lines_a_bookkeeper_edited_is_not_sent_to_the_buyer(
    invoicing, box, reasons, records, order, edit_line, note
):
    invoicing.run(*records())
    edit_line(Quantity=3)

    assert invoicing.run(completed(order, note=note)).status == 3

    assert requests_to_send(box) == []
    reason = reasons()["hold", "orders", "9001"]
    assert "it was edited in Go" in reason
    assert "the shop says 250.00, Go says 375.00" in reason

    edit_line(Quantity=2)
    assert invoicing.run().status == 0
    assert_invoiced_once(box)


def test_a_dry_run_plans_what_the_run_does_with_an_order_that_is_edited_and_invoiced_at_once(
    invoicing, box, records, order, line
):
    invoicing.run(*records())
    three = line(quantity="3", total_excl="300.00", total_tax="75.00", total_incl="375.00")
    edited = completed(order, lines=[three])

    planned = invoicing.run(edited, dry_run=True)
    outcome = invoicing.run(edited)

    assert planned.writes == []
    assert planned.count("orders", "changed") == outcome.count("orders", "changed") == 1
    assert "send invoice" in planned.log
    assert_invoiced_once(box)


@pytest.mark.parametrize("patch_guard", ["test", "reread"])
def test_an_order_that_is_confirmed_in_go_at_the_same_moment_does_not_fail(
    confirming, box, records, order, patch_guard
):
    confirming.run(*records())
    go_id, confirmed = the_order(box)["Id"], {"SalesOrderStatus": "Confirmed"}
    box.faults.on(
        "go", "PATCH", "/salesorders/", lambda _: box.go.edit("SalesOrders", go_id, confirmed)
    )

    confirming.run(completed(order), patch_guard=patch_guard, ends_with=0)

    assert the_order(box)["SalesOrderStatus"] == "Confirmed"


def test_a_setting_that_is_switched_on_applies_to_an_order_that_comes_again(ledger, box, records):
    ledger.run(*records(status="completed"))

    assert ledger.run(*records(status="completed"), confirm_on=["completed"]).status == 0

    assert the_order(box)["SalesOrderStatus"] == "Confirmed"


def test_the_stage_of_an_order_is_not_a_difference(confirming, box, records):
    confirming.run(*records(status="completed"))

    arguments = ["--link-store", str(confirming.link_store), "differences"]
    listed = CliRunner().invoke(main, arguments)

    assert listed.exit_code == 0
    assert "stage" not in listed.output


def test_an_order_that_was_removed_in_go_is_held(confirming, box, reasons, records, order):
    confirming.run(*records())
    box.go.delete("SalesOrders", the_order(box)["Id"])

    assert confirming.run(completed(order)).status == 3

    assert "removed in Go" in reasons()["hold", "orders", "9001"]


@pytest.mark.parametrize("loss", [{"reset": "after"}, {"reset": "before"}], ids=str)
def test_a_confirmation_whose_answer_is_lost_is_done_once(confirming, box, records, loss):
    fault = box.faults.add(method="PATCH", path="/salesorders/", **loss)

    confirming.run(*records(status="completed"), ends_with=0)

    assert fault.struck == 1
    assert the_order(box)["SalesOrderStatus"] == "Confirmed"
    assert confirming.run(*records(status="completed")).writes == []


def test_an_order_that_is_found_in_go_keeps_its_stage(confirming, box, records, order):
    confirming.run(*records(), confirm_on=[])
    confirming.lose_link_store()

    assert confirming.run(*records(status="completed"), invoice_on=["completed"]).status == 0
    assert confirming.run(completed(order, note="Ring først")).status == 0

    assert the_order(box)["SalesOrderStatus"] == "Draft"


# Invoiced


def test_a_new_order_of_the_status_is_created_and_invoiced(invoicing, box, records):
    outcome = invoicing.run(*records(status="completed"), ends_with=0)

    assert_invoiced_once(box)
    assert short_calls(outcome)[-2:] == ["POST Complete", "POST createAndSendInvoice"]
    assert outcome.writes[-1].json() == {"DeliveryType": "Auto", "EmailAddress": "kari@example.no"}
    assert len([read for read in outcome.reads if read.path.endswith("/sentState")]) == 1
    assert "orders 9001: Go made and sent invoice 1001" in outcome.log
    assert outcome.summary["records"]["orders"] == {"created": 1, "invoiced": 1}
    assert invoicing.run(*records(status="completed"), ends_with=0).writes == []


def test_an_order_that_comes_again_in_the_run_after_its_invoice_is_not_written(
    invoicing, box, records, order
):
    invoicing.run(*records(status="completed"))

    outcome = invoicing.run(completed(order, reference="PO 17"), completed(order, note="Hei"))

    assert (outcome.status, outcome.writes) == (0, [])


def test_an_order_with_both_statuses_is_invoiced_without_being_confirmed(confirming, box, records):
    outcome = confirming.run(*records(status="completed"), invoice_on=["completed"])

    assert_invoiced_once(box)
    assert short_calls(outcome)[-2:] == ["POST Complete", "POST createAndSendInvoice"]


def test_an_order_is_confirmed_by_one_status_and_invoiced_by_the_next(
    invoicing, box, records, order
):
    invoicing.settings["confirm_on"] = ["processing"]
    invoicing.run(*records())
    assert the_order(box)["SalesOrderStatus"] == "Confirmed"

    outcome = invoicing.run(completed(order), ends_with=0)

    assert_invoiced_once(box)
    assert short_calls(outcome) == ["POST createAndSendInvoice"]


@pytest.mark.parametrize("prices", [[100], [99, 101, 100]], ids=["once", "at the third attempt"])
def test_an_order_that_was_held_is_invoiced_once_a_bookkeeper_has_corrected_it(
    invoicing, box, records, odd_line, edit_line, prices
):
    box.go.switches.price_decimals = 2
    invoicing.run(*records(status="completed", lines=[odd_line()]))

    for price in prices:
        assert invoicing.run().status == 3
        edit_line(Quantity=1, ProductUnitPrice=price)

    assert invoicing.run().status == 0
    assert_invoiced_once(box)
    assert len(requests_to_send(box)) == 1


def test_an_order_that_a_person_sent_is_not_sent_again(invoicing, box, records, order):
    invoicing.run(*records())
    box.go.send_invoice(the_order(box)["Id"])

    assert invoicing.run(completed(order), ends_with=0).writes == []
    assert_invoiced_once(box)


def test_an_order_that_a_person_sends_at_the_same_moment_does_not_fail(
    invoicing, box, records, order
):
    invoicing.run(*records())
    go_id = the_order(box)["Id"]
    box.faults.on("go", "POST", SEND, lambda _: box.go.send_invoice(go_id))

    invoicing.run(completed(order), ends_with=0)

    assert_invoiced_once(box)


@pytest.mark.parametrize(
    ("changes", "sent"),
    [
        ({"email": "post@example.no"}, {"EmailAddress": "post@example.no"}),
        ({"email": None}, {}),
        ({"email": "ring meg"}, {}),
    ],
)
def test_the_buyers_address_is_sent_when_it_is_valid(invoicing, records, order, changes, sent):
    buyer = {**order()["buyer"], **changes}

    outcome = invoicing.run(*records(status="completed", buyer=buyer), ends_with=0)

    assert outcome.writes[-1].json() == {"DeliveryType": "Auto", **sent}


# Lost answers and killed runs


@pytest.mark.parametrize(
    "loss", [{"reset": "after"}, {"status": 503, "after_commit": True}], ids=str
)
def test_an_invoice_whose_answer_is_lost_is_made_once(invoicing, box, records, loss):
    fault = box.faults.add(method="POST", path=SEND, **loss)

    invoicing.run(*records(status="completed"), ends_with=0)

    assert fault.struck == 1
    assert len(requests_to_send(box)) == 1
    assert_invoiced_once(box)
    assert invoicing.run(*records(status="completed")).writes == []


def test_an_invoice_that_was_never_requested_is_made_by_the_next_run(invoicing, box, records):
    box.faults.add(method="POST", path=SEND, reset="before")
    invoicing.run(*records(status="completed"), ends_with=3)
    assert len(requests_to_send(box)) == 1

    outcome = invoicing.run(ends_with=0)

    assert "checked what became of an unanswered send: it was not done" in outcome.log
    assert_invoiced_once(box)


@pytest.mark.slow
@pytest.mark.parametrize("lag", [0, 1])
@pytest.mark.parametrize(("when", "requests"), [("before", 2), ("after", 1)])
def test_a_run_killed_while_the_invoice_is_requested_is_completed_by_the_next(
    invoicing, box, records, cut_off, when, requests, lag
):
    box.go.switches.read_lag_seconds = lag
    if when == "before":
        box.faults.add(method="POST", path=SEND, reset="before")
    assert cut_off("POST", when, *records(status="completed"), path=SEND) == -9

    invoicing.run(*records(status="completed"), ends_with=0)

    assert_invoiced_once(box)
    assert len(requests_to_send(box)) == requests
    assert invoicing.run(*records(status="completed")).writes == []


@pytest.mark.slow
def test_a_run_killed_between_creating_and_sending_sends_in_the_next(
    invoicing, box, records, cut_off
):
    cut_off("POST", "after", *records(status="completed"), path="/complete$")

    assert invoicing.run(*records(status="completed")).status == 0

    assert_invoiced_once(box)


def test_an_invoice_that_go_is_still_making_is_awaited_and_not_requested_again(
    invoicing, box, reasons, records, order
):
    box.go.switches.sending_seconds = 3600
    outcome = invoicing.run(*records(status="completed"), ends_with=0)
    assert outcome.summary["records"]["orders"] == {"parked": 1}
    assert "Go is sending the invoice" in reasons()["parked", "orders", "9001"]

    assert invoicing.run(completed(order, reference="PO 17"), ends_with=0).writes == []
    box.go.switches.sending_seconds = 0

    last = invoicing.run(ends_with=0)

    assert "checked what became of an unanswered send: it was done" in last.log
    assert last.writes == []
    assert last.count("orders", "invoiced") == 1
    assert_invoiced_once(box)
    assert len(requests_to_send(box)) == 1
    assert reasons() == {}


def test_an_invoice_that_go_accepted_and_does_not_show_yet_is_not_requested_again(
    invoicing, box, reasons, records
):
    box.faults.add(method="POST", path=SEND, status=202, times=None)

    for _ in range(2):
        assert invoicing.run(*records(status="completed")).status == 0
        assert "Go is sending the invoice" in reasons()["parked", "orders", "9001"]

    assert len(requests_to_send(box)) == 1


@pytest.mark.slow
@pytest.mark.both_link_stores
@pytest.mark.parametrize("maker", ["Go", "a person"])
def test_an_invoice_that_go_is_not_done_with_three_runs_later_is_a_hold_until_it_is_made(
    invoicing, box, reasons, records, order, maker
):
    box.go.switches.sending_seconds = 3600
    inputs = [records(status="completed"), [], [], [], [completed(order, reference="PO 17")]]

    assert [invoicing.run(*messages).status for messages in inputs] == [0, 0, 0, 3, 3]
    assert "has not done so several runs later" in reasons()["hold", "orders", "9001"]
    assert len(requests_to_send(box)) == 1

    if maker == "Go":
        box.go.switches.sending_seconds = 0
    else:
        box.go.send_invoice(the_order(box)["Id"])
    assert invoicing.run(ends_with=0).writes == []
    assert_invoiced_once(box)
    assert reasons() == {}


def test_an_invoice_that_go_accepted_and_never_showed_is_held_and_requested_again(
    invoicing, box, reasons, records
):
    box.faults.add(method="POST", path=SEND, status=202, times=None)

    for status in (0, 0, 0, 3, 3):
        invoicing.run(*records(status="completed"), ends_with=status)

    assert "has not done so several runs later" in reasons()["hold", "orders", "9001"]
    assert len(requests_to_send(box)) == 2
    box.faults.clear()
    assert {invoicing.run().status for _ in range(3)} == {3, 0}
    assert_invoiced_once(box)
    assert reasons() == {}


def test_an_order_that_was_removed_while_its_invoice_was_awaited_is_held_as_removed(
    invoicing, box, reasons, records
):
    fault = box.faults.add(method="POST", path=SEND, status=202)
    invoicing.run(*records(status="completed"))
    box.go.delete("SalesOrders", the_order(box)["Id"])

    for _ in range(4):
        invoicing.run()

    assert fault.struck == 1
    assert "removed in Go" in reasons()["hold", "orders", "9001"]


def test_a_run_that_cannot_check_the_result_leaves_it_to_the_next(invoicing, box, records):
    box.faults.add(method="GET", path=STATE, status=500, times=None)
    assert invoicing.run(*records(status="completed"), retry_seconds=10).status == 3
    box.faults.clear()

    assert invoicing.run().status == 0
    assert_invoiced_once(box)
    assert len(requests_to_send(box)) == 1


# What Go refuses


def failed(box, message="Kunden har ikke e-post", **changes):
    """Let Go report that it could not make the invoice."""
    state = {"Id": the_order(box)["Id"], "LastErrorMessage": message, **changes}
    box.faults.add(method="GET", path=STATE, status=200, body=[state], times=None)


def test_an_invoice_that_go_cannot_make_is_held_with_gos_reason_and_tried_again(
    invoicing, box, reasons, records, order
):
    invoicing.run(*records())
    failed(box)
    refused = box.faults.add(method="POST", path=SEND, status=202)

    invoicing.run(completed(order), ends_with=3)

    assert refused.struck == 1
    (held,) = invoicing.unsettled("hold")
    assert "correct that in Go" in held.reason
    assert held.detail == "Kunden har ikke e-post"
    box.faults.clear()

    assert invoicing.run().status == 0
    assert_invoiced_once(box)
    assert reasons() == {}


def test_an_invoice_that_go_itself_tries_again_to_send_is_not_requested_again(
    invoicing, box, reasons, records, order
):
    invoicing.run(*records())
    failed(box)
    box.faults.add(method="POST", path=SEND, status=202)
    invoicing.run(completed(order))
    box.faults.clear()
    failed(box, IsInvoiceBeingProcessed=True)

    assert invoicing.run(ends_with=0).writes == []
    assert "Go is sending the invoice" in reasons()["parked", "orders", "9001"]
    box.faults.clear()
    box.go.send_invoice(the_order(box)["Id"])
    assert invoicing.run(ends_with=0).writes == []
    assert reasons() == {}


def test_a_failure_that_go_reports_only_after_the_run_is_held_and_tried_again_by_the_next(
    invoicing, box, reasons, records
):
    box.go.switches.sending_seconds = 3600
    assert invoicing.run(*records(status="completed")).status == 0
    failed(box)

    assert invoicing.run(ends_with=3).writes == []
    (held,) = invoicing.unsettled()
    assert (held.kind, held.detail) == ("hold", "Kunden har ikke e-post")
    box.faults.clear()
    box.go.switches.sending_seconds = 0
    assert invoicing.run().status == 0
    assert_invoiced_once(box)
    assert reasons() == {}


def test_an_order_whose_invoice_go_is_making_for_a_person_waits_for_it(
    invoicing, box, reasons, records, order
):
    invoicing.run(*records())
    failed(box, message=None, IsInvoiceBeingProcessed=True)
    box.faults.add(method="POST", path=SEND, status=409, body={"title": "In use", "status": 409})

    assert invoicing.run(completed(order)).status == 0
    assert "Go is sending the invoice" in reasons()["parked", "orders", "9001"]
    box.faults.clear()
    box.go.send_invoice(the_order(box)["Id"])

    assert invoicing.run(ends_with=0).writes == []
    assert len(requests_to_send(box)) == 1
    assert reasons() == {}


def test_an_invoice_that_was_made_but_not_delivered_is_held_until_it_is(
    invoicing, box, reasons, records, order
):
    invoicing.run(*records())
    failed(box, message="E-posten kom i retur")

    for counted in ({"held": 1, "invoiced": 1}, {"held": 1}):
        assert invoicing.run(completed(order), ends_with=3).summary["records"]["orders"] == counted
        assert "could not deliver it" in reasons()["hold", "orders", "9001"]

    assert_invoiced_once(box)
    assert len(requests_to_send(box)) == 1
    box.faults.clear()
    assert invoicing.run().status == 0
    assert reasons() == {}


def test_an_invoice_that_go_refuses_to_send_is_a_reject_with_gos_reason(
    invoicing, box, records, order
):
    body = {"title": "Sales order validation error(s)", "detail": "Kari mangler", "status": 400}
    box.faults.add(method="POST", path=SEND, status=400, body=body)

    invoicing.run(*records(status="completed"), ends_with=3)

    (reject,) = invoicing.unsettled("reject")
    assert "the order is in Go, but Go refused to make its invoice (400" in reject.reason
    assert reject.detail == "Kari mangler"
    assert the_order(box)["SalesOrderStatus"] == "Draft"


def test_a_missing_privilege_at_the_call_is_a_hold(invoicing, box, reasons, records):
    body = {"title": "Missing privilege", "detail": "goAllowSendInvoice", "status": 400}
    box.faults.add(method="POST", path=SEND, status=400, body=body)

    invoicing.run(*records(status="completed"), ends_with=3)

    assert "not allowed to send invoices" in reasons()["hold", "orders", "9001"]
    assert invoicing.run().status == 0
    assert_invoiced_once(box)


@pytest.mark.parametrize("dry_run", [False, True])
def test_keys_that_are_not_allowed_to_send_stop_the_run_before_anything_is_written(
    invoicing, box, records, dry_run
):
    box.go.switches.allow_send_invoice = False

    outcome = invoicing.run(*records(status="completed"), dry_run=dry_run, ends_with=1)

    assert outcome.writes == []
    (line,) = [line for line in outcome.log.splitlines() if "invoice_on" in line]
    assert "invoice_on is set, but the keys are not allowed to send invoices" in line


def test_keys_that_are_not_allowed_to_send_are_enough_to_confirm(confirming, box, records):
    box.go.switches.allow_send_invoice = False

    assert confirming.run(*records(status="completed")).status == 0
    assert the_order(box)["SalesOrderStatus"] == "Confirmed"


def test_a_status_that_is_not_written_to_go_stops_the_run_at_start_up(ledger, records):
    outcome = ledger.run(*records(), confirm_on=["pending"], invoice_on=["draft"], ends_with=1)

    assert "confirm_on: an order that is pending is not written to Go" in outcome.log
    assert "invoice_on: an order that is draft is not written to Go" in outcome.log


# Plans and brakes


def test_a_dry_run_lists_what_the_run_then_does(invoicing, box, customer, product, order, tmp_path):
    invoicing.settings["confirm_on"] = ["processing"]
    invoicing.run(customer(), product(), order(id="1", number="1", status="on_hold"))
    orders = [
        order(id="1", number="1", status="completed", updated_at=LATER),
        order(id="2", number="2"),
        order(id="3", number="3", status="completed"),
        order(id="4", number="4", status="on_hold"),
        order(id="4", number="4", status="completed", updated_at=LATEST),
    ]
    planned, done = tmp_path / "planned.jsonl", tmp_path / "done.jsonl"

    dry = invoicing.run(*orders, dry_run=True, changes_file=str(planned))
    assert dry.writes == []
    assert "send invoice orders 1: it is completed in the shop" in dry.log
    assert "confirm orders 2: it is processing in the shop" in dry.log
    assert len(box.go.entries("SalesOrders")) == 1

    outcome = invoicing.run(*orders, changes_file=str(done), ends_with=0)

    assert sorted(planned.read_text().splitlines()) == sorted(done.read_text().splitlines())
    assert dry.summary["records"]["orders"] == outcome.summary["records"]["orders"]
    assert (outcome.count("orders", "invoiced"), outcome.count("orders", "confirmed")) == (3, 1)
    assert len(box.go.entries("OutgoingInvoices")) == 3
    assert the_order(box)["SalesOrderStatus"] == "Confirmed"


def test_a_sent_invoice_counts_against_max_changes(invoicing, box, customer, product, order):
    orders = [order(id=number, number=number, status="completed") for number in ("1", "2")]
    shop = [customer(), product(), *orders]
    planned = invoicing.run(*shop, dry_run=True, max_changes=1)
    assert "max_changes is 1: a run would stop before the rest of these 2 writes" in planned.log

    invoicing.run(*shop, max_changes=1, workers=1, ends_with=1)

    assert len(box.go.entries("OutgoingInvoices")) == 1
    assert invoicing.run(*shop).status == 0
    assert len(box.go.entries("OutgoingInvoices")) == 2


@pytest.mark.parametrize("is_first", [True, False])
def test_the_sent_state_of_the_order_counts_among_those_of_others(is_first):
    order_id = "7B0C4F0E-0000-4000-8000-00000000000A"
    underway = {"Id": order_id, "IsInvoiceBeingProcessed": True}
    another = {"Id": "5b0c4f0e-0000-4000-8000-000000000001", "SentDateTimeOffset": LATER}
    states = [underway, another] if is_first else [another, underway]
    assert progress_of(states, order_id.lower()).progress is Progress.UNDERWAY
