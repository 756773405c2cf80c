"""The process that gives a message to Apprise; it prints a line for each address that accepts it.

Apprise logs the addresses, which are secrets, and a service may never answer. So it runs in its own
process, whose log is discarded and which does not wait for long.
"""

from __future__ import annotations

import json
import os
import pkgutil
import sys
import threading
import time
from typing import Any

from apprise import Apprise, AppriseAsset, NotifyBase

from target_powerofficego.settings.notify import SERVICES

_NAME = "customwebshop-powerofficego"
_ASSET = AppriseAsset(
    app_id=_NAME, app_desc=_NAME, storage_mode="memory", http_redirects=False, image_url_mask=""
)
_LONGEST_SECONDS = 15.0
"""How long the services may take, all at the same time."""


def main() -> None:
    """Send the message on standard input to all its addresses at the same time."""
    request = json.load(sys.stdin)
    threads = [
        threading.Thread(target=_send, args=(service, request["message"]), daemon=True)
        for service in map(_service, request["addresses"])
        if service is not None
    ]
    for thread in threads:
        thread.start()
    give_up_at = time.monotonic() + _LONGEST_SECONDS
    for thread in threads:
        thread.join(max(give_up_at - time.monotonic(), 0))


def _service(address: str) -> NotifyBase | None:
    """Return the service for an address, or None if the address is incomplete."""
    scheme = address.partition(":")[0].lower()
    kind = pkgutil.resolve_name(f"apprise.plugins.{SERVICES.get(scheme) or SERVICES[f'{scheme}s']}")
    try:
        service: NotifyBase = kind(**{**kind.parse_url(address), "asset": _ASSET})
    except TypeError:
        return None
    service.socket_connect_timeout = service.socket_read_timeout = _LONGEST_SECONDS
    return service


def _send(service: NotifyBase, message: dict[str, Any]) -> None:
    if Apprise(service, asset=_ASSET).notify(**message):
        print("accepted", flush=True)  # noqa: T201 - for the calling process


if __name__ == "__main__":
    main()
    os._exit(0)  # do not wait for services that have not answered
