"""`notify`: news is announced once, without personal data or keys."""

from __future__ import annotations

import datetime
import json
import pkgutil
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace

import pytest
from click.testing import CliRunner
from clocks import machine_off_by
from hypothesis import given
from hypothesis import strategies as st
from ledger import A_PERSON
from receiver import SECRET
from target_powerofficego.links_command import main
from target_powerofficego.notices.announcing import announce, find_namespace
from target_powerofficego.notices.news import Ending, ShopStatus
from target_powerofficego.settings.notify import SERVICES
from target_powerofficego.store.location import StoreLocation
from target_powerofficego.target import TargetPowerOfficeGo

PERSONAL = ("Nordmann", "Kari", "example.no", "91234567", "Storgata", "1001", "501", "502", "ULL-1")
NEW = "testshop: 1 reject is new"
WELL = "testshop: all is well again"
FAILED = "testshop: a run failed"
SILENT = "testshop: no run for too long"
INVALID_INPUT = {"type": "RECORD", "stream": "invoices", "record": {"id": "1"}}


@pytest.fixture
def run(ledger, receiver):
    """Runs the target with `notify` set to the receiver."""

    def run(*messages, **settings):
        return ledger.run(*messages, **{"notify": receiver.address, **settings})

    return run


@pytest.fixture
def check(ledger, receiver):
    """Runs `check` as cron does, with `notify` set to the receiver."""

    def check(*words, **variables):
        line = ["--link-store", str(ledger.link_store), "check", *words]
        env = {"TARGET_POWEROFFICEGO_NOTIFY": receiver.address, **variables}
        return CliRunner().invoke(main, line, env=env)

    return check


def test_a_run_in_which_nothing_new_happens_sends_nothing(run, receiver, customer):
    run(customer())
    run(customer())

    assert receiver.messages == []


@pytest.mark.both_link_stores(if_slow=True)
def test_new_rejects_and_holds_and_their_end_are_announced_once(
    run, receiver, box, customer, product
):
    twins = [
        box.go.create("Customers", {**A_PERSON, "EmailAddress": "kari@example.no"})
        for _ in range(2)
    ]
    run(customer(), product(sku=None))

    assert receiver.last.splitlines() == [
        "testshop: 1 hold and 1 reject are new",
        "customers: 1 new hold; see powerofficego-links holds --entity customers",
        "products: 1 new reject; see powerofficego-links rejects --entity products",
        "In total, 1 hold and 1 reject wait for a person.",
        "Each run retries what is rejected or held.",
        "Correct it in the shop or in Go, or acknowledge it: powerofficego-links acknowledge.",
    ]
    assert receiver.messages[-1]["type"] == "warning"

    run(customer(), product(sku=None))
    run(customer(), product())
    assert len(receiver.messages) == 1

    box.go.edit("Customers", twins[1]["Id"], {"EmailAddress": "other@example.no"})
    run(customer(), product())
    run(customer(), product())
    assert receiver.titles[1:] == [WELL]
    assert receiver.messages[-1]["type"] == "success"


def test_only_new_rejects_are_counted_as_new(run, receiver, product):
    run(product(sku=None))
    run(product(), product(id="502", sku=None))
    run(product(id="503", sku=None))

    assert receiver.titles == [NEW] * 3
    assert "In total, 2 rejects wait for a person." in receiver.last


def test_a_reject_is_not_announced_again_when_its_reason_changes(run, receiver, product):
    run(product(sku=None))
    run(product(name=None))

    assert receiver.titles == [NEW]


def test_once_all_is_acknowledged_the_end_is_announced(run, ledger, receiver, check, product):
    run(product(sku=None))
    ledger.acknowledge_all()

    assert check().exit_code == 0
    run(product(sku=None))
    assert receiver.titles == [NEW, WELL]


@pytest.mark.both_link_stores(if_slow=True)
def test_a_failed_run_is_announced_once_until_a_run_succeeds(run, receiver, customer):
    run(customer())
    for _ in range(2):
        assert run(INVALID_INPUT).status == 1

    assert receiver.last.splitlines() == [
        FAILED,
        "The run from the shop to PowerOffice Go failed: it stopped on an error.",
        "See the end of its log, and run it again.",
    ]
    assert receiver.messages[-1]["type"] == "failure"
    run(customer())
    run(customer())
    assert receiver.titles == [FAILED, WELL]
    run(INVALID_INPUT)
    assert receiver.titles == [FAILED, WELL, FAILED]


