"""Shows a plan: as a table on a terminal, otherwise as one line per change."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table as TerminalTable
from rich.text import Text

from target_powerofficego.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_powerofficego.settle.plan import PlannedChange, PlannedField

_FIRST = ("customers", "products", "orders")
"""What a plan lists first; what depends on them comes after."""
_EXAMPLES = 10
_LONGEST_VALUE = 60


def tell_plan(changes: Sequence[PlannedChange], *, every_one: bool) -> None:
    """Print how many changes of each kind there are, and ten of each, or every one."""
    console = Console(stderr=True, soft_wrap=True)
    if not changes:
        console.print("Plan: nothing would be written.")
        return
    counted = TerminalTable("entity", "what", "how many", title="Plan: what a run would do")
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


def _table(changes: Sequence[PlannedChange]) -> TerminalTable:
    table = TerminalTable(box=box.SIMPLE_HEAD)
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
