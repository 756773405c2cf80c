"""Reads and writes while the network or Go fails, against the sandbox."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from drips import DRIPS, dripping, packed
from go_sandbox import Sandbox
from target_powerofficego.go_api import (
    Connection,
    GoClient,
    Operation,
    OutOfService,
    Refused,
    StopRequested,
    StopRun,
    TryAgainLater,
    UnknownOutcome,
    Unreachable,
    WrongKeys,
)
from target_powerofficego.go_api.connection import AccessToken
from target_powerofficego.go_api.sender import Answer

GARN = {"Name": "Garn"}


@pytest.fixture(scope="module")
def running():
    with Sandbox.start() as box:
        yield box


@pytest.fixture
def box(running):
    running.go.switches.rate_limit = None
    running.go.switches.token_seconds = 1200
    for entry in running.go.entries("Products"):
        running.go.delete("Products", entry["Id"])
    running.faults.clear()
    running.requests.clear()
    return running


NAMES = ("api_url", "token_url", "application_key", "client_key", "subscription_key")


def connection_to(box, **given) -> Connection:
    settings = {
        "api_url": box.go_api_url,
        "token_url": box.go_token_url,
        "application_key": box.go.application_key,
        "client_key": box.go.client_key,
        "subscription_key": box.go.subscription_key,
    }
    return Connection.for_environment("custom", **{**settings, **given})


@pytest.fixture
def connect(box):
    clients = []

    def connect(**settings) -> GoClient:
        given = {name: settings.pop(name) for name in NAMES if name in settings}
        settings = {"requests_per_second": 1000, "retry_seconds": 20, **settings}
        clients.append(GoClient(connection_to(box, **given), **settings))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


@pytest.fixture
def client(connect):
    return connect()


def names_in(box) -> list[str]:
    return [entry["Name"] for entry in box.go.entries("Products")]


@pytest.fixture
def closed_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        yield listener.getsockname()[1]


READ_FAULTS = [
    {"status": 500},
    {"status": 503, "headers": {"Retry-After": "1"}},
    {"status": 408},
    {"status": 429},
    {"reset": "before"},
    {"reset": "after"},
    {"broken_json": True},
    {"status": 200, "html": True},
    {"status": 200, "body": b""},
]


@pytest.mark.parametrize("fault", READ_FAULTS, ids=str)
def test_a_read_is_repeated_until_it_is_answered(box, client, fault):
    box.go.create("Products", GARN)
    box.faults.add(method="GET", path="/products", **fault)

    assert [entry["Name"] for entry in client.read("/Products")] == ["Garn"]
    assert len(box.requests.reads("go")) == 2


@pytest.mark.parametrize("fault", [{"delay_seconds": 3}, {"drip_seconds": 20}], ids=str)
def test_a_read_whose_answer_is_late_or_trickles_in_is_given_up_and_repeated(box, connect, fault):
    box.go.create("Products", GARN)
    box.faults.add(method="GET", path="/products", **fault)
    started = time.monotonic()

    assert connect(timeout_seconds=1).read("/Products")[0]["Name"] == "Garn"
    assert time.monotonic() - started < 15


def test_a_write_whose_answer_trickles_in_has_an_unknown_outcome(box, connect):
    box.faults.add(method="POST", path="/products", drip_seconds=20)

    with pytest.raises(UnknownOutcome, match="no complete answer within 1 seconds"):
        connect(timeout_seconds=1).create("/Products", GARN)

    assert names_in(box) == ["Garn"]


@pytest.mark.parametrize("part", DRIPS)
def test_an_answer_that_trickles_in_is_given_up_whatever_part_of_it_is_slow(connect, part):
    with dripping(part) as url:
        client = connect(
            api_url=url, token_url=f"{url}/token", timeout_seconds=0.5, retry_seconds=0
        )
        with pytest.raises(UnknownOutcome, match=r"no complete answer within 0\.5 seconds"):
            client.create("/Products", GARN)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_small_answer_that_unpacks_to_a_huge_one_is_not_read(box, connect, method):
    body, headers = packed(b"[]", 129), {"Content-Encoding": "gzip"}
    box.faults.add(method=method, path="/products", status=200, body=body, headers=headers)
    client = connect(retry_seconds=0)

    with pytest.raises((TryAgainLater, UnknownOutcome), match="the answer is larger than 128 MB"):
        client.read("/Products") if method == "GET" else client.create("/Products", GARN)


@pytest.mark.parametrize("fault", [{"status": 503}, {"reset": "after"}, {"broken_json": True}])
def test_a_read_that_keeps_failing_ends_as_try_again_later(box, connect, fault):
    box.go.create("Products", GARN)
    box.faults.add(method="GET", path="/products", times=None, **fault)

    with pytest.raises(TryAgainLater, match=r"GET /Products: .*; try again later"):
        connect(retry_seconds=1).read("/Products")

    assert len(box.requests.reads("go")) > 1


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("on_a_used_connection", [False, True])
def test_a_write_that_was_reset_is_never_repeated(box, client, moment, on_a_used_connection):
    if on_a_used_connection:
        client.read("/Products")
    box.faults.add(method="POST", path="/products", reset=moment)

    with pytest.raises(UnknownOutcome) as caught:
        client.create("/Products", GARN)

    assert str(caught.value) == (
        "POST /Products: the connection broke; "
        "it may or may not have been done, check before repeating it"
    )
    assert len(box.requests.writes("go")) == 1
    assert names_in(box) == ([] if moment == "before" else ["Garn"])


@pytest.mark.parametrize(
    "fault",
    [
        *({"status": status} for status in (408, 500, 502, 503, 504)),
        {"broken_json": True},
        {"status": 200, "html": True},
    ],
    ids=str,
)
def test_a_write_with_a_server_error_or_an_unreadable_answer_is_never_repeated(box, client, fault):
    box.faults.add(method="POST", path="/products", **fault)

    with pytest.raises(UnknownOutcome):
        client.create("/Products", GARN)

    assert len(box.requests.writes("go")) == 1


@pytest.mark.parametrize("write", ["POST", "PATCH", "DELETE"])
def test_a_write_that_times_out_has_an_unknown_outcome(box, connect, write):
    path = f"/Products/{box.go.create('Products', GARN)['Id']}"
    client = connect(timeout_seconds=1)
    box.faults.add(method=write, path="/products", delay_seconds=3)
    calls = {
        "POST": lambda: client.create("/Products", GARN),
        "PATCH": lambda: client.change(path, [Operation("replace", "/Name", "Not")]),
        "DELETE": lambda: client.delete(path),
    }

    with pytest.raises(UnknownOutcome, match="no complete answer within 1 seconds"):
        calls[write]()

    assert len(box.requests.writes("go")) == 1


@pytest.mark.parametrize("headers", [None, {"Retry-After": "1"}, {"Retry-After": "soon"}])
def test_a_write_that_got_429_is_repeated_after_a_second(box, client, headers):
    box.faults.add(method="POST", path="/products", status=429, headers=headers)

    client.create("/Products", GARN)

    first, second = box.requests.writes("go")
    assert second.at - first.at >= 1
    assert names_in(box) == ["Garn"]


def test_a_429_holds_back_every_thread(box, connect):
    client = connect(retry_seconds=5)
    box.faults.add(path="/products", status=429, headers={"Retry-After": "60"})
    with pytest.raises(OutOfService, match="429"):
        client.create("/Products", GARN)

    with ThreadPoolExecutor() as other_thread:
        reading = other_thread.submit(client.read, "/Customers")

    assert "GET /Customers: not sent, its turn would come only in" in str(reading.exception())
    assert box.requests.reads("go") == []


def test_a_429_for_longer_than_the_budget_ends_the_run(box, client):
    box.faults.add(
        method="POST", path="/products", status=429, headers={"Retry-After": "3600"}, times=None
    )

    with pytest.raises(OutOfService) as caught:
        client.create("/Products", GARN)

    assert str(caught.value) == (
        "PowerOffice Go does not answer any call; what was done is kept, and the next run continues"
        " from there. Last error: POST /Products: 429 Too Many Requests; try again later"
    )
    assert len(box.requests.writes("go")) == 1
    assert box.requests.reads("go") == []


@pytest.mark.parametrize("fault", [{"status": 503}, {"reset": "after"}, {"html": True}], ids=str)
def test_a_go_that_fails_every_call_ends_the_run(box, connect, fault):
    box.faults.add(path="/v2/", times=None, **fault)

    with pytest.raises(OutOfService, match=r"Last error: GET /Products: .*; try again later"):
        connect(retry_seconds=1).read("/Products")


def test_a_go_that_issues_no_tokens_ends_the_run(box, connect):
    box.faults.add(path="/oauth/token", times=None, status=503)

    with pytest.raises(OutOfService, match="Last error: token: 503"):
        connect(retry_seconds=1).create("/Products", GARN)


@pytest.mark.parametrize(
    "fault", [{"status": 400}, {"status": 403}, {"status": 404}, {"status": 409}]
)
@pytest.mark.parametrize("write", [False, True])
def test_what_go_refuses_is_never_repeated(box, client, write, fault):
    box.faults.add(path="/products", times=None, **fault)

    with pytest.raises((Refused, StopRun)):
        client.create("/Products", GARN) if write else client.read("/Products")

    assert box.requests.count("go", path="/products") == 1


def test_a_refused_connection_is_tried_for_the_whole_budget(connect, closed_port):
    client = connect(api_url=f"http://127.0.0.1:{closed_port}/v2", retry_seconds=1)

    with pytest.raises(Unreachable) as caught:
        client.create("/Products", GARN)

    assert str(caught.value) == (
        "POST /Products: not sent, the host is down or refuses connections; "
        "check the address and the network"
    )
    assert client.calls.writes == 0


def unassigned_port():
    """Return a free port below those that the system assigns by itself."""
    for port in range(20_000, 30_000):
        with contextlib.suppress(OSError), socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            return port
    raise AssertionError


def test_a_write_goes_through_once_the_host_is_back(box, connect):
    port = unassigned_port()
    client = connect(
        api_url=f"http://127.0.0.1:{port}/v2", token_url=f"http://127.0.0.1:{port}/OAuth/Token"
    )
    done = []
    thread = threading.Thread(target=lambda: done.append(client.create("/Products", GARN)))
    thread.start()
    with Sandbox.start(go_port=port) as late:
        thread.join(30)
        assert names_in(late) == ["Garn"]
    assert len(done) == 1


class HangsUpSoon(BaseHTTPRequestHandler):
    """Answers one request on each connection and hangs up shortly after, without notice."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = b'{"access_token": "x"}' if body.startswith(b"grant_type") else b'{"Id": 1}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        time.sleep(0.3)
        self.close_connection = True

    def log_message(self, *args):
        pass


