"""The rate limit of a subscription key, shared in a file or in PostgreSQL."""

from __future__ import annotations

import fcntl
import json
import logging
import math
import os
import resource
import stat
import subprocess
import sys
import threading
import time

import pytest
from target_powerofficego.go_api import (
    ConfigurationError,
    Connection,
    GoClient,
    StopRequested,
    Unreachable,
)
from target_powerofficego.go_api.sender import NoTurnInTime, RateLimit
from target_powerofficego.go_api.turn_stores import turn_store

KEY = "0123456789abcdef0123456789abcdef"
SESSIONS = "FROM pg_stat_activity WHERE application_name = 'powerofficego rate limit'"
STORES = ["file", "postgresql"]


@pytest.fixture
def place(request, tmp_path):
    """Where the limit is shared."""
    if request.param == "postgresql":
        return request.getfixturevalue("database").address
    return "memory" if request.param == "memory" else str(tmp_path / "rate-limit.json")


@pytest.fixture
def limit_at():
    """Makes limits of clients at a place; they are closed at the end."""
    limits = []

    def made(place, per_second=10, key=KEY, stop=None):
        stop = stop or threading.Event()
        limits.append(RateLimit(per_second, stop, store=turn_store(str(place), key, stop)))
        return limits[-1]

    yield made
    for limit in limits:
        limit.close()


@pytest.fixture
def go_at(box):
    """Makes clients of the sandbox with their limit at a place; they are closed at the end."""
    clients = []

    def made(place, **settings):
        connection = Connection(
            box.go_api_url,
            box.go_token_url,
            box.go.application_key,
            box.go.client_key,
            box.go.subscription_key,
        )
        settings = {"requests_per_second": 100, "retry_seconds": 20, **settings}
        clients.append(GoClient(connection, rate_limit_store=str(place), **settings))
        return clients[-1]

    yield made
    for client in clients:
        client.close()


@pytest.mark.parametrize("place", STORES, indirect=True)
def test_a_turn_taken_by_a_client_is_missing_only_for_clients_with_the_same_key(place, limit_at):
    limit_at(place, per_second=2).take_turn(math.inf)
    limit_at(place, per_second=2).take_turn(math.inf)

    with pytest.raises(NoTurnInTime) as caught:
        limit_at(place, per_second=2).take_turn(give_up_at=time.monotonic())
    limit_at(place, per_second=2, key="another").take_turn(give_up_at=time.monotonic())

    assert 0 < caught.value.seconds <= 1.03


@pytest.mark.parametrize("place", STORES, indirect=True)
def test_a_pause_holds_for_all_who_share_the_limit(place, limit_at):
    limit_at(place).pause(3600)

    with pytest.raises(NoTurnInTime) as caught:
        limit_at(place).take_turn(give_up_at=time.monotonic() + 600)

    assert 3000 < caught.value.seconds <= 3600


@pytest.mark.parametrize("place", [*STORES, "memory"], indirect=True)
def test_a_stop_ends_the_wait_of_every_thread_at_once(place, limit_at):
    stop = threading.Event()
    limit = limit_at(place, stop=stop)
    limit.pause(3600)
    ended = []

    def wait():
        with pytest.raises(StopRequested):
            limit.take_turn(math.inf)
        ended.append(True)

    threads = [threading.Thread(target=wait) for _ in range(5)]
    for thread in threads:
        thread.start()
    stop.set()
    for thread in threads:
        thread.join(timeout=30)

    assert len(ended) == 5


def test_a_file_is_private_and_contains_no_key(tmp_path, limit_at):
    place = tmp_path / "rate-limit.json"
    old = os.umask(0)
    try:
        limit_at(place).take_turn(math.inf)
    finally:
        os.umask(old)

    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert KEY not in place.read_text()


def test_a_table_contains_no_key(database, limit_at):
    limit_at(database.address).take_turn(math.inf)

    ((key, stored),) = database.execute(f"SELECT key, stored FROM {database.schema}.rate_limits")
    assert KEY not in key + stored


