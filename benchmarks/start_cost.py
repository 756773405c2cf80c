"""Compares the cost of starting a command with that of `import singer_sdk` alone.

`python benchmarks/start_cost.py [--rounds 7]`

The figures are seconds of work of entire processes, user and system. All run in turn, and the
lowest of all rounds counts, because other work of the machine can only slow a process. Each runs
once before that, uncounted, so that Python has compiled what it loads. Goals: no more than that
import for a command of a plugin, which loads it without garbage collection, and a third for the
help of `powerofficego-links`, which needs no SDK. Exit status 1: a goal is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from measuring import work_of

PLUGINS = ("tap-customwebshop", "target-powerofficego", "tap-powerofficego", "target-customwebshop")
GOAL = 1.0
SDK = "import singer_sdk"
OPTIONS = ("--version", "--help", "--about")
COMMANDS = {f"{name} {option}": GOAL for name in PLUGINS for option in OPTIONS}
COMMANDS["powerofficego-links --help"] = GOAL / 3


def least_work(rounds: int) -> dict[str, float]:
    """Return the least seconds of work of the SDK's import and of each command."""
    compiled = {**os.environ}
    compiled.pop("PYTHONDONTWRITEBYTECODE", None)
    lines = {SDK: [sys.executable, "-c", SDK]}
    for line in COMMANDS:
        name, option = line.split()
        lines[line] = [str(Path(sys.executable).with_name(name)), option]
    for command in lines.values():
        work_of(command, env=compiled)
    measured = [
        {line: work_of(command, env=compiled) for line, command in lines.items()}
        for _ in range(rounds)
    ]
    return {line: min(seconds[line] for seconds in measured) for line in lines}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    work = least_work(parser.parse_args().rounds)
    print(f"{SDK:<32}{work[SDK]:6.2f} s of work")
    missed = False
    for line, goal in COMMANDS.items():
        ratio = work[line] / work[SDK]
        missed = missed or ratio > goal
        verdict = "missed" if ratio > goal else "met"
        print(
            f"{line:<32}{work[line]:6.2f} s of work, {ratio:.2f} times; goal {goal:.2f} {verdict}"
        )
    sys.exit(missed)


if __name__ == "__main__":
    main()
