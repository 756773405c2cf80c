"""The way back under lost answers, kills, faults and wrong settings."""

import datetime
import json
import signal
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import commands
import pytest
from both_ways import singer_lines
from clocks import machine_off_by
from hypothesis import given
from hypothesis import strategies as st
from members import assert_members
from target_powerofficego.settle.writes import SECOND_LOOK_SECONDS
from target_powerofficego.sync.go.operations import is_variant_of

PHONE = "+47 900 00 001"


@pytest.fixture
def edited(linked):
    """Both ways, with a phone number that was edited in Go and is not in the shop yet."""
    linked.edit_in_go("customers", "1001", PhoneNumber=PHONE)
    return linked


def phone(both):
    return both.box.shop.record("customers", "1001")["phone"]


def kill_at_a_change(edited, moment, do=lambda: None):
    """Start a run, and kill it before or after its change of the customer."""
    running = start(edited)

    def kill(_):
        do()
        running.kill()

    edited.box.faults.on("shop", "PATCH", "/customers/1001", kill, when=moment)
    running.communicate(singer_lines(edited.entries()), timeout=60)
    assert running.returncode == -signal.SIGKILL
    edited.box.faults.clear()


def begin(edited):
    """Start a run; return it with its first state once it has settled all of Go and waits."""
    running = start(edited)
    running.stdin.write(singer_lines(edited.entries()))
    running.stdin.flush()
    return running, json.loads(running.stdout.readline())


def command(both, **settings):
    config = both.ledger.folder / "back.json"
    config.write_text(json.dumps(both.config(**settings)), encoding="utf-8")
    return ["target-customwebshop", "--config", str(config)]


def start(both):
    return commands.Command(*command(both), cwd=both.ledger.folder)


@pytest.mark.parametrize("reshapes", [True, False])
@pytest.mark.parametrize(
    "fault",
    [
        {"reset": "after"},
        {"status": 500, "after_commit": True},
        {"broken_json": True, "after_commit": True},
        {"html": True, "after_commit": True},
    ],
)
def test_a_change_whose_answer_is_lost_is_made_once_and_not_taken_for_an_edit_in_the_shop(
    edited, box, fault, reshapes
):
    box.shop.reshapes_patches = reshapes
    box.faults.add(system="shop", method="PATCH", **fault)

    assert len(edited.back(ends_with=0).writes) == 1
    assert phone(edited) == (PHONE.replace(" ", "") if reshapes else PHONE)
    edited.assert_at_rest()


@pytest.mark.slow
@pytest.mark.parametrize("fault", [{"status": 429}, {"status": 503}, {"reset": "before"}])
def test_a_change_that_did_not_happen_is_made_again(edited, fault):
    edited.box.faults.add(system="shop", method="PATCH", **fault)

    assert (len(edited.back(ends_with=0).writes), phone(edited)) == (2, PHONE)


@pytest.mark.parametrize("reshapes", [True, False])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_run_killed_at_a_change_is_completed_by_the_next(edited, box, moment, reshapes):
    box.shop.reshapes_patches = reshapes
    if moment == "before":
        box.faults.add(system="shop", method="PATCH", reset="before")
    kill_at_a_change(edited, moment)

    edited.back(ends_with=0)

    assert phone(edited).replace(" ", "") == PHONE.replace(" ", "")
    edited.assert_at_rest()


def test_the_next_run_reads_the_shop_only_once_a_killed_runs_change_has_had_time_to_arrive(
    edited, box
):
    kill_at_a_change(edited, "after")
    waits = []
    box.faults.on(
        "shop",
        "GET",
        "/customers/1001",
        lambda _: waits.append(box.go.switches.passed_seconds),
    )

    with machine_off_by(datetime.timedelta(hours=1)):
        edited.back(ends_with=0)

    assert waits == [SECOND_LOOK_SECONDS]


def test_an_edit_in_the_shop_while_a_change_is_unanswered_still_crosses(edited, box):
    """The PATCH never arrives, and meanwhile a person edits something else in the shop."""
    box.faults.add(system="shop", method="PATCH", reset="before")
    box.faults.on(
        "shop",
        "PATCH",
        "/customers/1001",
        lambda _: box.shop.edit("customers", "1001", {"email": "ny@example.no"}),
        when="before",
    )

    edited.back(ends_with=0)
    edited.forward()

    assert_members(box.shop.record("customers", "1001"), phone=PHONE, email="ny@example.no")
    entry = box.go.entry("Customers", edited.go_id("customers", "1001"))
    assert_members(entry, PhoneNumber=PHONE, EmailAddress="ny@example.no")


