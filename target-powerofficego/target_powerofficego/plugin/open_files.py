"""The failure of a process at its limit of open files and connections, as one line."""

from __future__ import annotations

import errno

OUT_OF_FILES = (
    "this machine does not let the program open more files and connections; raise the limit"
    " (ulimit -n), then run again"
)


def is_out_of_files(error: BaseException) -> bool:
    """Return whether something failed because no more files and connections can be opened.

    The HTTP libraries state this only in the text of their own errors.
    """
    return any(f"[Errno {number}]" in repr(error) for number in (errno.EMFILE, errno.ENFILE)) or (
        isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)
    )
