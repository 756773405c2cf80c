"""deploy/sync-shop and deploy/sync-shops: a round of one shop and of many, whatever ends early."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading

import pytest
from go_sandbox import Sandbox
from go_sandbox.seed.store import seed_store
from shop_folders import (
    DEPLOY,
    LONGEST_SECONDS,
    Shop,
    ended,
    has_ended,
    orders_astray,
    programs_of,
    read_from,
)

KILLED = 128 + signal.SIGKILL
EDITED = {"phone": "+4793000930"}


def run_until(box, shop, moment, act):
    """Start a round, and act once a request comes that this describes; return how it ended.

    That request is answered only when the round is over.
    """
    is_over = threading.Event()
    acted = []

    def strike(_):
        acted.append(act(started))
        is_over.wait(LONGEST_SECONDS)

    box.faults.on(**moment, call=strike)
    started = shop.start()
    try:
        return ended(started)
    finally:
        is_over.set()
        box.faults.clear()
        assert acted


def kill(name):
    """Return what kills the process of this name, of those that a round is running."""
    return lambda started: os.kill(programs_of(started)[name], signal.SIGKILL)


def test_a_round_runs_both_ways_and_the_next_one_goes_on_from_both_states(box, both_ways):
    shop = both_ways
    status, log = shop.round()
    assert status == 0, log
    assert orders_astray(box) == []

    entry = next(one for one in box.go.entries("Customers") if one["ExternalImportReference"])
    box.go.edit("Customers", entry["Id"], {"PhoneNumber": EDITED["phone"]})
    box.requests.clear()
    status, log = shop.round()

    assert status == 0, log
    shop_id = entry["ExternalImportReference"].partition(":")[2]
    assert box.shop.record("customers", shop_id)["phone"] == EDITED["phone"]
    assert None not in read_from(box)
    assert box.requests.writes() == []


def test_without_the_config_of_the_way_back_only_the_way_forward_runs(box, shop):
    status, log = shop.round()
    assert status == 0, log
    assert orders_astray(box) == []
    assert not (shop.folder / "back.jsonl").exists()


def test_after_a_dry_run_of_the_way_forward_the_way_back_is_not_run(box, both_ways):
    shop = both_ways
    shop.round()
    entry = next(one for one in box.go.entries("Customers") if one["ExternalImportReference"])
    box.go.edit("Customers", entry["Id"], {"PhoneNumber": EDITED["phone"]})
    config = shop.folder / "go.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "dry_run": True}))
    box.requests.clear()

    status, log = shop.round()

    assert status == 0, log
    assert "this was a dry run of the way forward" in log
    assert box.requests.writes() == []


def test_what_waits_for_a_person_is_no_failure_and_the_way_back_runs(box, both_ways):
    shop = both_ways
    box.shop.edit("products", box.shop.records("products")[0]["id"], {"sku": None})
    status, log = shop.round()
    assert status == 3, log
    assert shop.states()
    assert shop.states("back")


def test_a_tap_that_fails_fails_the_round_and_the_way_back_does_not_run(box, both_ways):
    box.faults.add(system="shop", method="GET", path="/orders", status=403, times=None)

    status, log = both_ways.round()

    assert status == 1, log
    assert "403" in log
    assert not (both_ways.folder / "back.jsonl").exists()
    box.faults.clear()
    assert both_ways.round()[0] == 0
    assert orders_astray(box) == []


def test_a_folder_or_a_config_that_is_missing_fails_at_once(box, shop):
    assert Shop(shop.folder / "none").round()[0] == 1
    (shop.folder / "go.json").unlink()
    assert shop.round()[0] not in {0, 3}
    assert box.requests.writes() == []


def test_a_second_round_of_a_folder_does_nothing_and_takes_nothing_from_the_first(box, both_ways):
    shop = both_ways
    second = []
    box.faults.on("shop", "GET", "/orders$", lambda _: second.append(shop.round()))

    status, log = shop.round()

    assert (status, "dry run" in log) == (0, False), log
    assert shop.states()
    assert shop.states("back")
    ((of_second, log_of_second),) = second
    assert of_second == 1
    assert f"a round of {shop.folder} is under way" in log_of_second
    assert "run summary" not in log_of_second


def test_a_folder_is_the_one_of_that_name_here_whatever_the_name(box, shop, tmp_path):
    renamed = shop.folder.rename(tmp_path / "-P")
    other = tmp_path / "elsewhere" / "-P"
    other.mkdir(parents=True)

    done = subprocess.run(
        [DEPLOY / "sync-shop", "-P"],
        cwd=tmp_path,
        env={**shop.environment, "CDPATH": str(other.parent)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert Shop(renamed).states()
    assert list(other.iterdir()) == []
    assert orders_astray(box) == []


def test_a_target_that_is_killed_takes_its_tap_along_though_the_shop_never_answers(box, shop):
    moment = {"system": "shop", "method": "GET", "path": "/orders"}

    status, log = run_until(box, shop, moment, kill("target-powerofficego"))

    assert status == KILLED, log
    assert not (shop.folder / "back.jsonl").exists()
    assert shop.round()[0] == 0
    assert orders_astray(box) == []


def test_a_tap_that_is_killed_takes_its_target_along_and_what_it_did_not_read_comes_later(
    box, shop
):
    moment = {"system": "shop", "method": "GET", "path": "/orders"}

    status, log = run_until(box, shop, moment, kill("tap-customwebshop"))

    assert status == 1, log
    assert box.go.entries("SalesOrders") == []
    assert shop.round()[0] == 0
    assert orders_astray(box) == []


@pytest.fixture
def heeds_hangups():
    """Lets a shell catch SIGHUP, also where the tests were started by `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("heeds_hangups")
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda one: one.name
)
def test_a_round_that_is_stopped_says_by_what_and_the_next_one_goes_on(box, shop, number):
    moment = {"system": "shop", "method": "GET", "path": "/orders"}

    status, log = run_until(box, shop, moment, lambda started: os.kill(started.pid, number))

    assert status == 128 + number, log
    assert shop.round()[0] == 0
    assert orders_astray(box) == []


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a process of its parent's end"
)
def test_when_the_script_is_killed_outright_both_its_processes_are_stopped(box, shop):
    of_round = {}

    def kill_script(started):
        of_round.update(programs_of(started))
        os.kill(started.pid, signal.SIGKILL)

    moment = {"system": "shop", "method": "GET", "path": "/orders"}
    status, log = run_until(box, shop, moment, kill_script)

    assert status == -signal.SIGKILL, log
    assert of_round.keys() == {"tap-customwebshop", "target-powerofficego"}
    assert all(has_ended(process) for process in of_round.values())
    assert orders_astray(box) != []
    assert shop.round()[0] == 0
    assert orders_astray(box) == []


def test_a_state_that_was_cut_off_when_its_writer_was_killed_does_not_count(box, shop):
    assert shop.round()[0] == 0
    states = shop.folder / "state.jsonl"
    whole = states.read_text(encoding="utf-8")
    for text in (f'{whole}{{"bookmarks": {{"cust', '{"bookm'):
        states.write_text(text, encoding="utf-8")
        box.requests.clear()
        status, log = shop.round()
        assert status == 0, log
        assert None not in read_from(box)


@pytest.fixture
def three_shops(tmp_path):
    """Three shops with a sandbox and a folder each, of which one has nothing but a wrong key."""
    boxes = [Sandbox.start() for _ in range(3)]
    for place, one in enumerate(boxes):
        seed_store(one.shop, customers=2, products=2, orders=2, habits=False)
        Shop(tmp_path / "shops" / f"shop {place}").write_configs(one, shop_name=f"shop{place}")
    yield tmp_path / "shops", boxes
    for one in boxes:
        one.__exit__(None, None, None)


def test_a_round_of_many_shops_runs_each_and_tells_the_end_of_the_log_of_who_failed(three_shops):
    folder, boxes = three_shops
    (folder / "no shop").mkdir()
    boxes[1].shop.edit("products", boxes[1].shop.records("products")[0]["id"], {"sku": None})
    boxes[2].faults.add(system="shop", method="GET", status=403, times=None)
    shop = Shop(folder, {"AT_ONCE": "2"})

    done = subprocess.run(
        [DEPLOY / "sync-shops", folder],
        env=shop.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 123
    assert (folder / "last-status").read_text() == "123\n"
    assert sorted(done.stdout.splitlines()) == [
        f"{folder}/shop 0: exit status 0",
        f"{folder}/shop 1: exit status 3",
        f"{folder}/shop 2: exit status 1",
    ]
    assert done.stderr.startswith(f"{folder}/shop 2 failed: exit status 1; the end of {folder}/")
    assert "403" in done.stderr
    assert orders_astray(boxes[0], "shop0") == []
    assert [bool(one.go.entries("Customers")) for one in boxes] == [True, True, False]
    assert "run summary" in (folder / "shop 0" / "sync.log").read_text()


def test_a_folder_without_shops_is_no_round_in_which_all_is_well(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        done = subprocess.run(
            [DEPLOY / "sync-shops", folder],
            env=Shop(folder).environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert f"there is no shop in {folder}" in done.stderr
    assert (tmp_path / "last-status").read_text() == "1\n"


def test_rounds_follow_each_other_until_they_are_stopped_and_a_long_log_is_put_aside(
    three_shops,
):
    folder, boxes = three_shops
    (folder / "shop 0" / "sync.log").write_bytes(b"x" * 10_240_001)
    with subprocess.Popen(
        [DEPLOY / "sync-shops", folder, "0"],
        env=Shop(folder).environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as started:
        assert started.stdout
        ends = [started.stdout.readline() for _ in range(6)]
        os.killpg(started.pid, signal.SIGTERM)
    assert started.returncode == -signal.SIGTERM
    assert {one.rpartition(" ")[2] for one in ends} == {"0\n"}
    assert [orders_astray(one, f"shop{place}") for place, one in enumerate(boxes)] == [[]] * 3
    assert (folder / "shop 0" / "sync.log.1").stat().st_size == 10_240_001
