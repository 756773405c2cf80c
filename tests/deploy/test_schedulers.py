"""deploy/crontab and deploy/systemd: their commands run a round, and each tool accepts its file."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess

import pytest
from shop_folders import DEPLOY, LONGEST_SECONDS, PROGRAMS, orders_astray

UNITS = sorted((DEPLOY / "systemd").iterdir())
INSTALLED = "/opt/powerofficego-sync/bin"
by_cron = pytest.mark.skipif(shutil.which("flock") is None, reason="flock is not installed")


def run(line, folder, **variables):
    """Run a line as a scheduler would: with only its own variables."""
    path = variables.pop("PATH").replace(INSTALLED, f"{DEPLOY}:{PROGRAMS}")
    return subprocess.run(
        ["/bin/sh", "-c", line],
        cwd=folder,
        env={"PATH": path, "HOME": str(folder), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST_SECONDS,
    )


def crontab():
    """Return the variables of the crontab, and its only line without the schedule."""
    lines = (DEPLOY / "crontab").read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if line and not line.startswith("#")]
    variables = dict(line.split("=") for line in lines if re.match(r"\w+=", line))
    (entry,) = [line for line in lines if not re.match(r"\w+=", line)]
    *schedule, line = entry.split(maxsplit=5)
    assert len(schedule) == 5
    return variables, line


@pytest.fixture
def shops(shop, tmp_path):
    """A home folder with a shop in its folder `shops`."""
    shop.folder.rename((tmp_path / "shops").mkdir() or tmp_path / "shops" / "myshop")
    return tmp_path


@by_cron
def test_the_line_of_the_crontab_runs_a_round_of_all_shops_and_prints_nothing_on_success(
    box, shops
):
    variables, line = crontab()
    done = run(line, shops, **variables)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert orders_astray(box) == []


@by_cron
def test_the_line_of_the_crontab_reports_a_shop_that_failed(box, shops):
    box.faults.add(system="shop", method="GET", status=403, times=None)
    variables, line = crontab()
    done = run(line, shops, **variables)
    assert done.returncode == 123
    assert f"{shops}/shops/myshop failed: exit status 1" in done.stderr


@by_cron
def test_the_line_of_the_crontab_starts_no_round_during_another(box, shops):
    variables, line = crontab()
    with subprocess.Popen(["flock", shops / "shops", "cat"], stdin=subprocess.PIPE) as other:
        assert subprocess.run(["flock", "-n", shops / "shops", "true"], check=False).returncode
        done = run(line, shops, **variables)
        assert other.stdin
        other.stdin.close()
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert box.requests.all() == []


def unit(name):
    """Return the sections of a unit; the last of several lines with the same name counts."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(DEPLOY / "systemd" / name)
    return parser


def test_the_command_of_the_service_runs_a_round_of_its_shop(box, shops):
    service = unit("powerofficego-sync@.service")["Service"]
    _, _, path = service["Environment"].partition("=")
    line = service["ExecStart"].replace("/srv/shops", f"{shops}/shops").replace("%i", "myshop")
    assert line.startswith(INSTALLED)

    done = run(line.replace(INSTALLED, str(DEPLOY)), shops, PATH=path)

    assert done.returncode == 0, done.stderr
    assert orders_astray(box) == []
    assert service["SuccessExitStatus"] == "3"
    assert service["ReadWritePaths"] == "/srv/shops/%i"


def test_a_failed_round_starts_a_unit_that_exists():
    hook = unit("powerofficego-sync@.service")["Unit"]["OnFailure"]
    assert (DEPLOY / "systemd" / hook.replace("%i", "")).is_file()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_units_and_rates_the_service_as_confined(tmp_path):
    for path in UNITS:
        text = path.read_text(encoding="utf-8").replace(INSTALLED, str(DEPLOY))
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    names = [str(tmp_path / path.name.replace("@", "@myshop")) for path in UNITS]
    for path, name in zip(UNITS, names, strict=True):
        shutil.copy(tmp_path / path.name, name)

    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *names],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    confined = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", names[-2]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert confined.returncode == 0, confined.stdout[-300:]
