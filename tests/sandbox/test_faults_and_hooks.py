import threading
import time

import pytest
import requests
from go_sandbox import Sandbox


@pytest.fixture(name="running", scope="module")
def running_sandbox():
    with Sandbox.start() as box:
        yield box


@pytest.fixture(name="box")
def without_faults(running):
    running.faults.clear()
    running.requests.clear()
    running.shop.clear()
    running.shop.put("customers", {"id": "1", "phone": "old"})
    yield running
    assert running.faults.failed_hooks == []


@pytest.fixture(name="call")
def caller(box):
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {box.shop_token}"

        def call(method, path, **options):
            return session.request(method, box.shop_api_url + path, timeout=10, **options)

        yield call


def phone(box):
    return box.shop.record("customers", "1")["phone"]


def test_a_reset_before_breaks_the_connection_and_changes_nothing(box, call):
    fault = box.faults.add(system="shop", method="PATCH", reset="before")
    with pytest.raises(requests.ConnectionError, match="reset"):
        call("PATCH", "/customers/1", json={"phone": "new"})
    assert phone(box) == "old"
    assert fault.struck == 1


def test_a_reset_after_breaks_the_connection_when_the_change_is_made(box, call):
    box.faults.add(system="shop", method="PATCH", reset="after")
    with pytest.raises(requests.ConnectionError, match="reset"):
        call("PATCH", "/customers/1", json={"phone": "new"})
    assert phone(box) == "new"


def test_after_a_reset_the_next_request_is_answered(box, call):
    box.faults.add(system="shop", reset="before")
    with pytest.raises(requests.ConnectionError):
        call("GET", "/customers")
    assert call("GET", "/customers").status_code == 200


