"""Measures a round in which nothing changed: its calls, and the work of all its processes.

`python benchmarks/idle_round.py [--rounds 5]`

The sandbox's shop is synced to Go once, two hours ago by Go's clock, and quiet since. Then, in
turn: `import singer_sdk` once, both ways as plain pipes, `meltano run sync`, and the same with
plugins that do nothing, which is Meltano's own share. Seconds of work are those of entire
processes, user and system; the lowest of all rounds counts, because other work of the machine can
only slow a process. Meltano installs the plugins first, which takes a minute.

Goals: at most 8 calls to Go; the pipes at most 6 times the work of the import, which each of their
four processes does; `meltano run sync` at most Meltano's own share plus that. Exit status 1: a goal
is missed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import yaml
from go_sandbox import Sandbox
from go_sandbox.demo.meltano import Meltano, project_folder
from go_sandbox.seed.store import seed_store
from measuring import work_at_end, work_of

QUIET_SECONDS = 7200
CALLS = 8
TIMES = 6.0
SDK, PIPES, MELTANO, SHARE = (
    "import singer_sdk",
    "plain pipes, both ways",
    "meltano run sync",
    "Meltano's own share",
)
ACCOUNTS = {"25": 3000, "15": 3001, "0": 3100}
WAYS = (
    ("tap-customwebshop", "target-powerofficego"),
    ("tap-powerofficego", "target-customwebshop"),
)
READ = ("environment", "api_url", "token_url", "application_key", "client_key", "subscription_key")
STREAMS = ("customers", "products", "salesorders", "outgoing_invoices")
LINES = ("SalesOrderLines", "Lines")

NOTHING = """\
#!/bin/sh
case "$*" in
*--discover*) cat "$0.catalog";;
*--catalog*) echo '{"type": "STATE", "value": {"bookmarks": {"nothing": {}}}}';;
*) cat;;
esac
"""
"""A plugin that does nothing: as a tap it has the real one's catalog, as a target it echoes."""

_EXCLUDED = "PYTHONDONTWRITEBYTECODE"


def environment() -> dict[str, str]:
    """Return the environment in which commands start as they do for a user: compiled."""
    return {name: value for name, value in os.environ.items() if name != _EXCLUDED}