@pytest.fixture
def address_that_hangs_up():
    with ThreadingHTTPServer(("127.0.0.1", 0), HangsUpSoon) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


def test_a_write_succeeds_although_the_connection_was_closed_while_it_waited_for_its_turn(
    connect, address_that_hangs_up
):
    client = connect(
        api_url=f"{address_that_hangs_up}/v2",
        token_url=f"{address_that_hangs_up}/token",
        requests_per_second=1,
    )

    assert client.create("/Products", GARN) == {"Id": 1}
    assert client.create("/Products", GARN) == {"Id": 1}
    assert client.calls.writes == 2


def test_an_unknown_host_is_unreachable(connect):
    client = connect(api_url="https://books.invalid/v2", retry_seconds=0.2)

    with pytest.raises(Unreachable):
        client.read("/Products")


def test_a_server_without_tls_is_unreachable_over_https(box, connect):
    client = connect(api_url=box.go_api_url.replace("http:", "https:"), retry_seconds=0.2)

    with pytest.raises(Unreachable, match="TLS"):
        client.create("/Products", GARN)

    assert box.requests.writes("go") == []


def test_one_token_serves_many_threads(box, client):
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: client.read("/Products"), range(8)))

    assert box.requests.count("go", path="/oauth/token") == client.calls.tokens == 1
    assert client.calls.reads == 8


