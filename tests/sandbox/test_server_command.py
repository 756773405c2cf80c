import dataclasses
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from go_sandbox.faults import KINDS, Fault, RandomFaults

README = (Path(__file__).parents[2] / "sandbox" / "README.md").read_text(encoding="utf-8")
SANDBOX = [sys.executable, "-c", "from go_sandbox.command import main; raise SystemExit(main())"]


@pytest.fixture(name="start")
def starter():
    running = []

    def start(*options):
        process = subprocess.Popen(
            [*SANDBOX, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**os.environ, "COLUMNS": "40", "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"},
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def read_welcome(process):
    lines: list[str] = []
    while not any(line.startswith("curl") and "/requests" in line for line in lines):
        line = process.stdout.readline()
        assert line, process.stderr.read()
        lines.append(line.rstrip("\n"))
    return lines


def variables(lines):
    return dict(re.findall(r"^export (\w+)=(.*)$", "\n".join(lines), re.MULTILINE))


def stop(process, with_signal=signal.SIGINT):
    process.send_signal(with_signal)
    _, errors = process.communicate(timeout=30)
    return process.returncode, errors


def test_it_prints_variables_that_work_and_stops_at_ctrl_c(start):
    process = start("--seed")
    environment = variables(read_welcome(process))
    assert set(environment) == {
        "TAP_CUSTOMWEBSHOP_API_URL",
        "TAP_CUSTOMWEBSHOP_AUTH_TOKEN",
        "TARGET_CUSTOMWEBSHOP_API_URL",
        "TARGET_CUSTOMWEBSHOP_AUTH_TOKEN",
        "TARGET_CUSTOMWEBSHOP_SHOP_NAME",
        "TAP_POWEROFFICEGO_ENVIRONMENT",
        "TAP_POWEROFFICEGO_API_URL",
        "TAP_POWEROFFICEGO_TOKEN_URL",
        "TAP_POWEROFFICEGO_APPLICATION_KEY",
        "TAP_POWEROFFICEGO_CLIENT_KEY",
        "TAP_POWEROFFICEGO_SUBSCRIPTION_KEY",
        "TARGET_POWEROFFICEGO_ENVIRONMENT",
        "TARGET_POWEROFFICEGO_API_URL",
        "TARGET_POWEROFFICEGO_TOKEN_URL",
        "TARGET_POWEROFFICEGO_APPLICATION_KEY",
        "TARGET_POWEROFFICEGO_CLIENT_KEY",
        "TARGET_POWEROFFICEGO_SUBSCRIPTION_KEY",
        "TARGET_POWEROFFICEGO_SHOP_NAME",
        "TARGET_POWEROFFICEGO_SALES_ACCOUNTS",
        "TARGET_POWEROFFICEGO_ROUNDING_PRODUCT_CODE",
    }
    answer = requests.get(
        f"{environment['TAP_CUSTOMWEBSHOP_API_URL']}/orders?limit=1000",
        headers={"Authorization": f"Bearer {environment['TAP_CUSTOMWEBSHOP_AUTH_TOKEN']}"},
        timeout=30,
    )
    assert len(answer.json()["data"]) == 150
    assert stop(process) == (0, "")


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_printed_curl_lines_work(start):
    process = start()
    curls = [line for line in read_welcome(process) if line.startswith("curl")]
    answers = [subprocess.check_output(line, shell=True, text=True) for line in curls]
    assert answers[0] == '{"data": [], "next_cursor": null}'
    assert answers[1] == "[]"
    assert '"count"' in answers[2]
    assert stop(process, signal.SIGTERM) == (0, "")


def test_the_state_file_keeps_the_records(start, tmp_path):
    state = str(tmp_path / "state.db")
    counts = []
    for options in (["--seed", "--with-mistakes"], []):
        process = start("--state", state, *options)
        [line] = [line for line in read_welcome(process) if "/go/Customers" in line]
        admin = line.removeprefix("curl -s ").removesuffix("/go/Customers")
        counts.append(len(requests.get(f"{admin}/shop/customers", timeout=30).json()))
        assert stop(process) == (0, "")
    assert counts == [62, 62]


def test_the_options_reach_both_systems(start):
    process = start("--rate-limit", "--price-decimals", "4", "--vat-rounding", "rate")
    [line] = [line for line in read_welcome(process) if "/go/Customers" in line]
    admin = line.removeprefix("curl -s ").removesuffix("/go/Customers")
    go = requests.get(f"{admin}/switches", timeout=30).json()["go"]
    assert (go["rate_limit"], go["price_decimals"], go["vat_rounding"]) == (10, 4, "rate")


def test_an_unusable_state_file_is_reported_in_one_line(start, tmp_path):
    process = start("--state", str(tmp_path / "no" / "such" / "folder.db"))
    out, errors = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, "")
    assert "folder.db cannot be used" in "".join(errors.split("\n"))
    assert "Traceback" not in errors


def test_every_option_is_in_the_readme(start):
    out, _ = start("--help").communicate(timeout=30)
    options = set(re.findall(r"--[a-z-]+", out)) - {"--help"}
    assert len(options) >= 10
    assert {option for option in options if f"`{option}" not in README} == set()


def test_every_member_and_kind_of_a_fault_is_in_the_readme():
    fields = dataclasses.fields(Fault) + dataclasses.fields(RandomFaults)
    members = {field.name for field in fields if field.init} | set(KINDS)
    assert {member for member in members if f"`{member}`" not in README} == set()


def test_a_taken_port_is_reported_in_one_line(start):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process = start("--go-port", str(port))
        out, errors = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, "")
    assert f"port {port} cannot be used" in " ".join(errors.split())
    assert "Traceback" not in errors