class Pipes:
    """Both ways as plain pipes, as the README shows them."""

    def __init__(self, box: Sandbox, folder: Path) -> None:
        self._folder = folder
        go = box.target_config(link_store=str(folder / "links.db"), sales_accounts=ACCOUNTS)
        shop = box.tap_config()
        shared = {name: go[name] for name in ("shop_name", "link_store")}
        self._write("tap-customwebshop", shop)
        self._write("target-powerofficego", go)
        self._write("tap-powerofficego", {name: go[name] for name in READ})
        self._write(
            "target-customwebshop",
            {**shared, **{name: shop[name] for name in ("api_url", "auth_token")}},
        )
        self._write_catalog()

    def work(self) -> dict[str, float]:
        """Run both ways; return the seconds of work of each of the four processes."""
        return self._work_of_pipe(*WAYS[0]) | self._work_of_pipe(*WAYS[1])

    def _work_of_pipe(self, tap: str, target: str) -> dict[str, float]:
        state, states, log = (self._folder / f"{tap}.{part}" for part in ("state", "out", "log"))
        read = self._command(tap)
        if state.exists():
            read += ["--state", state]
        if tap == "tap-powerofficego":
            read += ["--catalog", self._folder / "catalog.json"]
        env = environment()
        with states.open("w") as output, log.open("w") as errors:
            reading = subprocess.Popen(read, stdout=subprocess.PIPE, stderr=errors, env=env)
            writing = subprocess.Popen(
                self._command(target), stdin=reading.stdout, stdout=output, stderr=errors, env=env
            )
            assert reading.stdout
            reading.stdout.close()
            work = {target: work_at_end(writing, log), tap: work_at_end(reading, log)}
        state.write_text(states.read_text().splitlines()[-1])
        return work

    def _command(self, name: str) -> list[str | Path]:
        return [Path(sys.executable).with_name(name), "--config", self._folder / f"{name}.json"]

    def _write(self, name: str, content: object) -> None:
        (self._folder / f"{name}.json").write_text(json.dumps(content))

    def _write_catalog(self) -> None:
        """Select what meltano.yml selects for the way back."""
        catalog = json.loads(self.catalog_of("tap-powerofficego"))
        for stream in catalog["streams"]:
            for entry in stream["metadata"]:
                if not entry["breadcrumb"]:
                    entry["metadata"]["selected"] = stream["tap_stream_id"] in STREAMS
                elif entry["breadcrumb"][-1] in LINES:
                    entry["metadata"]["selected"] = False
        self._write("catalog", catalog)

    def catalog_of(self, tap: str) -> str:
        """Return the catalog of a tap, as JSON."""
        command = [*self._command(tap), "--discover"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def sync(project: Meltano, folder: Path) -> float:
    """Run the job `sync` with Meltano; return the seconds of work of all its processes."""
    log = folder / "log"
    running = project.start("run", "sync", PYTHONDONTWRITEBYTECODE="")
    assert running.stdout
    log.write_text(running.stdout.read())
    return work_at_end(running, log)


def idle_project(box: Sandbox, folder: Path, pipes: Pipes) -> Meltano:
    """Return this project with plugins that do nothing.

    The plugins keep their settings, because Meltano spends most of its time on these.
    """
    original = project_folder()
    project = yaml.safe_load((original / "meltano.yml").read_text())
    for plugin in itertools.chain.from_iterable(project["plugins"].values()):
        del plugin["pip_url"]
        program = folder / plugin["name"]
        program.write_text(NOTHING)
        program.chmod(0o755)
        if plugin["name"].startswith("tap-"):
            Path(f"{program}.catalog").write_text(pipes.catalog_of(plugin["name"]))
    (folder / "meltano.yml").write_text(yaml.safe_dump(project, sort_keys=False))
    shutil.copytree(original / "plugins", folder / "plugins")
    for file in folder.glob("plugins/*/*.lock"):
        plugin = json.loads(file.read_text())
        del plugin["pip_url"]
        file.write_text(json.dumps({**plugin, "executable": f"./{plugin['name']}"}))
    return Meltano(folder, box, folder)


def measure(rounds: int) -> tuple[dict[str, float], Counter[str]]:
    """Return the least seconds of work of each process, and the calls of a round by system."""
    with tempfile.TemporaryDirectory() as name, Sandbox.start() as box:
        folders = [Path(name) / part for part in ("pipes", "ours", "nothing")]
        for folder in folders:
            folder.mkdir()
        pipes, ours, nothing = folders
        seed_store(box.shop, customers=10, products=10, orders=10, habits=False)
        box.go.switches.clock_skew_seconds = -QUIET_SECONDS
        both_ways = Pipes(box, pipes)
        project = Meltano(project_folder(), box, ours)
        project.install()
        without_plugins = idle_project(box, nothing, both_ways)
        env = environment()

        def turn() -> dict[str, float]:
            return {
                SDK: work_of([sys.executable, "-c", SDK], env=env),
                **both_ways.work(),
                MELTANO: sync(project, ours),
                SHARE: sync(without_plugins, nothing),
            }

        for _ in range(2):  # everything is synced, and Python has compiled what it loads
            turn()
            box.go.switches.clock_skew_seconds = 0
        box.requests.clear()
        both_ways.work()
        calls = Counter(
            "tokens" if request.path.endswith("/Token") else request.system
            for request in box.requests.all()
        )
        turns = [turn() for _ in range(rounds)]
        return {name: min(seconds[name] for seconds in turns) for name in turns[0]}, calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    least, calls = measure(parser.parse_args().rounds)
    to_go = calls["go"] + calls["tokens"]
    pipes = sum(least[name] for way in WAYS for name in way)
    lines = (
        (f"calls to Go, {calls['tokens']} of them for tokens", to_go, CALLS, ""),
        (PIPES, pipes / least[SDK], TIMES, f"times `{SDK}`"),
        (MELTANO, least[MELTANO], least[SHARE] + TIMES * least[SDK], "s of work"),
    )
    for name, seconds in least.items():
        print(f"{name:<36}{seconds:6.2f} s of work")
    print(f"{'calls to the shop':<36}{calls['shop']:6}")
    for name, value, goal, unit in lines:
        verdict = "missed" if value > goal else "met"
        print(f"{name:<36}{value:6.4g} {unit}; goal {goal:.4g}: {verdict}")
    sys.exit(any(value > goal for _, value, goal, _ in lines))


if __name__ == "__main__":
    main()