@pytest.mark.slow
@pytest.mark.parametrize("is_killed", [True, False])
def test_an_edit_of_the_same_property_while_a_change_is_unanswered_is_not_lost(
    edited, box, is_killed
):
    """The PATCH never arrives, and a person enters another phone number in the shop."""

    def edit(_=None):
        box.shop.edit("customers", "1001", {"phone": "+4790000077"})

    box.faults.add(system="shop", method="PATCH", reset="before")
    if is_killed:
        kill_at_a_change(edited, "before", do=edit)
    else:
        box.faults.on("shop", "PATCH", "/customers/1001", edit, when="before")

    edited.back()
    edited.forward()

    assert phone(edited) == "+4790000077"
    entry = box.go.entry("Customers", edited.go_id("customers", "1001"))
    assert entry["PhoneNumber"] == PHONE
    assert ("hold", "customers_back", "1001") in edited.open_ones()


@given(
    number=st.integers(10000000, 99999999).map(str),
    cut=st.integers(1, 7),
    other=st.integers(10000000, 99999999).map(str),
)
def test_only_spaces_case_and_rounding_make_a_variant_of_what_was_sent(number, cut, other):
    assert is_variant_of(number, f"{number[:cut]} {number[cut:]}")
    assert is_variant_of("kari nordmann", " Kari  Nordmann")
    assert is_variant_of(Decimal("99.99"), Decimal("99.9912"))
    assert is_variant_of(None, "")
    assert not is_variant_of(Decimal("99.99"), Decimal("100.01"))
    assert is_variant_of(number, other) is (number == other)
    assert not is_variant_of(None, number)


def hide_at_a_change(box, path, status=500):
    """Make all reads of a record fail once a change of it has been sent."""
    fault = {"method": "GET", "path": path, "status": status, "times": 999}
    box.faults.on("shop", "PATCH", path, lambda _: box.faults.add(system="shop", **fault))


@pytest.fixture
def unanswered(linked):
    """Runs back to a shop that neither answers a change nor returns the record afterwards."""

    def run(path, reset):
        box = linked.box
        box.faults.add(system="shop", method="PATCH", reset=reset, times=9)
        hide_at_a_change(box, path)
        outcome = linked.back(retry_seconds=1)
        box.faults.clear()
        return outcome

    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("field", "old", "go", "new"),
    [
        ("cost_price", "10.01", "UnitCost", Decimal("10.00")),
        ("name", "Iphone", "Name", "iPhone"),
        ("name", "T skjorte", "Name", "T-skjorte"),
    ],
)
def test_a_small_edit_whose_change_never_arrived_is_made_by_the_next_run(
    linked, box, unanswered, field, old, go, new
):
    box.shop.edit("products", "501", {field: old})
    linked.forward()
    linked.edit_in_go("products", "501", **{go: new})

    assert unanswered("/products/501", "before").status == 3
    linked.back()

    assert box.shop.record("products", "501")[field] == str(new)
    assert linked.forward().writes == []


def test_the_way_forward_does_not_take_an_unanswered_change_for_an_edit_in_the_shop(
    linked, box, unanswered
):
    """The shop rounds, and its answer is lost; the way forward is the next to run."""
    box.shop.edit("products", "501", {"cost_price": "10.00"})
    linked.forward()
    box.shop.reshapes_patches = True
    box.shop.clock_skew_seconds = 1200
    linked.edit_in_go("products", "501", UnitCost=Decimal("10.1261"))
    unanswered("/products/501", "after")
    assert box.shop.record("products", "501")["cost_price"] == "10.13"

    assert linked.forward().writes == []
    linked.back()
    linked.assert_at_rest()

    (product,) = box.go.entries("Products")
    assert product["UnitCost"] == Decimal("10.1261")


def test_the_way_back_does_not_take_an_unanswered_write_to_go_for_an_edit_in_go(linked, box):
    path = f"/v2/Products/{linked.go_id('products', '501')}"
    box.shop.edit("products", "501", {"price_excl": "10.1261", "price_incl": "12.66"})
    box.go.switches.price_decimals = 2
    box.go.switches.clock_skew_seconds = 1200
    hidden = {"system": "go", "method": "GET", "path": path, "status": 500, "times": 99}
    box.faults.add(system="go", method="PATCH", reset="after", times=9)
    box.faults.on("go", "PATCH", path, lambda _: box.faults.add(**hidden))
    linked.forward(retry_seconds=10)
    box.faults.clear()

    assert linked.back().writes == []
    linked.forward()
    linked.assert_at_rest()

    assert box.shop.record("products", "501")["price_excl"] == "10.1261"


