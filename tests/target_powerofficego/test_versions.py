"""No edit is mistaken for an old version for good, and no old version undoes a newer one."""

import datetime

import pytest
from clocks import machine_off_by
from hypothesis import given
from hypothesis import strategies as st
from target_powerofficego.dataflow.values import is_before
from target_powerofficego.settle.versions import Doubt, Version, find_doubt

DAYS = 400
EARLY, LATE = "2026-01-05T10:00:00Z", "2026-01-05T10:00:01Z"
FIRST, SECOND, THIRD = "+4790000001", "+4790000002", "+4790000003"
STAMPS = st.datetimes(
    min_value=datetime.datetime.fromisoformat("2001-01-01"),
    max_value=datetime.datetime.fromisoformat("2099-01-01"),
    timezones=st.just(datetime.timezone.utc),
).map(lambda moment: moment.isoformat())


@pytest.mark.parametrize(
    ("stamp", "known", "seems_old", "expected"),
    [
        (EARLY, LATE, False, Doubt.OLDER),
        (EARLY, LATE, True, Doubt.OLDER),
        (LATE, EARLY, True, None),
        (EARLY, EARLY, False, None),
        (EARLY, EARLY, True, Doubt.PERHAPS),
        (None, EARLY, False, None),
        (None, EARLY, True, Doubt.PERHAPS),
        (EARLY, None, True, Doubt.PERHAPS),
        ("in March", EARLY, True, Doubt.PERHAPS),
        ("2026-01-05T12:00:00+02:00", "2026-01-05T10:00:00.0000000Z", False, None),
    ],
)
def test_only_an_earlier_stamp_of_the_same_side_makes_a_version_older(
    stamp, known, seems_old, expected
):
    assert find_doubt([Version(stamp, known, seems_old)]) is expected


def test_the_strongest_doubt_counts():
    newer, perhaps = Version(LATE, EARLY, seems_old=True), Version(None, EARLY, seems_old=True)
    older = Version(EARLY, LATE, seems_old=False)

    assert find_doubt([newer, perhaps]) is Doubt.PERHAPS
    assert find_doubt([newer, perhaps, older]) is Doubt.OLDER
    assert find_doubt([]) is None


@given(STAMPS, STAMPS)
def test_of_two_stamps_at_most_one_is_before(first, second):
    assert not (is_before(first, second) and is_before(second, first))
    assert first == second or is_before(first, second) or is_before(second, first)


@pytest.fixture
def read(customer):
    """Makes a record of customer 1001 as read by a tap whose clock is some days ahead."""

    def message(phone, *, updated_at=EARLY, days=0, reading=0):
        now = datetime.datetime.now(datetime.timezone.utc)
        read_at = now + datetime.timedelta(days=days, seconds=reading)
        record = {**customer(phone=phone), "updated_at": updated_at}
        return {
            "type": "RECORD",
            "stream": "customers",
            "record": {name: value for name, value in record.items() if value is not None},
            "time_extracted": read_at.isoformat(),
        }

    return message


@pytest.fixture
def phone(box):
    """Returns the phone number of the customer in Go."""
    return lambda: box.go.entries("Customers")[0]["PhoneNumber"]


@pytest.mark.parametrize("days", [-DAYS, DAYS])
def test_a_clock_that_was_wrong_once_does_not_suppress_later_edits(ledger, read, phone, days):
    ledger.run(read(FIRST, days=days))

    outcome = ledger.run(read(SECOND, updated_at=LATE, days=-days))

    assert (outcome.status, phone()) == (0, SECOND)
    assert ledger.unsettled() == []


def test_an_edit_within_the_same_second_is_written(ledger, read, phone):
    ledger.run(read(FIRST))
    ledger.run(read(SECOND, reading=1))
    assert phone() == SECOND


@pytest.mark.both_link_stores
@pytest.mark.parametrize("stamp", [None, EARLY])
def test_without_a_newer_stamp_an_edit_waits_for_the_third_reading(ledger, read, phone, stamp):
    ledger.run(read(FIRST, updated_at=stamp, days=DAYS))

    for reading in (1, 2):
        edit = read(SECOND, updated_at=stamp, reading=reading)
        edit["record"]["note"] = f"another each time: {reading}"
        assert ledger.run(edit).status == 0
        assert ledger.run(edit).status == 0  # the same reading twice counts once
        assert phone() == FIRST
        assert [record.kind for record in ledger.unsettled()] == ["parked"]
    ledger.run(read(SECOND, updated_at=stamp, reading=3))
    assert phone() == SECOND
    assert ledger.unsettled() == []

    ledger.run(read(THIRD, updated_at=stamp, reading=4))
    assert phone() == THIRD  # the clock that was wrong is forgotten


def test_a_record_that_waits_for_another_reading_in_vain_is_held(ledger, read, phone):
    ledger.run(read(FIRST, days=DAYS))
    ledger.run(read(SECOND, reading=1))  # in the same second, and then the bookmark moves on

    statuses = [ledger.run().status for _ in range(8)]

    assert (statuses, phone()) == ([0] * 5 + [3] * 3, FIRST)
    (held,) = ledger.unsettled("hold")
    assert "powerofficego-links retry" in held.reason
    ledger.run(read(SECOND, updated_at=LATE, reading=2))
    assert phone() == SECOND
    assert ledger.unsettled() == []


