"""What the tap does when the shop is busy, slow or gone, or refuses."""

from __future__ import annotations

import socket

import pytest
from tap_customwebshop.errors import ShopRefusedError, ShopUnavailableError

RECORD = {"id": "1", "updated_at": "2026-01-01T08:00:00.000000Z"}


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_failing_shop_is_asked_again(box, read_shop, status):
    box.shop.put("customers", dict(RECORD))
    box.faults.add(system="shop", path="/customers", status=status, times=2)
    emitted = read_shop(box.tap_config())
    assert len(emitted.records("customers")) == 1
    assert f"the shop answered {status}; asking again" in emitted.log


def test_retry_after_is_respected(scripted_shop, answer, page, read_answers):
    busy = answer(status=429, headers={"Retry-After": "1"})
    assert len(read_answers(busy, page([RECORD])).records()) == 1
    first, second = scripted_shop.requests[:2]
    assert second.received_at - first.received_at >= 1


@pytest.mark.parametrize(
    "retry_after",
    [
        *("-5", "0", "1.5", "inf", "nan", "soon", "", "0" * 5000),
        "Fri, 31 Dec 99999 23:59:59 GMT",
        "Fri, 31 Dec 2027 23:59:59 +99999999999999999999",
        "Mon, 01 Jan 0001 00:00:00 +2359",
    ],
)
def test_an_unusable_retry_after_does_not_end_the_run(answer, page, read_answers, retry_after):
    busy = answer(status=503, headers={"Retry-After": retry_after})
    assert len(read_answers(busy, page([RECORD])).records()) == 1


@pytest.mark.parametrize(
    "retry_after", ["86400", "9" * 400, "9" * 5000, "Fri, 31 Dec 9999 23:59:59 -1200"]
)
def test_a_retry_after_beyond_the_budget_ends_the_run_at_once(answer, fails, retry_after):
    fails(
        answer(status=503, headers={"Retry-After": retry_after}),
        kind=ShopUnavailableError,
        message="GET /customers: the shop answered 503",
        requests=1,
    )


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("", "go round in a circle"),
        ("/customers", "go round in a circle"),
        ("/" + "x" * 60_000, "go round in a circle"),
        ("/kunder/\xe6", "go round in a circle"),
        ("http://" + "x" * 60_000 + ".no/", "another server, http://xxx"),
    ],
    ids=["empty", "itself", "huge", "not ASCII", "a huge host"],
)
def test_an_odd_redirect_ends_the_run_in_one_short_line(
    scripted_shop, config, answer, read_shop, location, message
):
    redirect = answer(status=302, headers={"Location": location})
    for path in ("customers", location.strip("/") or "customers", "kunder/%C3%A6", "kunder/%E6"):
        scripted_shop.answers(path, redirect)
    emitted = read_shop(config, fails_with=ShopRefusedError)
    line = emitted.log.splitlines()[-1]
    assert message in line
    assert len(line) < 400
    assert len(scripted_shop.requests) <= 5


@pytest.mark.parametrize("fault", [{"reset": "before"}, {"reset": "after"}, {"broken_json": True}])
def test_a_broken_answer_is_requested_again(box, read_shop, fault):
    box.shop.put("customers", dict(RECORD))
    box.faults.add(system="shop", path="/customers", times=1, **fault)
    assert len(read_shop(box.tap_config()).records("customers")) == 1


def test_other_failures_do_not_count_as_answers_that_are_not_json(answer, page, read_answers):
    busy, broken = answer(status=503), answer(b"<html>")

    assert len(read_answers(busy, busy, broken, broken, page([RECORD])).records()) == 1


def test_a_third_answer_that_is_not_json_ends_the_run(answer, fails):
    fails(
        *[answer(b"<html>")] * 4,
        kind=ShopUnavailableError,
        message="the shop's answer is not JSON",
        requests=3,
    )


