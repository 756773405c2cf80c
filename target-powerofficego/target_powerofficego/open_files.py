"""A process may open so many files and connections, and no more: what fails then, and its line."""

from __future__ import annotations

import errno

OUT_OF_FILES = (
    "this machine lets the program open no more files and connections; raise the limit (ulimit -n),"
    " then run again"
)


def is_out_of_files(error: BaseException) -> bool:
    """Tell whether something failed as this process may open no more files and connections.

    The libraries for HTTP tell it in the text of their own errors only.
    """
    return any(f"[Errno {number}]" in repr(error) for number in (errno.EMFILE, errno.ENFILE)) or (
        isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)
    )
