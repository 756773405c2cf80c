"""Sends the news about a run that has ended to the addresses of the setting `notify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_powerofficego.errors import CannotStart
from target_powerofficego.notices.announcing import announce, find_namespace
from target_powerofficego.notices.news import NOT_ALL_READ, Ending
from target_powerofficego.settings.notify import addresses_in
from target_powerofficego.settle.schedule import OutputClosed
from target_powerofficego.settle.signals import BrokenInput, Terminated
from target_powerofficego.settle.writes import BrakeReached
from target_powerofficego.store.location import StoreLocation
from target_powerofficego.store.values import LinkStoreError, RunUnderWay

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Mapping

    from target_powerofficego.store.link_store import LinkStore, Namespace
    from target_powerofficego.store.values import WayName

_GENERAL_REASONS: Mapping[type[BaseException], str] = {
    BrakeReached: "a brake stopped it (max_creates, max_changes)",
    BrokenInput: "what the tap sent could not be read",
    CannotStart: "it could not start",
    LinkStoreError: "the link store could not be used",
    OutputClosed: "its output could not be written",
}
"""Why a run failed, in words that cannot contain a key or identify a person."""
_NO_ANSWER = "the system that it writes to refused it, or gave no usable answer"
_NO_CHANGES_FILE = "changes_file could not be written"


def notify_after_run(
    config: Mapping[str, Any],
    way: WayName,
    ended: BaseException | int,
    *,
    is_whole: bool,
    other_system_errors: tuple[type[Exception], ...],
    logger: logging.Logger,
) -> None:
    """Send what is new after a run; `ended` is its failure or exit status.

    Nothing is sent about a run that was stopped by a signal or kept from starting by another run,
    or before any run has reached Go, because somebody is watching then.
    `is_whole` is whether the input was complete; `other_system_errors` are the errors of the system
    that the run writes to.
    """
    if isinstance(ended, (Terminated, RunUnderWay)):
        return
    reason = _general_reason(ended, other_system_errors, is_whole=is_whole)

    def endings(store: LinkStore) -> Iterator[tuple[Namespace, Ending]]:
        namespace = find_namespace(store, config["shop_name"])
        if namespace is not None:
            newest = namespace.newest_run
            failed = Ending(namespace.shop_name, newest, broken={way: reason or ""})
            well = Ending(namespace.shop_name, newest, ended_well={way: newest}, is_silent=False)
            yield namespace, failed if reason else well

    location = StoreLocation.of(str(config["link_store"]))
    if error := announce(location, addresses_in(config["notify"]), endings):
        logger.warning("%s", error)


def _general_reason(
    ended: BaseException | int, other_system_errors: tuple[type[Exception], ...], *, is_whole: bool
) -> str | None:
    """Return why a run failed, in general words, or None if it did not fail."""
    if isinstance(ended, other_system_errors):
        return _NO_ANSWER
    if isinstance(ended, BaseException):
        matches = (text for kind, text in _GENERAL_REASONS.items() if isinstance(ended, kind))
        return next(matches, "it stopped on an error")
    if not is_whole:
        return NOT_ALL_READ
    return _NO_CHANGES_FILE if ended == 1 else None
