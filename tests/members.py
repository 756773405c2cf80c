"""Compares several members of a JSON object at once, and shows all that differ."""

from __future__ import annotations


def assert_members(entry, **expected):
    """Check that an object has these members with these values; true is not 1."""
    actual = {name: (entry[name], isinstance(entry[name], bool)) for name in expected}
    assert actual == {name: (value, isinstance(value, bool)) for name, value in expected.items()}
