"""What a request to the shop for one record can yield instead of the record.

What ends the whole run is tap_customwebshop's `ShopError`. Of these each is about one record:

RecordError
 ├─ NotThere          the shop has no such record: reject, each run looks again
 ├─ ChangedMeanwhile  it was edited since it was read (412): read again, merge again
 ├─ NotTaken          the shop understood the change and said no: reject
 ├─ TryLater          the shop kept failing on this record and did nothing: reject, next run tries
 └─ NoAnswer          a change left and its answer is missing: look before repeating

`str()` is one line with method, path and status; what the shop says of the reason may quote
personal data and stands only in `.detail`.
"""

from __future__ import annotations

# ruff: noqa: N818 - the names say what happened, as the tree above shows


class RecordError(Exception):
    """Something prevented the handling of one record."""

    def __init__(self, message: str, *, title: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.title = title
        self.detail = detail


class NotThere(RecordError):
    """The shop has no such record."""


class ChangedMeanwhile(RecordError):
    """The record is no longer the one that was read; nothing was changed."""


class NotTaken(RecordError):
    """The shop understood the change and refused it; nothing was changed."""


class TryLater(RecordError):
    """The shop kept failing, and did nothing."""


class NoAnswer(RecordError):
    """The change was sent and its answer is missing; only the shop can tell whether it happened."""