@pytest.mark.parametrize("status", [410, 500])
def test_a_record_that_the_shop_no_longer_returns_does_not_stop_the_others(edited, box, status):
    box.faults.add(system="shop", method="PATCH", reset="before")
    hide_at_a_change(box, "/customers/1001", status)
    edited.back(retry_seconds=1)
    edited.edit_in_go("products", "501", Name="Lusekofte")

    edited.back(retry_seconds=1)

    assert box.shop.record("products", "501")["name"] == "Lusekofte"


@pytest.mark.parametrize("status", [404, 410])
def test_a_linked_record_that_the_shop_does_not_return_is_a_reject_until_it_does(edited, status):
    edited.box.faults.add(system="shop", method="GET", path="/customers/1001", status=status)

    outcome = edited.back()

    assert (outcome.status, outcome.writes) == (3, [])
    reason = f"the shop has no such record (GET /customers/1001: {status})"
    assert edited.open_ones() == {("reject", "customers_back", "1001"): reason}
    edited.run(ends_with=0)  # without any entry of Go
    assert (phone(edited), edited.open_ones()) == (PHONE, {})


def test_a_wrong_address_ends_the_run_with_one_line_and_no_edit_is_lost(edited):
    outcome = edited.back(api_url=f"{edited.box.shop_api_url}/v9")

    assert (outcome.status, outcome.states) == (1, [])
    (line,) = [line for line in outcome.log.splitlines() if "answered 404" in line]
    assert line.endswith(
        "/v9/customers: the shop answered 404: there is nothing at this address; correct the"
        " setting 'api_url', then run again."
    )
    edited.back(ends_with=0)
    assert phone(edited) == PHONE


def test_a_run_with_a_wrong_address_leaves_an_unanswered_change_open(linked, box, unanswered):
    box.shop.reshapes_patches = True
    linked.edit_in_go("products", "501", UnitCost=Decimal("10.1261"))
    unanswered("/products/501", "after")

    linked.back(api_url=f"{box.shop_api_url}/v9", ends_with=1)

    assert linked.forward().writes == []
    linked.back(ends_with=0)
    assert linked.forward().writes == []


def test_a_shop_that_accepts_a_change_but_keeps_its_own_value_is_a_reject(edited, box):
    record = box.shop.record("customers", "1001")
    box.faults.add(
        system="shop", method="PATCH", status=200, body=record, headers={"ETag": '"x"'}, times=9
    )

    edited.back(ends_with=3)

    assert "kept its own value of phone" in edited.open_ones()["reject", "customers_back", "1001"]


def test_an_email_whose_answer_is_lost_is_not_written_to_go_as_an_invoice_address(linked, box):
    linked.edit_in_go("customers", "1001", EmailAddress="ny@example.no")
    box.faults.add(system="shop", method="PATCH", reset="after")

    linked.back(ends_with=0)

    assert linked.forward().writes == []


def test_an_order_that_waits_is_kept_without_its_buyer(linked, box):
    box.go.send_invoice(linked.go_id("orders", "9001"))
    box.faults.add(system="shop", method="PATCH", path="/orders/9001", status=422)

    linked.back(ends_with=3)

    (waiting,) = linked.ledger.unsettled("reject")
    assert "CustomerReference" not in waiting.payload
    assert waiting.payload["InvoiceNo"]


def another_record(edited):
    """Return an answer with another record than the requested one."""
    record = {**edited.box.shop.record("customers", "1001"), "id": "1002", "phone": "+4790000077"}
    return {"status": 200, "body": record, "headers": {"ETag": '"9"'}}


def test_a_change_answered_with_another_record_is_made_once_and_looked_up(edited, box):
    box.faults.add(system="shop", method="PATCH", after_commit=True, **another_record(edited))

    assert (len(edited.back(ends_with=0).writes), phone(edited)) == (1, PHONE)
    box.shop.edit("customers", "1001", {"phone": "+4790000077"})
    edited.forward()
    assert "+4790000077" in [entry["PhoneNumber"] for entry in box.go.entries("Customers")]


