"""Finds what is new, records that it is announced, and sends it: after a run, and by `check`.

An announcement is recorded before it is sent, so that nothing is announced twice. If no address
accepts it, the record is undone, so that it is sent the next time.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from target_powerofficego.notices.news import (
    TEST_MESSAGE,
    Ending,
    Message,
    ShopStatus,
    compose_message,
    join_messages,
    status_after,
)
from target_powerofficego.store.link_store import LinkStore, LinkStoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from target_powerofficego.store.link_store import Namespace
    from target_powerofficego.store.location import StoreLocation

_SENDER = "target_powerofficego.notices.sender"
_LONGEST_SECONDS = 60.0
"""How long the sending process may take; it limits itself once Apprise is loaded."""


@dataclass(frozen=True)
class _News:
    """What is new about a shop, and the status before and after, to undo the announcement."""

    namespace: Namespace
    before: ShopStatus
    after: ShopStatus
    message: Message


def announce(
    location: StoreLocation,
    addresses: Sequence[str],
    endings: Callable[[LinkStore], Iterable[tuple[Namespace, Ending]]],
) -> str | None:
    """Send what is new about each shop in one message; return an error in one line, if any.

    Nothing is raised: a failed announcement changes nothing about the run.
    """
    try:
        with contextlib.closing(LinkStore(location)) as store:
            all_news = [
                _record_news(store, namespace, ending) for namespace, ending in endings(store)
            ]
        news = [item for item in all_news if item is not None]
        if not news:
            return None
        accepted = _send(join_messages([item.message for item in news]), addresses)
        if not accepted:
            _undo(location, news)
    except LinkStoreError as error:
        return f"notify: {error}"
    if accepted == len(addresses):
        return None
    retry = "" if accepted else "; it will be sent again after the next run"
    return f"notify: {accepted} of {len(addresses)} addresses accepted the message{retry}"


def send_test_message(addresses: Sequence[str]) -> list[int]:
    """Send a test message; return the positions, from 1, of the addresses that refuse it."""
    return [
        position
        for position, address in enumerate(addresses, start=1)
        if not _send(TEST_MESSAGE, [address])
    ]


def find_namespace(store: LinkStore, shop_name: str) -> Namespace | None:
    """Return the namespace of a shop; if several have its name, the one that ran last."""
    matches = [
        namespace for namespace in store.namespaces.all() if namespace.shop_name == shop_name
    ]
    return max(matches, key=lambda namespace: (namespace.newest_run, namespace.id), default=None)


def _record_news(store: LinkStore, namespace: Namespace, ending: Ending) -> _News | None:
    """Return what is new about a shop, after recording that it is announced."""
    store.namespaces.choose(namespace)
    stored = store.notices.last()
    before = ShopStatus() if stored is None else ShopStatus.of(stored)
    waiting = store.unsettled.all("reject", "hold", acknowledged=False)
    after = status_after(before, ending, waiting)
    if after == before or not store.notices.replace(before.to_keep(), after.to_keep()):
        return None
    message = compose_message(ending, before, after, waiting)
    return None if message is None else _News(namespace, before, after, message)


def _undo(location: StoreLocation, news: Iterable[_News]) -> None:
    with contextlib.closing(LinkStore(location)) as store:
        for item in news:
            store.namespaces.choose(item.namespace)
            while (stored := store.notices.last()) is not None:
                status = ShopStatus.of(stored).without(item.before, item.after)
                if store.notices.replace(stored, status.to_keep()):
                    break  # otherwise another process has announced something in the meantime


def _send(message: Message, addresses: Sequence[str]) -> int:
    """Send a message in a process with a time limit; return how many addresses accepted it."""
    request = json.dumps({"addresses": addresses, "message": asdict(message)})
    try:
        answer = subprocess.run(  # noqa: S603 - our own module; secrets go to its input
            [sys.executable, "-m", _SENDER],
            input=request.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=sys.prefix,  # Python looks for modules in the working directory first
            timeout=_LONGEST_SECONDS,
            check=False,
        ).stdout
    except subprocess.TimeoutExpired as timeout:
        answer = timeout.stdout or b""
    except OSError:
        answer = b""
    return answer.count(b"\n")
