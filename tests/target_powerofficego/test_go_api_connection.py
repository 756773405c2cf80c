"""Which addresses and keys a connection to PowerOffice Go accepts."""

import pytest
from target_powerofficego.go_api import ConfigurationError, Connection

KEYS = {
    "application_key": "app-111",
    "client_key": "client-222",
    "subscription_key": "subscription-333",
}


def test_production_and_demo_have_their_published_addresses():
    production = Connection.for_environment("production", **KEYS)
    demo = Connection.for_environment("demo", **KEYS)

    assert production.api_url == "https://goapi.poweroffice.net/v2"
    assert production.token_url == "https://goapi.poweroffice.net/OAuth/Token"
    assert demo.api_url == "https://goapi.poweroffice.net/Demo/v2"
    assert demo.token_url == "https://goapi.poweroffice.net/Demo/OAuth/Token"


def test_repr_shows_no_key():
    text = repr(Connection.for_environment("demo", **KEYS))

    assert "goapi.poweroffice.net" in text
    assert not any(key in text for key in KEYS.values())


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8080", "127.0.0.1:9", "127.9.8.7", "[::1]:80"]
)
def test_plain_http_is_fine_to_this_machine(host):
    connection = Connection.for_environment(
        "custom", api_url=f"http://{host}/v2/", token_url=f"http://{host}/t", **KEYS
    )

    assert connection.url_of("/Customers") == f"http://{host}/v2/Customers"


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"environment": "test"}, "production, demo or custom"),
        ({"environment": "custom"}, "api_url and token_url must both be set"),
        ({"environment": "custom", "api_url": "https://x/v2"}, "must both be set"),
        ({"environment": "demo", "api_url": "https://x/v2"}, "belong to environment custom"),
        ({"api_url": "http://books.example/v2"}, "api_url must begin with https://"),
        ({"token_url": "http://10.0.0.1/t"}, "token_url must begin with https://"),
        ({"api_url": "http://localhost.evil.example/v2"}, "must begin with https://"),
        ({"api_url": "http://127.0.0.1@books.example/v2"}, "without a user name"),
        ({"api_url": "https://@books.example/v2"}, "without a user name"),
        ({"api_url": "https://books.example\\.evil.example/v2"}, "should look like https://host"),
        ({"token_url": "https://other\\@books.example/t"}, "should look like https://host"),
        ({"api_url": "ftp://127.0.0.1/v2"}, "must begin with https://"),
        ({"api_url": "https://x/v2?subscription-key=1"}, "without a user name, '?'"),
        ({"api_url": "books.example/v2"}, "should look like https://host/path"),
        ({"api_url": "https://x:port/v2"}, "should look like https://host/path"),
        ({"api_url": "https://x/v 2"}, "should look like https://host/path"),
        ({"client_key": ""}, "client_key is empty"),
        ({"application_key": "app-111\n"}, "application_key contains a space, line break"),
        ({"subscription_key": "nøkkel"}, "subscription_key contains a space, line break or letter"),
    ],
)
def test_a_setting_that_cannot_work_is_reported_in_one_line_without_any_key(given, fault):
    custom = {"environment": "custom", "api_url": "https://x/v2", "token_url": "https://x/t"}
    settings = {**KEYS, **({} if "environment" in given else custom), **given}

    with pytest.raises(ConfigurationError) as caught:
        Connection.for_environment(settings.pop("environment"), **settings)

    message = str(caught.value)
    assert fault in message
    assert "\n" not in message
    assert not any(key in message for key in (*KEYS.values(), "nøkkel"))
