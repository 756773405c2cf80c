"""Three shops in a real Dagster: one succeeds, one waits for a person, one's worker is killed."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from go_sandbox import Sandbox
from go_sandbox.seed.store import seed_store
from shop_folders import DEPLOY, PROGRAMS, WRITTEN, Shop, orders_astray

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux stops a round whose worker is killed"
)

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dagster-for-tests"
GO_KEYS = {"fjord": "office", "dal": "office", "vik": "another"}
"""The name of each shop's subscription key."""
ORDERS = 60
KILLED_AT = 10
"""The number of the order whose arrival in Go ends a worker."""
MAX_IN_FLIGHT = 20
"""More writes than a target ever has in flight."""

JOB = {"repositoryLocationName": "shops", "repositoryName": "__repository__"}
LOADED = "{repositoriesOrError {... on RepositoryConnection {nodes {name}}}}"
RUNS = """query($filter: RunsFilter) {runsOrError(filter: $filter) {... on Runs {results {
    runId status startTime endTime parentRunId
}}}}"""
SCHEDULES = """query($repository: RepositorySelector!) {
    schedulesOrError(repositorySelector: $repository) {... on Schedules {
        results {name cronSchedule scheduleState {status}}
}}}"""
DUE = """mutation($schedule: ScheduleSelector!, $at: Float) {
    scheduleDryRun(selectorData: $schedule, timestamp: $at) {... on DryRunInstigationTick {
        evaluationResult {runRequests {tags {key value}}}
}}}"""
LAUNCH = """mutation($params: ExecutionParams!) {launchRun(executionParams: $params) {
    ... on LaunchRunSuccess {run {runId}}
}}"""
FIGURES = """query($shop: String!) {
    assetNodeOrError(assetKey: {path: ["synced_shop"]}) {... on AssetNode {
        assetMaterializations(partitions: [$shop]) {
            runId metadataEntries {label ... on IntMetadataEntry {intValue}}
}}}}"""
CHECKS = """{assetCheckExecutions(
    assetKey: {path: ["synced_shop"]}, checkName: "nothing_waits_for_a_person", limit: 50
) {runId status evaluation {severity partition}}}"""


@pytest.fixture(scope="module")
def environment():
    """The folder where Dagster is installed, which is done once."""
    requirements = DEPLOY / "dagster" / "requirements.txt"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = CACHE / f"{hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]}-{version}"
    if not (folder / "complete").exists():
        CACHE.mkdir(parents=True, exist_ok=True)  # where no pyproject.toml constrains it
        uv, target = str(PROGRAMS / "uv"), str(folder)
        for command in (
            [uv, "venv", "--quiet", "--clear", "--python", sys.executable, target],
            [
                uv,
                "pip",
                "install",
                "--quiet",
                "--python",
                target,
                "--requirement",
                str(requirements),
            ],
        ):
            ended = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, check=False)
            if ended.returncode:
                pytest.skip(f"uv could not install Dagster: {ended.stderr.strip()[-200:]}")
        (folder / "complete").touch()
    return folder


