"""What a run draws on a terminal: a bar while it lasts, its plan and its summary.

Without a terminal, a plan is printed with one line per change. A run that needs none of this does
not load this module, which takes long.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import sys
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column, Table
from rich.text import Text

from target_powerofficego.plugin.plain_text import plain
from target_powerofficego.settle.summary import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TextIO

    from target_powerofficego.settle.plan import PlannedChange, PlannedField
    from target_powerofficego.settle.progress import Snapshot

_FULL_WIDTH = Column(no_wrap=True, overflow="ellipsis", ratio=1)
_FIRST = ("customers", "products", "orders")
"""The entities that a plan lists first, before those that depend on them."""
_EXAMPLES = 10
_MAX_VALUE_LENGTH = 60


class Bar:
    """Draws a bar at the bottom of a terminal; the lines of the log scroll above it."""

    seconds_between = 2.0

    def __init__(self, console: Console) -> None:
        self._drawn = Progress(
            BarColumn(bar_width=10),
            TextColumn("{task.description}", markup=False, table_column=_FULL_WIDTH),
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

    def report(self, text: str, snapshot: Snapshot) -> None:
        """Draw the bar, with the text beside it."""
        seen, done = sum(snapshot.seen.values()), sum(snapshot.done.values())
        total = seen if snapshot.is_all_read else None
        with contextlib.suppress(OSError):  # the terminal may be gone
            self._drawn.update(
                self._task, description=text, total=total, completed=done, refresh=True
            )

    def close(self) -> None:
        """Remove the bar."""
        _log_to(self._stderr, instead_of=sys.stderr)
        with contextlib.suppress(OSError):
            self._drawn.stop()


def _log_to(stream: TextIO, *, instead_of: TextIO) -> None:
    """Redirect the log to another stream."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is instead_of:
            handler.setStream(stream)


def bar() -> Bar | None:
    """Return a bar on the terminal of the log; None if it cannot redraw a line."""
    console = Console(stderr=True, soft_wrap=True)
    return Bar(console) if console.is_interactive else None


def print_plan(changes: Sequence[PlannedChange], *, is_complete: bool) -> None:
    """Print how many changes of each kind there are, and ten of each, or all."""
    console = Console(stderr=True, soft_wrap=True)
    if not changes:
        console.print("Plan: nothing would be written.")
        return
    counts = Table("entity", "what", "how many", title="Plan: what a run would do")
    listed: list[PlannedChange] = []
    for (_, entity, action), group in itertools.groupby(
        sorted(changes, key=_sort_key), key=_sort_key
    ):
        of_kind = list(group)
        counts.add_row(entity, action, str(len(of_kind)))
        listed += of_kind if is_complete else of_kind[:_EXAMPLES]
    console.print(counts)
    if console.is_terminal:
        console.print(_table(listed))
        return
    for change in listed:
        details = "; ".join(filter(None, (*map(_format_field, change.fields), change.reason)))
        line = f"{change.action} {change.entity} {change.record}"
        console.print(Text(plain(f"{line}: {details}" if details else line)))


def _sort_key(change: PlannedChange) -> tuple[int, str, str]:
    position = _FIRST.index(change.entity) if change.entity in _FIRST else len(_FIRST)
    return position, change.entity, change.action


def _table(changes: Sequence[PlannedChange]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("entity", "record", "what", "which fields", "why"):
        table.add_column(heading, overflow="fold")
    for change in changes:
        fields = Text("\n").join(Text(plain(_format_field(field))) for field in change.fields)
        record, reason = Text(plain(change.record)), Text(plain(change.reason))
        table.add_row(change.entity, record, change.action, fields, reason)
    return table


def _format_field(field: PlannedField) -> str:
    if field.before is None:
        return f"{field.property}: {_format_value(field.after)}"
    return f"{field.property}: {_format_value(field.before)} → {_format_value(field.after)}"


def _format_value(value: object) -> str:
    """Return a value on one line; long text is shortened."""
    text = " ".join(str("empty" if value is None else value).split())
    return text if len(text) <= _MAX_VALUE_LENGTH else text[: _MAX_VALUE_LENGTH - 1] + "…"


def show_summary(
    counts: Mapping[str, Mapping[str, int]],
    calls: Mapping[str, Any],
    system: str,
    remarks: Sequence[str],
    ending: str,
) -> bool:
    """Show the summary on a terminal and return True; return False if there is none."""
    console = Console(stderr=True)
    if not console.is_terminal:
        return False
    console.print(outcome_table(counts))
    console.print(
        f"Calls to {system}: {calls.get('reads', 0)} reads, {calls.get('writes', 0)} writes"
    )
    for remark in remarks:
        console.print(remark, markup=False, soft_wrap=True)
    console.print(ending, markup=False, soft_wrap=True)
    return True


def outcome_table(counts: Mapping[str, Mapping[str, int]]) -> Table:
    """Return a table of entities by the outcomes that any of them had."""
    shown = [name for name in OUTCOMES if any(name in outcomes for outcomes in counts.values())]
    table = Table(title="Records")
    table.add_column("")
    for outcome in shown:
        table.add_column(outcome, justify="right")
    for entity, outcomes in counts.items():
        table.add_row(entity, *(str(outcomes.get(outcome, 0) or "·") for outcome in shown))
    return table
