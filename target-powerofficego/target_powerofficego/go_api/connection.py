"""Where PowerOffice Go is and which keys open it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from target_powerofficego.go_api.errors import ConfigurationError

# Source: Go's pages on authentication and on setting up Postman.
ADDRESSES = {
    "production": (
        "https://goapi.poweroffice.net/v2",
        "https://goapi.poweroffice.net/OAuth/Token",
    ),
    "demo": (
        "https://goapi.poweroffice.net/Demo/v2",
        "https://goapi.poweroffice.net/Demo/OAuth/Token",
    ),
}


@dataclass(frozen=True)
class Connection:
    """Two addresses and three keys; `repr` shows no key.

    Raises:
        ConfigurationError: when an address is no https address (plain http is allowed to this
            machine itself), or when a key is empty or holds a character that no key has.
    """

    api_url: str
    token_url: str
    application_key: str = field(repr=False)
    client_key: str = field(repr=False)
    subscription_key: str = field(repr=False)

    def __post_init__(self) -> None:
        for names, why_not in (
            (("api_url", "token_url"), _why_no_url),
            (("application_key", "client_key", "subscription_key"), _why_no_key),
        ):
            for name in names:
                if why := why_not(getattr(self, name)):
                    raise ConfigurationError(f"{name} {why}")

    @classmethod
    def for_environment(
        cls,
        environment: str,
        *,
        application_key: str,
        client_key: str,
        subscription_key: str,
        api_url: str | None = None,
        token_url: str | None = None,
    ) -> Connection:
        """Return the connection to `production`, `demo`, or `custom` with its own two addresses.

        Raises:
            ConfigurationError: for an unknown environment, for addresses that are missing
                (custom) or superfluous (others), and for what `Connection` itself refuses.
        """
        api_url, token_url = _addresses(environment, api_url, token_url)
        return cls(api_url, token_url, application_key, client_key, subscription_key)

    def url_of(self, path: str) -> str:
        """Return the whole address of a path such as `/Customers`."""
        return self.api_url.rstrip("/") + path


def _addresses(environment: str, api_url: str | None, token_url: str | None) -> tuple[str, str]:
    if environment == "custom" and api_url and token_url:
        return api_url, token_url
    if environment == "custom":
        message = "environment is custom, so api_url and token_url must both be set"
    elif environment not in ADDRESSES:
        message = f"environment is {environment!r}, but must be production, demo or custom"
    elif api_url or token_url:
        message = (
            f"api_url and token_url belong to environment custom; "
            f"remove them or change environment, which is {environment}"
        )
    else:
        return ADDRESSES[environment]
    raise ConfigurationError(message)


def _why_no_url(url: str) -> str | None:
    """Say why an address cannot be used, None: it can."""
    try:
        parts = urlsplit(url)
        readable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        readable = False
    # To some parsers a backslash ends the host, to others it is a part of it.
    if not readable or not url.isprintable() or set(url) & {" ", "\\"}:
        return "cannot be read as a web address; it should look like https://host/path"
    if "@" in parts.netloc or parts.query or parts.fragment:
        return "must be a plain address, without a user name, '?' or '#'"
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_this_machine(parts)):
        return "must begin with https:// (http:// only for this machine itself)"
    return None


def _is_this_machine(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _why_no_key(key: str) -> str | None:
    """Say why a key cannot be one, None: it can."""
    if not key:
        return "is empty; set it to the key from PowerOffice Go"
    if not (key.isascii() and key.isprintable()) or " " in key:
        return "holds a space, line break or letter that no key has; copy it once more"
    return None