def test_a_token_is_renewed_a_minute_before_it_expires(box):
    clock = [0.0]

    def ask(headers: dict[str, str], body: bytes, give_up_at: float) -> Answer:
        answer = requests.post(box.go_token_url, data=body, headers=headers, timeout=10)
        return Answer(answer.status_code, answer.headers, answer.content)

    token = AccessToken(connection_to(box), ask, lambda: clock[0])
    first = token.current(give_up_at=300)
    clock[0] = 1139.9

    assert token.current(give_up_at=1500) is first
    clock[0] = 1140
    assert token.current(give_up_at=1500).value != first.value
    assert box.requests.count("go", path="/oauth/token") == 2


def test_a_revoked_token_costs_one_repeat_also_for_a_write(box, client):
    client.read("/Products")
    box.go.revoke_tokens()

    client.create("/Products", GARN)

    assert [request.status for request in box.requests.writes("go")] == [401, 201]
    assert client.calls.tokens == 2
    assert names_in(box) == ["Garn"]


def test_a_revoked_token_is_renewed_once_for_all_threads(box, client):
    client.read("/Products")
    box.go.revoke_tokens()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: client.read("/Products"), range(16)))

    assert client.calls.tokens == 2


def test_a_401_with_a_new_token_means_wrong_keys(box, client):
    box.faults.add(path="/products", status=401, body=b"", times=None)

    with pytest.raises(WrongKeys, match="check that subscription_key"):
        client.create("/Products", GARN)

    assert len(box.requests.writes("go")) == 2


