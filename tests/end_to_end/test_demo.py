"""The demo keeps its promises, and says so when one is broken."""

import os
import subprocess
import sys
from pathlib import Path

import declarations
import pytest
from go_sandbox import Sandbox
from go_sandbox.demo.meltano import Meltano, how_to_play, project_folder
from go_sandbox.seed.store import seed_store

DEMO = Path(sys.executable).with_name("demo")


def play(*arguments, **variables):
    return subprocess.run(
        [DEMO, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "80", **variables},
    )


@pytest.fixture(scope="module")
def whole_demo():
    return play(
        TARGET_POWEROFFICEGO_DRY_RUN="true",
        TARGET_POWEROFFICEGO_SHOP_NAME="real",
        TARGET_CUSTOMWEBSHOP_DRY_RUN="true",
    )


def test_the_demo_ends_as_promised_whatever_settings_the_shell_has(whole_demo):
    assert whole_demo.returncode == 0, whole_demo.stdout + whole_demo.stderr
    assert "All as promised" in whole_demo.stdout
    assert "testshop:" in whole_demo.stdout
    assert "real:" not in whole_demo.stdout


def test_the_demo_shows_five_runs_and_what_waits_for_a_person(whole_demo):
    told = whole_demo.stdout
    for title in ("First run", "Second run", "Third run", "Fourth run", "Fifth run"):
        assert title in told
    assert told.count("Calls to Go:") == 5
    assert told.count(" 0 writes;") == 3
    assert told.count(" 2 writes;") == 1
    assert told.count("PATCH /v2/") == 2
    assert "products 2901" in told
    assert "has no SKU" in told


def test_the_demo_shows_what_came_back_to_the_shop_and_who_won(whole_demo):
    told = whole_demo.stdout
    assert told.count("PATCH /customers/") == 2
    assert told.count("PATCH /products/") == 1
    assert told.count("PATCH /orders/") == 1
    assert '"invoice": {"number"' in " ".join(told.split())
    assert "edited last in" in told


def test_the_demo_shows_nothing_of_meltanos_log(whole_demo):
    assert "[info" not in whole_demo.stdout
    assert not whole_demo.stderr


def test_the_demo_fits_into_80_columns(whole_demo):
    assert max(len(line) for line in whole_demo.stdout.splitlines()) <= 80
    assert "…  " not in whole_demo.stdout


def test_the_readme_shows_the_end_of_the_demo(whole_demo):
    """If not, `uv run python tests/declarations.py --demo` writes it."""
    readme = (declarations.PROJECT / "README.md").read_text(encoding="utf-8")
    assert readme == declarations.with_demo(whole_demo.stdout)


def test_the_demo_shows_how_the_habits_of_real_shops_land(whole_demo):
    ended = whole_demo
    told = " ".join(ended.stdout.split())
    assert ended.returncode == 0, ended.stdout
    assert "25 %: 831.36 + 207.84" in told
    assert "0 %: 399.00 + 0.00" in told
    assert "Strand Rør AS" in told


def test_both_ways_run_by_hand_with_the_variables_that_keep_prints(tmp_path):
    with Sandbox.start() as box:
        seed_store(box.shop, customers=2, products=2, orders=2)
        lines = how_to_play(box, Meltano(project_folder(), box, tmp_path))
        exports = [line for line in lines if line.startswith("export ")]

        def run(tap, target):
            pipe = f"{DEMO.parent}/{tap} --config ENV | {DEMO.parent}/{target} --config ENV"
            ended = subprocess.run(
                ["bash", "-c", "\n".join([*exports, pipe])],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            )
            assert ended.returncode == 0, ended.stderr

        run("tap-customwebshop", "target-powerofficego")
        edited = next(
            entry for entry in box.go.entries("Customers") if entry["ExternalImportReference"]
        )
        box.go.edit("Customers", edited["Id"], {"PhoneNumber": "+4793000930"})
        run("tap-powerofficego", "target-customwebshop")

        shop_id = edited["ExternalImportReference"].partition(":")[2]
        assert (box.shop.record("customers", shop_id) or {})["phone"] == "+4793000930"
    assert any("Go's stamps are up to ten minutes ahead" in line for line in lines)


def test_a_broken_promise_makes_the_demo_fail():
    ended = play("--customers", "2", "--products", "2", "--orders", "0")
    assert ended.returncode == 1
    assert "Not as promised" in ended.stdout
    assert "The first run created no orders." in ended.stdout