def test_a_run_that_fails_before_it_is_recorded_is_announced_once(run, receiver, check, customer):
    run(customer())
    for _ in range(2):
        assert run(client_key="another").status == 1
        assert check().exit_code == 0

    assert receiver.titles == [FAILED]
    assert "refused it, or gave no usable answer" in receiver.last
    run(customer())
    assert receiver.titles == [FAILED, WELL]


def test_a_run_that_a_brake_stops_is_announced_with_its_rejects(run, receiver, customer, product):
    run(customer())
    customers = [customer(id=str(n), email=f"k{n}@example.no") for n in range(2, 5)]
    run(product(sku=None), *customers, max_creates=1, workers=1)

    assert receiver.titles == ["testshop: a run failed, 1 reject is new"]
    assert "a brake stopped it (max_creates, max_changes)" in receiver.last


def test_a_tap_that_sends_nothing_is_announced(ledger, receiver, check, customer):
    ledger.run(customer())
    for _ in range(2):
        ledger.command_on("", notify=receiver.address)
    assert check().exit_code == 1

    assert receiver.titles == [FAILED]
    assert "the tap did not finish" in receiver.last


@pytest.mark.both_link_stores(if_slow=True)
def test_missing_runs_and_their_end_are_announced_once(run, check, receiver, customer):
    with machine_off_by(-datetime.timedelta(hours=5)):
        run(customer())
    for _ in range(2):
        assert check("--newer-than", "3h").exit_code == 1

    assert receiver.last == (
        f"{SILENT}\nThe newest run for the shop testshop ended 5 hours ago (run 1, forward): check"
        " that runs are still being started, and see their log."
    )
    run(customer())
    assert check("--newer-than", "3h").exit_code == 0
    assert receiver.titles == [SILENT, WELL]


def test_missing_runs_are_not_announced_again_if_runs_cannot_start(run, check, receiver, customer):
    with machine_off_by(-datetime.timedelta(hours=5)):
        run(customer())
    for _ in range(2):
        check("--newer-than", "3h")
        run(client_key="another")

    assert receiver.titles == [SILENT, FAILED]


def test_check_announces_a_killed_run_and_a_later_run_without_notify(
    run, ledger, check, receiver, customer
):
    run(customer())
    TargetPowerOfficeGo(config=ledger.config()).begin().close()
    for _ in range(2):
        assert check().exit_code == 1
    ledger.run(customer())
    for _ in range(2):
        assert check().exit_code == 0

    assert receiver.titles == [FAILED, WELL]
    assert "it was cut off before its end" in receiver.messages[0]["message"]


def test_check_leaves_the_announcement_to_a_run_that_is_under_way(
    run, ledger, check, receiver, product
):
    ledger.run(product(sku=None))
    target = TargetPowerOfficeGo(config=ledger.config(notify=receiver.address))
    target.begin()
    try:
        assert check().exit_code == 3
        assert receiver.messages == []
        assert run(product()).status == 1
        assert receiver.messages == []
    finally:
        target.process_endofpipe()
        target._notify()
    assert receiver.titles == ["testshop: a run failed, 1 reject is new"]


def test_check_announces_the_news_of_several_shops_in_one_message(ledger, check, receiver, product):
    ledger.run(product(sku=None))
    ledger.run(product(sku=None), shop_name="another", new_namespace=True)

    check()
    check()

    (message,) = receiver.messages
    assert message["title"] == "2 shops: something changed"
    assert "another: 1 reject is new\n" in message["message"]
    assert f"\n\n{NEW}\n" in message["message"]


@pytest.mark.parametrize(
    ("words", "variables"),
    [(["--shop-name", "another"], {}), ([], {"TARGET_POWEROFFICEGO_SHOP_NAME": "another"})],
    ids=["option", "variable"],
)
def test_check_of_a_named_shop_announces_nothing_about_others(
    ledger, check, receiver, product, words, variables
):
    ledger.run(product(sku=None))
    ledger.run(product(sku=None), shop_name="another", new_namespace=True)

    result = check(*words, **variables)

    assert result.exit_code == 3
    assert receiver.titles == ["another: 1 reject is new"]


def test_check_takes_notify_and_the_link_store_from_a_config(ledger, receiver, product, tmp_path):
    ledger.run(product(sku=None))
    config = tmp_path / "go.json"
    config.write_text(json.dumps(ledger.config(notify=receiver.address)))

    result = CliRunner().invoke(main, ["check", "--config", str(config)])

    assert result.exit_code == 3
    assert receiver.titles == [NEW]


