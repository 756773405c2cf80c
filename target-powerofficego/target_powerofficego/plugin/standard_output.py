"""Standard output that cannot be written any more: closed, given up by its reader, disk full."""

from __future__ import annotations

import os
import sys

CLOSED = "standard output is closed, so nothing can be told on it; let it go to a file or a pipe"


def is_closed() -> bool:
    """Return whether the program was started without a standard output."""
    return sys.stdout is None


def forget() -> None:
    """Discard what cannot be printed; else Python would try again at exit, and fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
