"""The tap as a plugin: command line, settings, secrets, signals, and the SDK's own tests."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest
import taps
from go_sandbox import Sandbox
from members import assert_members
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.testing import get_tap_test_class
from tap_powerofficego.tap import TapPowerOfficeGo

TAP = "tap-powerofficego"
KEYS = ("application_key", "client_key", "subscription_key")
SECRETS = dict(zip(KEYS, ("hemmelig-1", "hemmelig-2", "hemmelig-3"), strict=True))
USABLE = {**SECRETS, "environment": "demo"}

sdk_config = {**USABLE}
all_selected = TapPowerOfficeGo(config=dict(USABLE)).catalog_dict
for stream in all_selected["streams"]:
    for field in stream["metadata"]:
        field["metadata"]["selected"] = True


SDKTests = get_tap_test_class(TapPowerOfficeGo, config=sdk_config, catalog=all_selected)


# Many members of an entry are null, which the SDK warns about.
@pytest.mark.filterwarnings("ignore:No records were available")
class TestBySDK(SDKTests):  # type: ignore[misc, valid-type]
    """The SDK's tests, on books with at least one entry in every list."""

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def books(cls, config_for, merchant_of):
        with Sandbox.start() as box:
            merchant_of(box).fill()
            sdk_config.update(config_for(box))
            yield


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"pagesize": 5}, "There is no setting 'pagesize'. Did you mean 'page_size'?"),
        ({"shop_name": "x"}, "There is no setting 'shop_name'."),
        ({"client_key": None}, "The setting 'client_key' is missing."),
        ({"client_key": " "}, "The setting 'client_key' is empty."),
        ({"client_key": 12345}, "The setting 'client_key' has an invalid value"),
        ({"client_key": "hemmelig 2"}, "client_key contains a space, line break or letter"),
        ({"environment": "hemmelig-4"}, "The setting 'environment' has an invalid value"),
        ({"environment": "custom"}, "api_url and token_url must both be set"),
        ({"api_url": "https://go.example.com"}, "api_url and token_url belong to environment"),
        (
            {"environment": "custom", "api_url": "http://go.example.com", "token_url": "x"},
            "api_url must begin with https://",
        ),
        ({"page_size": 20001}, "The setting 'page_size' has an invalid value"),
        ({"requests_per_second": 0}, "The setting 'requests_per_second' has an invalid value"),
        (
            {"rate_limit_store": "postgresql://sync:hemmelig@db/x"},
            "rate_limit_store must not hold the database's password",
        ),
        ({"overlap_seconds": -1}, "The setting 'overlap_seconds' has an invalid value"),
        ({"full_check_hours": "often"}, "The setting 'full_check_hours' has an invalid value"),
        ({"start_date": "soon"}, "The setting 'start_date' is not a date"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it_and_holds_no_secret(wrong, line):
    with pytest.raises(ConfigValidationError) as failure:
        TapPowerOfficeGo(config={**USABLE, **wrong})
    (error,) = failure.value.errors
    assert line in error
    assert "hemmelig" not in error
    assert "12345" not in error


def test_the_rate_limit_of_a_key_is_shared_in_the_store_of_the_setting(read_go, filled, tmp_path):
    path = tmp_path / "rate-limit.json"

    assert read_go("customers", rate_limit_store=str(path)).ids("customers")

    (limit,) = json.loads(path.read_text())["rate_limits"].values()
    assert limit["turns"]["given"]


def test_a_setting_that_is_null_has_its_default_and_a_number_may_be_text():
    settings = {"page_size": None, "start_date": None, "full_check_hours": "1.5"}
    tap = TapPowerOfficeGo(config={**USABLE, **settings})
    assert_members(tap.config, page_size=5000, full_check_hours=1.5)


@pytest.mark.parametrize(
    "written", ["2026-01-31", "2026-01-31T00:00:00Z", "2026-01-31 01:00+01:00"]
)
def test_a_start_date_is_a_date_or_a_time(written):
    tap = TapPowerOfficeGo(config={**USABLE, "start_date": written})
    assert tap.config["start_date"] == "2026-01-31T00:00:00.0000000Z"


@pytest.mark.parametrize("arguments", [(), ("--test",)])
def test_keys_that_go_does_not_accept_end_the_command_with_one_error_line(
    config, tmp_path, arguments
):
    ended = taps.run(TAP, *arguments, config={**config, **SECRETS}, folder=tmp_path)
    taps.assert_one_error(ended, "Go does not accept the keys")


def test_a_run_prints_no_secret(filled, box, config, tmp_path):
    ended = taps.run(TAP, config=config, folder=tmp_path)
    assert ended.returncode == 0
    tokens = [token["token"] for token in box.go.storage.table("go tokens").values()]
    assert tokens
    secrets = [*tokens, *(config[name] for name in KEYS)]
    assert not [secret for secret in secrets if secret in ended.stdout + ended.stderr]


def test_a_test_run_reads_the_first_page_of_each_list_and_no_lines(merchant, box, config, tmp_path):
    customer, product = merchant.customer(), merchant.product()
    for _ in range(6):
        merchant.order(customer, product)
    ended = taps.run(TAP, "--test", config=config, folder=tmp_path)
    assert ended.returncode == 0
    assert ended.stderr.count("ERROR") == 0
    assert "failed" not in ended.stderr
    assert box.requests.count(path="/complete$") == 0
    assert {read.query.get("PageSize") for read in box.requests.reads()} == {"1"}


@pytest.mark.parametrize("name", ["replication_key_value", "stock_bookmark", "listed_in_full_at"])
def test_a_bookmark_that_is_not_a_timestamp_is_a_one_line_error(name):
    state = {"bookmarks": {"products": {name: "x"}}}
    with pytest.raises(ConfigValidationError) as failure:
        TapPowerOfficeGo(config=dict(USABLE), state=state)
    assert failure.value.errors == [
        f"The state's {name} of 'products' is not a timestamp; correct or remove it."
    ]


@pytest.fixture
def orders(merchant):
    customer, product = merchant.customer(), merchant.product()
    return [merchant.order(customer, product)["Id"] for _ in range(8)]


@pytest.fixture
def end_at_the_sixth_order(box, config, catalog_file, tmp_path):
    """Run the tap, stop it when it requests a sixth order, and return its messages and status.

    The sandbox does not answer that request before the tap has ended.
    """

    def run(stop, **settings):
        started: list[subprocess.Popen] = []

        def end(_request):
            stop(started[0])
            started[0].wait(30)

        box.faults.on("go", "GET", "/complete$", end, skip=5)
        options = ("--catalog", catalog_file)
        with taps.start("tap_powerofficego", {**config, **settings}, tmp_path, *options) as tap:
            started.append(tap)
            assert tap.stdout
            output = tap.stdout.read()
        messages = [json.loads(line) for line in output.split(b"\n")[:-1]]
        return taps.Emitted(messages, log=""), tap.returncode

    return run


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_with_the_state_of_what_was_emitted(
    orders, end_at_the_sixth_order, signum
):
    emitted, status = end_at_the_sixth_order(lambda tap: tap.send_signal(signum))

    assert status == 0
    records = emitted.records("salesorders")
    assert [record["Id"] for record in records] == orders[:5]
    assert emitted.messages[-1]["type"] == "STATE"
    bookmark = emitted.bookmarks("salesorders")[-1]["replication_key_value"]
    assert bookmark == records[-1]["LastChangedDateTimeOffset"]


@pytest.mark.slow
def test_a_run_that_is_killed_loses_nothing(orders, end_at_the_sixth_order, read_go):
    emitted, _ = end_at_the_sixth_order(lambda tap: tap.kill(), page_size=2)

    rest = read_go("salesorders", state=emitted.states()[-1], page_size=2)

    before = {record["Id"] for record in emitted.records("salesorders")}
    assert 0 < len(before) < len(orders)
    assert before | set(rest.ids("salesorders")) == set(orders)


@pytest.mark.slow
def test_after_a_signal_during_a_batch_the_state_includes_nothing_that_is_in_no_file(
    orders, end_at_the_sixth_order, tmp_path
):
    batches = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": tmp_path.as_uri(), "prefix": "batch-"},
    }

    emitted, status = end_at_the_sixth_order(
        lambda tap: tap.send_signal(signal.SIGTERM), batch_config=batches
    )

    assert status == 0
    batched = [message["stream"] for message in emitted.messages if message["type"] == "BATCH"]
    assert batched == ["customers", "products"]
    assert "salesorders" not in emitted.states()[-1]["bookmarks"]


@pytest.mark.slow
def test_a_reader_that_stops_reading_is_a_one_line_error(merchant, config, tmp_path):
    for number in range(300):
        merchant.product(Code=f"P{number}", Description="x" * 1000)
    (tmp_path / "config.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "tap_powerofficego", "--config", str(tmp_path / "config.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as tap:
        assert tap.stdout
        assert tap.stderr
        tap.stdout.readline()
        tap.stdout.close()
        log = tap.stderr.read().decode()
        assert tap.wait(30) == 1
    assert "Whoever reads the records has stopped reading." in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("bookmark", "reason"),
    [
        ("9999-12-31T00:00:00Z", "lies in the future"),
        ("9999-12-31T23:59:59-05:00", "is not a timestamp"),
    ],
)
def test_a_state_that_cannot_be_used_is_a_one_line_error(config, tmp_path, bookmark, reason):
    state = {"bookmarks": {"customers": {"replication_key_value": bookmark}}}
    (tmp_path / "state.json").write_text(json.dumps(state), encoding="utf-8")

    ended = taps.run(TAP, "--state", tmp_path / "state.json", config=config, folder=tmp_path)

    message = f"The state's replication_key_value of 'customers' {reason}"
    taps.assert_one_error(ended, message, secret=config["client_key"])
