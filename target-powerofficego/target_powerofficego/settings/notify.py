"""The setting `notify`: addresses in Apprise's form, of services that are reached over TLS.

Apprise itself is loaded only when something is sent.
"""

from __future__ import annotations

import importlib.util
import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICES: Mapping[str, str] = {
    "apprises": "apprise_api:NotifyAppriseAPI",
    "discord": "discord:NotifyDiscord",
    "forms": "custom_form:NotifyForm",
    "gchat": "google_chat:NotifyGoogleChat",
    "gotifys": "gotify:NotifyGotify",
    "jsons": "custom_json:NotifyJSON",
    "mailtos": "email:NotifyEmail",
    "matrixs": "matrix:NotifyMatrix",
    "mmosts": "mattermost:NotifyMattermost",
    "ntfys": "ntfy:NotifyNtfy",
    "opsgenie": "opsgenie:NotifyOpsgenie",
    "pagerduty": "pagerduty:NotifyPagerDuty",
    "pover": "pushover:NotifyPushover",
    "rockets": "rocketchat:NotifyRocketChat",
    "slack": "slack:NotifySlack",
    "tgram": "telegram:NotifyTelegram",
    "workflows": "workflows:NotifyWorkflows",
}
"""The scheme of each service, and its class in Apprise: loading all of them takes four times as
long. A scheme that ends in s has a form without TLS and without the s, for this machine only."""
_WEAKENING = {"verify": {"no", "false", "0", "off"}, "mode": {"insecure"}}
"""Options of an address that would turn off TLS or the check of the certificate."""


def addresses_in(text: str) -> list[str]:
    """Return the addresses of the setting."""
    return text.split()


def address_errors(text: str) -> list[str]:
    """Return a line for each address that cannot be used; it never shows the address, a secret."""
    addresses = addresses_in(text)
    if addresses and importlib.util.find_spec("apprise") is None:
        return ["notify needs the package apprise: install target-powerofficego[notify]"]
    errors = [_error_of(address) for address in addresses]
    return [
        f"notify: address {number} of {len(addresses)} {error}"
        for number, error in enumerate(errors, start=1)
        if error
    ]


def _error_of(address: str) -> str | None:
    try:
        parts = urlsplit(address)
        is_local = _is_this_machine(parts)
        options = parse_qs(parts.query.lower())
    except ValueError:
        return "cannot be read as an address"
    if f"{parts.scheme}s" in SERVICES:
        return None if is_local else f"is not encrypted: it must begin with {parts.scheme}s://"
    if parts.scheme not in SERVICES:
        return f"must begin with one of {', '.join(f'{scheme}://' for scheme in SERVICES)}"
    if any(weak & set(options.get(name, ())) for name, weak in _WEAKENING.items()):
        return "does not verify that the service is genuine: leave out verify and mode"
    return None


def _is_this_machine(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
