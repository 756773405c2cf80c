"""Files with personal data in them: for their owner alone, whatever the umask."""

from __future__ import annotations

import contextlib
import os
import stat

PRIVATE = 0o600
"""The rights of such a file when it is made; those of one that is there are its owner's choice."""


def private(path: str, flags: int) -> int:
    """Open a file, made private if there is none; an `opener` for `open`."""
    return os.open(path, flags, PRIVATE)


def make_private(descriptor: int) -> None:
    """Keep others from reading an open file; what is no file of ours stays as it is."""
    with contextlib.suppress(OSError):
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fchmod(descriptor, PRIVATE)
