"""Go's rate limits, tokens and outages."""

import time

import pytest


@pytest.fixture
def records(customer):
    return [customer(id=str(n), email=f"k{n}@example.no") for n in range(1, 41)]


def statuses(box):
    return [request.status for request in box.requests.all() if request.system == "go"]


def test_workers_share_ten_requests_a_second_and_all_land_once(ledger, box, records):
    box.go.switches.rate_limit = 10
    started = time.monotonic()

    ledger.run(*records, requests_per_second=10, workers=8, ends_with=0)

    seconds = time.monotonic() - started
    assert len(box.go.entries("Customers")) == 40
    assert seconds > (len(statuses(box)) - 1) // 10


def test_a_token_that_expires_during_the_run_is_renewed(ledger, box, records):
    box.go.switches.token_seconds = 2

    ledger.run(*records[:12], requests_per_second=4, workers=1, ends_with=0)

    tokens = box.requests.count(system="go", method="POST", path="/oauth/token")
    assert len(box.go.entries("Customers")) == 12
    assert tokens > 1


def test_a_revoked_token_costs_one_retry(ledger, box, records):
    box.faults.on("go", "POST", "/customers$", lambda _: box.go.revoke_tokens(), skip=4)

    ledger.run(*records[:10], workers=1, ends_with=0)

    assert len(box.go.entries("Customers")) == 10
    assert statuses(box).count(401) == 1


def test_keys_revoked_during_the_run_end_it_with_one_line(ledger, box, records):
    def revoke(_):
        box.go.client_key = "another-key"
        box.go.revoke_tokens()

    box.faults.on("go", "POST", "/customers$", revoke, skip=4)
    states = [{"type": "STATE", "value": {"bookmarks": {"read": n}}} for n in range(10)]
    messages = [message for pair in zip(records[:10], states, strict=True) for message in pair]

    outcome = ledger.command(*messages, workers=1, ends_with=1)

    assert "Traceback" not in outcome.log
    assert "keys" in outcome.log.splitlines()[-1]
    landed = len(box.go.entries("Customers"))
    assert landed < 10
    assert all(state["bookmarks"]["read"] < landed for state in outcome.states)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_short_outage_of_go_is_retried(ledger, box, customer, product, order, status):
    for path in ("/customers", "/products", "/salesorders"):
        box.faults.add(system="go", path=path, status=status, times=2)

    ledger.run(customer(), product(), order(), ends_with=0)

    assert [len(box.go.entries(name)) for name in ("Customers", "Products", "SalesOrders")] == [
        1
    ] * 3
    assert ledger.run(customer(), product(), order()).writes == []


def test_a_record_that_go_refuses_stops_no_others(ledger, box, records):
    box.faults.add(system="go", method="POST", path="/customers$", status=400, body="{}", times=1)

    ledger.run(*records[:5], workers=1, ends_with=3)

    assert len(box.go.entries("Customers")) == 4
    assert [record.reason for record in ledger.unsettled("reject")] == [
        "PowerOffice Go refused it (400)"
    ]


def test_a_refused_record_is_not_sent_again_until_it_changes(ledger, box, customer):
    box.faults.add(method="POST", path="/customers$", status=400, body="{}", times=None)
    ledger.run(customer())
    box.faults.clear()

    again = ledger.run(customer())

    assert (again.status, again.writes) == (3, [])
    (reject,) = ledger.unsettled("reject")
    assert reject.attempts == 1
    assert ledger.run(customer(phone="+4790000000")).status == 0
    assert len(box.go.entries("Customers")) == 1


@pytest.mark.parametrize(("fail_on", "status"), [("unacknowledged", 3), ("never", 0)])
def test_records_that_an_outage_kept_out_are_rejected_and_land_after_it(
    ledger, box, records, fail_on, status
):
    box.faults.add(method="POST", path="/customers$", status=503, times=None)

    outcome = ledger.run(*records[:5], fail_on=fail_on)

    rejects = ledger.unsettled("reject")
    assert outcome.status == status
    assert outcome.states[-1:] == [{"bookmarks": {"read": 6}}]
    assert sorted(reject.shop_id for reject in rejects) == ["1", "2", "3", "4", "5"]
    assert {reject.reason for reject in rejects} == {
        "PowerOffice Go did not answer; the next run checks whether it was done"
    }
    assert "customers: POST /Customers: 503" in outcome.log
    assert box.go.entries("Customers") == []

    box.faults.clear()
    ledger.run(ends_with=0)
    assert len(box.go.entries("Customers")) == 5
    assert ledger.unsettled() == []