@pytest.mark.parametrize(
    "content", [b'{"bookmarks": {}}', b"SQLite format 3\0", b"[1]", b'{"rate_limits": {"k": 1}}']
)
def test_a_file_of_another_program_is_left_unchanged_and_stops_in_one_line(
    content, tmp_path, limit_at
):
    place = tmp_path / "state.json"
    place.write_bytes(content)

    with pytest.raises(ConfigurationError, match="json is another program's file") as caught:
        limit_at(place).take_turn(math.inf)

    assert "\n" not in str(caught.value)
    assert place.read_bytes() == content


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 400, b'{"rate_limits":{"4f1c":{"at":12.5,"turns":{"giv'],
    ids=["empty", "zeros", "half"],
)
def test_a_file_damaged_by_a_power_cut_is_written_again(content, tmp_path, limit_at):
    place = tmp_path / "rate-limit.json"
    place.write_bytes(content)

    limit_at(place).take_turn(give_up_at=time.monotonic())

    assert len(json.loads(place.read_text())["rate_limits"]) == 1


def test_a_full_disk_is_reported_and_the_file_is_usable_once_there_is_room(tmp_path, limit_at):
    place = tmp_path / "rate-limit.json"
    limit = limit_at(place)
    limit.take_turn(math.inf)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (place.stat().st_size + 10, hard))
    try:
        with pytest.raises(ConfigurationError, match="No space left on device"):
            limit_at(place, key="another").take_turn(math.inf)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    limit.take_turn(math.inf)

    assert json.loads(place.read_text())["rate_limits"]


def test_after_a_restart_of_the_machine_no_turn_waits_for_a_clock_that_was_reset(
    tmp_path, limit_at
):
    place = tmp_path / "rate-limit.json"
    limit_at(place).pause(10)
    before = json.loads(place.read_text())
    (stored,) = before["rate_limits"].values()
    stored["at"] += 100_000
    stored["turns"]["paused_until"] += 100_000
    place.write_text(json.dumps(before))

    limit_at(place).take_turn(give_up_at=time.monotonic())

    (stored,) = json.loads(place.read_text())["rate_limits"].values()
    assert stored["turns"]["paused_until"] == 0
    assert len(stored["turns"]["given"]) == 1


def test_a_file_stays_valid_when_less_is_written_than_before(tmp_path, limit_at):
    place = tmp_path / "rate-limit.json"
    limit = limit_at(place, per_second=100)
    for _ in range(60):
        limit.take_turn(math.inf)
    long = len(place.read_bytes())
    forgotten = json.loads(place.read_text())
    for stored in forgotten["rate_limits"].values():
        stored["at"] += 100_000
    place.write_text(json.dumps(forgotten))

    limit.take_turn(math.inf)

    assert len(place.read_bytes()) >= long
    (stored,) = json.loads(place.read_text())["rate_limits"].values()
    assert len(stored["turns"]["given"]) == 1


