"""Finds what is new, remembers that it is said, and sends it: after a run, and by `check`.

That something is said is remembered before it is sent, so that it is never said twice, and taken
back where no address took it, so that it is said the next time.
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
    status_after,
    together,
)
from target_powerofficego.store.link_store import LinkStore, LinkStoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from target_powerofficego.store.link_store import Namespace
    from target_powerofficego.store.location import StoreLocation

_SENDER = "target_powerofficego.notices.sender"
_LONGEST_SECONDS = 60.0
"""How long the process that sends may take, which bounds itself once Apprise is loaded."""


@dataclass(frozen=True)
class _News:
    """What is new about one shop, and how to take back that it was said."""

    namespace: Namespace
    before: ShopStatus
    after: ShopStatus
    message: Message


def announce(
    location: StoreLocation,
    addresses: Sequence[str],
    endings: Callable[[LinkStore], Iterable[tuple[Namespace, Ending]]],
) -> str | None:
    """Send what is new of each shop in one message; return a line that says what went wrong.

    It raises nothing: what was done is done, whether anybody could be told of it or not.
    """
    try:
        with contextlib.closing(LinkStore(location)) as store:
            found = [_new_of(store, *one) for one in endings(store)]
        news = [one for one in found if one is not None]
        if not news:
            return None
        taken = _send(together([one.message for one in news]), addresses)
        if not taken:
            _take_back(location, news)
    except LinkStoreError as error:
        return f"notify: {error}"
    if taken == len(addresses):
        return None
    again = "" if taken else "; it is tried again after the next run"
    return f"notify: {taken} of {len(addresses)} addresses took the message{again}"


def send_test_message(addresses: Sequence[str]) -> list[int]:
    """Send a test message; return the places, from 1, of the addresses that did not take it."""
    return [place for place, one in enumerate(addresses, start=1) if not _send(TEST_MESSAGE, [one])]


def find_namespace(store: LinkStore, shop_name: str) -> Namespace | None:
    """Return the namespace of a shop; of several with its name, the one that ran last."""
    known = [one for one in store.namespaces.all() if one.shop_name == shop_name]
    return max(known, key=lambda one: (one.newest_run, one.id), default=None)


def _new_of(store: LinkStore, namespace: Namespace, ending: Ending) -> _News | None:
    """Return what is new about a shop, once it is remembered that it is said."""
    store.namespaces.choose(namespace)
    kept = store.notices.last()
    before = ShopStatus() if kept is None else ShopStatus.of(kept)
    waiting = store.unsettled.all("reject", "hold", acknowledged=False)
    after = status_after(before, ending, waiting)
    if after == before or not store.notices.replace(before.to_keep(), after.to_keep()):
        return None
    message = compose_message(ending, before, after, waiting)
    return None if message is None else _News(namespace, before, after, message)


def _take_back(location: StoreLocation, news: Iterable[_News]) -> None:
    with contextlib.closing(LinkStore(location)) as store:
        for one in news:
            store.namespaces.choose(one.namespace)
            while (kept := store.notices.last()) is not None:
                without = ShopStatus.of(kept).without(one.before, one.after)
                if store.notices.replace(kept, without.to_keep()):
                    break  # else another process has said something at the same time


def _send(message: Message, addresses: Sequence[str]) -> int:
    """Return how many addresses took a message, in a process that is ended if it takes too long."""
    given = json.dumps({"addresses": addresses, "message": asdict(message)})
    try:
        answer = subprocess.run(  # noqa: S603 - our own module; the secrets go by its input
            [sys.executable, "-m", _SENDER],
            input=given.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=sys.prefix,  # Python looks for modules in the working directory first
            timeout=_LONGEST_SECONDS,
            check=False,
        ).stdout
    except subprocess.TimeoutExpired as late:
        answer = late.stdout or b""
    except OSError:
        answer = b""
    return answer.count(b"\n")
