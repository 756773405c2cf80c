"""The setting `notify`: addresses in Apprise's form, all of them of services reached by TLS.

Apprise itself is loaded only where something is sent.
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
"""How the address of a service begins, and where Apprise has it: to load all takes four times as
long. Those that end in s have a form without TLS, which lacks the s, for this machine itself."""
_WEAKENING = {"verify": {"no", "false", "0", "off"}, "mode": {"insecure"}}
"""What an address may say to be taken without TLS, or without a look at the certificate."""


def addresses_in(text: str) -> list[str]:
    """Return the addresses of the setting."""
    return text.split()


def address_errors(text: str) -> list[str]:
    """Return a line for each address that cannot be used, which never shows it: it is a secret."""
    addresses = addresses_in(text)
    if addresses and importlib.util.find_spec("apprise") is None:
        return ["notify needs the package apprise: install target-powerofficego[notify]"]
    reasons = [_why_not(address) for address in addresses]
    return [
        f"notify: address {number} of {len(addresses)} {why}"
        for number, why in enumerate(reasons, start=1)
        if why
    ]


def _why_not(address: str) -> str | None:
    try:
        parts = urlsplit(address)
        is_here = _is_this_machine(parts)
        options = parse_qs(parts.query.lower())
    except ValueError:
        return "cannot be read as an address"
    if f"{parts.scheme}s" in SERVICES:
        return None if is_here else f"is not encrypted: it must begin with {parts.scheme}s://"
    if parts.scheme not in SERVICES:
        return f"begins with none of {', '.join(f'{one}://' for one in SERVICES)}"
    if any(weak & set(options.get(name, ())) for name, weak in _WEAKENING.items()):
        return "lets anybody answer in the service's place: leave out verify and mode"
    return None


def _is_this_machine(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
