"""Files with personal data: accessible to their owner alone, whatever the umask."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE = 0o600
"""The permissions of such a file."""

_OF_OTHERS = 0o077

logger = logging.getLogger("target-powerofficego")


def private(path: str, flags: int) -> int:
    """Open a file, made private if there is none; an `opener` for `open`."""
    return os.open(path, flags, PRIVATE)


def make_private(descriptor: int) -> None:
    """Keep others from reading an open file; what is not a file of ours is left as it is."""
    with contextlib.suppress(OSError):
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fchmod(descriptor, PRIVATE)


def keep_private(path: Path) -> None:
    """Revoke others' rights to a file of ours, left by an earlier version, and say so.

    What does not exist, is not a file, or belongs to another owner is left as it is.
    """
    with contextlib.suppress(OSError):
        there = path.stat()
        rights = stat.S_IMODE(there.st_mode)
        is_ours = stat.S_ISREG(there.st_mode) and there.st_uid == os.geteuid()
        if is_ours and rights & _OF_OTHERS:
            path.chmod(PRIVATE)
            logger.warning("%s is for its owner alone from now on (its mode was %o)", path, rights)
