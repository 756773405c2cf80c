"""A process may open only so many files and connections: the failure at that limit, in a line."""

from __future__ import annotations

import errno

OUT_OF_FILES = (
    "this machine lets the program open no more files and connections; raise the limit (ulimit -n),"
    " then run again"
)


def is_out_of_files(error: BaseException) -> bool:
    """Return whether something failed because no more files and connections may be opened.

    The libraries for HTTP say so only in the text of their own errors.
    """
    return any(f"[Errno {number}]" in repr(error) for number in (errno.EMFILE, errno.ENFILE)) or (
        isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)
    )
