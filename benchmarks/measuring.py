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
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **places
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(map(str, command))}: status {process.returncode}")
    return used.ru_utime + used.ru_stime
