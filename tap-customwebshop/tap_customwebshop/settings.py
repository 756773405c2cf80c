"""The tap's settings, and the check of those that a person wrote."""

from __future__ import annotations

import difflib
import ipaddress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from singer_sdk import typing as th
from singer_sdk.plugin_base import JSONSchemaValidator

from tap_customwebshop.plugin.plain_text import NOT_SHOWN, looks_like_a_name
from tap_customwebshop.stamps import parse_start

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, MutableMapping

    from jsonschema import ValidationError  # type: ignore[import-untyped]

API_URL = th.Property(
    "api_url",
    th.StringType,
    required=True,
    title="API address",
    description="Where the shop's API is, without the stream's name. HTTPS, or HTTP on this "
    "machine.",
    examples=["https://shop.example.com/api"],
)

SHOP = th.Property(
    "shop",
    th.StringType,
    title="Shop file",
    description="A Python file that says how the shop is read and written to, such as ./my_shop.py,"
    " or the name of one that comes with the tap. Without it, the shop must have the API that is"
    " made for these plugins.",
)
SHOP_SETTINGS = th.Property(
    "shop_settings",
    th.ObjectType(additional_properties=th.StringType),
    secret=True,
    title="Settings of the shop file",
    description="Keys and other values that the shop file names, such as "
    '{"client_id": "...", "client_secret": "..."}. With a shop file, auth_token is needed only '
    "if the file names it.",
)

SETTINGS: dict[str, Any] = th.PropertiesList(
    API_URL,
    th.Property(
        "auth_token",
        th.StringType,
        required=True,
        secret=True,
        title="Access token",
        description="The bearer token that the shop's API requires.",
    ),
    SHOP,
    SHOP_SETTINGS,
    th.Property(
        "start_date",
        th.DateTimeType,
        title="Start date",
        description="Records that last changed before this moment are not read. A date, or RFC "
        "3339; without a time zone it is UTC. All records if empty.",
    ),
    th.Property(
        "lookback_seconds",
        th.IntegerType(minimum=0, maximum=10**9),
        default=300,
        title="Look-back (seconds)",
        description="How far before the bookmark each run begins, so that records which the shop "
        "committed late are read as well.",
    ),
    th.Property(
        "page_size",
        th.IntegerType(minimum=1, maximum=1000),
        default=500,
        title="Page size",
        description="How many records to request at a time, 1 to 1000.",
    ),
    th.Property(
        "request_timeout",
        th.IntegerType(minimum=1),
        default=60,
        title="Request timeout (seconds)",
        description="How long the shop may take for one page, to the last byte.",
    ),
    th.Property(
        "retry_seconds",
        th.IntegerType(minimum=0),
        default=300,
        title="Retry budget (seconds)",
        description="How long, in total, the request for one page is retried while the shop is "
        "busy or failing. 0 gives up at once.",
    ),
    th.Property(
        "user_agent",
        th.StringType,
        title="User agent",
        description="How the tap introduces itself to the shop. Its own name and version if empty.",
    ),
    additional_properties=False,
).to_dict()


_NO_SETTINGS = (
    "No settings were given: name their file with --config FILE, or use --config ENV to read them "
    "from environment variables."
)
_TYPE_LABELS = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list",
    "object": "an object of names and values",
}
_LIMITS = {"minimum": "at least", "maximum": "at most"}


def setting_errors(config: MutableMapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Fill in the defaults and return the faults, one line for each.

    No line contains the value of a setting, since any of them may be a secret in the wrong place.

    Args:
        config: The settings as given; missing and null ones get their defaults.
        schema: The JSON schema of all settings, including the SDK's own.
    """
    if not config:
        return [_NO_SETTINGS]
    known = schema["properties"]
    lines = [_unknown(name, known) for name in config if name not in known]
    for name in [name for name in known if name in config and config[name] is None]:
        del config[name]
    optional = ("auth_token",) if config.get("shop") else ()  # the shop file says what it needs
    missing = [
        name for name in schema.get("required", []) if name not in config and name not in optional
    ]
    lines.extend(f"The setting '{name}' is missing." for name in missing)
    errors = JSONSchemaValidator(schema).iter_errors(config)
    lines += [
        _broken_rule(error) for error in errors if error.path and error.path[0] not in missing
    ]
    return lines or list(_unusable_values(config))


def _unknown(name: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean '{close[0]}'?" if close else f"The settings are: {', '.join(known)}."
    if close or looks_like_a_name(name):
        return f"There is no setting '{name}'. {hint}"
    return f"One of the settings does not exist; {NOT_SHOWN}. {hint}"


def _broken_rule(error: ValidationError) -> str:
    name = ".".join(str(part) for part in error.path)
    rule, wanted = str(error.validator), error.validator_value
    if rule == "type":
        types = [wanted] if isinstance(wanted, str) else wanted
        labels = " or ".join(_TYPE_LABELS[kind] for kind in types if kind != "null")
        return f"The setting '{name}' must be {labels}."
    if rule in _LIMITS:
        return f"The setting '{name}' must be {_LIMITS[rule]} {wanted}."
    return f"The setting '{name}' has an invalid value; the rule is: {rule} {wanted}."


def _unusable_values(config: Mapping[str, Any]) -> Iterator[str]:
    if fault := address_fault(config["api_url"]):
        yield f"The setting 'api_url' {fault}"
    is_needed = "auth_token" in config and not (config.get("shop") and not config["auth_token"])
    if is_needed and (fault := token_fault(config["auth_token"])):
        yield f"The setting 'auth_token' {fault}"
    if fault := user_agent_fault(config.get("user_agent") or ""):
        yield f"The setting 'user_agent' {fault}"
    start = config.get("start_date")
    if start is not None and parse_start(start) is None:
        yield (
            "The setting 'start_date' is not a date; write it as 2026-01-31 or"
            " 2026-01-31T00:00:00Z."
        )


def token_fault(token: str) -> str | None:
    """Return what is wrong with a bearer token, without showing it; None if nothing is."""
    if token and all("!" <= character <= "~" for character in token):
        return None
    return (
        "is empty or has characters that a bearer token cannot have: spaces, line ends or letters "
        "beyond ASCII. Copy it again from the shop."
    )


def user_agent_fault(user_agent: str) -> str | None:
    """Return what is wrong with a user agent; None if nothing is."""
    is_valid = user_agent.isascii() and user_agent.isprintable()
    return None if is_valid else "has characters that a header cannot have."


def address_fault(api_url: str) -> str | None:
    """Return what is wrong with the address of the shop's API; None if nothing is."""
    try:
        parts = urlsplit(api_url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"}:
        return "is not an address; write it as https://shop.example.com/api."
    if "@" in parts.netloc:
        return "must not contain a user name or password; set the key in 'auth_token'."
    if not is_plain_address(api_url):
        return (
            "has a character that addresses cannot have; write it as https://shop.example.com/api."
        )
    if parts.query or parts.fragment:
        return "must end before any '?' or '#'."
    if parts.scheme == "http" and not _is_this_machine(host):
        return "must begin with https://, or the token could be read on the way."
    return None


def is_plain_address(url: str) -> bool:
    r"""Return whether every parser finds the same host in an address.

    Parsers differ on user names, on `\` (for some the end of the host, for others a part of it) and
    on control characters, which some leave out.

    Raises:
        ValueError: The address cannot be parsed at all.
    """
    return url.isprintable() and "\\" not in url and "@" not in urlsplit(url).netloc


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