@pytest.mark.parametrize("key", ["application_key", "client_key", "subscription_key"])
def test_a_wrong_key_is_reported_in_one_line_that_does_not_show_it(box, connect, key):
    with pytest.raises(WrongKeys) as caught:
        connect(**{key: "mistyped-key"}).create("/Products", GARN)

    assert "mistyped-key" not in str(caught.value)
    assert "application_key, client_key and subscription_key" in str(caught.value)
    assert box.requests.count("go") == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 429},
        {"status": 500},
        {"reset": "before"},
        {"broken_json": True},
        {"status": 200, "body": {"access_token": 5}},
    ],
    ids=str,
)
def test_a_token_that_could_not_be_fetched_is_asked_for_again_even_for_a_write(box, client, fault):
    box.faults.add(path="/oauth/token", **fault)

    client.create("/Products", GARN)

    assert client.calls.tokens == 2
    assert names_in(box) == ["Garn"]


@pytest.mark.parametrize(
    "lifetime",
    ["1" * 400, "-5", "0", '"soon"', "null", "NaN", "Infinity", "1e99999999999999999999", "[]"],
)
def test_a_token_without_a_plausible_lifetime_is_used_for_the_usual_time(box, client, lifetime):
    token = requests.post(
        box.go_token_url,
        data={"grant_type": "client_credentials"},
        auth=(box.go.application_key, box.go.client_key),
        headers={"Ocp-Apim-Subscription-Key": box.go.subscription_key},
        timeout=10,
    ).json()["access_token"]
    body = f'{{"access_token": "{token}", "expires_in": {lifetime}}}'
    box.faults.add(path="/oauth/token", status=200, body=body)

    for _ in range(3):
        client.create("/Products", GARN)

    assert client.calls.tokens == 1
    assert names_in(box) == ["Garn"] * 3


