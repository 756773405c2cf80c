"""Shows a plan: a table on a terminal, one line a change otherwise, and JSON lines in a file."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import simplejson
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from target_powerofficego.plain_text import plain
from target_powerofficego.store.private_file import private

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from target_powerofficego.settle.plan import PlannedChange, PlannedField

_FIRST = ("customers", "products", "orders")
"""What a plan lists first; what hangs on them comes after."""
_EXAMPLES = 10
_LONGEST_VALUE = 60


def tell_plan(changes: Sequence[PlannedChange], *, every_one: bool) -> None:
    """Print how many changes there are of each kind, and ten of each, or every one."""
    console = Console(stderr=True, soft_wrap=True)
    if not changes:
        console.print("Plan: nothing would be written.")
        return
    counted = Table("entity", "what", "how many", title="Plan: what a run would do")
    kinds = Counter((one.entity, one.what) for one in changes)
    for entity, what in sorted(kinds, key=lambda kind: _place(*kind)):
        counted.add_row(entity, what, str(kinds[entity, what]))
    console.print(counted)
    shown = list(_shown(changes, None if every_one else _EXAMPLES))
    if console.is_terminal:
        console.print(_table(shown))
        return
    for one in shown:
        told = "; ".join(filter(None, (*(_field(field) for field in one.fields), one.why)))
        line = f"{one.what} {one.entity} {one.record}" + (f": {told}" if told else "")
        console.print(Text(plain(line)))


def write_changes(changes: Sequence[PlannedChange], path: Path) -> None:
    """Write every change to a private file, one JSON object a line, exact decimals kept.

    Raises:
        OSError: the file cannot be written.
    """
    with open(path, "w", encoding="utf-8", opener=private) as file:
        for one in changes:
            file.write(simplejson.dumps(one.as_json(), use_decimal=True, ensure_ascii=False) + "\n")


def _shown(changes: Sequence[PlannedChange], most: int | None) -> Iterator[PlannedChange]:
    """Yield changes by kind; at most so many of each."""
    told: Counter[tuple[str, str]] = Counter()
    for one in sorted(changes, key=lambda one: _place(one.entity, one.what)):
        told[one.entity, one.what] += 1
        if most is None or told[one.entity, one.what] <= most:
            yield one


def _place(entity: str, what: str) -> tuple[int, str, str]:
    place = _FIRST.index(entity) if entity in _FIRST else len(_FIRST)
    return place, entity, what


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
    """Return a value on one line, and not the whole of a long text."""
    told = " ".join(str("empty" if value is None else value).split())
    return told if len(told) <= _LONGEST_VALUE else told[: _LONGEST_VALUE - 1] + "…"
