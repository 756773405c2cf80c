"""What is printed and can no longer be: closed, given up by its reader, or on a full disk."""

from __future__ import annotations

import os
import sys

CLOSED = "standard output is closed, so nothing can be told on it; let it go to a file or a pipe"


def is_closed() -> bool:
    """Tell whether the program was started without a standard output."""
    return sys.stdout is None


def forget() -> None:
    """Let what cannot be printed go nowhere: Python writes it once more at exit, which fails."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