def test_a_read_answered_with_another_record_does_not_stop_the_others(edited, box):
    edited.edit_in_go("customers", "2001", PhoneNumber="+4790000078")
    answer = another_record(edited)
    box.faults.add(system="shop", method="GET", path="/customers/1001", times=None, **answer)

    assert [write.path for write in edited.back(ends_with=3).writes] == ["/customers/2001"]
    (reason,) = edited.open_ones().values()
    assert "the answer is a different record" in reason
    box.faults.clear()
    edited.back(ends_with=0)
    assert phone(edited) == PHONE


@pytest.mark.parametrize(
    ("headers", "expected"), [({"ETag": 'W/"x"'}, "weak ETag"), ({}, "has no ETag")]
)
def test_a_shop_without_strong_etags_ends_the_run(edited, box, headers, expected):
    answer = {"status": 200, "body": {"id": "1001"}, "headers": headers}
    box.faults.add(system="shop", method="GET", path="/customers/1001", **answer)
    outcome = edited.back(ends_with=1)
    assert (outcome.writes, expected in outcome.log) == ([], True)


@pytest.mark.slow
def test_random_faults_lose_nothing_and_write_nothing_twice(linked, box, customer):
    wanted = {f"c{number}": f"+4790000{number:03}" for number in range(20)}
    for shop_id in wanted:
        box.shop.put("customers", customer(id=shop_id, email=f"{shop_id}@example.no"))
    linked.forward()
    for shop_id, number in wanted.items():
        linked.edit_in_go("customers", shop_id, PhoneNumber=number)
    box.faults.at_random(system="shop", seed=7, share=0.3, slow_seconds=0)

    linked.back(request_timeout=2)
    box.faults.clear()
    linked.back()

    assert {shop_id: box.shop.record("customers", shop_id)["phone"] for shop_id in wanted} == wanted
    linked.assert_at_rest()


def test_a_state_is_emitted_only_after_all_before_it_is_in_the_shop(edited):
    assert edited.back().states == [{"bookmarks": {"read": 7}}]
    edited.box.faults.add(system="shop", method="GET", path="/customers/1001", status=401, times=9)
    edited.edit_in_go("customers", "1001", PhoneNumber="+4790000009")
    broken = edited.back(ends_with=1)
    assert broken.states == []
    (line,) = [line for line in broken.log.splitlines() if "answered 401" in line]
    assert line.endswith(
        "GET /customers/1001: the shop answered 401: the key is not valid; correct the setting"
        " 'auth_token', then run again."
    )


def test_sigterm_ends_the_run_with_143_and_keeps_what_is_settled(edited):
    running, state = begin(edited)
    assert state["bookmarks"]

    running.send_signal(signal.SIGTERM)

    running.communicate(timeout=60)
    assert (running.returncode, phone(edited)) == (143, PHONE)


def test_a_dry_run_lists_the_change_in_the_shops_names_and_writes_nothing(edited, tmp_path):
    before = edited.box.shop.record("customers", "1001")
    file = tmp_path / "changes.jsonl"

    outcome = edited.back(dry_run=True, changes_file=str(file))

    assert (outcome.writes, outcome.states) == ([], [])
    assert edited.box.shop.record("customers", "1001") == before
    (line,) = file.read_text(encoding="utf-8").splitlines()
    planned = json.loads(line)
    assert_members(
        planned,
        entity="customers",
        record="1001",
        what="change",
        fields=[{"property": "phone", "from": "+4791234567", "to": PHONE}],
    )
    assert len(edited.back(changes_file=str(file)).writes) == 1
    assert json.loads(file.read_text(encoding="utf-8")) == planned


def test_max_changes_ends_the_run_before_the_next_write(edited):
    edited.edit_in_go("products", "501", UnitPrice=Decimal(200))

    outcome = edited.back(max_changes=1, workers=1, ends_with=1)

    assert len(outcome.writes) == 1
    assert "max_changes: 1 changes were made" in outcome.log


def test_a_run_before_anything_is_linked_fails_and_creates_no_store(both):
    assert "run target-powerofficego first" in both.back(ends_with=1).log
    assert not Path(both.ledger.link_store).exists()


def test_a_shop_that_is_not_in_the_store_ends_the_run_and_creates_nothing(linked):
    outcome = linked.back(shop_name="annenshop", ends_with=1)
    assert 'knows no shop "annenshop"' in outcome.log
    assert list(linked.ledger.folder.glob("*annenshop*")) == []


def test_a_shop_with_several_clients_of_go_ends_the_run(linked):
    with closing(sqlite3.connect(linked.ledger.link_store)) as store, store:
        store.execute(
            "INSERT INTO namespaces (client_id, shop_name, opened_at) VALUES ('x', 'testshop', 'y')"
        )
    assert "several clients of Go" in linked.back(ends_with=1).log


