"""The bar that shows on a terminal how far a run is."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

if TYPE_CHECKING:
    from typing import TextIO

    from target_powerofficego.settle.progress import Standing

_AS_WIDE_AS_THERE_IS = Column(no_wrap=True, overflow="ellipsis", ratio=1)


class Bar:
    """Draws a bar at the foot of a terminal; the lines of the log scroll past above it."""

    seconds_between = 2.0

    def __init__(self, console: Console) -> None:
        self._drawn = Progress(
            BarColumn(bar_width=10),
            TextColumn("{task.description}", markup=False, table_column=_AS_WIDE_AS_THERE_IS),
            console=console,
            expand=True,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
        )
        self._task = self._drawn.add_task("reading", total=None)
        self._stderr = sys.stderr
        self._drawn.start()  # from here on sys.stderr prints above the bar
        _log_to(sys.stderr, instead_of=self._stderr)

    def tell(self, words: str, standing: Standing) -> None:
        """Draw the bar, with the words beside it."""
        seen, done = sum(standing.seen.values()), sum(standing.done.values())
        total = seen if standing.is_all_read else None
        with contextlib.suppress(OSError):  # the terminal may be gone
            self._drawn.update(
                self._task, description=words, total=total, completed=done, refresh=True
            )

    def close(self) -> None:
        """Remove the bar."""
        _log_to(self._stderr, instead_of=sys.stderr)
        with contextlib.suppress(OSError):
            self._drawn.stop()


def _log_to(stream: TextIO, *, instead_of: TextIO) -> None:
    """Send the log to another stream."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is instead_of:
            handler.setStream(stream)


def bar() -> Bar | None:
    """Return a bar on the terminal of the log; None if that cannot redraw a line."""
    console = Console(stderr=True, soft_wrap=True)
    return Bar(console) if console.is_interactive else None
