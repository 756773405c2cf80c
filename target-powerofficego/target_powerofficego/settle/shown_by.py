"""By which command a person looks into the link store: under Meltano, the one that works there."""

from __future__ import annotations

import os

_NAMES = ("MELTANO_LOADER_NAME", "MELTANO_UTILITY_NAME")


def shown_by(words: str) -> str:
    """Return the line that runs `powerofficego-links` with these words from where this process is.

    Meltano tells a plugin the plugin's own name, and the environment that the run is in. The
    definition of each target for Meltano has the commands of `powerofficego-links`.
    """
    plugin = next((os.environ[name] for name in _NAMES if os.environ.get(name)), None)
    if plugin is None:
        return f"powerofficego-links {words}"
    environment = os.environ.get("MELTANO_ENVIRONMENT")
    chosen = f" --environment {environment}" if environment else ""
    return f"meltano{chosen} invoke {plugin}:{words}"
