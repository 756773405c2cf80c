"""Whether a record is older than the known version, by the stamps of its own side; pure.

A record may have been read before our own last write to its side and arrive after it, or have been
stored and sent again. Stamps are compared only with those of the same side, so no machine's clock
can make an edit an old version for good: if stamps do not decide, a version that is read three
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

MIN_READINGS = 3
"""How often a doubtful version must be read, at different times, to count as new."""

MAX_RUNS = 6
"""How many runs it waits for that: a tap continues from its bookmark and may not read it again."""


@dataclass(frozen=True)
class Version:
    """A record compared with a known version: the stamps of both, and any other sign of age.

    `seems_old` is not proof: it follows from the clock of the program that read the record, or from
    a value that our own last write replaced.
    """

    stamp: str | None
    known: str | None
    seems_old: bool


class Doubt(enum.Enum):
    """Why a record may not be the newest version."""

    OLDER = "its side's own stamp shows that it is an older version"
    PERHAPS = "no stamp shows that it is newer, and it may be an older version"


def find_doubt(versions: Iterable[Version]) -> Doubt | None:
    """Return the gravest doubt about a record from comparing it with known versions, or None."""
    doubts = {_find_doubt(version) for version in versions}
    return next((doubt for doubt in Doubt if doubt in doubts), None)


def _find_doubt(version: Version) -> Doubt | None:
    if is_before(version.stamp, version.known):
        return Doubt.OLDER
    is_newer = is_before(version.known, version.stamp)
    return Doubt.PERHAPS if version.seems_old and not is_newer else None


def require_enough_readings(doubt: Doubt, readings: int, *, is_overdue: bool) -> None:
    """Make a record that may be an old version wait until it has been read often enough.

    `is_overdue`: it has waited for `MAX_RUNS`.

    Raises:
        Undecidable: with a Park; with a Hold if an older version is read again and again, or no
            stamp decides and it is not read again.
    """
    if readings < MIN_READINGS:
        if is_overdue and doubt is Doubt.PERHAPS:
            reason = (
                "it may be older than the version last processed; no time stamp shows which is"
                " newer, and it was not read again: save it there again, or accept it as it is with"
                " powerofficego-links retry"
            )
            raise Undecidable(Hold(reason, awaited=(NEWER_VERSION,)))
        reason = (
            "it may be older than the version last processed, so it waits until it has been read"
            " three times"
        )
        raise Undecidable(Park(reason, (NEWER_VERSION,)))
    if doubt is Doubt.OLDER:
        reason = (
            f"it was read {MIN_READINGS} times with an earlier time of its last change than the"
            " version last processed, as after restoring a backup: change and save it there again,"
            " or accept it as it is with powerofficego-links retry"
        )
        raise Undecidable(Hold(reason, awaited=(NEWER_VERSION,)))
