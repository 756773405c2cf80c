"""Standard output: its encoding, and what to do once it can no longer be written to."""

from __future__ import annotations

import io
import os
import sys

CLOSED = "standard output is closed, so nothing can be printed; redirect it to a file or a pipe"


def is_closed() -> bool:
    """Return whether the program was started without a standard output."""
    return sys.stdout is None


def print_in_utf8() -> None:
    """Print in UTF-8, whatever the locale; a terminal shows "?" for characters it does not have."""
    if not isinstance(sys.stdout, io.TextIOWrapper):
        return
    if sys.stdout.isatty():
        sys.stdout.reconfigure(errors="replace")
    else:
        sys.stdout.reconfigure(encoding="utf-8")


def discard() -> None:
    """Discard what cannot be printed; otherwise Python would try again at exit, and fail."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
