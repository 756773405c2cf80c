"""How values are kept in the columns of the link store: UTC stamps, JSON with exact decimals."""

from __future__ import annotations

import datetime
import hashlib
from typing import Any

import simplejson

LARGEST_NUMBER = 2**31 - 1
"""The largest value that a PostgreSQL integer column holds."""

_LONGEST_KEY = 300
_KEPT = 200


def to_json(value: object) -> str:
    """Return JSON text; decimals stay exact."""
    return simplejson.dumps(
        value, use_decimal=True, ensure_ascii=False, separators=(",", ":"), allow_nan=True
    )


def from_json(text: str) -> Any:  # noqa: ANN401 - JSON
    """Return the value of JSON text; numbers with a fraction become Decimals."""
    return simplejson.loads(text, use_decimal=True, allow_nan=True)


def to_key(text: str) -> str:
    """Return a text as an index key, whose length PostgreSQL limits."""
    if len(text) <= _LONGEST_KEY:
        return text
    return f"{text[:_KEPT]} {hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}"


def to_stamp(moment: datetime.datetime) -> str:
    """Return an aware datetime as ISO 8601 text in UTC."""
    return moment.astimezone(datetime.timezone.utc).isoformat(timespec="microseconds")


def from_stamp(stamp: str) -> datetime.datetime:
    """Return a stamp as an aware datetime."""
    return datetime.datetime.fromisoformat(stamp)
