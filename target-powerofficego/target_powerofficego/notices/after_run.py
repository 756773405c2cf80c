"""What a run that has ended lets those know who set `notify`."""

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

_IN_GENERAL: Mapping[type[BaseException], str] = {
    BrakeReached: "a brake stopped it (max_creates, max_changes)",
    BrokenInput: "what the tap sent could not be read",
    CannotStart: "it could not start as things are",
    LinkStoreError: "the link store could not be used",
    OutputClosed: "its output could not be written",
}
"""Why a run broke, without a word that could hold a key or say who a person is."""
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
    """Send what is new once a run has `ended`, with a failure or an exit status.

    Nothing is said of a run that a signal stopped, or that another run kept from starting; nor
    before any run came as far as Go, for then somebody watches. `is_whole` is whether the input
    was; `other_system_errors` are the errors of the system that is written to.
    """
    if isinstance(ended, (Terminated, RunUnderWay)):
        return
    why = _why_it_broke(ended, other_system_errors, is_whole=is_whole)

    def endings(store: LinkStore) -> Iterator[tuple[Namespace, Ending]]:
        namespace = find_namespace(store, config["shop_name"])
        if namespace is not None:
            newest = namespace.newest_run
            broke = Ending(namespace.shop_name, newest, broken={way: why or ""})
            well = Ending(namespace.shop_name, newest, ended_well={way: newest}, is_silent=False)
            yield namespace, broke if why else well

    location = StoreLocation.of(str(config["link_store"]))
    wrong = announce(location, addresses_in(config["notify"]), endings)
    if wrong:
        logger.warning("%s", wrong)


def _why_it_broke(
    ended: BaseException | int, other_system_errors: tuple[type[Exception], ...], *, is_whole: bool
) -> str | None:
    """Return in general words why a run broke, None if it did not."""
    if isinstance(ended, other_system_errors):
        return _NO_ANSWER
    if isinstance(ended, BaseException):
        known = (why for kind, why in _IN_GENERAL.items() if isinstance(ended, kind))
        return next(known, "it failed")
    if not is_whole:
        return NOT_ALL_READ
    return _NO_CHANGES_FILE if ended == 1 else None
