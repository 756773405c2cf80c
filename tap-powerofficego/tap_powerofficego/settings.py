"""The tap's settings, and the check of those that a person wrote."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th
from singer_sdk.plugin_base import JSONSchemaValidator
from target_powerofficego.go_api import ConfigurationError, Connection
from target_powerofficego.go_api.turn_stores import IN_MEMORY, check_store_location
from target_powerofficego.plugin.plain_text import NOT_SHOWN, looks_like_a_name
from target_powerofficego.settings.schema import as_number, settings_named

from tap_powerofficego import stamps

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from jsonschema import ValidationError  # type: ignore[import-untyped]

LARGEST_PAGE = 20000
PAGE_SIZE = 5000

_CONNECTION = (
    *settings_named("application_key", "client_key", "subscription_key"),
    th.Property(
        "environment",
        th.StringType,
        required=True,
        allowed_values=["production", "demo", "custom"],
        title="Environment",
        description="Which Go to read; `custom` takes api_url and token_url.",
    ),
    *settings_named("api_url", "token_url", "requests_per_second"),
    th.Property(
        "rate_limit_store",
        th.StringType,
        title="Rate limit store",
        description="Where programs with the same subscription key share its limit: `memory` (not"
        " shared), the path of a file (processes of one machine), or the address of a PostgreSQL"
        " database (several machines; postgresql://user@host/database, its password in PGPASSWORD"
        " or ~/.pgpass). Default: `memory`. The tap has no link store, so set this even if"
        " target-powerofficego uses its link store's database by default.",
    ),
    *settings_named("request_timeout"),
    th.Property(
        "retry_seconds",
        th.IntegerType(minimum=10),
        default=300,
        title="Retry budget, seconds",
        description="How long, in total, one call is retried while Go is busy or failing.",
    ),
)

_READING = (
    th.Property(
        "page_size",
        th.IntegerType(minimum=1, maximum=LARGEST_PAGE),
        default=PAGE_SIZE,
        title="Page size",
        description="How many entries to request at a time, 1 to 20000. A page is kept in memory.",
    ),
    th.Property(
        "start_date",
        th.DateTimeType,
        title="Start date",
        description="Entries that last changed before this moment are not read, nor are invoices"
        " with an earlier voucher date. A date, or RFC 3339; without a time zone it is UTC. All"
        " entries if empty.",
    ),
    th.Property(
        "overlap_seconds",
        th.IntegerType(minimum=0),
        default=300,
        title="Overlap, seconds",
        description="How far before the bookmark each run begins, so that entries which Go stored"
        " late are read as well.",
    ),
    th.Property(
        "full_check_hours",
        th.NumberType(minimum=0),
        default=24,
        title="Full check, hours",
        description="How often customers, products and sales orders are read in full again, because"
        " some edits, such as those of an address, do not move Go's stamps.",
    ),
)

SETTINGS: dict[str, Any] = th.PropertiesList(
    *_CONNECTION, *_READING, additional_properties=False
).to_dict()

_KEYS = ("application_key", "client_key", "subscription_key")


def setting_errors(config: MutableMapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Fill in the defaults and return the faults, one line for each.

    No line contains the value of a setting, since any of them may be a secret in the wrong place.

    Args:
        config: The settings as given; missing and null ones get their defaults.
        schema: The JSON schema of all settings, including the SDK's own.
    """
    known = schema["properties"]
    for name in list(config):
        if config[name] is None:
            del config[name]
        elif "number" in known.get(name, {}).get("type", ()):
            config[name] = as_number(config[name])
    lines = [_unknown(name, known) for name in config if name not in known]
    missing = [name for name in schema.get("required", []) if name not in config]
    lines += [f"The setting '{name}' is missing." for name in missing]
    errors = JSONSchemaValidator(schema).iter_errors(config)
    lines += [
        _broken_rule(error) for error in errors if error.path and error.path[0] not in missing
    ]
    return lines or _unusable_values(config)


def connection_of(config: Mapping[str, Any]) -> Connection:
    """Return the address of Go and the keys to it.

    Raises:
        ConfigurationError: One of these settings is not valid.
    """
    return Connection.for_environment(
        config.get("environment") or "",
        application_key=config.get("application_key") or "",
        client_key=config.get("client_key") or "",
        subscription_key=config.get("subscription_key") or "",
        api_url=config.get("api_url") or None,
        token_url=config.get("token_url") or None,
    )


def rate_limit_store(config: Mapping[str, Any]) -> str:
    """Return where the rate limit of the subscription key is shared."""
    return config.get("rate_limit_store") or IN_MEMORY


def _unknown(name: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean '{close[0]}'?" if close else f"The settings are: {', '.join(known)}."
    if close or looks_like_a_name(name):
        return f"There is no setting '{name}'. {hint}"
    return f"One of the settings does not exist; {NOT_SHOWN}. {hint}"


def _broken_rule(error: ValidationError) -> str:
    name = ".".join(str(part) for part in error.path)
    rule = f"{error.validator} {error.validator_value}"
    return f"The setting '{name}' has an invalid value; the rule is: {rule}."


def _unusable_values(config: Mapping[str, Any]) -> list[str]:
    lines = [f"The setting '{name}' is empty." for name in _KEYS if not config[name].strip()]
    if not lines:
        try:
            connection_of(config)
            check_store_location(rate_limit_store(config))
        except ConfigurationError as error:
            lines.append(f"{error}.")
    start = config.get("start_date")
    if start and not stamps.parse_start(start):
        lines.append(
            "The setting 'start_date' is not a date; write it as 2026-01-31 or"
            " 2026-01-31T00:00:00Z."
        )
    return lines
