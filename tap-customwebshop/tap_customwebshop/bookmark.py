"""How far a stream has been read, and whether the shop's sort order makes that reliable."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tap_customwebshop.errors import ContractBrokenError
from tap_customwebshop.stamps import earlier, format_stamp, parse_stamp

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

FUTURE = timedelta(days=1)
"""No bookmark can be this far ahead: changes made before then would not be read."""

_SECOND = timedelta(seconds=1)  # a Date header has no fractions


@dataclass
class Bookmark:
    """The latest `updated_at` that has been emitted, kept in the stream's Singer state.

    It never moves back, with one exception: if the shop's records are so far out of order that a
    resumed run would miss some, it returns to where this run began.

    Attributes:
        stream: The stream's name, for messages.
        state: The stream's part of the Singer state; written in place.
        lookback: How far before the bookmark a run begins.
        since: What the shop was asked for in this run; None for everything.
        warn: Logs a warning of one line; each is logged only once.
    """

    stream: str
    state: dict[str, Any]
    lookback: timedelta
    since: datetime | None
    warn: Callable[[str], None]

    def __post_init__(self) -> None:
        self._began_at: str | None = self.state.get("replication_key_value")
        self._since = "" if self.since is None else format_stamp(self.since)
        self._value = self._began_at or ""
        self._previous = ""
        self._horizon = ""

    def require_past(self, read_at: datetime, server_time: datetime | None) -> None:
        """Check that the bookmark is not ahead of the shop's clock, or changes would be missed.

        Args:
            read_at: When the page was requested, by this machine's clock. If the shop sends no
                time, the bookmark can be up to a day later than this.
            server_time: The time that the shop sent with the page.

        Raises:
            ContractBrokenError: The bookmark is in the future.
        """
        margin = self.lookback + _SECOND
        if (self._began_at or "") > format_stamp(
            server_time + margin if server_time else read_at + FUTURE
        ):
            raise ContractBrokenError(
                f"The state's bookmark of '{self.stream}' lies in the future; correct or remove it."
            )

    def check(self, stamp: str) -> None:
        """Compare a record with the one before it, before it is emitted.

        Raises:
            ContractBrokenError: The record is so much older than the bookmark that a run resumed
                from there would miss it.
        """
        if stamp < self._since:
            self.warn(
                f"{self.stream}: the shop ignores 'updated_since' and also sends records that"
                " changed before"
            )
        if stamp < self._previous:
            if stamp < self._resumed_from():
                self._go_back()
                raise ContractBrokenError(self._disorder())
            self.warn(f"{self.stream}: the shop's records are not in order of 'updated_at'")
        self._previous = stamp

    def advance(self, stamp: str, read_at: datetime, server_time: datetime | None) -> None:
        """Move on to a record that has been emitted.

        With a stamp later than `server_time`, the time that the shop sent with the page, every
        change until then would be missed, so the bookmark stays. If the shop sends no time, a stamp
        can be up to a day later than `read_at`, which is by this machine's clock.
        """
        if stamp <= self._value:
            return
        if stamp > self._horizon:
            self._horizon = format_stamp(server_time + _SECOND if server_time else read_at + FUTURE)
        if stamp > self._horizon:
            if stamp > format_stamp((server_time or read_at) + FUTURE):
                self.warn(
                    f"{self.stream}: a record has an 'updated_at' in the future ({stamp}); it is "
                    "emitted, but the bookmark does not follow"
                )
            return
        self._value = stamp
        self.state["replication_key"] = "updated_at"
        self.state["replication_key_value"] = stamp

    def _resumed_from(self) -> str:
        """Return where a run that is resumed from the current bookmark would begin."""
        moment = parse_stamp(self._value)
        start = moment and earlier(moment, self.lookback)
        return "" if start is None else format_stamp(start)

    def _go_back(self) -> None:
        if self._began_at is None:
            self.state.pop("replication_key", None)
            self.state.pop("replication_key_value", None)
        else:
            self.state["replication_key_value"] = self._began_at

    def _disorder(self) -> str:
        return (
            f"GET /{self.stream}: the shop's records are not in ascending order of 'updated_at', "
            "so a run that stops half-way would lose some; sort them in the shop, see "
            "docs/shop-api.md. The next run begins where this one began."
        )
