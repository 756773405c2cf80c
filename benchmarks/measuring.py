"""Begins processes, and tells what each took: seconds of work, and the most memory it had."""

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
with open(sys.argv[1], "w") as told:
    told.write(f"{used.ru_utime + used.ru_stime:.1f} s of work, {used.ru_maxrss // 1024} MB")
sys.exit(status)
"""


def measured(command: list[Any], told: Path, **streams: Any) -> subprocess.Popen[bytes]:
    """Begin a process that tells in a file what it took.

    It is begun by a small one: the memory of who begins a process counts as that process's own.
    """
    return subprocess.Popen([sys.executable, "-c", _MEASURE, told, *command], **streams)


def work_of(command: list[Any], **places: Any) -> float:
    """Run a command whose output nobody reads; return its seconds of work, of user and system."""
    return work_at_end(
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **places)
    )


def work_at_end(process: subprocess.Popen[Any], log: Path | None = None) -> float:
    """Wait for a process; return the seconds of work of it and of all that it waited for.

    One that fails ends this program, with the end of its log.
    """
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        told = log.read_text()[-2000:] if log else ""
        sys.exit(f"{process.args}: status {process.returncode}\n{told}")
    return used.ru_utime + used.ru_stime
