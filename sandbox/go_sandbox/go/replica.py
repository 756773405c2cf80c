"""How far readers are behind: they see nothing written less than so long, or so many reads, ago."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from go_sandbox.go.switches import Switches


@dataclass(frozen=True)
class Moment:
    """When something was written: by the clock, and after how many reads."""

    seconds: float
    reads: int


class Replica:
    """The copy that late readers see; `reads` counts the GETs so far."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self.reads = 0

    @property
    def is_behind(self) -> bool:
        """Whether it lags at all."""
        return bool(self._switches.read_lag_seconds or self._switches.read_lag_reads)

    def now(self) -> Moment:
        """Return this moment."""
        return Moment(time.monotonic(), self.reads)

    def shows(self, written: Moment) -> bool:
        """Tell whether it has what was written at that moment."""
        is_old = written.seconds < time.monotonic() - self._switches.read_lag_seconds
        is_read_past = self.reads - written.reads > self._switches.read_lag_reads
        return is_old and (is_read_past or not self._switches.read_lag_reads)