def test_a_test_message_is_sent_before_anything_was_synced(check, receiver):
    result = check("--test-notify")

    assert result.exit_code == 0
    assert result.stdout == "each address of notify in the environment accepted the test message\n"
    assert receiver.titles == ["Test message of the sync with PowerOffice Go"]


def test_an_address_that_refuses_the_test_message_is_named_by_its_position(check, receiver):
    nobody = f"json://127.0.0.1:9/{SECRET}"
    result = check("--test-notify", TARGET_POWEROFFICEGO_NOTIFY=f"{receiver.address} {nobody}")

    assert result.exit_code == 1
    assert result.stderr == "Error: notify: of 2 addresses, number 2 did not accept the message\n"
    assert len(receiver.titles) == 1


def test_a_test_message_needs_an_address(check, receiver):
    result = check("--test-notify", TARGET_POWEROFFICEGO_NOTIFY="")

    assert result.exit_code == 1
    assert "notify is not set" in result.stderr
    assert receiver.titles == []


@pytest.mark.both_link_stores(if_slow=True)
def test_only_one_of_two_processes_makes_the_same_announcement(ledger, customer):
    ledger.run(customer())
    well, failed = ShopStatus().to_keep(), ShopStatus(broken={"forward": 1}).to_keep()

    with ledger.store() as first, ledger.store() as second:
        for store in (first, second):
            store.namespaces.enter_existing("testshop")
        assert first.notices.replace(well, failed)
        assert not second.notices.replace(well, failed)
        assert second.notices.last() == failed
        assert second.notices.replace(failed, well)
        assert first.notices.last() == well


@pytest.mark.parametrize(
    ("path", "shown"), [("go.json", "go.json"), ("a7Kp2Qx9Zt4Wm8Rv1", "the named file")]
)
def test_a_config_that_check_cannot_read_is_not_named_if_it_may_be_a_key(ledger, path, shown):
    ledger.run()

    result = CliRunner().invoke(main, ["check", "--config", path])

    assert result.exit_code == 1
    assert result.stderr == f"Error: --config: {shown} cannot be read: No such file or directory\n"


@pytest.mark.parametrize("settings", [{"dry_run": True}, {"first_run": "plan"}])
def test_a_plan_sends_nothing(run, ledger, receiver, box, customer, product, settings):
    box.go.create("Customers", {"Name": "Fjell AS"})
    run(customer(), product(sku=None), **settings)
    ledger.run(customer())
    run(product(id="502", sku=None), dry_run=True)
    run(INVALID_INPUT, dry_run=True)

    assert receiver.messages == []


@pytest.mark.both_link_stores(if_slow=True)
def test_nothing_is_announced_before_a_run_has_reached_go(run, receiver):
    run(client_key="another")

    assert receiver.messages == []


def test_nothing_is_announced_if_it_cannot_be_recorded(run, ledger, receiver, customer):
    run(customer())
    ledger.run(customer())
    with closing(sqlite3.connect(ledger.link_store)) as store, store:
        store.execute("UPDATE about SET schema_version = 99")

    outcome = run(customer())

    assert outcome.status == 1
    assert "notify: the link store" in outcome.log
    assert receiver.messages == []


@pytest.mark.parametrize("status", [500, None])
def test_what_a_service_did_not_accept_is_announced_by_the_next_run(run, receiver, product, status):
    receiver.status = status
    outcome = run(product(sku=None))

    assert outcome.status == 3
    assert outcome.log.splitlines()[-1] == (
        "notify: 0 of 1 addresses accepted the message; it will be sent again after the next run"
    )
    assert SECRET not in outcome.log
    receiver.status = 200
    run(product(sku=None))
    run(product(sku=None))
    assert receiver.titles == [NEW]


def test_the_next_run_announces_what_two_processes_could_not(ledger, receiver, customer):
    def announce_failures(*ways):
        def endings(store):
            ending = Ending("testshop", 1, broken=dict.fromkeys(ways, "it failed"))
            yield find_namespace(store, "testshop"), ending

        announce(StoreLocation.of(str(ledger.link_store)), [receiver.address], endings)

    second = threading.Thread(target=announce_failures, args=["back"])
    second_arrived, first_ended = threading.Event(), threading.Event()

    def hold_back(message):
        if "from the shop" in message["message"]:
            second.start()
            second_arrived.wait(14)
        else:
            second_arrived.set()
            first_ended.wait(14)

    ledger.run(customer())
    receiver.status, receiver.before_answer = 500, hold_back
    announce_failures("forward")
    first_ended.set()
    second.join()

    receiver.status, receiver.before_answer = 200, bool
    announce_failures("forward", "back")
    assert "from the shop to PowerOffice Go failed" in receiver.last
    assert "from PowerOffice Go to the shop failed" in receiver.last


