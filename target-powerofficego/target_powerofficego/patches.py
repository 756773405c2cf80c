"""JSON Patches: what one is made of, and what became of one that got no answer; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.values import member_at, same_text
from target_powerofficego.go_api import Operation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from target_powerofficego.changes import RowChange
    from target_powerofficego.dataflow.values import Value


def patch_operations(
    rows: Sequence[RowChange], whole: Mapping[str, Any] | None, *, tests: bool
) -> Iterator[Operation]:
    """Yield the JSON Patch: first every `test` of what was merged against, then every `replace`."""
    nested: dict[str, dict[str, Any]] = {}
    flat: list[RowChange] = []
    for row in rows:
        parent, _, leaf = row.path.lstrip("/").rpartition("/")
        if parent and whole is not None and whole.get(parent) is None:
            nested.setdefault(parent, {})[leaf] = row.after
        else:
            flat.append(row)
    if tests:
        yield from (Operation("test", f"/{parent}", None) for parent in nested)
        yield from (Operation("test", row.path, row.before) for row in flat)
    for parent, members in nested.items():
        given = {name: value for name, value in members.items() if value is not None}
        if given:
            yield Operation("replace", f"/{parent}", given)
    yield from (Operation("replace", row.path, row.after) for row in flat)


def rows_done(entry: Mapping[str, Any], rows: Sequence[RowChange]) -> tuple[RowChange, ...]:
    """Return the rows that a patch without an answer has changed, as far as Go's values tell.

    Go carries out a patch as a whole or not at all, but a person may have edited the entry since.
    A value that is neither the one before nor the one sent may be Go's own form of what was sent,
    or a person's. Where no row is as it was sent and another is still as before, it is a person's.
    """
    moved = tuple(row for row in rows if not _is_at(entry, row, row.before))
    if len(moved) == len(rows) or any(_is_at(entry, row, row.after) for row in moved):
        return moved
    return ()


def is_untouched(entry: Mapping[str, Any], rows: Sequence[RowChange]) -> bool:
    """Tell whether every row still holds the value merged against, so that nothing was done."""
    return all(_is_at(entry, row, row.before) for row in rows)


def what_was_done(done: Sequence[RowChange], rows: Sequence[RowChange]) -> str:
    """Say in words, for the log, what became of a patch."""
    if not done:
        return "it was not done"
    if len(done) == len(rows):
        return "it was done"
    open_ones = ", ".join(row.row for row in rows if row not in done)
    return f"it was done, but for {open_ones}, which Go holds as before"


def _is_at(entry: Mapping[str, Any], row: RowChange, value: Value) -> bool:
    return bool(same_text(member_at(entry, row.path)) == same_text(value))
