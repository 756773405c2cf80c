import contextlib
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from go_sandbox import Sandbox
from go_sandbox.faults import LOST_ANSWERS, kinds_of


@pytest.fixture(name="box")
def with_a_customer(box):
    box.shop.put("customers", {"id": "1", "phone": "old"})
    yield box
    assert box.faults.failed_hooks == []


@pytest.fixture(name="call")
def caller(session):
    return session.request


def phone(box):
    return box.shop.record("customers", "1")["phone"]


@pytest.mark.parametrize(("moment", "kept"), [("before", "old"), ("after", "new")])
def test_a_reset_breaks_one_connection_before_or_after_the_change_is_made(box, call, moment, kept):
    fault = box.faults.add(system="shop", method="PATCH", reset=moment)
    with pytest.raises(requests.ConnectionError, match="reset"):
        call("PATCH", "/customers/1", json={"phone": "new"})
    assert (phone(box), fault.struck) == (kept, 1)
    assert call("PATCH", "/customers/1", json={"phone": "new"}).status_code == 200


def test_a_status_is_returned_instead_of_the_real_answer(box, call):
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


def test_an_html_page_can_replace_json(box, call):
    box.faults.add(system="shop", html=True, status=200)
    answer = call("GET", "/customers")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")
    assert answer.text.startswith("<html>")


def test_broken_json_is_cut_off_after_the_change_is_made(box, call):
    box.faults.add(system="shop", broken_json=True)
    answer = call("PATCH", "/customers/1", json={"phone": "new"})
    assert (answer.status_code, answer.text[0], is_json(answer)) == (200, "{", False)
    assert phone(box) == "new"


def test_a_delay_makes_the_caller_wait_although_the_change_is_made(box, call):
    box.faults.add(system="shop", delay_seconds=0.2)
    started = time.monotonic()
    assert call("PATCH", "/customers/1", json={"phone": "new"}).status_code == 200
    assert time.monotonic() - started >= 0.2
    assert phone(box) == "new"


def test_the_change_of_a_caller_that_timed_out_is_kept(box, call):
    box.faults.add(system="shop", delay_seconds=0.5)
    is_changed = threading.Event()
    box.faults.on("shop", "PATCH", None, lambda _: is_changed.set(), when="after")
    with pytest.raises(requests.ReadTimeout):
        call("PATCH", "/customers/1", json={"phone": "new"}, timeout=(10, 0.1))
    assert is_changed.wait(10)
    assert phone(box) == "new"


def test_a_drip_sends_the_answer_slowly_although_the_change_is_made(box, call):
    box.faults.add(system="shop", method="PATCH", drip_seconds=0.4)
    started = time.monotonic()
    answer = call("PATCH", "/customers/1", json={"phone": "new"}, stream=True)
    first = next(answer.iter_content(1))
    first_seconds = time.monotonic() - started
    rest = answer.raw.read()
    seconds = time.monotonic() - started
    assert json.loads(first + rest)["id"] == "1"
    assert first_seconds < seconds
    assert seconds >= 0.4
    assert phone(box) == "new"


def test_headers_alone_are_added_to_the_real_answer(box, call):
    box.faults.add(system="shop", headers={"X-Extra": "1", "Content-Type": "text/csv"})
    answer = call("GET", "/customers")
    assert (answer.headers["x-extra"], answer.headers["content-type"]) == ("1", "text/csv")
    assert answer.json()["data"][0]["id"] == "1"


def test_skip_and_times_decide_which_requests_fail(box, call):
    fault = box.faults.add(system="shop", status=500, skip=2, times=2)
    statuses = [call("GET", "/customers").status_code for _ in range(6)]
    assert (statuses, fault.struck) == ([200, 200, 500, 500, 200, 200], 2)


def test_times_none_fails_until_cleared(box, call):
    box.faults.add(system="shop", status=500, times=None)
    assert {call("GET", "/customers").status_code for _ in range(4)} == {500}
    box.faults.clear()
    assert call("GET", "/customers").status_code == 200


def test_a_fault_strikes_only_its_system_method_and_path(box, call):
    box.faults.add(system="go", status=500)
    box.faults.add(system="shop", method="PATCH", status=501)
    box.faults.add(system="shop", path="/ORDERS$", status=502)
    calls = (("GET", "/customers"), ("GET", "/orders"), ("PATCH", "/customers/1"))
    assert [call(*args, json={}).status_code for args in calls] == [200, 502, 501]


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("add", {}),
        ("add", {"reset": "now", "status": 1}),
        ("add", {"system": "bank", "status": 1}),
        ("add", {"system": "shop", "revoke_tokens": True}),
        ("at_random", {"system": "shop", "seed": 1, "kinds": ["flood"]}),
        ("at_random", {"system": "shop", "seed": 1, "kinds": []}),
        ("at_random", {"system": "shop", "seed": 1, "share": 2}),
        ("at_random", {"system": "shop", "seed": 1, "kinds": ["revoked_token"]}),
    ],
)
def test_an_invalid_fault_is_refused(box, method, options):
    match = {"add": r"fault|reset|system", "at_random": r"kinds|share"}[method]
    with pytest.raises(ValueError, match=match):
        getattr(box.faults, method)(**options)
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


