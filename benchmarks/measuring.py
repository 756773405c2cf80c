"""Begins processes, and tells what each took: seconds of work, and the most memory it had."""

from __future__ import annotations

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