statuses = st.builds(
    ShopStatus,
    waiting=st.frozensets(st.sampled_from("abc")),
    broken=st.dictionaries(st.sampled_from(["forward", "back"]), st.integers(1, 3)),
    is_silent=st.booleans(),
)


@given(statuses, statuses)
def test_an_undone_announcement_leaves_the_status_before_it(before, after):
    shared = {way: run for way, run in before.broken.items() if way in after.broken}
    after = replace(after, broken={**after.broken, **shared})
    assert after.without(before, after) == before


def test_failing_addresses_are_not_logged_and_the_others_receive_the_message(
    run, receiver, product, monkeypatch
):
    monkeypatch.setenv("LOGLEVEL", "DEBUG")
    monkeypatch.setenv("TARGET_POWEROFFICEGO_LOGLEVEL", "DEBUG")
    failing = [
        f"json://127.0.0.1:9/{SECRET}",
        f"jsons://no-such-host.invalid/{SECRET}",
        f"slack://{SECRET}",
        f"tgram://{SECRET}/1",
        f"mailtos://{SECRET}",
    ]
    outcome = run(product(sku=None), notify=" ".join([receiver.address, *failing]))
    run(product(sku=None), notify=" ".join([*failing, receiver.address]))

    assert outcome.status == 3
    assert outcome.log.splitlines()[-1] == "notify: 1 of 6 addresses accepted the message"
    assert SECRET not in outcome.log
    assert receiver.titles == [NEW]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # what Apprise imports
@pytest.mark.parametrize("scheme", SERVICES)
def test_apprise_has_each_service_and_reaches_it_by_tls(scheme):
    service = pkgutil.resolve_name(f"apprise.plugins.{SERVICES[scheme]}")

    schemes = service.secure_protocol
    assert scheme in ((schemes,) if isinstance(schemes, str) else schemes)
    assert service.protocol in (None, scheme.removesuffix("s"))


def test_no_message_contains_personal_data_or_a_key(run, receiver, box, customer, product, order):
    body = {"title": "Kari Nordmann", "status": 400, "detail": "Kari Nordmann, Storgata 1"}
    box.faults.add(method="POST", path="/salesorders/complete$", status=400, body=body)
    run(customer(email="Kari"), product(id="502", sku=None), product(), order(customer_id=None))
    run(INVALID_INPUT, client_key="a-very-secret-key")
    run(INVALID_INPUT)

    text = json.dumps(receiver.messages)
    assert len(receiver.messages) == 2
    keys = (box.go.application_key, box.go.client_key, box.go.subscription_key, SECRET)
    assert [value for value in (*PERSONAL, *keys, "a-very-secret-key") if value in text] == []


@pytest.mark.parametrize(
    ("notify", "error"),
    [
        (
            f"json://hooks.example.com/{SECRET}",
            "notify: address 1 of 1 is not encrypted: it must begin with jsons://",
        ),
        (
            f"tgram://1/2 mailto://me:{SECRET}@example.com",
            "notify: address 2 of 2 is not encrypted: it must begin with mailtos://",
        ),
        (f"syslog://{SECRET}", "notify: address 1 of 1 must begin with one of apprises://, "),
        (SECRET, "notify: address 1 of 1 must begin with one of apprises://, "),
        (f"jsons://[{SECRET}", "notify: address 1 of 1 cannot be read as an address"),
        (
            f"jsons://example.com/{SECRET}?Verify=No",
            "notify: address 1 of 1 does not verify that the service is genuine",
        ),
        (
            f"mailtos://me:{SECRET}@example.com?mode=insecure",
            "notify: address 1 of 1 does not verify that the service is genuine",
        ),
    ],
)
def test_an_unsafe_address_stops_the_run_at_start_up(run, check, customer, notify, error):
    outcome = run(customer(), notify=notify)

    assert outcome.status == 1
    assert any(line.startswith(error) for line in outcome.log.splitlines())
    assert SECRET not in outcome.log
    assert outcome.reads == []
    checked = check(TARGET_POWEROFFICEGO_NOTIFY=notify)
    assert checked.exit_code == 1
    assert checked.stderr.startswith(f"Error: {error}")
    assert SECRET not in checked.output
