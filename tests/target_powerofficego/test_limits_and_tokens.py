"""Go's limits and tokens: never too fast, never with a stale token, and storms are weathered."""

import time

import pytest


@pytest.fixture
def records(customer):
    return [customer(id=str(n), email=f"k{n}@example.no") for n in range(1, 41)]


def statuses(box):
    return [one.status for one in box.requests.all() if one.system == "go"]


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


def test_keys_revoked_during_the_run_end_it_in_one_line(ledger, box, records):
    def revoke(_):
        box.go.client_key = "another-key"
        box.go.revoke_tokens()

    box.faults.on("go", "POST", "/customers$", revoke, skip=4)
    states = [{"type": "STATE", "value": {"bookmarks": {"read": n}}} for n in range(10)]
    messages = [one for pair in zip(records[:10], states, strict=True) for one in pair]

    outcome = ledger.command(*messages, workers=1, ends_with=1)

    assert "Traceback" not in outcome.log
    assert "keys" in outcome.log.splitlines()[-1]
    landed = len(box.go.entries("Customers"))
    assert landed < 10
    assert all(one["bookmarks"]["read"] < landed for one in outcome.states)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_storm_is_weathered(ledger, box, customer, product, order, status):
    for path in ("/customers", "/products", "/salesorders"):
        box.faults.add(system="go", path=path, status=status, times=2)

    ledger.run(customer(), product(), order(), ends_with=0)

    assert [len(box.go.entries(one)) for one in ("Customers", "Products", "SalesOrders")] == [1] * 3
    assert ledger.run(customer(), product(), order()).writes == []


def test_go_refusing_one_record_stops_none_of_the_others(ledger, box, records):
    box.faults.add(system="go", method="POST", path="/customers$", status=400, body="{}", times=1)

    ledger.run(*records[:5], workers=1, ends_with=3)

    assert len(box.go.entries("Customers")) == 4
    assert [one.reason for one in ledger.unsettled("reject")] == ["PowerOffice Go refused it (400)"]


def test_a_refused_record_that_comes_again_unchanged_rests_until_it_changes(ledger, box, customer):
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
def test_records_that_a_storm_kept_out_are_told_with_a_reason_and_land_once_it_is_over(
    ledger, box, records, fail_on, status
):
    box.faults.add(method="POST", path="/customers$", status=503, times=None)

    outcome = ledger.run(*records[:5], fail_on=fail_on)

    rejects = ledger.unsettled("reject")
    assert outcome.status == status
    assert outcome.states[-1:] == [{"bookmarks": {"read": 6}}]
    assert sorted(one.shop_id for one in rejects) == ["1", "2", "3", "4", "5"]
    assert {one.reason for one in rejects} == {
        "PowerOffice Go did not answer; the next run checks whether it was done"
    }
    assert "customers: POST /Customers: 503" in outcome.log
    assert box.go.entries("Customers") == []

    box.faults.clear()
    ledger.run(ends_with=0)
    assert len(box.go.entries("Customers")) == 5
    assert ledger.unsettled() == []
