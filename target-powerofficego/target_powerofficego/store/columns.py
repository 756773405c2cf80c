"""How values stand in the columns of the link store: stamps in UTC, JSON with exact decimals."""

from __future__ import annotations

import datetime
from typing import Any

import simplejson


def to_json(value: object) -> str:
    """Return JSON text; decimals stay exact."""
    return simplejson.dumps(
        value, use_decimal=True, ensure_ascii=False, separators=(",", ":"), allow_nan=True
    )


def from_json(text: str) -> Any:  # noqa: ANN401 - JSON
    """Return what JSON text says; numbers with a fraction become Decimals."""
    return simplejson.loads(text, use_decimal=True, allow_nan=True)


def to_stamp(moment: datetime.datetime) -> str:
    """Return an aware moment as ISO 8601 text in UTC."""
    return moment.astimezone(datetime.timezone.utc).isoformat(timespec="microseconds")


def from_stamp(stamp: str) -> datetime.datetime:
    """Return the moment of a stamp."""
    return datetime.datetime.fromisoformat(stamp)


def from_stamp_or_none(stamp: str | None) -> datetime.datetime | None:
    """Return the moment of a stamp, or None when there is none."""
    return None if stamp is None else from_stamp(stamp)
