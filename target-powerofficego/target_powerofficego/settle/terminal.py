"""What a run draws on a terminal: a bar while it lasts, its plan and its summary.

Elsewhere a plan is shown as one line per change. A run that needs none of this does not load it,
for that takes long.
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
    from target_powerofficego.settle.progress import Standing

_AS_WIDE_AS_THERE_IS = Column(no_wrap=True, overflow="ellipsis", ratio=1)
_FIRST = ("customers", "products", "orders")
"""What a plan lists first; what depends on them comes after."""
_EXAMPLES = 10
_LONGEST_VALUE = 60


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


def tell_plan(changes: Sequence[PlannedChange], *, every_one: bool) -> None:
    """Print how many changes of each kind there are, and ten of each, or every one."""
    console = Console(stderr=True, soft_wrap=True)
    if not changes:
        console.print("Plan: nothing would be written.")
        return
    counted = Table("entity", "what", "how many", title="Plan: what a run would do")
    shown: list[PlannedChange] = []
    for (_, entity, what), group in itertools.groupby(sorted(changes, key=_place), key=_place):
        of_kind = list(group)
        counted.add_row(entity, what, str(len(of_kind)))
        shown += of_kind if every_one else of_kind[:_EXAMPLES]
    console.print(counted)
    if console.is_terminal:
        console.print(_table(shown))
        return
    for one in shown:
        why = "; ".join(filter(None, (*map(_field, one.fields), one.why)))
        line = f"{one.what} {one.entity} {one.record}" + (f": {why}" if why else "")
        console.print(Text(plain(line)))


def _place(change: PlannedChange) -> tuple[int, str, str]:
    place = _FIRST.index(change.entity) if change.entity in _FIRST else len(_FIRST)
    return place, change.entity, change.what


def _table(changes: Sequence[PlannedChange]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("entity", "record", "what", "which fields", "why"):
        table.add_column(heading, overflow="fold")
    for one in changes:
        fields = Text("\n").join(Text(plain(_field(field))) for field in one.fields)
        record, why = Text(plain(one.record)), Text(plain(one.why))
        table.add_row(one.entity, record, one.what, fields, why)
    return table


def _field(field: PlannedField) -> str:
    if field.before is None:
        return f"{field.property}: {_value(field.after)}"
    return f"{field.property}: {_value(field.before)} → {_value(field.after)}"


def _value(value: object) -> str:
    """Return a value on one line; a long text is shortened."""
    text = " ".join(str("empty" if value is None else value).split())
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def show_summary(
    counts: Mapping[str, Mapping[str, int]],
    calls: Mapping[str, Any],
    system: str,
    remarks: Sequence[str],
    ending: str,
) -> bool:
    """Show the summary, and return True; False, and nothing shown, where there is no terminal."""
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
    """Return a table of entities by those outcomes that any of them had."""
    shown = [one for one in OUTCOMES if any(one in outcomes for outcomes in counts.values())]
    table = Table(title="Records")
    table.add_column("")
    for outcome in shown:
        table.add_column(outcome, justify="right")
    for entity, outcomes in counts.items():
        table.add_row(entity, *(str(outcomes.get(outcome, 0) or "·") for outcome in shown))
    return table
