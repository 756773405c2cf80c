"""The process that hands a message to Apprise; it prints a line for each address that took it.

Apprise logs the addresses, which are secrets, and a service may never answer. So this is a process
of its own: its log is thrown away, and it does not wait for long.
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
"""How long the services may take, all at once."""


def main() -> None:
    """Send what standard input says, to all addresses at once."""
    given = json.load(sys.stdin)
    services = [one for one in map(_service, given["addresses"]) if one is not None]
    threads = [
        threading.Thread(target=_send, args=(one, given["message"]), daemon=True)
        for one in services
    ]
    for thread in threads:
        thread.start()
    give_up_at = time.monotonic() + _LONGEST_SECONDS
    for thread in threads:
        thread.join(max(give_up_at - time.monotonic(), 0))


def _service(address: str) -> NotifyBase | None:
    """Return the service at an address, None if it lacks what the service needs."""
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
        print("taken", flush=True)  # noqa: T201 - to the process that asked


if __name__ == "__main__":
    main()
    os._exit(0)  # what a service still keeps busy is not waited for
