"""Whether a record is older than what is known of it, by the stamps of its own side; pure.

A record may have been read before our own last write to its side and come after it, or have been
kept and sent again. Stamps are compared only with those of the same side, so no machine's clock
makes an edit an old version for good: where stamps do not decide, a version that is shown three
times is an edit.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.values import is_before
from target_powerofficego.decisions.changes import Hold, Park, Undecidable
from target_powerofficego.store.link_store import NEWER_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable

SURE_AFTER = 3
"""How often a version must be read to count as new: each reading has its own moment."""

MOST_RUNS = 6
"""How many runs it waits for that; a tap reads on from its bookmark and may not read it again."""


@dataclass(frozen=True)
class Version:
    """A record as it was read: its side's stamp, and what else may show that it is an old one.

    `seems_old` is no proof: the clock of whoever read it says so, or it has the value that our own
    last write replaced.
    """

    stamp: str | None
    known: str | None
    seems_old: bool


class Doubt(enum.Enum):
    """What speaks against taking a record as it is."""

    OLDER = "its side's own stamp says that it is an older version"
    PERHAPS = "no stamp tells that it is newer, and it may be an older version"


def doubt(versions: Iterable[Version]) -> Doubt | None:
    """Return what speaks against a record, compared with each known version; None: nothing."""
    found = {_doubt(one) for one in versions}
    return next((one for one in Doubt if one in found), None)


def _doubt(one: Version) -> Doubt | None:
    if is_before(one.stamp, one.known):
        return Doubt.OLDER
    return Doubt.PERHAPS if one.seems_old and not is_before(one.known, one.stamp) else None


def see_that_it_counts(found: Doubt, readings: int, *, is_overdue: bool) -> None:
    """Make a record that may be an old version wait until it has been read often enough.

    `is_overdue`: it has waited for `MOST_RUNS`.

    Raises:
        Undecidable: with a Park; with a Hold where an older version is shown again and again, or no
            stamp decides and it is not read again.
    """
    if readings < SURE_AFTER:
        if is_overdue and found is Doubt.PERHAPS:
            reason = (
                "it may be an older version than the one last dealt with; no stamp tells, and it"
                " was not read again: save it there once more, or let it be taken as it is by"
                " powerofficego-links retry"
            )
            raise Undecidable(Hold(reason, awaited=(NEWER_VERSION,)))
        reason = (
            "it may be an older version than the one last dealt with, so it waits until it"
            " was read three times"
        )
        raise Undecidable(Park(reason, (NEWER_VERSION,)))
    if found is Doubt.OLDER:
        reason = (
            f"it was read {SURE_AFTER} times with an earlier stamp of its last change than the"
            " version dealt with before, as after a backup was put back: change and save it there"
            " once more, or let it be taken as it is by powerofficego-links retry"
        )
        raise Undecidable(Hold(reason, awaited=(NEWER_VERSION,)))
