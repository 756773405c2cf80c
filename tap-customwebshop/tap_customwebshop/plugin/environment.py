"""Settings from environment variables and from a file `.env`."""

from __future__ import annotations

import os
from typing import Any

from .sdk_internals import parse_environment_config


def load_dotenv() -> None:
    """Add the variables of the nearest `.env`; an exported variable takes precedence.

    With the SDK alone, the file would override what a person has just exported.
    """
    exported = dict(os.environ)
    parse_environment_config({}, "")
    os.environ.update(exported)


def settings_from_environment(schema: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Return the settings of a schema that are set by variables with a prefix.

    Raises:
        ValueError: A value is not a number, or not JSON, where it should be.
    """
    load_dotenv()
    settings: dict[str, Any] = parse_environment_config(schema, prefix, dotenv_path=os.devnull)
    return settings
