"""A shop's row that knows where each of its values is, for wording errors and for `--explain`.

Rows are plain dicts. Only where a function failed, or somebody asks, is the row wrapped in these
and mapped again.
"""

from __future__ import annotations

import difflib
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterator

Value = TypeVar("Value")


class MissingMemberError(KeyError):
    """A row has no such member."""

    @override
    def __str__(self) -> str:
        return str(self.args[0])


class Text(str):
    """Text that knows its place."""

    place: str


class Number(Decimal):
    """A number that knows its place."""

    place: str


class Whole(int):
    """A whole number that knows its place."""

    place: str


_KINDS: dict[type, Any] = {str: Text, Text: Text, int: Whole, Decimal: Number}


def placed(value: Value, place: str | None) -> Value:
    """Return text or a number that knows its place, if there is one; anything else as it is."""
    if place is None or type(value) not in _KINDS:
        return value
    made: Value = _KINDS[type(value)](value)
    made.place = place  # type: ignore[attr-defined]
    return made


def place_of(value: object) -> str | None:
    """Return where a value stood in the row; None of a plain value."""
    return getattr(value, "place", None)


class Notes:
    """What a function read of a row.

    Attributes:
        read: The places of all members that it read.
        last: The last of them, and its value.
    """

    def __init__(self) -> None:
        self.read: set[str] = set()
        self.last: tuple[str, object] = ("", ...)

    def placed(self, value: Any, place: str) -> Any:  # noqa: ANN401 - JSON
        """Return a value that knows its place, and notes what is read of it."""
        if isinstance(value, dict):
            return Row(value, place, self)
        return Rows(value, place, self) if isinstance(value, list) else placed(value, place)

    def note(self, value: Any, place: str) -> Any:  # noqa: ANN401 - JSON
        """Note that a member was read, and return its value, placed."""
        self.read.add(place)
        self.last = place, value
        return self.placed(value, place)


class Row(dict[str, Any]):
    """An object of the shop."""

    def __init__(self, held: dict[str, Any], place: str, notes: Notes) -> None:
        super().__init__(held)
        self.place = place
        self._notes = notes

    @override
    def __getitem__(self, name: str) -> Any:
        if name not in self:
            near = difflib.get_close_matches(str(name), list(self), n=1)
            meant = f"; did you mean '{near[0]}'?" if near else f"; it has {', '.join(self)}"
            raise MissingMemberError(f"{self.place} has no '{name}'{meant:.300}")
        return self._notes.note(super().__getitem__(name), f"{self.place}.{name}")

    @override
    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default  # noqa: SIM401 - this is that method

    @override
    def items(self) -> Any:
        return [(name, self[name]) for name in self]

    @override
    def values(self) -> Any:
        return [self[name] for name in self]


class Rows(list[Any]):
    """A list of the shop."""

    def __init__(self, held: list[Any], place: str, notes: Notes) -> None:
        super().__init__(notes.placed(one, f"{place}[{number}]") for number, one in enumerate(held))
        self.place = place


def leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - JSON
    """Yield each value of a row that is no object or list, and its place."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from leaves(one, f"{place}.{name}")
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from leaves(one, f"{place}[{number}]")
    else:
        yield place, value
