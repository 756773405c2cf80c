"""The command `powerofficego-links`: what is linked, what waits for a person, and what runs did."""

from target_powerofficego.links_command.commands import main

__all__ = ["main"]
