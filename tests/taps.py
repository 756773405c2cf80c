"""What the tests of both taps share: what a run emitted, and a tap that runs as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import commands

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Emitted:
    """What a run printed and said."""

    messages: list[dict[str, Any]]
    log: str

    def records(self, stream: str | None = None) -> list[dict[str, Any]]:
        return [m["record"] for m in self.record_messages(stream)]

    def record_messages(self, stream: str | None = None) -> list[dict[str, Any]]:
        found = [m for m in self.messages if m["type"] == "RECORD"]
        return [m for m in found if stream in (None, m["stream"])]

    def states(self) -> list[dict[str, Any]]:
        return [m["value"] for m in self.messages if m["type"] == "STATE"]

    def bookmarks(self, stream: str) -> list[Any]:
        return [state["bookmarks"].get(stream, {}) for state in self.states()]


def run(
    name: str,
    *arguments: object,
    config: dict[str, Any] | None = None,
    folder: Path | None = None,
) -> commands.Ended:
    """Run a tap to its end, with these settings in a file of the folder if there are any."""
    if config is None or folder is None:
        return commands.run(name, *arguments)
    file = folder / "config.json"
    file.write_text(json.dumps(config), encoding="utf-8")
    return commands.run(name, *arguments, "--config", file)


def assert_one_error(ended: commands.Ended, told: str, *, secret: str = "hemmelig") -> None:
    """See that a tap failed with this as its only error, its last line, and gave no secret away."""
    (error,) = [line for line in ended.stderr.splitlines() if "ERROR" in line]
    assert told in error
    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (1, error)
    assert [one for one in ("Traceback", secret) if one in ended.stderr] == []


def start(
    package: str, config: dict[str, Any], folder: Path, *arguments: object
) -> subprocess.Popen[bytes]:
    """Start a tap as a process whose output nobody reads yet."""
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    # Unbuffered, the last record could be seen before the tap has counted it as emitted.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.Popen(
        [sys.executable, "-m", package, "--config", folder / "config.json", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=env,
    )