def test_a_status_answers_instead_of_the_system(box, call):
    box.faults.add(system="shop", method="PATCH", status=503, headers={"Retry-After": "7"})
    answer = call("PATCH", "/customers/1", json={"phone": "new"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert answer.json()["title"] == "Service Unavailable"
    assert phone(box) == "old"


def test_a_status_after_commit_hides_that_the_change_was_made(box, call):
    box.faults.add(system="shop", method="PATCH", status=500, after_commit=True)
    assert call("PATCH", "/customers/1", json={"phone": "new"}).status_code == 500
    assert phone(box) == "new"


def test_a_body_can_be_given_as_text_or_as_a_value(box, call):
    box.faults.add(system="shop", status=400, body={"title": "No"})
    box.faults.add(system="shop", status=400, body="plain")
    assert call("GET", "/customers").json() == {"title": "No"}
    assert call("GET", "/customers").text == "plain"


def test_an_html_page_can_stand_in_for_json(box, call):
    box.faults.add(system="shop", html=True, status=200)
    answer = call("GET", "/customers")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html"
    assert answer.text.startswith("<html>")


def test_broken_json_ends_in_the_middle_after_the_change_is_made(box, call):
    box.faults.add(system="shop", broken_json=True)
    answer = call("PATCH", "/customers/1", json={"phone": "new"})
    assert answer.status_code == 200
    assert answer.text.startswith("{")
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert phone(box) == "new"


def test_a_delay_makes_the_caller_wait_although_the_change_is_made(box, call):
    box.faults.add(system="shop", delay_seconds=0.2)
    started = time.monotonic()
    assert call("PATCH", "/customers/1", json={"phone": "new"}).status_code == 200
    assert time.monotonic() - started >= 0.2
    assert phone(box) == "new"


def test_a_caller_that_gives_up_waiting_left_its_change_behind(box):
    box.faults.add(system="shop", delay_seconds=0.5)
    acted = threading.Event()
    box.faults.on("shop", "PATCH", None, lambda _: acted.set(), when="after")
    with pytest.raises(requests.ReadTimeout):
        requests.patch(
            f"{box.shop_api_url}/customers/1",
            json={"phone": "new"},
            headers={"Authorization": f"Bearer {box.shop_token}"},
            timeout=0.1,
        )
    assert acted.wait(10)
    assert phone(box) == "new"


def test_headers_alone_are_added_to_the_real_answer(box, call):
    box.faults.add(system="shop", headers={"X-Extra": "1", "Content-Type": "text/csv"})
    answer = call("GET", "/customers")
    assert (answer.headers["x-extra"], answer.headers["content-type"]) == ("1", "text/csv")
    assert answer.json()["data"][0]["id"] == "1"


def test_skip_and_times_say_which_of_the_requests_fail(box, call):
    fault = box.faults.add(system="shop", status=500, skip=2, times=2)
    statuses = [call("GET", "/customers").status_code for _ in range(6)]
    assert statuses == [200, 200, 500, 500, 200, 200]
    assert fault.struck == 2


def test_times_none_fails_until_cleared(box, call):
    box.faults.add(system="shop", status=500, times=None)
    assert {call("GET", "/customers").status_code for _ in range(4)} == {500}
    box.faults.clear()
    assert call("GET", "/customers").status_code == 200


def test_a_fault_strikes_only_its_system_method_and_path(box, call):
    box.faults.add(system="go", status=500)
    box.faults.add(system="shop", method="PATCH", status=501)
    box.faults.add(system="shop", path="/ORDERS$", status=502)
    assert call("GET", "/customers").status_code == 200
    assert call("GET", "/orders").status_code == 502
    assert call("PATCH", "/customers/1", json={}).status_code == 501


@pytest.mark.parametrize(
    "what", [{}, {"reset": "now", "status": 1}, {"system": "bank", "status": 1}]
)
def test_a_fault_that_makes_no_sense_is_refused(box, what):
    with pytest.raises(ValueError, match=r"fault|reset|system"):
        box.faults.add(**what)
    assert box.faults.all() == []


def test_a_hook_before_runs_before_the_shop_sees_the_request(box, call):
    def edit(request):
        assert request.json() == {"note": "mine"}
        box.shop.edit("customers", "1", {"phone": "hook"})

    box.faults.on("shop", "PATCH", "/customers/1", edit)
    tag = call("GET", "/customers/1").headers["etag"]
    answer = call("PATCH", "/customers/1", json={"note": "mine"}, headers={"If-Match": tag})
    assert answer.status_code == 412
    assert phone(box) == "hook"


def test_a_hook_after_runs_when_the_change_is_made_and_before_the_caller_knows(box, call):
    seen = []
    box.faults.on("shop", "PATCH", None, lambda _: seen.append(phone(box)), when="after")
    call("PATCH", "/customers/1", json={"phone": "new"})
    assert seen == ["new"]


def test_a_hook_may_call_the_same_system_over_http(box, call):
    seen = []
    box.faults.on(
        "shop", "GET", "/orders", lambda _: seen.append(call("GET", "/customers/1").json())
    )
    headers = {"Authorization": f"Bearer {box.shop_token}"}
    answer = requests.get(f"{box.shop_api_url}/orders", headers=headers, timeout=10)
    assert answer.status_code == 200
    assert seen[0]["phone"] == "old"


def test_a_hook_runs_as_often_as_asked(box, call):
    seen = []
    hook = box.faults.on("shop", "GET", None, seen.append, skip=1, times=2)
    for _ in range(5):
        call("GET", "/customers")
    assert (len(seen), hook.struck) == (2, 2)


def test_what_a_hook_raises_is_raised_when_the_sandbox_stops():
    def fail(_):
        raise RuntimeError("the hook's own mistake")

    def run():
        with Sandbox.start() as box:
            box.faults.on("shop", None, None, fail)
            assert requests.get(f"{box.shop_api_url}/customers", timeout=10).status_code == 401

    with pytest.raises(RuntimeError, match="own mistake"):
        run()


def test_requests_in_parallel_are_struck_exactly_as_often_as_asked(box):
    fault = box.faults.add(system="shop", status=500, times=5)
    statuses = []

    def ask():
        answers = [requests.get(f"{box.shop_api_url}/orders", timeout=10) for _ in range(5)]
        statuses.extend(answer.status_code for answer in answers)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (statuses.count(500), statuses.count(401), fault.struck) == (5, 15, 5)


def test_an_entry_that_go_made_stays_although_its_answer_got_lost(box):
    config = box.target_config()
    headers = {"Ocp-Apim-Subscription-Key": config["subscription_key"]}
    token = requests.post(
        config["token_url"],
        auth=(config["application_key"], config["client_key"]),
        headers=headers,
        data={"grant_type": "client_credentials"},
        timeout=10,
    ).json()["access_token"]
    headers["Authorization"] = f"Bearer {token}"
    url = f"{config['api_url']}/Customers"
    box.faults.add(method="POST", path="/customers$", reset="before")
    box.faults.add(method="POST", path="/customers$", reset="after")
    for name in ("Før AS", "Etter AS"):
        with pytest.raises(requests.ConnectionError):
            requests.post(url, json={"IsPerson": False, "Name": name}, headers=headers, timeout=10)
    assert [entry["Name"] for entry in box.go.entries("Customers")] == ["Etter AS"]
