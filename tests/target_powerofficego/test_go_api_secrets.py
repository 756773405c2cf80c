"""No key, token, query or personal data in logs, error texts or tracebacks, at any level."""

from __future__ import annotations

import re
import traceback
from http.client import HTTPConnection
from typing import Any

import pytest
from target_powerofficego.go_api import Connection, GoClient, GoError, Operation

KEYS = {
    "application_key": "app-key-that-is-secret",
    "client_key": "client-key-that-is-secret",
    "subscription_key": "subscription-key-that-is-secret",
}
EMAIL = "kari.nordmann@example.no"


@pytest.fixture
def connect(box):
    clients = []

    def connect(**keys) -> GoClient:
        right_keys = {name: getattr(box.go, name) for name in KEYS}
        connection = Connection.for_environment(
            "custom", api_url=box.go_api_url, token_url=box.go_token_url, **{**right_keys, **keys}
        )
        clients.append(GoClient(connection, requests_per_second=1000, retry_seconds=1))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


def failures(box, client) -> list[GoError]:
    """Provoke an error of each kind that carries something private with it."""
    attempts: list[tuple[dict, Any]] = [
        ({"reset": "after", "method": "GET"}, lambda: client.read("/Customers", BY_EMAIL)),
        ({"status": 503, "method": "GET"}, lambda: client.read("/Customers", BY_EMAIL)),
        ({"status": 400, "body": PRIVATE_PROBLEM}, lambda: client.read("/Customers", BY_EMAIL)),
        ({"reset": "before"}, lambda: client.create("/Customers", {"EmailAddress": EMAIL})),
        ({"broken_json": True}, lambda: client.create("/Customers", {"Name": EMAIL})),
        ({"status": 400, "body": PRIVATE_PROBLEM}, lambda: client.change("/Customers/1", PATCH)),
    ]
    caught = []
    for fault, attempt in attempts:
        box.faults.clear()
        box.faults.add(path="/customers", times=None, **fault)
        with pytest.raises(GoError) as error:
            attempt()
        caught.append(error.value)
    return caught


BY_EMAIL = {"emailAddresses": EMAIL}
PATCH = [Operation("replace", "/EmailAddress", EMAIL)]
PRIVATE_PROBLEM = {"title": "Customer validation error(s)", "detail": f"{EMAIL} is taken"}


def secrets_in(text: str, box) -> list[str]:
    secrets = [EMAIL, "kari.nordmann", "Bearer", "Basic", *KEYS.values()]
    return [word for word in secrets + [getattr(box.go, name) for name in KEYS] if word in text]


def test_no_log_line_at_any_level_contains_a_secret(box, connect, caplog):
    caplog.set_level(1)
    caplog.set_level(1, "urllib3")  # which a library that others import may have made quiet
    failures(box, connect())
    with pytest.raises(GoError):
        connect(**KEYS).read("/Customers", BY_EMAIL)

    ours = [record for record in caplog.records if not record.name.startswith("uvicorn")]
    lines = [record.getMessage() for record in ours]
    assert any(re.search(r'"GET /v2/Customers\?\.\.\. HTTP', line) for line in lines)
    assert secrets_in("\n".join(lines), box) == []


def test_no_error_text_or_traceback_contains_a_secret(box, connect):
    errors = failures(box, connect())
    with pytest.raises(GoError) as wrong_keys:
        connect(**KEYS).read("/Customers", BY_EMAIL)

    for error in [*errors, wrong_keys.value]:
        assert error.__cause__ is None
        assert error.__context__ is None
        assert "\n" not in str(error)
        assert secrets_in(repr(error) + "".join(traceback.format_exception(error)), box) == []


def test_the_detail_is_available_on_the_error(box, connect):
    assert [EMAIL in error.detail for error in failures(box, connect())][2] is True


def test_debug_prints_of_the_standard_library_stay_off(box, connect, capsys, monkeypatch):
    monkeypatch.setattr(HTTPConnection, "debuglevel", 1)

    connect().read("/Customers")

    assert capsys.readouterr().out == ""


def test_a_netrc_password_does_not_take_the_place_of_the_token(box, connect, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))

    connect().read("/Customers")

    assert [request.status for request in box.requests.all()] == [200, 204]
