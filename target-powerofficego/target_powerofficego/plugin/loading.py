"""Loads the modules of a command without garbage collection, because they stay to the end."""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Load modules without garbage collection, and exclude them from it from then on.

    The collector would search all modules again and again while they are loaded, and once more when
    the program ends: a quarter of the work of starting a command. Use this only once for the same
    modules, because other garbage that exists by then is never collected.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
