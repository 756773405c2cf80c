"""What keeps a run of either way from starting; each is reported in one line.

SettingsError   settings that cannot be right: correct them
CannotStart     things are not as a run needs them: the text says which, and what to do
"""

from __future__ import annotations

# ruff: noqa: N818 - the names say what happened, as the list above shows


class SettingsError(Exception):
    """One or more settings cannot be right; `lines` has one line each."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines


class CannotStart(Exception):
    """The run cannot start as things are; the text says why in one line."""