def test_the_two_ways_never_run_at_once(edited):
    running, _ = begin(edited)

    assert "a run for the shop testshop is under way" in edited.forward(ends_with=1).log
    running.communicate(timeout=60)


def test_a_read_only_key_ends_the_run_and_is_not_logged(edited):
    edited.box.faults.add(system="shop", method="PATCH", status=403)
    outcome = edited.back(ends_with=1)
    assert "the key is not allowed to do this" in outcome.log
    assert edited.box.shop_token not in outcome.log


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"api_url": "http://shop.example.com/api"}, "api_url must begin with https://"),
        ({"api_url": "https://shop.example\\.evil.example"}, "api_url has a character that"),
        ({"auth_token": "to ord"}, "auth_token is empty or has characters"),
        ({"shop_nam": "x"}, 'did you mean "shop_name"?'),
        ({"owners": {"customers": "me"}}, "must be shop, go or newest"),
        ({"properties": {"customers": {"tax_exempt": "both"}}}, "cannot be written to the shop"),
        ({"link_store": "postgresql://u:p@h/d"}, "must not hold the database's password"),
    ],
)
def test_a_wrong_setting_is_reported_at_start_up(linked, settings, expected):
    ended = commands.run_here(*command(linked, **settings))
    assert ended.returncode == 1
    assert expected in ended.stderr
    assert "Traceback" not in ended.stderr
    assert linked.box.shop_token not in ended.stderr


@pytest.mark.parametrize(
    "other",
    [
        {"time_zone": "UTC"},
        {"properties": {"customers": {"phone": "to_go"}}},
        {"owners": {"customers": "shop"}, "clock_margin": 0.1, "stock": "go"},
    ],
)
def test_settings_that_differ_from_the_last_run_forward_end_the_run_with_one_line(edited, other):
    outcome = edited.back(**other, ends_with=1)

    assert (outcome.states, outcome.writes) == ([], [])
    (line,) = [
        line for line in outcome.log.splitlines() if "not the same as in the last run" in line
    ]
    assert f"of target-powerofficego: {', '.join(other)}; both must have the same" in line
    edited.forward(**other)
    edited.back(**other, ends_with=0)


def test_a_dry_run_can_try_settings_that_differ_from_the_last_run_forward(edited):
    outcome = edited.back(owners={"customers": "go"}, dry_run=True, ends_with=0)

    assert "not the same as in the last run of target-powerofficego: owners" in outcome.log
    assert "change customers 1001" in outcome.log


def test_an_edit_in_go_is_not_written_to_another_record_with_the_same_id(linked, box):
    box.shop.put(
        "customers", {**box.shop.record("customers", "1001"), "created_at": "2026-03-01T00:00:00Z"}
    )
    linked.edit_in_go("customers", "1001", PhoneNumber=PHONE)

    outcome = linked.back(ends_with=3)

    (reason,) = linked.open_ones().values()
    assert ("another record under the id 1001" in reason, outcome.writes) == (True, [])


def test_after_an_erasure_nothing_of_the_customer_is_kept_or_written(edited, box, links):
    edited.edit_in_go("customers", "1001", FirstName="Ukjent")
    box.faults.add(system="shop", method="PATCH", path="/customers/1001", status=422)
    edited.back(ends_with=3)
    result = links("erase", "customer", "1001", "--yes")
    assert result.exit_code == 0, result.output

    assert edited.back().writes == []
    stored = b"".join(path.read_bytes() for path in edited.ledger.folder.glob("links.db*"))
    assert b"Ukjent" not in stored
    assert PHONE.encode() not in stored


def test_the_last_line_says_that_something_waits_in_the_other_direction(linked):
    linked.box.shop.edit("products", "501", {"sku": ""})
    linked.forward(ends_with=3)

    outcome = linked.back(ends_with=0)

    ending = (
        "; nothing waits for a person; in the other direction something waits, see"
        " powerofficego-links check"
    )
    assert ending in outcome.log


def test_a_run_back_does_not_count_as_the_first_run_forward(both, customer):
    for number in ("1", "2"):
        email = f"kari{number}@example.no"
        both.box.shop.put("customers", customer(id=number, email=email))
    both.forward(max_creates=1, workers=1, ends_with=1)
    both.back(ends_with=0)

    assert both.forward(first_run="plan", ends_with=1).writes == []
