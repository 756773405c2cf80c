"""Link store and Singer state in PostgreSQL: any machine can run a shop's next round."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading

import psycopg
import pytest
from shop_folders import LONGEST_SECONDS, Shop, ended, orders_astray, read_from


@pytest.fixture
def workers(box, database, tmp_path, both_ways):
    """Two working folders with the same config, as if on two machines."""

    def folder(name):
        shop = Shop(tmp_path / name / "myshop", {"SINGER_STATE": database.address})
        return shop.write_configs(box, link_store=database.address)

    return folder("first"), folder("second")


def states(database):
    return dict(database.execute(f"SELECT name, state FROM {database.schema}.singer_state"))


def test_another_worker_continues_from_both_states_and_writes_nothing_again(box, database, workers):
    first, second = workers
    status, log = first.round()
    assert status == 0, log
    assert states(database).keys() == {"myshop/state", "myshop/back"}
    assert not list(first.folder.glob("*.jsonl"))

    box.requests.clear()
    status, log = second.round()

    assert status == 0, log
    assert None not in read_from(box)
    assert box.requests.writes() == []
    assert orders_astray(box) == []


def test_the_second_of_two_workers_on_the_same_shop_stops_with_one_line(box, database, workers):
    first, second = (worker.go_one_way() for worker in workers)
    is_writing, is_over = threading.Event(), threading.Event()

    def block(_):
        is_writing.set()
        is_over.wait(LONGEST_SECONDS)

    box.faults.on("go", "POST", "/customers$", block)
    started = first.start()
    try:
        assert is_writing.wait(LONGEST_SECONDS)
        status, log = second.round()
        states_meanwhile = states(database)
    finally:
        is_over.set()

    assert status == 1
    (line,) = [line for line in log.splitlines() if "is under way" in line]
    assert "postgresql://" in line
    assert states_meanwhile == {}
    assert ended(started)[0] == 0
    assert orders_astray(box) == []
    assert states(database).keys() == {"myshop/state"}


def test_another_worker_continues_after_one_is_killed_in_a_round(box, database, workers):
    first, second = (worker.go_one_way() for worker in workers)
    is_over = threading.Event()

    def end_worker(_):
        os.killpg(started.pid, signal.SIGKILL)
        is_over.set()

    box.faults.on("go", "POST", "/salesorders/complete$", end_worker, when="after")
    started = first.start()
    assert ended(started)[0] == -signal.SIGKILL
    assert is_over.is_set()
    assert orders_astray(box) != []
    assert states(database) == {}

    status, log = second.round()

    assert status == 0, log
    assert orders_astray(box) == []
    box.requests.clear()
    assert first.round()[0] == 0
    assert box.requests.writes() == []


def test_a_state_too_long_for_a_command_line_is_kept_complete(box, database, workers):
    first, _ = (worker.go_one_way() for worker in workers)
    assert first.round()[0] == 0
    note = "æ'\\" * 100_000
    (state_text,) = states(database).values()
    state = json.loads(state_text)
    state["bookmarks"]["customers"]["note"] = note
    text = json.dumps(state).replace("'", "''")
    database.execute(f"UPDATE {database.schema}.singer_state SET state = '{text}'")
    edited = box.shop.edit("customers", box.shop.records("customers")[0]["id"], {"note": "Ny"})

    status, log = first.round()

    assert status == 0, log
    bookmark = json.loads(states(database)["myshop/state"])["bookmarks"]["customers"]
    assert bookmark["note"] == note
    assert bookmark["replication_key_value"][:19] == edited["updated_at"][:19]


@pytest.mark.parametrize(
    "address",
    ["postgresql://sync:hemmelig@db/links", "postgresql://db/links?user=sync&password=hemmelig"],
)
def test_a_password_in_the_address_of_the_states_is_refused_and_not_logged(box, workers, address):
    first, _ = workers
    first.variables["SINGER_STATE"] = address

    status, log = first.round()

    assert status == 1
    assert log == ("sync-shop: SINGER_STATE holds a password; give it in PGPASSWORD or ~/.pgpass\n")
    assert box.requests.all() == []


def test_a_database_that_never_answers_does_not_delay_a_round_forever(box, workers):
    first, _ = workers
    with socket.create_server(("127.0.0.1", 0)) as silent:
        first.variables["SINGER_STATE"] = f"postgresql://127.0.0.1:{silent.getsockname()[1]}/links"
        status, log = first.round()

    assert status == 1
    assert "timeout expired" in log
    assert box.requests.all() == []


def test_a_lock_on_the_table_of_states_does_not_delay_a_round_forever(box, database, workers):
    first, _ = workers
    with psycopg.connect(f"postgresql://postgres@/postgres?host={database.socket_folder}") as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtext('singer_state'))")
        status, log = first.round()

    assert status == 1
    assert "lock timeout" in log
    assert box.requests.all() == []


def test_no_state_is_lost_if_it_is_locked(box, database, workers):
    first, second = workers
    assert first.round()[0] == 0
    before = states(database)
    box.shop.edit("customers", box.shop.records("customers")[0]["id"], {"note": "Ny"})
    with psycopg.connect(f"postgresql://postgres@/postgres?host={database.socket_folder}") as other:
        other.execute(f"SELECT FROM {database.schema}.singer_state FOR UPDATE")
        status, log = first.round()

    assert status == 1
    assert "lock timeout" in log
    assert states(database) == before
    assert second.round()[0] == 0
    assert states(database) != before


def test_a_missing_database_fails_the_round_before_anything_is_read(box, tmp_path, workers):
    first, _ = workers
    first.variables["SINGER_STATE"] = f"postgresql://nobody@/none?host={tmp_path}"
    status, log = first.round()
    assert status == 1
    assert "psql" in log
    assert box.requests.all() == []