@dataclass
class Dagster:
    """Dagster in a folder of its own: its daemon and its web server."""

    folder: Path
    url: str = field(init=False)
    process: subprocess.Popen = field(init=False)

    def start(self):
        """Start it, and wait until its web server has loaded the shops."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/graphql"
        with (self.folder / "dagster.log").open("a") as log:
            self.process = subprocess.Popen(
                [self.folder / "start", "--port", str(port)], stdout=log, stderr=log
            )
        self.wait_for(self._is_loaded)

    def _is_loaded(self):
        with contextlib.suppress(OSError):
            return self.ask(LOADED)["repositoriesOrError"]["nodes"]

    def wait_for(self, look, seconds=300):
        """Call `look` until it returns something, and return that."""
        deadline = time.monotonic() + seconds
        while not (result := look()):
            assert time.monotonic() < deadline, (self.folder / "dagster.log").read_text()[-5000:]
            threading.Event().wait(0.3)
        return result

    def ask(self, query, **variables):
        """Return the data of an answer of the web server."""
        content = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(self.url, content, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from None

    def runs(self, **conditions):
        """Return runs, the newest first."""
        return self.ask(RUNS, filter=conditions)["runsOrError"]["results"]

    def of_shop(self, shop):
        """Return the runs of a shop, the newest first."""
        return self.runs(tags=[{"key": "dagster/partition", "value": shop}])

    def launch(self, shop):
        """Start a round as the shop's schedule does, and return the run's id."""
        due = self.ask(DUE, schedule={**JOB, "scheduleName": shop}, at=time.time())
        (request,) = due["scheduleDryRun"]["evaluationResult"]["runRequests"]
        return self._launch("round", request["tags"])

    def _launch(self, job, tags, **of_ops):
        params = {
            "selector": {**JOB, "jobName": job},
            "executionMetadata": {"tags": tags},
            "runConfigData": {"ops": of_ops},
        }
        return self.ask(LAUNCH, params=params)["launchRun"]["run"]["runId"]

    def delete_old_runs(self):
        """Delete all runs that have ended, as the nightly job does with those some days old."""
        return self.ended(
            self._launch("deletion_of_old_runs", [], delete_old_runs={"config": {"days": 0}})
        )

    def files_of(self, run):
        """Return the files of a run: its log, and the output of its round."""
        return list(self.folder.glob(f"**/{run}*"))

    def ended(self, run):
        """Wait until a run has ended, and return it."""
        statuses = ["SUCCESS", "FAILURE", "CANCELED"]
        return self.wait_for(lambda: self.runs(runIds=[run], statuses=statuses))[0]

    def retry_of(self, run, shop):
        """Wait until a run is repeated, and return the id of the new run."""
        return self.wait_for(
            lambda: [row["runId"] for row in self.of_shop(shop) if row["parentRunId"] == run]
        )[0]

    def figures(self, run, shop):
        """Return the figures that a run recorded."""
        node = self.ask(FIGURES, shop=shop)["assetNodeOrError"]
        entries = of_run(run, node["assetMaterializations"])["metadataEntries"]
        return {entry["label"]: entry.get("intValue") for entry in entries}

    def check(self, run):
        """Return the status, the severity and the shop of a run's check."""
        execution = of_run(run, self.ask(CHECKS)["assetCheckExecutions"])
        evaluation = execution["evaluation"]
        return execution["status"], evaluation["severity"], evaluation["partition"]

    def kill_all(self):
        """Kill all its processes with SIGKILL, including those of the rounds."""
        while processes := self._processes():
            for process in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        self.process.wait(60)

    def _processes(self):
        """Return the processes that have its folder in their environment."""
        processes = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                variables = (process / "environ").read_bytes().split(b"\0")
                if f"DAGSTER_HOME={self.folder}".encode() in variables:
                    processes.append(int(process.name))
        return processes

    def stop(self):
        """Stop it, and wait until it has ended."""
        self.process.terminate()
        self.process.wait(60)


def of_run(run, rows):
    (row,) = [row for row in rows if row["runId"] == run]
    return row


@pytest.fixture(scope="module")
def boxes():
    """A sandbox for each shop; one shop has mistakes."""
    with contextlib.ExitStack() as stack:
        boxes = {name: stack.enter_context(Sandbox.start()) for name in GO_KEYS}
        for name, box in boxes.items():
            mistakes = name == "dal"
            seed_store(box.shop, customers=8, products=8, orders=ORDERS, with_mistakes=mistakes)
        yield boxes


@pytest.fixture(scope="module")
def dagster(environment, boxes, tmp_path_factory):
    """Dagster with the three shops; two share a key that only one may use at a time."""
    folder = tmp_path_factory.mktemp("home") / "dagster"
    shutil.copytree(DEPLOY / "dagster", folder)
    (folder / ".venv").symlink_to(environment)
    limits = (folder / "dagster.yaml").read_text("utf-8")
    assert limits.count("limit: 4") == 1
    (folder / "dagster.yaml").write_text(limits.replace("limit: 4", "limit: 1"), "utf-8")
    for name, box in boxes.items():
        Shop(folder / "shops" / name).write_configs(box)
    round_ = folder / "round"
    round_.write_text(f'#!/bin/sh\necho $PPID > "$1/worker"\nexec {DEPLOY}/sync-shop "$1"\n')
    round_.chmod(0o755)
    write_shops(folder)
    dagster = Dagster(folder)
    dagster.start()
    yield dagster
    dagster.stop()
    dagster.kill_all()


