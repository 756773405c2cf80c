"""Starts processes and measures each: its seconds of work and its peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_MEASURE = """
import resource, subprocess, sys

status = subprocess.call(sys.argv[2:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], "w") as report:
    report.write(f"{used.ru_utime + used.ru_stime:.1f} s of work, {used.ru_maxrss // 1024} MB")
sys.exit(status)
"""


def start_measured(command: list[Any], report: Path, **streams: Any) -> subprocess.Popen[bytes]:
    """Start a process whose seconds of work and memory are written to a file at its end.

    A small process starts it, because a process's memory includes that of the one that started it.
    """
    return subprocess.Popen([sys.executable, "-c", _MEASURE, report, *command], **streams)


def work_of(command: list[Any], **options: Any) -> float:
    """Run a command without its output; return its seconds of work, user and system."""
    return work_at_end(
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    )


def work_at_end(process: subprocess.Popen[Any], log: Path | None = None) -> float:
    """Wait for a process; return the seconds of work of it and of the processes it waited for.

    If it failed, this program ends with the end of its log.
    """
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        end_of_log = log.read_text()[-2000:] if log else ""
        sys.exit(f"{process.args!r}: status {process.returncode}\n{end_of_log}")
    return used.ru_utime + used.ru_stime
