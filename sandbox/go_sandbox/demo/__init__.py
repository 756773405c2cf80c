"""The console script `demo`: the whole sync on this machine, explained act by act."""

from __future__ import annotations

from go_sandbox.demo.command import main

__all__ = ["main"]
