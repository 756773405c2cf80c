"""The process that hands a message to Apprise; it prints a line for each address that took it.

Apprise logs the addresses, which are secrets, and a service may never answer. So this is a process
of its own: its log is thrown away, and it is ended when it takes too long.
"""

from __future__ import annotations

import json
import sys
import threading

from apprise import Apprise, AppriseAsset

_NAME = "customwebshop-powerofficego"


def main() -> None:
    """Send what standard input says, to all addresses at once."""
    given = json.load(sys.stdin)
    threads = [
        threading.Thread(target=_send, args=(one, given["message"]), daemon=True)
        for one in given["addresses"]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _send(address: str, message: dict[str, str]) -> None:
    asset = AppriseAsset(
        app_id=_NAME, app_desc=_NAME, storage_mode="memory", http_redirects=False, image_url_mask=""
    )
    service = Apprise.instantiate(address, asset=asset)
    if service is not None and Apprise(service, asset=asset).notify(**message):
        print("taken", flush=True)  # noqa: T201 - to the process that asked


if __name__ == "__main__":
    main()