def test_an_older_version_that_is_sent_again_is_not_written(ledger, read, phone):
    old = read(FIRST)
    ledger.run(old)
    ledger.run(read(SECOND, updated_at=LATE, reading=1))

    again = ledger.run({**old, "record": {**old["record"], "note": "also new to the hash"}})

    assert (again.writes, phone()) == ([], SECOND)
    assert [record.kind for record in ledger.unsettled()] == ["parked"]
    ledger.run(read(SECOND, updated_at=LATE, reading=2))
    assert ledger.unsettled() == []


@pytest.mark.both_link_stores
def test_an_older_version_that_is_read_repeatedly_is_held(ledger, links, read, phone):
    ledger.run(read(FIRST, updated_at=LATE))

    statuses = [ledger.run(read(SECOND, reading=reading)).status for reading in (1, 2, 3, 4)]

    assert (statuses, phone()) == ([0, 0, 3, 3], FIRST)
    (held,) = ledger.unsettled("hold")
    assert "powerofficego-links retry" in held.reason
    assert links("retry", held.id).exit_code == 0
    assert ledger.run().status == 0
    assert phone() == SECOND
    assert ledger.unsettled() == []


def test_an_older_version_does_not_replace_a_newer_one_that_was_rejected(ledger, read, phone):
    ledger.run(read(FIRST))
    ledger.run(read(SECOND, updated_at="2026-01-05T10:00:03Z", reading=3))
    invalid = read("+4790000009", updated_at="2026-01-05T10:00:05Z", reading=5)
    invalid["record"]["email"] = "no address"
    assert ledger.run(invalid).status == 3

    ledger.run(read(THIRD, updated_at="2026-01-05T10:00:04Z", reading=6))

    (reject,) = ledger.unsettled("reject")
    assert reject.payload["phone"] == "+4790000009"
    assert phone() == SECOND
    for reading in (7, 8):  # perhaps a file that is sent again; a restored shop is saved once more
        ledger.run(read(THIRD, updated_at="2026-01-05T10:00:04Z", reading=reading))
    assert phone() == SECOND
    ledger.run(read(THIRD, updated_at="2026-01-05T10:00:06Z", reading=9))
    assert phone() == THIRD
    assert ledger.unsettled() == []


def test_a_corrected_record_is_not_blocked_by_the_clock_that_read_the_invalid_one(
    ledger, read, phone
):
    ledger.run(read(FIRST, updated_at=None))
    invalid = read(SECOND, updated_at=None, days=DAYS)
    invalid["record"]["email"] = "no address"
    assert ledger.run(invalid).status == 3

    for reading in (1, 2, 3):
        ledger.run(read(SECOND, updated_at=None, reading=reading))

    assert phone() == SECOND
    assert ledger.unsettled() == []


def test_an_old_version_of_an_order_cancelled_before_it_was_in_go_is_not_posted(ledger, box, order):
    ledger.run(order(status="cancelled", updated_at=LATE, cancelled_at=LATE))

    ledger.run(order(updated_at=EARLY))

    assert box.go.entries("SalesOrders") == []
    assert [(record.kind, record.entity) for record in ledger.unsettled()] == [("parked", "orders")]


@pytest.mark.parametrize("days", [-DAYS, DAYS])
def test_a_wrong_clock_does_not_postpone_a_refused_record_for_longer(
    ledger, box, read, phone, days
):
    box.faults.add(method="POST", path="/Customers$", status=400, body={"title": "No"})
    with machine_off_by(datetime.timedelta(days=days)):
        ledger.run(read(FIRST))

    ledger.run()

    assert phone() == FIRST


def test_a_full_check_is_due_after_the_clock_was_ahead(ledger, read, customer):
    with machine_off_by(datetime.timedelta(days=DAYS)):
        ledger.run(read(FIRST))

    outcome = ledger.run(customer(id="1002", email="ola@example.no"))

    lists = [request for request in outcome.reads if request.path == "/v2/Customers"]
    since = [request.query.get("lastChangedDateTimeOffsetGreaterThan") for request in lists]
    assert since == [None]


@pytest.mark.parametrize(("days", "direction"), [(-DAYS, "behind"), (DAYS, "ahead of")])
def test_a_wrong_clock_is_reported_at_start_up(ledger, read, days, direction):
    with machine_off_by(datetime.timedelta(days=days)):
        outcome = ledger.run(read(FIRST))
    assert f"{direction} PowerOffice Go's" in outcome.log
    assert "This machine's clock" not in ledger.run().log


def test_readings_in_the_future_are_reported_at_start_up(ledger, read):
    ledger.run(read(FIRST, days=DAYS))
    assert "the tap's clock was wrong" in ledger.run().log


def test_an_older_version_that_is_read_repeatedly_does_not_replace_a_refused_newer_one(
    ledger, box, customer, phone
):
    ledger.run(customer(phone=FIRST, updated_at="2026-02-01T00:00:00Z"))
    older = customer(phone=SECOND, updated_at="2026-02-02T00:00:00Z")
    newest = customer(phone=THIRD, updated_at="2026-02-03T00:00:00Z")
    box.faults.add(method="PATCH", path="/customers/", status=400, body={"title": "No"}, times=None)
    assert ledger.run(newest).status == 3
    box.faults.clear()

    for _ in range(4):
        assert ledger.run(older).status == 3

    (reject,) = ledger.unsettled("reject")
    assert reject.payload["phone"] == THIRD
    ledger.end_rests()
    assert ledger.run().status == 0
    assert phone() == THIRD
