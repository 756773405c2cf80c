"""Settings of environment variables, and of a file `.env`."""

from __future__ import annotations

import os
from typing import Any

from target_powerofficego.sdk_internals import parse_environment_config


def add_dotenv() -> None:
    """Add what stands in the nearest `.env` to the variables; one that is exported counts more.

    The SDK lets the file overrule what a person has just exported.
    """
    exported = dict(os.environ)
    parse_environment_config({}, "")
    os.environ.update(exported)


def settings_of_variables(schema: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Return the settings of a schema that variables with a prefix tell.

    Raises:
        ValueError: one is no number or no JSON where it should be.
    """
    add_dotenv()
    told: dict[str, Any] = parse_environment_config(schema, prefix, dotenv_path=os.devnull)
    return told
