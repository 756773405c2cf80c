import socket
import threading

import pytest
import requests
from go_sandbox import Sandbox
from go_sandbox.requests_log import busiest_window
from hypothesis import given
from hypothesis import strategies as st
from members import assert_members


def test_everything_answers_as_soon_as_start_returns(box):
    assert requests.get(f"{box.shop_api_url}/customers", timeout=10).status_code == 401
    assert requests.get(f"{box.go_api_url}/Customers", timeout=10).status_code == 401
    assert requests.get(box.admin_url, timeout=10).json()["shop_api_url"] == box.shop_api_url


def test_the_target_config_gets_a_token_and_reads_customers(box, go_status):
    config = box.target_config(workers=2)
    assert go_status()() == 204
    keys = ("application_key", "client_key", "subscription_key")
    assert [config[name] for name in keys] == [getattr(box.go, name) for name in keys]
    assert (config["api_url"], config["token_url"]) == (box.go_api_url, box.go_token_url)
    assert_members(config, environment="custom", shop_name="testshop", workers=2)


def test_the_tap_config_reads_the_shop(box):
    config = box.tap_config(page_size=5)
    headers = {"Authorization": f"Bearer {config['auth_token']}"}
    query = {"updated_since": config["start_date"], "limit": config["page_size"]}
    answer = requests.get(f"{config['api_url']}/orders", params=query, headers=headers, timeout=10)
    assert answer.json() == {"data": [], "next_cursor": None}


def test_requests_are_logged_with_query_body_and_status(box):
    box.faults.add(system="shop", reset="before", skip=1)
    requests.patch(f"{box.shop_api_url}/customers/1?a=1&b=", data='{"x": 1.10}', timeout=10)
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{box.shop_api_url}/orders", timeout=10)
    first, second = box.requests.all()
    assert (first.system, first.method, first.path) == ("shop", "PATCH", "/customers/1")
    assert (first.query, first.status) == ({"a": "1", "b": ""}, 401)
    assert str(first.json()["x"]) == "1.10"
    assert (second.path, second.status, second.json()) == ("/orders", None, None)
    assert first.at <= second.at


def test_the_log_counts_by_system_method_and_path(box):
    requests.get(f"{box.shop_api_url}/customers", timeout=10)
    requests.get(f"{box.shop_api_url}/orders", timeout=10)
    requests.post(box.go_token_url, timeout=10)
    requests.post(f"{box.go_api_url}/Customers", json={}, timeout=10)
    requests.get(f"{box.go_api_url}/Customers", timeout=10)
    log = box.requests
    assert (log.count(), log.count("go"), log.count("shop", path="ORDERS$")) == (5, 3, 1)
    assert [request.path for request in log.writes()] == ["/v2/Customers"]
    assert [request.path for request in log.reads()] == ["/v2/Customers"]
    assert len(log.reads("shop")) == 2
    assert 1 <= log.busiest_second("go") <= 3


def test_the_repr_of_a_log_entry_has_no_body(box):
    requests.post(f"{box.go_api_url}/Customers", data="Åse Nordmann".encode(), timeout=10)
    assert "Nordmann" not in repr(box.requests.all())


@given(st.lists(st.integers(0, 50)))
def test_the_busiest_window_is_the_fullest_that_starts_at_any_moment(tenths):
    fullest = max((sum(0 <= other - start < 1 for other in tenths) for start in tenths), default=0)
    assert busiest_window([float(tenth) for tenth in tenths], 1.0) == fullest
    assert busiest_window([tenth / 10 for tenth in tenths], 1.0) >= fullest


def test_after_close_nothing_listens_and_no_thread_is_left():
    before = threading.active_count()
    with Sandbox.start() as box:
        url = box.shop_api_url
        requests.get(f"{url}/customers", timeout=10)
    assert threading.active_count() == before
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/customers", timeout=10)


def test_closing_does_not_wait_for_a_caller_that_keeps_its_connection():
    with Sandbox.start() as box, requests.Session() as session:
        session.get(f"{box.shop_api_url}/customers", timeout=10)
        box.close()
        with pytest.raises(requests.ConnectionError):
            session.get(f"{box.shop_api_url}/customers", timeout=10)


def test_a_taken_port_is_named_and_leaves_nothing_running():
    before = threading.active_count()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=f"port {port} cannot be used"):
            Sandbox.start(shop_port=port)
    assert threading.active_count() == before


def test_the_state_of_both_systems_survives_a_restart(tmp_path):
    state = tmp_path / "sandbox.db"
    with Sandbox.start(state_file=state) as box:
        box.shop.put("customers", {"id": "b", "name": "Åse"})
        box.shop.put("customers", {"id": "a", "name": "Ola"})
        moved = box.shop.edit("customers", "b", {"phone": "1"})
        entry = box.go.create("Customers", {"Name": "Fjord AS", "IsPerson": False})
    with Sandbox.start(state_file=state) as box:
        assert box.shop.record("customers", "b") == moved
        assert (box.go.entry("Customers", entry["Id"]) or {})["Name"] == "Fjord AS"
        headers = {"Authorization": f"Bearer {box.shop_token}"}
        answer = requests.get(f"{box.shop_api_url}/customers", headers=headers, timeout=10)
        assert [record["id"] for record in answer.json()["data"]] == ["a", "b"]
        assert box.shop.edit("customers", "a", {})["updated_at"] > moved["updated_at"]