@pytest.mark.parametrize(
    ("place", "fault"),
    [
        ("nowhere/rate-limit.json", "there is no folder .*; create it"),
        (".", "Is a directory"),
        ("postgresql://sync@127.0.0.1:1/x", "postgresql://sync@127.0.0.1:1/x: .*refused"),
    ],
)
def test_a_store_that_cannot_be_used_is_reported_in_one_line(
    place, fault, limit_at, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(
        ConfigurationError, match=f"rate_limit_store cannot be used: .*{fault}"
    ) as caught:
        limit_at(place).take_turn(math.inf)

    assert "\n" not in str(caught.value)


def test_a_run_with_a_store_that_cannot_be_used_stops_before_any_call(ledger, box, customer):
    outcome = ledger.run(customer(), ends_with=1, rate_limit_store="nowhere/rate-limit.json")

    (line,) = [line for line in outcome.log.splitlines() if "rate_limit_store" in line]
    assert "there is no folder" in line
    assert box.requests.all() == []
    ledger.run(customer(), ends_with=0, rate_limit_store=str(ledger.folder / "rate-limit.json"))
    assert len(box.go.entries("Customers")) == 1


def test_a_wrong_rate_limit_store_is_reported_with_the_other_wrong_settings(ledger, customer):
    outcome = ledger.run(customer(), rate_limit_store="mysql://db/x", shop_name="a shop")

    assert outcome.status == 1
    assert "rate_limit_store must be the path of a file, or" in outcome.log
    assert "shop_name must have 1 to 20" in outcome.log


@pytest.mark.parametrize("ledger", ["postgresql"], indirect=True)
def test_the_limit_is_by_default_where_the_links_are_if_that_is_postgresql(
    ledger, database, customer
):
    ledger.run(customer(), ends_with=0, rate_limit_store="memory")
    table = f"SELECT to_regclass('{database.schema}.rate_limits')"
    assert database.execute(table) == [(None,)]

    ledger.run(customer(phone="+4740000000"), ends_with=0)

    assert database.execute(f"SELECT count(*) FROM {database.schema}.rate_limits") == [(1,)]


@pytest.mark.parametrize(
    ("place", "fault"),
    [
        ("postgresql://sync:secret@db/x", "must not hold the database's password"),
        ("mysql://db/x", "must be the path of a file, or the address of a PostgreSQL database"),
        (KEY, "looks like a key and is not shown"),
        (" ", "is empty or not a path"),
    ],
)
def test_a_wrong_rate_limit_store_is_refused_without_showing_a_secret(place, fault, limit_at):
    with pytest.raises(ConfigurationError, match=f"^rate_limit_store {fault}") as caught:
        limit_at(place)

    assert "secret" not in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_lost_session_is_opened_again_and_reported_once(box, go_at, database, caplog):
    go = go_at(database.address)
    go.read("/Customers")
    database.execute(f"SELECT pg_terminate_backend(pid) {SESSIONS}")

    with caplog.at_level(logging.WARNING):
        go.read("/Customers")

    lines = [record.getMessage() for record in caplog.records]
    (line,) = [line for line in lines if "rate_limit_store" in line]
    assert line.startswith("rate_limit_store can no longer be used: postgresql://")
    assert [request.status for request in box.requests.reads("go")] == [204, 204]


def test_a_store_that_stays_unusable_ends_the_run_and_no_call_is_made_without_a_turn(
    box, go_at, tmp_path
):
    place = tmp_path / "rate-limit.json"
    go = go_at(place, retry_seconds=1)
    go.read("/Customers")
    place.write_text("[]")

    with pytest.raises(Unreachable, match=r"can no longer be used: .*run again"):
        go.create("/Customers", {"Name": "Kari"})

    assert box.go.entries("Customers") == []
    place.unlink()
    go.create("/Customers", {"Name": "Kari"})
    assert len(box.go.entries("Customers")) == 1


def test_a_file_that_another_process_keeps_locked_is_waited_for_until_it_stops(tmp_path, limit_at):
    place = tmp_path / "rate-limit.json"
    stop = threading.Event()
    limit = limit_at(place, stop=stop)
    limit.take_turn(math.inf)

    with place.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        threading.Timer(0.1, stop.set).start()
        with pytest.raises(StopRequested):
            limit.take_turn(math.inf)


@pytest.mark.slow
def test_a_file_that_stays_locked_is_reported(tmp_path, limit_at):
    place = tmp_path / "rate-limit.json"
    limit = limit_at(place)
    limit.take_turn(math.inf)

    with place.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Unreachable, match="another process keeps it locked"):
            limit.take_turn(math.inf)


CALLS = 14
CLIENT = f"""
import json, sys, threading
from target_powerofficego.go_api import Connection, GoClient

given = json.loads(sys.argv[1])
with GoClient(Connection(**given["connection"]), **given["settings"]) as go:
    def call():
        for _ in range({CALLS // 2}):
            go.read("/Customers")
    threads = [threading.Thread(target=call) for _ in range(2)]
    print("ready", flush=True)
    sys.stdin.readline()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


@pytest.mark.slow
@pytest.mark.parametrize("place", STORES, indirect=True)
def test_processes_that_share_a_limit_make_all_their_calls_and_none_is_refused(box, place):
    """Each alone may call half as often as Go allows, so a slow machine causes no rejection."""
    box.go.switches.rate_limit = 10
    given = {
        "connection": {
            "api_url": box.go_api_url,
            "token_url": box.go_token_url,
            "application_key": box.go.application_key,
            "client_key": box.go.client_key,
            "subscription_key": box.go.subscription_key,
        },
        "settings": {"requests_per_second": 5, "rate_limit_store": place},
    }
    command = [sys.executable, "-c", CLIENT, json.dumps(given)]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe) for _ in range(4)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    started = time.monotonic()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=120)

    calls = [request for request in box.requests.all() if request.system == "go"]
    assert [process.returncode for process in processes] == [0] * 4
    assert 429 not in {call.status for call in calls}
    assert len(calls) == 4 * (CALLS + 1)
    assert time.monotonic() - started > (len(calls) - 1) // 5
