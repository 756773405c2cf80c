"""Repeatable choices for the seeded store: one seed always gives the same store."""

from __future__ import annotations

import random
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeVar

from faker import Faker

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Thing = TypeVar("Thing")

REFERENCE = datetime(2026, 1, 15, 9, 0, tzinfo=timezone.utc)


class Chance:
    """A source of choices and Norwegian names."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311
        self._faker = Faker("no_NO")
        self._faker.seed_instance(seed)

    def pick(self, things: Sequence[Thing]) -> Thing:
        """Choose one of several values."""
        return self._random.choice(things)

    def some(self, things: Sequence[Thing], count: int) -> list[Thing]:
        """Choose `count` different values."""
        return self._random.sample(things, count)

    def number(self, lowest: int, highest: int) -> int:
        """Choose a whole number, both ends included."""
        return self._random.randint(lowest, highest)

    def happens(self, percent: int) -> bool:
        """Return True with a probability of `percent` in a hundred."""
        return self._random.randrange(100) < percent

    def first_name(self) -> str:
        """Choose a Norwegian first name."""
        return str(self._faker.first_name())

    def last_name(self) -> str:
        """Choose a Norwegian last name."""
        return str(self._faker.last_name())

    def phone(self) -> str:
        """Choose a Norwegian mobile number, written in one of the usual ways."""
        digits = f"4{self.number(0, 9999999):07}"
        spaced = f"{digits[:3]} {digits[3:5]} {digits[5:]}"
        return self.pick((f"+47{digits}", spaced, f"+47 {spaced}"))


def record(fields: Iterable[str], **values: object) -> dict[str, Any]:
    """Return a complete record: every field of the contract, null where no value is given."""
    return {**dict.fromkeys(fields), **values}
