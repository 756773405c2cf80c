"""Which command lets a person look into the link store: under Meltano, the one that works there."""

from __future__ import annotations

import os

_NAMES = ("MELTANO_LOADER_NAME", "MELTANO_UTILITY_NAME")


def shown_by(words: str) -> str:
    """Return the line that runs `powerofficego-links` with these words from where this process is.

    Meltano passes a plugin the plugin's own name and the environment of the run. Each target's
    definition for Meltano has the commands of `powerofficego-links`.
    """
    plugin = next((os.environ[name] for name in _NAMES if os.environ.get(name)), None)
    if plugin is None:
        return f"powerofficego-links {words}"
    environment = os.environ.get("MELTANO_ENVIRONMENT")
    chosen = f" --environment {environment}" if environment else ""
    return f"meltano{chosen} invoke {plugin}:{words}"
