"""The tap and the target as a plain pipe of console scripts, as the README shows it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from go_sandbox.seed.store import seed_store

SCRIPTS = Path(sys.executable).parent
_READ = (
    "environment",
    "api_url",
    "token_url",
    "application_key",
    "client_key",
    "subscription_key",
    "requests_per_second",
)
"""Settings of target-powerofficego that tap-powerofficego has too."""


@pytest.fixture
def write_configs(box, tmp_path):
    """Writes all configs, that of the target with these settings added."""

    def write(**settings):
        go = box.target_config(
            link_store=str(tmp_path / "links.db"),
            requests_per_second=100,
            sales_accounts={"25": 3000, "15": 3001, "0": 3100},
            **settings,
        )
        shop = box.tap_config()
        configs = {
            "shop": shop,
            "go": go,
            "go-read": {name: go[name] for name in _READ if name in go},
            "shop-write": {name: shop[name] for name in ("api_url", "auth_token")}
            | {name: go[name] for name in ("shop_name", "link_store")},
        }
        for name, config in configs.items():
            (tmp_path / f"{name}.json").write_text(json.dumps(config), encoding="utf-8")

    return write


@pytest.fixture
def run_lines(box, tmp_path, request):
    """Runs the README's lines of a direction; returns the exit status and the next run's state."""
    readme = (request.config.rootpath / "README.md").read_text(encoding="utf-8")

    def run(kept):
        blocks = [block.partition("```")[0] for block in readme.split("```sh\n")]
        (lines,) = [block for block in blocks if f"test -s {kept} " in block]
        box.requests.clear()
        ended = subprocess.run(
            ["bash", "-c", lines],
            cwd=tmp_path,
            env={**os.environ, "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"},
            check=False,
        )
        states = (tmp_path / f"{kept}l").read_text(encoding="utf-8").splitlines()
        before = (tmp_path / kept).read_text(encoding="utf-8").strip()
        return ended.returncode, states[-1] if states else before

    return run


@pytest.fixture
def pipe(box, tmp_path, write_configs):
    """Runs `tap | target` in a shell; returns the exit status, the states and the writes."""
    write_configs()

    def run(*, state=None):
        box.requests.clear()
        given = ""
        if state is not None:
            (tmp_path / "state.json").write_text(json.dumps(state), encoding="utf-8")
            given = "--state state.json"
        tap = f"{SCRIPTS}/tap-customwebshop --config shop.json {given}"
        target = f"{SCRIPTS}/target-powerofficego --config go.json"
        ended = subprocess.run(
            ["bash", "-o", "pipefail", "-c", f"{tap} | {target}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        states = [json.loads(line) for line in ended.stdout.splitlines()]
        return ended.returncode, states, box.requests.writes()

    return run


def test_a_shop_lands_completely_and_then_only_what_changed_is_read(pipe, box):
    seed_store(box.shop, habits=False)

    status, states, _ = pipe()
    assert status == 0
    linked = {entry["ExternalImportReference"] for entry in box.go.entries("SalesOrders")}
    assert len(linked) == 111
    totals = {record["id"]: record["total_incl"] for record in box.shop.records("orders")}
    for entry in box.go.entries("SalesOrders"):
        shop_id = entry["ExternalImportReference"].removeprefix("testshop:")
        assert f"{entry['TotalAmount']:.2f}" == totals[shop_id]

    status, again, writes = pipe(state=states[-1])
    assert (status, writes) == (0, [])
    assert again[-1] == states[-1]
    asked = [
        request.query.get("updated_since")
        for request in box.requests.all()
        if request.system == "shop"
    ]
    assert None not in asked

    edited = next(record for record in box.shop.records("customers") if record["phone"])
    box.shop.edit("customers", edited["id"], {"phone": "+47 930 00 930"})
    status, _, writes = pipe(state=again[-1])
    assert status == 0
    assert [(request.method, len(request.json())) for request in writes] == [("PATCH", 2)]

    status, _, writes = pipe()
    assert (status, writes) == (0, [])


def test_the_lines_of_the_readme_can_be_repeated_and_a_run_without_a_state_loses_none(
    box, write_configs, run_lines
):
    seed_store(box.shop, customers=2, products=2, orders=2)
    write_configs()

    status, state = run_lines("state.json")
    assert status == 0
    assert len(box.go.entries("SalesOrders")) == 2
    write_configs(dry_run=True)
    assert run_lines("state.json") == (0, state)
    write_configs()
    assert run_lines("state.json") == (0, state)
    asked = [
        request.query.get("updated_since")
        for request in box.requests.all()
        if request.system == "shop"
    ]
    assert None not in asked


def test_the_lines_of_the_readme_for_the_way_back_read_only_what_changed_since(
    pipe, box, run_lines
):
    seed_store(box.shop, customers=2, products=2, orders=2)
    pipe()
    run_lines("back.json")
    edited = next(
        entry for entry in box.go.entries("Customers") if entry["ExternalImportReference"]
    )
    box.go.edit("Customers", edited["Id"], {"PhoneNumber": "+4793000930"})

    status, state = run_lines("back.json")
    assert status == 0

    shop_id = edited["ExternalImportReference"].removeprefix("testshop:")
    assert box.shop.record("customers", shop_id)["phone"] == "+4793000930"
    asked = [
        request.query for request in box.requests.reads("go") if request.path.endswith("/Customers")
    ]
    assert asked
    assert all("lastChangedDateTimeOffsetGreaterThan" in query for query in asked)
    assert json.loads(state)["bookmarks"]["customers"]


@pytest.mark.parametrize("kept", ["state.json", "back.json"])
def test_the_lines_of_the_readme_fail_when_the_tap_does(pipe, box, run_lines, kept):
    seed_store(box.shop, customers=2, products=2, orders=2)
    pipe()
    system = "shop" if kept == "state.json" else "go"
    box.faults.add(system=system, method="GET", status=403, times=None)

    status, _ = run_lines(kept)

    assert status == 1


@pytest.mark.parametrize(
    ("tap", "target"),
    [
        ("tap-powerofficego --config go-read.json", "target-powerofficego --config go.json"),
        ("tap-customwebshop --config shop.json", "target-customwebshop --config shop-write.json"),
    ],
)
def test_a_target_fed_by_the_tap_of_the_other_direction_reports_it_and_writes_nothing(
    pipe, box, tmp_path, tap, target
):
    seed_store(box.shop, customers=2, products=2, orders=2)
    pipe()
    box.requests.clear()

    ended = subprocess.run(
        ["bash", "-c", f"{SCRIPTS}/{tap} 2> tap.log | {SCRIPTS}/{target}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    (error,) = [line for line in ended.stderr.splitlines() if "ERROR" in line]
    assert ended.returncode == 1
    assert 'the stream "customers" comes from the wrong tap' in error
    assert (box.requests.writes(), ended.stdout) == ([], "")


def test_a_mistake_in_the_shop_ends_with_3_until_it_is_corrected_there(pipe, box):
    seed_store(box.shop, customers=5, products=5, orders=5)
    product = box.shop.records("products")[0]
    box.shop.edit("products", product["id"], {"sku": None})

    status, states, _ = pipe()
    assert status == 3

    box.shop.edit("products", product["id"], {"sku": product["sku"]})
    status, _, _ = pipe(state=states[-1])
    assert status == 0
    assert product["sku"] in {entry["Code"] for entry in box.go.entries("Products")}