def write_shops(folder):
    shipped = yaml.safe_load((DEPLOY / "dagster" / "shops.yaml").read_text("utf-8"))
    shops = {
        name: {"go_key": key, "folder": str(folder / "shops" / name)}
        for name, key in GO_KEYS.items()
    }
    programs = {"command": str(folder / "round"), "programs": str(PROGRAMS)}
    retry = {"retries": 1, "retry_seconds": 1}
    content = yaml.safe_dump({**shipped, **programs, **retry, "shops": shops})
    (folder / "shops.yaml").write_text(content, "utf-8")


def doubles(box):
    """Return the references and codes that are in Go more than once."""
    members = {
        "Customers": "ExternalImportReference",
        "Products": "Code",
        "SalesOrders": "ExternalImportReference",
    }
    counts = Counter(
        (resource, entry[member])
        for resource, member in members.items()
        for entry in box.go.entries(resource)
    )
    return [(name, key) for (name, key), count in counts.items() if key and count > 1]


def missing(box, stream, bookmark="9999"):
    """Return the ids of the shop's records up to a stamp that are missing in Go."""
    resource, member, key = {
        "customers": ("Customers", "ExternalImportReference", "id"),
        "products": ("Products", "Code", "sku"),
        "orders": ("SalesOrders", "ExternalImportReference", "id"),
    }[stream]
    in_go = {(entry[member] or "").removeprefix("testshop:") for entry in box.go.entries(resource)}
    return [
        record["id"]
        for record in box.shop.records(stream)
        if record["updated_at"] <= bookmark
        and record.get("status", "completed") in WRITTEN
        and record[key] not in in_go
    ]


@dataclass
class Killed:
    """A worker that is killed during a round, and what was found when the round was repeated.

    Attributes:
        ahead: Records that are missing in Go although the state at the repetition covers them.
        bookmarks: The bookmarks of that state.
        written: How many writes went to Go after the kill and before the repetition.
    """

    box: Sandbox
    folder: Path
    ahead: list[str] = field(default_factory=list)
    bookmarks: dict[str, str] = field(default_factory=dict)
    written: int = 0

    def arrange(self):
        self.box.faults.on("go", "POST", "/SalesOrders", self._kill, skip=KILLED_AT)

    def _kill(self, _):
        os.kill(int((self.folder / "worker").read_text()), signal.SIGKILL)
        self.written = -len(self.box.requests.writes())
        self.box.faults.on("shop", "GET", "/customers", self._look)

    def _look(self, _):
        self.written += len(self.box.requests.writes())
        state = json.loads((self.folder / "state.json").read_text("utf-8"))
        for stream, bookmark in state["bookmarks"].items():
            if "replication_key_value" in bookmark:
                self.bookmarks[stream] = bookmark["replication_key_value"]
                self.ahead += missing(self.box, stream, bookmark["replication_key_value"])


@dataclass
class Rounds:
    """The runs of the first round of each shop, started together, and of one that fails."""

    killed: Killed
    of_killed: list[dict]
    waiting: dict
    well: dict
    failed: dict
    tries: int


@pytest.fixture(scope="module")
def rounds(dagster, boxes):
    killed = Killed(boxes["fjord"], dagster.folder / "shops" / "fjord")
    killed.arrange()
    fjord, dal, vik = (dagster.launch(name) for name in GO_KEYS)
    well = dagster.ended(vik)
    refusals = boxes["vik"].faults.add(system="shop", method="GET", status=403, times=None)
    failed = dagster.ended(dagster.launch("vik"))
    boxes["vik"].faults.clear()
    again = dagster.retry_of(fjord, "fjord")
    return Rounds(
        killed,
        of_killed=[dagster.ended(fjord), dagster.ended(again)],
        waiting=dagster.ended(dal),
        well=well,
        failed=failed,
        tries=refusals.struck,
    )


