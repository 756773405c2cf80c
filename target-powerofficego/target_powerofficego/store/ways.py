"""The two ways: forward, from the shop to Go, and back; and what is kept of a deleted record.

The link store keeps what is settled, open or unanswered of the way back under names of its own, so
that a customer can wait on one way and be settled on the other.
"""

from __future__ import annotations

from typing import Literal

WayName = Literal["forward", "back"]

ENTITIES = ("customers", "products", "orders")
"""The entities that are kept the same on both sides; each may need those before it."""

PAYMENTS = "payments"
"""The name under which vouchers, their intents, and what is open of them are kept."""

_BACK = "_back"
_DELETED = "_deleted"


def on_the_way_back(entity: str) -> str:
    """Return the name under which the store keeps an entity on the way back."""
    return f"{entity}{_BACK}"


def once_deleted(entity: str) -> str:
    """Return the name under which the store keeps that the shop deleted a record of an entity."""
    return f"{entity}{_DELETED}"


def entity_of(kept_as: str) -> str:
    """Return the entity that a name stands for, on either way."""
    return kept_as.removesuffix(_BACK)