def test_a_hook_after_runs_when_the_change_is_made_and_before_the_caller_is_answered(box, call):
    phones = []
    box.faults.on("shop", "PATCH", None, lambda _: phones.append(phone(box)), when="after")
    call("PATCH", "/customers/1", json={"phone": "new"})
    assert phones == ["new"]


def test_a_hook_may_call_the_same_system_over_http(box, call):
    answers = []
    box.faults.on(
        "shop", "GET", "/orders", lambda _: answers.append(call("GET", "/customers/1").json())
    )
    headers = {"Authorization": f"Bearer {box.shop_token}"}
    answer = requests.get(f"{box.shop_api_url}/orders", headers=headers, timeout=10)
    assert (answer.status_code, answers[0]["phone"]) == (200, "old")


def test_a_hook_runs_as_often_as_requested(box, call):
    requests_seen: list[object] = []
    hook = box.faults.on("shop", "GET", None, requests_seen.append, skip=1, times=2)
    for _ in range(5):
        call("GET", "/customers")
    assert (len(requests_seen), hook.struck) == (2, 2)


def test_an_exception_in_a_hook_is_raised_when_the_sandbox_stops():
    def fail(_):
        raise RuntimeError("mistake in the hook")

    def run():
        with Sandbox.start() as box:
            box.faults.on("shop", None, None, fail)
            assert requests.get(f"{box.shop_api_url}/customers", timeout=10).status_code == 401

    with pytest.raises(RuntimeError, match="mistake in the hook"):
        run()


def test_parallel_requests_fail_exactly_as_often_as_requested(box):
    fault = box.faults.add(system="shop", status=500, times=5)

    def ask(_):
        return requests.get(f"{box.shop_api_url}/orders", timeout=10).status_code

    with ThreadPoolExecutor(4) as threads:
        statuses = list(threads.map(ask, range(20)))
    assert (statuses.count(500), statuses.count(401), fault.struck) == (5, 15, 5)


def is_json(answer):
    try:
        answer.json()
    except requests.JSONDecodeError:
        return False
    return True


def statuses_by_seed(box, call, seed):
    box.faults.clear()
    box.faults.at_random(system="shop", seed=seed, share=0.5, kinds=["429", "500", "502"])
    return [call("GET", "/customers").status_code for _ in range(30)]


def test_random_faults_strike_a_share_of_the_requests_and_repeat_with_the_same_seed(box, call):
    first = statuses_by_seed(box, call, 1)
    assert set(first) == {200, 429, 500, 502}
    assert statuses_by_seed(box, call, 1) == first
    assert statuses_by_seed(box, call, 2) != first


def test_random_faults_count_how_often_each_kind_struck(box, call):
    faults = box.faults.at_random(system="shop", seed=1, share=0.5, kinds=["429", "500"])
    statuses = [call("GET", "/customers").status_code for _ in range(30)]
    counts = {int(kind): count for kind, count in faults.struck_by.items()}
    assert counts == {status: statuses.count(status) for status in (429, 500)}
    assert faults.struck == sum(counts.values())


def test_random_faults_can_leave_reads_alone_and_strike_only_after_the_change_is_made(box, call):
    box.faults.at_random(
        system="shop", seed=1, share=1, kinds=LOST_ANSWERS, writes_only=True, path="/customers"
    )
    for number in range(20):
        with contextlib.suppress(requests.ConnectionError):
            answer = call("PATCH", "/customers/1", json={"phone": str(number)})
            assert answer.status_code == 500 or not is_json(answer)
        assert phone(box) == str(number)
        assert call("GET", "/customers").status_code == 200


@pytest.mark.parametrize("kind", kinds_of("shop"))
def test_every_kind_of_random_fault_strikes(box, call, kind):
    faults = box.faults.at_random(
        system="shop", seed=1, share=1, kinds=[kind], slow_seconds=0.1, path="/customers"
    )
    with contextlib.suppress(requests.ConnectionError):
        call("GET", "/customers")
    assert faults.struck_by == {kind: 1}


@pytest.mark.parametrize("at_random", [False, True])
def test_a_token_can_be_revoked_in_the_middle_of_a_run(box, go_status, at_random):
    ask = go_status()
    assert ask() == 204
    if at_random:
        box.faults.at_random(seed=1, share=1, kinds=["revoked_token"], path="/customers")
    else:
        box.faults.add(revoke_tokens=True)
    assert ask() == 401
    box.faults.clear()
    assert (ask(), go_status()()) == (401, 204)


def test_an_entry_stays_in_go_although_its_answer_was_lost(box, go_status):
    ask = go_status()
    for moment, name in (("before", "Før AS"), ("after", "Etter AS")):
        box.faults.add(method="POST", path="/customers$", reset=moment)
        with pytest.raises(requests.ConnectionError):
            ask("POST", json={"IsPerson": False, "Name": name})
    assert [entry["Name"] for entry in box.go.entries("Customers")] == ["Etter AS"]