@pytest.mark.parametrize(
    ("status", "advice"),
    [(400, "updated_since"), (401, "auth_token"), (403, "auth_token"), (404, "api_url")],
)
def test_a_refusal_ends_the_run_with_method_path_status_and_advice_only(
    config, answer, fails, status, advice
):
    emitted = fails(
        answer(b"Kari Nordmann", status=status),
        kind=ShopRefusedError,
        message=f"GET /customers: the shop answered {status}",
        requests=1,
    )
    assert advice in emitted.log
    assert "Nordmann" not in emitted.log
    assert config["auth_token"] not in emitted.log


def test_the_token_goes_in_the_header_and_nowhere_else(scripted_shop, config, page, read_answers):
    read_answers(page([RECORD]))
    request = scripted_shop.requests[0]
    assert request.headers["Authorization"] == f"Bearer {config['auth_token']}"
    assert request.headers["User-Agent"].startswith("tap-customwebshop/")
    assert request.query == {"limit": "500"}


@pytest.mark.parametrize(
    ("location", "message"),
    [
        *(
            (f"{origin}/customers?secret=1", "the shop redirects to another server")
            for origin in (
                "http://localhost:{port}",
                "http://127.0.0.1:9",
                "http://127.0.0.1",
                "https://127.0.0.1:{port}",
            )
        ),
        *(
            (hiding, "the shop redirects to an")
            for hiding in (
                r"http://localhost:{port}\@127.0.0.1:{port}/customers",
                r"http:\\localhost:{port}/customers",
                "http://127.0.0.1:{port}@localhost:{port}/customers",
                "http://@127.0.0.1:{port}/customers",
                "http://127.0.0.1:{port}\t@localhost:{port}/customers",
                "//localhost\x85:{port}/customers",
                "http://[localhost:{port}/customers",
                "http://127.0.0.1:{port}0/customers",
            )
        ),
    ],
)
def test_a_redirect_to_another_origin_even_if_hidden_is_not_followed(
    scripted_shop, answer, fails, location, message
):
    _, port = scripted_shop.url.rsplit(":", 1)
    emitted = fails(
        answer(status=302, headers={"Location": location.format(port=port)}),
        kind=ShopRefusedError,
        message=f"GET /customers: {message}",
        requests=1,
    )
    assert "secret=1" not in emitted.log


def test_a_redirect_within_the_origin_is_followed(scripted_shop, answer, page, read_answers):
    scripted_shop.answers("customers", answer(status=307, headers={"Location": "/v2/customers"}))
    assert len(read_answers(page([RECORD]), stream="v2/customers").records("customers")) == 1


def test_a_shop_that_does_not_exist_is_one_clear_error(read_shop):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = {"api_url": f"http://127.0.0.1:{port}", "auth_token": "not-a-real-token"}
    emitted = read_shop(config, fails_with=ShopUnavailableError)
    assert f"no connection to 127.0.0.1:{port}" in emitted.log


def test_a_shop_without_tls_is_distinguished_from_one_with_a_wrong_certificate(
    scripted_shop, config, read_shop, certificate
):
    by_https = {**config, "api_url": scripted_shop.url.replace("http:", "https:")}
    emitted = read_shop(by_https, fails_with=ShopRefusedError)
    assert "there is no secure connection (TLS) to 127.0.0.1:" in emitted.log
    assert "certificate" not in emitted.log

    scripted_shop.speak_tls(certificate)
    emitted = read_shop(by_https, fails_with=ShopRefusedError)
    assert "the shop's certificate is not valid for its address." in emitted.log


def test_an_answer_that_arrives_byte_by_byte_is_abandoned_after_the_request_timeout(
    scripted_shop, config, answer, read_shop
):
    scripted_shop.answers("customers", answer(b" " * 10_000, seconds_between_bytes=0.05))
    settings = {**config, "request_timeout": 1, "retry_seconds": 0}
    emitted = read_shop(settings, fails_with=ShopUnavailableError)
    assert "no answer within 1 seconds" in emitted.log