@pytest.mark.parametrize("path", ["/oauth/token", "/products"])
@pytest.mark.parametrize(
    "value",
    ["-5", "1.5", "inf", "nan", "soon", "9" * 5000, "Fri, 31 Dec 99999 23:59:59 GMT", "", "\xe6"],
)
def test_an_unreadable_retry_after_is_not_a_reason_to_stop(box, client, value, path):
    box.faults.add(path=path, status=503, headers={"Retry-After": value.encode().decode("latin-1")})

    assert client.read("/Products") is None


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("path", ["/oauth/token", "/v2/"])
@pytest.mark.parametrize("value", ["9" * 400, "Fri, 31 Dec 9999 23:59:59 -1200"])
def test_an_endless_retry_after_ends_the_run_at_once(box, client, value, path, status):
    box.faults.add(path=path, status=status, headers={"Retry-After": value}, times=None)

    with pytest.raises(OutOfService, match="PowerOffice Go does not answer any call"):
        client.read("/Products")

    assert box.requests.count("go") <= 3


@pytest.mark.parametrize("location", ["", "/v2/Products", "/" + "x" * 60_000, "http://[", "\xe6"])
@pytest.mark.parametrize("path", ["/oauth/token", "/products"])
def test_a_redirect_of_go_is_not_followed(box, client, location, path):
    box.faults.add(path=path, status=302, headers={"Location": location.encode().decode("latin-1")})

    with pytest.raises(StopRun, match="302") as caught:
        client.read("/Products")

    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "header", ['{"nextPageLink": "x"}', '{"totalPages": 1e9}', '{"TotalPages": 999}']
)
def test_pages_that_always_name_a_next_one_end_the_run(box, client, header):
    body, headers = [{"Id": 1}, {"Id": 2}], {"X-Pagination": header}
    box.faults.add(path="/products", status=200, body=body, headers=headers, times=None)
    entries = client.list_all("/Products")

    if "1e9" in header:
        assert len(list(entries)) == 2
    else:
        with pytest.raises(OutOfService, match="GET /Products: the pages do not end: 10 in a row"):
            list(entries)

    assert len(box.requests.reads("go")) <= 11


def test_a_page_that_is_equal_to_an_earlier_one_does_not_end_the_list(box, client):
    ids = [1, 1, 2, 1, 2, 3]
    for number, go_id in enumerate(ids):
        last = number == len(ids) - 1
        headers = {"X-Pagination": '{"nextPageLink": "%s"}' % ("" if last else "x")}
        box.faults.add(path="/products", status=200, body=[{"Id": go_id}], headers=headers)

    assert [entry["Id"] for entry in client.list_all("/Products", page_size=1)] == ids


def test_a_wrong_token_url_is_a_configuration_error(box, connect):
    with pytest.raises(StopRun, match="check token_url"):
        connect(token_url=box.go_api_url + "/nothing").read("/Products")


def test_threads_share_one_limit_and_a_rejected_call_is_tried_again(connect):
    with Sandbox.start() as box:
        box.go.switches.rate_limit = 10
        client = connect(api_url=box.go_api_url, token_url=box.go_token_url, requests_per_second=10)
        started = time.monotonic()
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda _: client.read("/Products"), range(35)))
        seconds = time.monotonic() - started

    answered = [request.status for request in box.requests.reads("go")]
    assert answered.count(204) == 35
    assert set(answered) <= {204, 429}
    assert seconds > (len(box.requests.matching("go")) - 1) // 10


def test_cancel_ends_a_back_off_at_once(box, client):
    box.faults.add(
        method="POST", path="/products", status=429, headers={"Retry-After": "15"}, times=None
    )
    box.faults.on("go", "POST", "/products", lambda _: client.cancel(), when="before")

    with pytest.raises(StopRequested):
        client.create("/Products", GARN)

    assert names_in(box) == []


def test_cancel_lets_a_call_in_flight_finish_and_no_other_begin(box, client):
    box.faults.on("go", "POST", "/products", lambda _: client.cancel())

    assert client.create("/Products", GARN)["Name"] == "Garn"
    with pytest.raises(StopRequested):
        client.create("/Products", {"Name": "Not"})
    assert names_in(box) == ["Garn"]
