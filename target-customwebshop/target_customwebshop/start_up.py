"""Opens a run of the way back: the locked link store, its namespace, and the shop.

The run writes edits in Go to the shop; see `BackSide`.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import logging
import time
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import IO, TYPE_CHECKING, Any

from tap_customwebshop.connection import ShopConnection
from target_powerofficego.dataflow.orders.order import is_internal_id
from target_powerofficego.dataflow.table import Conversion
from target_powerofficego.decisions.personal_data import ERASED
from target_powerofficego.errors import CannotStart
from target_powerofficego.settle.plan import Plan
from target_powerofficego.settle.run import Run
from target_powerofficego.settle.settlement import Settlement, TargetSide
from target_powerofficego.settle.summary import Tally, links_command_for
from target_powerofficego.settle.writes import Brakes
from target_powerofficego.store.connection import has_store
from target_powerofficego.store.link_store import LinkStore
from target_powerofficego.store.values import ENTITIES, back_name, entity_of
from target_powerofficego.sync.customers import CustomersWalk
from target_powerofficego.sync.products import ProductsWalk
from target_powerofficego.sync.unanswered_writes import wait_for_late_writes

from target_customwebshop.file_records import CountedConnection, DryFileRecords, FileRecords
from target_customwebshop.order_walk import OrderBackWalk
from target_customwebshop.settings import BackSettings
from target_customwebshop.shop_records import ContractRecords, DryContractRecords, TryLater
from target_customwebshop.shop_writer import ShopWriter
from target_customwebshop.walk import CREDIT_NOTES, BackTools, BackWalk

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Mapping

    from requests.auth import AuthBase
    from tap_customwebshop.shop.loading import ShopFile
    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.settle.record_flow import Arrival
    from target_powerofficego.store.link_store import Link

    from target_customwebshop.file_records import OnRequest
    from target_customwebshop.shop_records import ShopRecords


logger = logging.getLogger("target-customwebshop")


@dataclass
class BackRun(Run):
    """A run of the way back."""

    side: BackSide


def start(
    config: Mapping[str, Any], output: IO[str], wait: Callable[[float], object] = time.sleep
) -> BackRun:
    """Open a run from a config that fits the schema; `wait` is as in `RunTools`.

    Raises:
        SettingsError: some settings are invalid; it has a line for each.
        CannotStart, LinkStoreError, ShopError: the run cannot start; the text is one line.
    """
    settings = BackSettings.from_config(config)
    with contextlib.ExitStack() as opened:
        run = _start(settings, opened, output, wait)
        run.opened = opened.pop_all()
    return run


def _start(
    settings: BackSettings,
    opened: contextlib.ExitStack,
    output: IO[str],
    wait: Callable[[float], object],
) -> BackRun:
    store = opened.enter_context(contextlib.closing(_open_store(settings)))
    store.namespaces.enter_existing(settings.shop_name)
    if settings.dry_run:
        store = opened.enter_context(contextlib.closing(store.copy_in_memory()))
    _log_kind_of_run(settings)
    _require_shared_settings(settings, store)
    shop = opened.enter_context(contextlib.closing(_open_shop(settings)))
    brakes = Brakes(max_changes=settings.max_changes, stops=not settings.dry_run)
    tools = _tools(settings, store, shop, brakes, wait)
    if not settings.dry_run:
        _settle_unanswered(tools)
    side = BackSide(tools)
    settlement = Settlement(
        side,
        store,
        tools.tally,
        workers=settings.workers,
        output=None if settings.dry_run else output,
    )
    return BackRun(
        settings=settings,
        store=store,
        client=shop,
        settlement=settlement,
        plan=tools.plan,
        brakes=brakes,
        tally=tools.tally,
        number=None if settings.dry_run else store.runs.start("back"),
        is_plan=settings.dry_run,
        opened=opened,
        kept_as=side.entities,
        logger=logger,
        side=side,
    )


def _log_kind_of_run(settings: BackSettings) -> None:
    """Log whether anything is written: Meltano treats an invalid dry_run as false."""
    if settings.dry_run:
        logger.info("This run only plans: nothing is written to the shop")
    else:
        logger.info("This run writes to the shop at %s", settings.api_url)
    logger.info("Link store: %s", settings.link_store)


def _open_shop(settings: BackSettings) -> ShopRecords[Any]:
    options: dict[str, Any] = {
        "user_agent": settings.user_agent
        or f"target-customwebshop/{version('target-customwebshop')}",
        "request_timeout": settings.request_timeout,
    }
    address = (settings.api_url, settings.auth_token)
    if settings.shop is None:
        kind = DryContractRecords if settings.dry_run else ContractRecords
        connect = functools.partial(ShopConnection, *address, **options)
        return kind(connect, retry_seconds=settings.retry_seconds)
    return _open_shop_of_file(
        settings.shop,
        settings,
        lambda on_request, auth: CountedConnection(
            *address, on_request=on_request, auth=auth, **options
        ),
    )


def _open_shop_of_file(
    file: ShopFile,
    settings: BackSettings,
    connect: Callable[[OnRequest, AuthBase | None], CountedConnection],
) -> FileRecords:
    """Return the shop as its file reads it; log which entities cannot be written to it."""
    kind = DryFileRecords if settings.dry_run else FileRecords
    config = {
        "auth_token": settings.auth_token,
        "shop_settings": settings.shop_settings,
        "retry_seconds": settings.retry_seconds,
        "page_size": settings.page_size,
    }
    shop = kind(file, config, connect, retry_seconds=settings.retry_seconds)
    listed = [entity for entity in ENTITIES if entity in file.listings]
    for reason, entities in itertools.groupby(listed, shop.unsupported_reason):
        if reason is not None:
            logger.warning(
                "%s, so edits of %s are not written to the shop; they are kept, and listed by %s",
                *(reason, ", ".join(entities), links_command_for("parked")),
            )
    return shop


def _tools(
    settings: BackSettings,
    store: LinkStore,
    shop: ShopRecords[Any],
    brakes: Brakes,
    wait: Callable[[float], object],
) -> BackTools:
    conversion = Conversion(shop_name=settings.shop_name, time_zone=settings.time_zone)
    return BackTools(
        settings=settings,
        conversion=conversion,
        store=store,
        plan=Plan(
            settings.tables,
            is_dry=settings.dry_run,
            is_kept=settings.dry_run or settings.changes_file is not None,
            names_shop=True,
        ),
        tally=Tally(logger),
        fingerprint=_fingerprint(settings),
        erased=store.erasures.customers(),
        wait=wait,
        shop=shop,
        writer=ShopWriter(store, shop, brakes, settings.tables, conversion),
    )


def _settle_unanswered(tools: BackTools) -> None:
    """Find out what happened to unanswered changes; one that cannot be checked keeps waiting."""
    intents = tools.store.intents.all("back")
    wait_for_late_writes(intents, tools.wait)
    for intent in intents:
        try:
            tools.writer.settle_unanswered_change(intent)
        except TryLater as error:
            logger.warning("%s; the unanswered change will be checked again", error)


def _open_store(settings: BackSettings) -> LinkStore:
    """Open the link store that target-powerofficego has created; a dry run takes no lock.

    Raises:
        CannotStart: there is no link store.
        LinkStoreError: the shop is not in it, or a run is under way.
    """
    if not has_store(settings.link_store):
        raise CannotStart(
            f"there is no link store at {settings.link_store}: nothing is linked yet; run"
            " target-powerofficego first, or correct link_store"
        )
    store = LinkStore(settings.link_store, when_older="read")
    if settings.dry_run:
        return store
    with contextlib.closing(store):  # first, because a lock leaves a file even for a misspelt shop
        store.namespaces.enter_existing(settings.shop_name)
    return LinkStore(settings.link_store, locked_for=settings.shop_name, when_older="migrate")


def _require_shared_settings(settings: BackSettings, store: LinkStore) -> None:
    """Require that shared settings are as in the last run forward; a dry run only warns.

    Raises:
        CannotStart: some settings differ.
    """
    changed = store.runs.changed_settings(settings.shared)
    if not changed:
        return
    msg = (
        f"not the same as in the last run of target-powerofficego: {', '.join(changed)}; both must"
        " have the same, so correct it, or run target-powerofficego first"
    )
    if not settings.dry_run:
        raise CannotStart(msg)
    logger.warning(msg)


def _fingerprint(settings: BackSettings) -> str:
    """Return a hash of the settings that decide what is done with an entry."""
    rows = [
        (row.name, row.shop, row.go, row.direction.value)
        for table in settings.tables.values()
        for row in table.rows
    ]
    file = settings.shop and settings.shop.fingerprint
    text = repr((settings.shop_name, settings.owners, rows, settings.order_lines_back, file))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


_UNSTAMPED_ROWS = {
    "customers": CustomersWalk.unstamped_rows,
    "products": ProductsWalk.unstamped_rows,
}
_WALKS = {"orders": OrderBackWalk}


class BackSide(TargetSide[BackTools, BackWalk]):
    """Writes edits of customers, products and orders in Go to the shop; see `TargetSide`."""

    entities: tuple[str, ...] = tuple(back_name(entity) for entity in ENTITIES)
    source = "Go"

    def __init__(self, tools: BackTools) -> None:
        self.has_all_credit_notes = False
        """Whether the input was complete, so that no credit note is missing."""
        walks = {}
        for entity in ENTITIES:
            walk = _WALKS.get(entity, BackWalk)
            unstamped_rows = _UNSTAMPED_ROWS.get(entity, frozenset())
            walks[back_name(entity)] = walk(tools, entity, unstamped_rows)
        super().__init__(tools, walks)

    def link_of(self, entity: str, go_id: str) -> Link | None:
        """Return the link of the shop record that an entry of Go corresponds to.

        None if the shop has no such record: the entry is only in Go, or it is a guest, a product
        for freight, or an erased customer.
        """
        for link in self._tools.store.links.to_entry(entity, go_id):
            if not link.is_follower and not is_internal_id(link.shop_id):
                return None if link.shop_id.startswith(ERASED) else link
        return None

    def note_credit_note(self, entry: Record, read_at: datetime.datetime) -> None:
        """Record which invoice a credit note relates to."""
        key = f"invoice:{entry['RelatedInvoiceNo']}"
        self._tools.store.go_entries.put(CREDIT_NOTES, str(entry["Id"]), {}, [key], read_at)

    def take(self, entity: str, arrival: Arrival) -> str:
        """See `TargetSide`; `at_end` is true only once all credit notes have been read."""
        at_end = arrival.at_end and self.has_all_credit_notes
        return super().take(entity, replace(arrival, at_end=at_end))

    def is_settled(self, entity: str, arrival: Arrival) -> bool:
        """Return whether Go has changed nothing that would be sent to the shop."""
        link = self._tools.store.links.get(entity_of(entity), arrival.shop_id)
        return link is None or not self._walks[entity].edited_rows(link, arrival)
