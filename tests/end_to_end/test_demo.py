"""The demo does what it promises, and fails if it does not."""

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
def demo():
    return play(
        TARGET_POWEROFFICEGO_DRY_RUN="true",
        TARGET_POWEROFFICEGO_SHOP_NAME="real",
        TARGET_CUSTOMWEBSHOP_DRY_RUN="true",
    )


def test_the_demo_ends_as_promised_whatever_settings_the_shell_has(demo):
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "All as promised" in demo.stdout
    assert "testshop:" in demo.stdout
    assert "real:" not in demo.stdout


def test_the_demo_shows_five_runs_and_what_waits_for_a_person(demo):
    printed = demo.stdout
    for title in ("First run", "Second run", "Third run", "Fourth run", "Fifth run"):
        assert title in printed
    assert printed.count("Calls to Go:") == 5
    assert printed.count(" 0 writes;") == 3
    assert printed.count(" 2 writes;") == 1
    assert printed.count("PATCH /v2/") == 2
    assert "products 2901" in printed
    assert "has no SKU" in printed


def test_the_demo_shows_what_came_back_to_the_shop_and_who_won(demo):
    printed = demo.stdout
    assert printed.count("PATCH /customers/") == 2
    assert printed.count("PATCH /products/") == 1
    assert printed.count("PATCH /orders/") == 1
    assert '"invoice": {"number"' in " ".join(printed.split())
    assert "edited last in" in printed


def test_the_demo_shows_no_log_of_meltano(demo):
    assert "[info" not in demo.stdout
    assert not demo.stderr


def test_the_demo_fits_into_80_columns(demo):
    assert max(len(line) for line in demo.stdout.splitlines()) <= 80
    assert "…  " not in demo.stdout


def test_the_readme_shows_the_end_of_the_demo(demo):
    """If it does not, run `uv run python tests/declarations.py --demo`."""
    readme = (declarations.PROJECT / "README.md").read_text(encoding="utf-8")
    assert readme == declarations.with_demo(demo.stdout)


def test_the_demo_shows_how_the_habits_of_real_shops_land(demo):
    printed = " ".join(demo.stdout.split())
    assert demo.returncode == 0, demo.stdout
    assert "25 %: 831.36 + 207.84" in printed
    assert "0 %: 399.00 + 0.00" in printed
    assert "Strand Rør AS" in printed


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
