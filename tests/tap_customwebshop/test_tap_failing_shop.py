"""What the tap does when the shop is busy, slow, gone or says no."""

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


def test_retry_after_is_kept(scripted_shop, answer, page, read_answers):
    busy = answer(status=429, headers={"Retry-After": "1"})
    assert len(read_answers(busy, page([RECORD])).records()) == 1
    first, second = scripted_shop.asked[:2]
    assert second.at - first.at >= 1


@pytest.mark.parametrize(
    "asked",
    [
        *("-5", "0", "1.5", "inf", "nan", "soon", "", "0" * 5000),
        "Fri, 31 Dec 99999 23:59:59 GMT",
        "Fri, 31 Dec 2027 23:59:59 +99999999999999999999",
        "Mon, 01 Jan 0001 00:00:00 +2359",
    ],
)
def test_a_retry_after_that_says_nothing_is_no_reason_to_stop(answer, page, read_answers, asked):
    busy = answer(status=503, headers={"Retry-After": asked})
    assert len(read_answers(busy, page([RECORD])).records()) == 1


@pytest.mark.parametrize(
    "asked", ["86400", "9" * 400, "9" * 5000, "Fri, 31 Dec 9999 23:59:59 -1200"]
)
def test_a_retry_after_beyond_the_budget_ends_the_run_at_once(answer, fails, asked):
    fails(
        answer(status=503, headers={"Retry-After": asked}),
        kind=ShopUnavailableError,
        told="GET /customers: the shop answered 503",
        asked=1,
    )


@pytest.mark.parametrize(
    ("location", "told"),
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
    scripted_shop, config, answer, read_shop, location, told
):
    away = answer(status=302, headers={"Location": location})
    for path in ("customers", location.strip("/") or "customers", "kunder/%C3%A6", "kunder/%E6"):
        scripted_shop.answers(path, away)
    emitted = read_shop(config, fails_with=ShopRefusedError)
    line = emitted.log.splitlines()[-1]
    assert told in line
    assert len(line) < 400
    assert len(scripted_shop.asked) <= 5


@pytest.mark.parametrize("fault", [{"reset": "before"}, {"reset": "after"}, {"broken_json": True}])
def test_a_broken_answer_is_asked_for_again(box, read_shop, fault):
    box.shop.put("customers", dict(RECORD))
    box.faults.add(system="shop", path="/customers", times=1, **fault)
    assert len(read_shop(box.tap_config()).records("customers")) == 1


def test_an_answer_that_is_not_json_is_tried_three_times_whatever_went_wrong_before(
    answer, page, read_answers
):
    busy, broken = answer(status=503), answer(b"<html>")

    assert len(read_answers(busy, busy, broken, broken, page([RECORD])).records()) == 1


def test_a_third_answer_that_is_not_json_ends_the_run(answer, fails):
    fails(
        *[answer(b"<html>")] * 4,
        kind=ShopUnavailableError,
        told="the shop's answer is not JSON",
        asked=3,
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
        told=f"GET /customers: the shop answered {status}",
        asked=1,
    )
    assert advice in emitted.log
    assert "Nordmann" not in emitted.log
    assert config["auth_token"] not in emitted.log


def test_the_token_goes_in_the_header_and_nowhere_else(scripted_shop, config, page, read_answers):
    read_answers(page([RECORD]))
    asked = scripted_shop.asked[0]
    assert asked.headers["Authorization"] == f"Bearer {config['auth_token']}"
    assert asked.headers["User-Agent"].startswith("tap-customwebshop/")
    assert asked.query == {"limit": "500"}


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:{port}",
        "http://127.0.0.1:9",
        "http://127.0.0.1",
        "https://127.0.0.1:{port}",
    ],
)
def test_a_redirect_to_another_origin_is_not_followed(scripted_shop, answer, fails, origin):
    _, port = scripted_shop.url.rsplit(":", 1)
    elsewhere = f"{origin.format(port=port)}/customers?secret=1"
    emitted = fails(
        answer(status=302, headers={"Location": elsewhere}),
        kind=ShopRefusedError,
        told="another server",
        asked=1,
    )
    assert "secret=1" not in emitted.log


@pytest.mark.parametrize(
    "hidden",
    [
        r"http://localhost:{port}\@127.0.0.1:{port}/customers",
        r"http:\\localhost:{port}/customers",
        "http://127.0.0.1:{port}@localhost:{port}/customers",
        "http://@127.0.0.1:{port}/customers",
        "http://127.0.0.1:{port}\t@localhost:{port}/customers",
        "//localhost\x85:{port}/customers",
        "http://[localhost:{port}/customers",
        "http://127.0.0.1:{port}0/customers",
    ],
)
def test_a_redirect_that_hides_where_it_goes_ends_the_run_and_takes_no_token_there(
    scripted_shop, answer, fails, hidden
):
    _, port = scripted_shop.url.rsplit(":", 1)
    location = hidden.format(port=port)
    fails(
        answer(status=302, headers={"Location": location}),
        kind=ShopRefusedError,
        told="GET /customers: the shop redirects to an",
        asked=1,
    )


def test_a_redirect_within_the_origin_is_followed(scripted_shop, answer, page, read_answers):
    scripted_shop.answers("customers", answer(status=307, headers={"Location": "/v2/customers"}))
    assert len(read_answers(page([RECORD]), stream="v2/customers").records("customers")) == 1


def test_a_shop_that_is_not_there_is_one_clear_error(read_shop):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = {"api_url": f"http://127.0.0.1:{port}", "auth_token": "not-a-real-token"}
    emitted = read_shop(config, fails_with=ShopUnavailableError)
    assert f"no connection to 127.0.0.1:{port}" in emitted.log


def test_a_shop_that_speaks_no_tls_is_told_from_one_with_a_wrong_certificate(
    scripted_shop, config, read_shop, certificate
):
    plain = {**config, "api_url": scripted_shop.url.replace("http:", "https:")}
    emitted = read_shop(plain, fails_with=ShopRefusedError)
    assert "there is no secure connection (TLS) to 127.0.0.1:" in emitted.log
    assert "certificate" not in emitted.log

    scripted_shop.speak_tls(certificate)
    emitted = read_shop(plain, fails_with=ShopRefusedError)
    assert "the shop's certificate is not valid for its address." in emitted.log


def test_a_shop_that_drips_is_given_up_after_the_request_timeout(
    scripted_shop, config, answer, read_shop
):
    scripted_shop.answers("customers", answer(b" " * 10_000, seconds_between_bytes=0.05))
    settings = {**config, "request_timeout": 1, "retry_seconds": 0}
    emitted = read_shop(settings, fails_with=ShopUnavailableError)
    assert "no answer within 1 seconds" in emitted.log
