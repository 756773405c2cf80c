"""deploy/sync-shop and deploy/sync-shops: a round of one shop and of many, and early ends."""

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


def run_until(box, shop, moment, action):
    """Start a round, call `action` at a request that `moment` describes; return how it ended.

    The request is answered only when the round is over.
    """
    is_over = threading.Event()
    has_acted = threading.Event()

    def act(_):
        action(started)
        has_acted.set()
        is_over.wait(LONGEST_SECONDS)

    box.faults.on(**moment, call=act)
    started = shop.start()
    try:
        return ended(started)
    finally:
        is_over.set()
        box.faults.clear()
        assert has_acted.is_set()


def kill(name):
    """Return a function that kills the process of this name in a round."""
    return lambda started: os.kill(programs_of(started)[name], signal.SIGKILL)


def test_a_round_runs_both_ways_and_the_next_continues_from_both_states(box, both_ways):
    shop = both_ways
    status, log = shop.round()
    assert status == 0, log
    assert orders_astray(box) == []

    entry = next(row for row in box.go.entries("Customers") if row["ExternalImportReference"])
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
    entry = next(row for row in box.go.entries("Customers") if row["ExternalImportReference"])
    box.go.edit("Customers", entry["Id"], {"PhoneNumber": EDITED["phone"]})
    config = shop.folder / "go.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "dry_run": True}))
    box.requests.clear()

    status, log = shop.round()

    assert status == 0, log
    assert "this was a dry run of the way forward" in log
    assert box.requests.writes() == []


def test_a_round_that_leaves_records_waiting_has_not_failed_and_runs_the_way_back(box, both_ways):
    shop = both_ways
    box.shop.edit("products", box.shop.records("products")[0]["id"], {"sku": None})
    status, log = shop.round()
    assert status == 3, log
    assert shop.states()
    assert shop.states("back")


def test_a_failed_tap_fails_the_round_and_the_way_back_does_not_run(box, both_ways):
    box.faults.add(system="shop", method="GET", path="/orders", status=403, times=None)

    status, log = both_ways.round()

    assert status == 1, log
    assert "403" in log
    assert not (both_ways.folder / "back.jsonl").exists()
    box.faults.clear()
    assert both_ways.round()[0] == 0
    assert orders_astray(box) == []


def test_a_missing_folder_or_config_fails_at_once(box, shop):
    assert Shop(shop.folder / "none").round()[0] == 1
    (shop.folder / "go.json").unlink()
    assert shop.round()[0] not in {0, 3}
    assert box.requests.writes() == []


def test_a_second_round_of_a_folder_does_nothing_and_leaves_the_first_alone(box, both_ways):
    shop = both_ways
    second = []
    box.faults.on("shop", "GET", "/orders$", lambda _: second.append(shop.round()))

    status, log = shop.round()

    assert (status, "dry run" in log) == (0, False), log
    assert shop.states()
    assert shop.states("back")
    ((second_status, second_log),) = second
    assert second_status == 1
    assert f"a round of {shop.folder} is under way" in second_log
    assert "run summary" not in second_log


def test_a_folder_is_resolved_from_here_whatever_its_name(box, shop, tmp_path):
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


def test_a_killed_target_ends_its_tap_even_if_the_shop_never_answers(box, shop):
    moment = {"system": "shop", "method": "GET", "path": "/orders"}

    status, log = run_until(box, shop, moment, kill("target-powerofficego"))

    assert status == KILLED, log
    assert not (shop.folder / "back.jsonl").exists()
    assert shop.round()[0] == 0
    assert orders_astray(box) == []


def test_a_killed_tap_ends_its_target_and_the_rest_is_read_in_the_next_round(box, shop):
    moment = {"system": "shop", "method": "GET", "path": "/orders"}

    status, log = run_until(box, shop, moment, kill("tap-customwebshop"))

    assert status == 1, log
    assert box.go.entries("SalesOrders") == []
    assert shop.round()[0] == 0
    assert orders_astray(box) == []


@pytest.fixture
def handles_hangups():
    """A shell can catch SIGHUP, even if the tests were started by `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("handles_hangups")
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name
)
def test_a_stopped_round_exits_with_the_signal_and_the_next_one_continues(box, shop, number):
    moment = {"system": "shop", "method": "GET", "path": "/orders"}

    status, log = run_until(box, shop, moment, lambda started: os.kill(started.pid, number))

    assert status == 128 + number, log
    assert shop.round()[0] == 0
    assert orders_astray(box) == []


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux signals a process when its parent ends"
)
def test_both_processes_of_a_killed_script_are_stopped(box, shop):
    processes = {}

    def kill_script(started):
        processes.update(programs_of(started))
        os.kill(started.pid, signal.SIGKILL)

    moment = {"system": "shop", "method": "GET", "path": "/orders"}
    status, log = run_until(box, shop, moment, kill_script)

    assert status == -signal.SIGKILL, log
    assert processes.keys() == {"tap-customwebshop", "target-powerofficego"}
    assert all(has_ended(process) for process in processes.values())
    assert orders_astray(box) != []
    assert shop.round()[0] == 0
    assert orders_astray(box) == []


def test_a_state_cut_off_by_a_kill_is_ignored(box, shop):
    assert shop.round()[0] == 0
    states = shop.folder / "state.jsonl"
    complete = states.read_text(encoding="utf-8")
    for text in (f'{complete}{{"bookmarks": {{"cust', '{"bookm'):
        states.write_text(text, encoding="utf-8")
        box.requests.clear()
        status, log = shop.round()
        assert status == 0, log
        assert None not in read_from(box)


@pytest.fixture
def three_shops(tmp_path):
    """Three shops with a sandbox and a folder each."""
    boxes = [Sandbox.start() for _ in range(3)]
    for number, box in enumerate(boxes):
        seed_store(box.shop, customers=2, products=2, orders=2, habits=False)
        Shop(tmp_path / "shops" / f"shop {number}").write_configs(box, shop_name=f"shop{number}")
    yield tmp_path / "shops", boxes
    for box in boxes:
        box.__exit__(None, None, None)


def test_a_round_of_many_shops_runs_each_and_prints_the_end_of_the_log_of_those_that_failed(
    three_shops,
):
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
    assert [bool(box.go.entries("Customers")) for box in boxes] == [True, True, False]
    assert "run summary" in (folder / "shop 0" / "sync.log").read_text()


def test_a_folder_without_shops_fails(tmp_path):
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


def test_rounds_are_repeated_until_stopped_and_a_long_log_is_rotated(
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
        lines = [started.stdout.readline() for _ in range(6)]
        os.killpg(started.pid, signal.SIGTERM)
    assert started.returncode == -signal.SIGTERM
    assert {line.rpartition(" ")[2] for line in lines} == {"0\n"}
    assert [orders_astray(box, f"shop{number}") for number, box in enumerate(boxes)] == [[]] * 3
    assert (folder / "shop 0" / "sync.log.1").stat().st_size == 10_240_001
