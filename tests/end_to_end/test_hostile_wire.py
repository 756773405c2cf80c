"""Answers that trickle, unpack to too much or cannot be opened end each command with one line.

The commands run as processes over real sockets. What they settled is true, the next run does the
rest, and their lock is free for it.
"""

import json
import resource

import commands
import pytest
from both_ways import singer_lines as entries_as_lines
from drips import dripping, packed
from ledger import singer_lines

NEW = "+4790000001"


def only_error(log):
    """Return the only error line of a log without a traceback."""
    assert "Traceback" not in log
    (error,) = [line for line in log.splitlines() if " | ERROR " in line]
    return error


@pytest.fixture
def configured(linked, box, tmp_path):
    """Makes the command line of a plugin, with the settings of the sandbox and changes."""

    def line(name, **changes):
        target = linked.ledger.config()
        config = {
            "tap-customwebshop": box.tap_config,
            "target-powerofficego": lambda: target,
            "tap-powerofficego": lambda: {
                setting: value
                for setting, value in target.items()
                if setting not in ("shop_name", "link_store", "workers", "first_run")
            },
            "target-customwebshop": linked.config,
        }[name]()
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({**config, **changes}), encoding="utf-8")
        return name, "--config", path

    return line


@pytest.fixture
def edited(linked):
    """Both ways, with a phone number edited in the shop, and another edited in Go."""
    linked.box.shop.edit("customers", "1001", {"phone": NEW})
    go_id = linked.go_id("customers", "2001")
    linked.box.go.edit("Customers", go_id, {"PhoneNumber": NEW})
    return linked


def forward(both):
    return singer_lines(*both.shop_records(), {"type": "STATE", "value": {"read": 1}})


def is_in_go(both):
    entry = both.box.go.entry("Customers", both.go_id("customers", "1001"))
    return entry["PhoneNumber"] == NEW


def is_in_shop(both):
    return both.box.shop.record("customers", "2001")["phone"] == NEW


@pytest.mark.parametrize("part", ["header", "body"])
@pytest.mark.parametrize("name", ["tap-customwebshop", "tap-powerofficego"])
def test_a_tap_gives_up_on_a_trickling_answer_with_one_line(configured, name, part):
    is_shop = name == "tap-customwebshop"
    changes = {"retry_seconds": 0} if is_shop else {"retry_seconds": 10}
    with dripping(part) as url:
        urls = {"api_url": url} if is_shop else {"api_url": url, "token_url": f"{url}/token"}
        ended = commands.run(*configured(name, request_timeout=1, **changes, **urls))

    assert ended.returncode == 1
    assert "answer within 1 seconds" in only_error(ended.stderr)


@pytest.mark.parametrize("part", ["header", "body"])
def test_a_target_gives_up_on_trickling_answers_with_one_line_and_frees_its_lock(
    edited, configured, part
):
    with dripping(part) as url:
        urls = {"api_url": url, "token_url": f"{url}/token"}
        ahead = commands.run(
            *configured("target-powerofficego", request_timeout=1, retry_seconds=10, **urls),
            given=forward(edited),
        )
        back = commands.run(
            *configured("target-customwebshop", request_timeout=1, retry_seconds=1, api_url=url),
            given=entries_as_lines(edited.entries()),
        )

    for ended in (ahead, back):
        assert (ended.returncode, ended.stdout) == (1, "")
        assert only_error(ended.stderr)
    assert edited.forward().status == edited.back().status == 0
    assert is_in_go(edited)
    assert is_in_shop(edited)


@pytest.mark.parametrize(
    ("name", "system", "path", "megabytes"),
    [
        ("tap-customwebshop", "shop", "/customers$", 65),
        ("target-customwebshop", "shop", "/customers/2001$", 65),
        ("tap-powerofficego", "go", "/customers$", 129),
        ("target-powerofficego", "go", "/customers$", 129),
    ],
)
def test_a_page_that_unpacks_to_a_huge_size_is_not_read_and_loses_nothing(
    edited, configured, name, system, path, megabytes
):
    given = {
        "target-customwebshop": entries_as_lines(edited.entries()),
        "target-powerofficego": forward(edited),
    }.get(name, "")
    retry = 10 if "powerofficego" in name else 1
    headers = {"Content-Encoding": "gzip", "ETag": '"x"'}
    body = packed(b"[]", megabytes)
    edited.box.faults.add(
        system=system, method="GET", path=path, status=200, body=body, headers=headers, times=None
    )

    ended = commands.run(*configured(name, retry_seconds=retry), given=given)

    assert ended.returncode in ((1,) if name.startswith("tap") else (1, 3))
    assert "Traceback" not in ended.stderr
    reasons = "".join(edited.open_ones().values())
    assert f"larger than {megabytes - 1} MB" in ended.stderr + reasons
    edited.box.faults.clear()
    assert edited.forward().status == edited.back().status == 0
    assert is_in_go(edited)
    assert is_in_shop(edited)


@pytest.mark.parametrize("times", [1, 9])
def test_a_change_in_the_shop_whose_answer_trickles_is_done_once_and_known(
    edited, box, configured, times
):
    box.faults.add(system="shop", method="PATCH", drip_seconds=30, times=times)
    box.requests.clear()

    ended = commands.run(
        *configured("target-customwebshop", request_timeout=1, retry_seconds=5),
        given=entries_as_lines(edited.entries()),
    )

    box.faults.clear()
    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr
    assert len(box.requests.writes("shop")) == 1
    assert is_in_shop(edited)
    assert edited.back().writes == []
    assert edited.open_ones() == {}


@pytest.mark.parametrize(
    ("name", "system", "method", "path"),
    [
        ("tap-customwebshop", "shop", "GET", "/products$"),
        ("tap-powerofficego", "go", "GET", "/products$"),
        ("target-powerofficego", "go", "PATCH", "/customers/"),
        ("target-customwebshop", "shop", "GET", "/customers/2001$"),
    ],
)
def test_a_machine_that_opens_no_more_files_ends_the_run_with_one_line(
    edited, box, configured, name, system, method, path
):
    """The connection breaks, and no other can be opened."""
    given = {
        "target-customwebshop": entries_as_lines(edited.entries()),
        "target-powerofficego": forward(edited),
    }.get(name, "")
    running = commands.Command(*configured(name))

    def allow_no_files(_):
        resource.prlimit(running.pid, resource.RLIMIT_NOFILE, (0, 0))

    box.faults.on(system, method, path, allow_no_files)
    box.faults.add(system=system, method=method, path=path, reset="before")
    output, log = running.communicate(given)

    assert running.returncode == 1
    error = "this machine does not let the program open more files and connections"
    assert error in only_error(log)
    if name.startswith("target"):
        assert output == ""
    box.faults.clear()
    assert edited.forward().status == edited.back().status == 0
    assert is_in_go(edited)
    assert is_in_shop(edited)
