"""Shared by the tests of both taps: what a run emitted, and a tap as a process."""

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
    """The messages and the log of a run."""

    messages: list[dict[str, Any]]
    log: str

    def records(self, stream: str | None = None) -> list[dict[str, Any]]:
        return [message["record"] for message in self.record_messages(stream)]

    def record_messages(self, stream: str | None = None) -> list[dict[str, Any]]:
        return [
            message
            for message in self.messages
            if message["type"] == "RECORD" and stream in (None, message["stream"])
        ]

    def states(self) -> list[dict[str, Any]]:
        return [message["value"] for message in self.messages if message["type"] == "STATE"]

    def bookmarks(self, stream: str) -> list[Any]:
        return [state["bookmarks"].get(stream, {}) for state in self.states()]


def run(
    name: str,
    *arguments: object,
    config: dict[str, Any] | None = None,
    folder: Path | None = None,
) -> commands.Ended:
    """Run a tap to its end, with the config, if any, in a file of the folder."""
    if config is None or folder is None:
        return commands.run(name, *arguments)
    file = folder / "config.json"
    file.write_text(json.dumps(config), encoding="utf-8")
    return commands.run(name, *arguments, "--config", file)


def assert_one_error(ended: commands.Ended, message: str, *, secret: str = "hemmelig") -> None:
    """Assert that the only error is the last line and has this text, and that no secret shows."""
    (error,) = [line for line in ended.stderr.splitlines() if "ERROR" in line]
    assert message in error
    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (1, error)
    assert [text for text in ("Traceback", secret) if text in ended.stderr] == []


def start(
    package: str, config: dict[str, Any], folder: Path, *arguments: object
) -> subprocess.Popen[bytes]:
    """Start a tap as a process; the caller reads its output."""
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    # Unbuffered, a test could see the last record before the tap has counted it as emitted.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.Popen(
        [sys.executable, "-m", package, "--config", folder / "config.json", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=env,
    )