def test_each_shop_has_a_schedule_that_is_on_at_a_minute_of_its_own(dagster):
    schedules = dagster.ask(SCHEDULES, repository=JOB)["schedulesOrError"]["results"]
    of_shops = {schedule["name"]: schedule for schedule in schedules if schedule["name"] in GO_KEYS}
    assert of_shops.keys() == GO_KEYS.keys()
    assert {schedule["scheduleState"]["status"] for schedule in schedules} == {"RUNNING"}
    crons = {name: schedule["cronSchedule"] for name, schedule in of_shops.items()}
    assert crons == {"fjord": "55 * * * *", "dal": "19 * * * *", "vik": "2 * * * *"}


def test_a_round_warns_only_if_something_waits_for_a_person(dagster, rounds):
    assert (rounds.waiting["status"], rounds.well["status"]) == ("SUCCESS", "SUCCESS")
    assert dagster.check(rounds.waiting["runId"]) == ("FAILED", "WARN", "dal")
    assert dagster.check(rounds.well["runId"]) == ("SUCCEEDED", "WARN", "vik")


def test_the_figures_of_both_ways_are_correct(dagster, rounds, boxes):
    of_well = dagster.figures(rounds.well["runId"], "vik")
    of_waiting = dagster.figures(rounds.waiting["runId"], "dal")

    writes = [request for request in boxes["vik"].requests.writes() if request.system == "go"]
    assert of_well["target-powerofficego calls writes"] == len(writes)
    orders = boxes["vik"].go.entries("SalesOrders")
    assert of_well["target-powerofficego records orders created"] == len(orders) > 0
    assert of_well["target-powerofficego unacknowledged hold"] == 0
    assert of_well["target-customwebshop calls writes"] == 0
    assert of_waiting["target-powerofficego unacknowledged reject"] > 0


def test_shops_that_share_a_key_with_a_limit_of_one_do_not_run_at_the_same_time(rounds):
    of_key = [*rounds.of_killed, rounds.waiting]
    first, *others = sorted(of_key, key=lambda run: run["startTime"])
    for other in others:
        assert other["startTime"] >= first["endTime"]
        first = other


def test_a_killed_worker_ends_its_pipe_and_another_worker_continues(rounds, boxes):
    assert [run["status"] for run in rounds.of_killed] == ["FAILURE", "SUCCESS"]
    assert rounds.killed.bookmarks.keys() >= {"customers", "products"}
    assert rounds.killed.ahead == []
    assert rounds.killed.written < MAX_IN_FLIGHT < ORDERS - KILLED_AT
    for stream in ("customers", "products"):
        assert missing(boxes["fjord"], stream) == []
    assert orders_astray(boxes["fjord"]) == doubles(boxes["fjord"]) == []


def test_a_failed_round_is_repeated_before_the_run_fails(rounds):
    assert (rounds.failed["status"], rounds.tries) == ("FAILURE", 2)


def test_a_restart_after_a_kill_cancels_the_run_and_the_next_one_succeeds(dagster, rounds, boxes):
    box = boxes["vik"]
    edited = box.shop.records("customers")[0]
    box.shop.edit("customers", edited["id"], {"phone": "+47 930 00 930"})
    has_arrived, is_killed = threading.Event(), threading.Event()

    def hold(_):
        has_arrived.set()
        is_killed.wait(60)

    box.faults.on("go", "PATCH", "/Customers", hold)
    run = dagster.launch("vik")
    assert has_arrived.wait(90)
    dagster.kill_all()
    is_killed.set()
    dagster.start()
    next_run = dagster.launch("vik")

    assert dagster.ended(run)["status"] == "CANCELED"
    assert dagster.ended(next_run)["status"] == "SUCCESS"
    in_go = [
        entry["PhoneNumber"]
        for entry in box.go.entries("Customers")
        if entry["ExternalImportReference"] == f"testshop:{edited['id']}"
    ]
    assert in_go == ["+47 930 00 930"]
    assert doubles(box) == []


def test_nothing_is_kept_of_old_runs(dagster, rounds):
    old = rounds.waiting["runId"]
    assert dagster.runs(runIds=[old])
    assert dagster.files_of(old)

    assert dagster.delete_old_runs()["status"] == "SUCCESS"

    assert dagster.runs(runIds=[old]) == []
    assert dagster.files_of(old) == []
