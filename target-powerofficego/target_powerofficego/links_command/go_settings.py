"""The settings of target-powerofficego for a command that reads Go: of its config, or variables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from target_powerofficego.environment import settings_of_variables
from target_powerofficego.errors import SettingsError
from target_powerofficego.settings.complaints import broken_rules
from target_powerofficego.settings.forward import Settings
from target_powerofficego.settings.schema import CONFIG

if TYPE_CHECKING:
    from collections.abc import Sequence

_PREFIX = "TARGET_POWEROFFICEGO_"
_ENVIRONMENT = "ENV"
USED = (
    *("application_key", "client_key", "subscription_key", "environment", "api_url", "token_url"),
    *("shop_name", "link_store", "time_zone"),
    *("requests_per_second", "workers", "request_timeout", "retry_seconds"),
)
"""The settings that reading needs; the others may be as they like, for they decide on writes."""


def told_config(paths: Sequence[str]) -> dict[str, Any]:
    """Return the settings of config files, as the target takes them; ENV, or none, is variables.

    Raises:
        click.ClickException: with one line, for a file that is missing or no JSON.
    """
    config: dict[str, Any] = {}
    for path in paths:
        if path != _ENVIRONMENT:
            config |= _of_file(path)
    if not paths or _ENVIRONMENT in paths:
        config |= _of_environment()
    return {name: config[name] for name in USED if config.get(name) not in (None, "")}


def settings_of(config: dict[str, Any]) -> Settings:
    """Check and type a config.

    Raises:
        click.ClickException: with one line that names all that is missing or wrong.
    """
    known = dict(config)
    wrong = broken_rules(known, CONFIG.to_dict())
    if not wrong:
        try:
            return Settings.from_config(known)
        except SettingsError as error:
            wrong = error.lines
    msg = (
        f"{'; '.join(wrong)}. The settings of target-powerofficego are needed: name their file with"
        f" --config FILE, or set the variables {_PREFIX}…"
    )
    raise click.ClickException(msg)


def _of_file(path: str) -> dict[str, Any]:
    try:
        told = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"--config: {path} cannot be read: {error.strerror}"
        raise click.ClickException(msg) from None
    except ValueError as error:
        msg = f"--config: {path} holds no settings as JSON: {error}"
        raise click.ClickException(msg) from None
    if not isinstance(told, dict):
        msg = f"--config: {path} holds no settings as JSON"
        raise click.ClickException(msg)
    return told


def _of_environment() -> dict[str, Any]:
    properties = CONFIG.to_dict()["properties"]
    try:
        used = {"properties": {name: properties[name] for name in USED}}
        return settings_of_variables(used, _PREFIX)
    except ValueError as error:
        msg = f"a variable {_PREFIX}… cannot be read: {error}"
        raise click.ClickException(msg) from None
