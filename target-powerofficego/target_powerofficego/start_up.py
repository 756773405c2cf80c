"""Opens a run: takes the lock, opens the link store and Go, and makes the plan if that is due."""

from __future__ import annotations

import contextlib
import datetime
import logging
import time
from typing import IO, TYPE_CHECKING, Any

from target_powerofficego.dataflow.table import Conversion, now
from target_powerofficego.errors import CannotStart
from target_powerofficego.forward_side import ForwardSide, settings_fingerprint
from target_powerofficego.go_api import GoClient, Unreachable
from target_powerofficego.go_checks import check_privileges
from target_powerofficego.settings.forward import Settings
from target_powerofficego.settle.plan import Plan
from target_powerofficego.settle.run import Run
from target_powerofficego.settle.settlement import Settlement
from target_powerofficego.settle.summary import Tally
from target_powerofficego.settle.writes import Brakes
from target_powerofficego.store.connection import has_store
from target_powerofficego.store.link_store import LinkStore
from target_powerofficego.store.location import StoreLocation, require_folder
from target_powerofficego.store.values import ENTITIES, PAYMENTS
from target_powerofficego.sync.context import Tools
from target_powerofficego.sync.go.dry import DryGo, DryWriter
from target_powerofficego.sync.go.index import GoIndex
from target_powerofficego.sync.go.writer import Writer
from target_powerofficego.sync.named_in_go import NamedInGo, SalesAccountIds
from target_powerofficego.sync.unanswered_writes import settle_at_start

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


logger = logging.getLogger("target-powerofficego")

_KEPT_AS = (*ENTITIES, PAYMENTS)

_START_UP_SECONDS = 10.0
"""How long the first call is tried; a wrong address should be reported while a person watches."""


def start(
    config: Mapping[str, Any], output: IO[str], wait: Callable[[float], object] = time.sleep
) -> Run:
    """Open a run with a config that fits the schema; `wait` is as in `RunTools`.

    Raises:
        SettingsError: with one line for each setting that cannot be right.
        CannotStart, LinkStoreError, StopRun, TryAgainLater: with one line that says why.
    """
    settings = Settings.from_config(config)
    with contextlib.ExitStack() as opened:
        run = _start(settings, opened, output, wait)
        run.opened = opened.pop_all()
    return run


def _start(
    settings: Settings,
    opened: contextlib.ExitStack,
    output: IO[str],
    wait: Callable[[float], object],
) -> Run:
    store = opened.enter_context(contextlib.closing(_open_store(settings)))
    go = opened.enter_context(contextlib.closing(_open_go(settings, dry=settings.dry_run)))
    client = _ask_who_we_are(go, settings)
    copy = _copy_for_plan(settings, opened, store, go, client)
    is_plan = copy is not None
    if copy is None:
        _enter(settings, store, client)
    elif not settings.dry_run:
        go = opened.enter_context(contextlib.closing(_open_go(settings, dry=True)))
    named = NamedInGo(go, settings)
    _check_named(settings, copy or store, named)
    tools = _tools(settings, copy or store, go, named, wait, is_plan=is_plan)
    _tell_kind_of_run(settings, is_plan=is_plan)
    _tell_store(settings, tools.store, tools.index)
    _tell_clocks(settings, tools.store, go)
    return _begun(tools, opened, output, is_plan=is_plan)


def _copy_for_plan(
    settings: Settings,
    opened: contextlib.ExitStack,
    store: LinkStore,
    go: GoClient,
    client: Mapping[str, Any],
) -> LinkStore | None:
    """Return a copy of the store to work in if this run only plans; None for a run that writes."""
    if not (settings.dry_run or _may_plan(settings, store, client)):
        return None
    copy = opened.enter_context(contextlib.closing(store.copy_in_memory()))
    _enter(settings, copy, client)
    is_plan = settings.dry_run or _has_entries(copy, _index(settings, copy, go))
    return copy if is_plan else None


def _begun(tools: Tools, opened: contextlib.ExitStack, output: IO[str], *, is_plan: bool) -> Run:
    """Return the run, once the writes without an answer of earlier runs are settled."""
    store = tools.store
    if not is_plan:
        settle_at_start(
            tools, [one for one in store.intents.all("forward") if one.entity != PAYMENTS]
        )
    settlement = Settlement(
        ForwardSide(tools),
        store,
        tools.tally,
        workers=tools.settings.workers,
        output=None if is_plan else output,
    )
    tools.on_linked = settlement.retry_waiting
    return Run(
        settings=tools.settings,
        store=store,
        client=tools.go,
        settlement=settlement,
        plan=tools.plan,
        brakes=tools.brakes,
        tally=tools.tally,
        number=None if is_plan else store.runs.start("forward", tools.settings.shared),
        is_plan=is_plan,
        opened=opened,
        kept_as=_KEPT_AS,
        logger=logger,
    )


def _ask_who_we_are(go: GoClient, settings: Settings) -> Mapping[str, Any]:
    try:
        with go.giving_up_after(_START_UP_SECONDS):
            return check_privileges(go, settings)
    except Unreachable as error:
        raise CannotStart(
            f"PowerOffice Go at {settings.connection.api_url} cannot be reached: {error}"
        ) from None


def _check_named(settings: Settings, store: LinkStore, named: NamedInGo) -> None:
    """Check what the settings name in Go, unless a run did so lately with the same settings.

    In that case it is checked before the first record is settled.
    """
    if named.kept_as is None:
        return
    mark = store.go_entries.watermark(named.kept_as)
    is_fresh = mark and datetime.timedelta(0) <= now() - mark[1] < settings.full_check
    if not is_fresh:
        named.entries()
        store.go_entries.put_watermark(named.kept_as, None, now())


def _tools(
    settings: Settings,
    store: LinkStore,
    go: GoClient,
    named: NamedInGo,
    wait: Callable[[float], object],
    *,
    is_plan: bool,
) -> Tools:
    kind = DryWriter if is_plan else Writer
    brakes = Brakes(settings.max_creates, settings.max_changes, stops=not is_plan)
    return Tools(
        settings=settings,
        conversion=Conversion(
            shop_name=settings.shop_name,
            time_zone=settings.time_zone,
            sales_account_ids=SalesAccountIds(named),
        ),
        store=store,
        go=go,
        index=_index(settings, store, go),
        writer=kind(store, go, brakes, tests_patches=settings.tests_patches, wait=wait),
        brakes=brakes,
        named=named,
        plan=Plan(
            settings.tables,
            is_dry=is_plan,
            is_kept=is_plan or settings.changes_file is not None,
        ),
        tally=Tally(logger),
        fingerprint=settings_fingerprint(settings),
        erased=store.erasures.customers(),
        wait=wait,
    )


def _open_store(settings: Settings) -> LinkStore:
    """Open the link store and lock it, as a shop has one run at a time; a dry run creates none."""
    if not settings.dry_run:
        return LinkStore(settings.link_store, locked_for=settings.shop_name, when_older="migrate")
    if has_store(settings.link_store):
        return LinkStore(settings.link_store, when_older="read")
    require_folder(settings.link_store)
    return LinkStore(StoreLocation.in_memory(), when_older="read")


def _may_plan(settings: Settings, store: LinkStore, client: Mapping[str, Any]) -> bool:
    """Return whether this run makes the plan only, provided that Go already has entries."""
    return settings.plans_first_run and not store.runs.has_finished(
        str(client["ClientId"]), settings.shop_name
    )


def _enter(settings: Settings, store: LinkStore, client: Mapping[str, Any]) -> None:
    store.namespaces.enter(
        str(client["ClientId"]),
        client.get("ClientName"),
        settings.shop_name,
        new_namespace=settings.new_namespace,
    )


def _open_go(settings: Settings, *, dry: bool) -> GoClient:
    kind = DryGo if dry else GoClient
    return kind(
        settings.connection,
        requests_per_second=settings.requests_per_second,
        rate_limit_store=settings.rate_limit_store,
        timeout_seconds=settings.request_timeout,
        retry_seconds=settings.retry_seconds,
    )


def _index(settings: Settings, store: LinkStore, go: GoClient) -> GoIndex:
    return GoIndex(
        store,
        go,
        tables=settings.tables,
        full_check=settings.full_check,
        orders_from=settings.orders_from,
    )


def _has_entries(store: LinkStore, index: GoIndex) -> bool:
    for entity in ENTITIES:
        index.ensure_read(entity)
        if store.go_entries.count(entity):
            return True
    return False


def _tell_kind_of_run(settings: Settings, *, is_plan: bool) -> None:
    """Log whether the run writes, for Meltano takes a dry_run that it cannot read for false."""
    if is_plan:
        logger.info("This run only plans: nothing is written to PowerOffice Go")
    else:
        logger.info("This run writes to PowerOffice Go at %s", settings.connection.api_url)


def _tell_store(settings: Settings, store: LinkStore, index: GoIndex) -> None:
    logger.info("Link store: %s", settings.link_store)
    if not settings.sales_accounts:
        logger.warning(
            "sales_accounts is not set: a product that is created gets Go's default sales account,"
            " and orders whose VAT then differs from the shop's are held"
        )
    if store.links.has_any():
        return
    entities = ("customers", "orders")
    if any(_has_our_references(settings, store, index, entity) for entity in entities):
        logger.warning(
            "The link store %s knows no links yet, but Go has entries with references of %s:"
            " everything is linked again, nothing is created twice. Let the tap read everything"
            " (without --state, or with --full-refresh): what it does not send is not linked",
            settings.link_store,
            settings.shop_name,
        )


def _tell_clocks(settings: Settings, store: LinkStore, go: GoClient) -> None:
    """Log where a clock differs from Go's, or did when the records in the store were read."""
    server_time = go.server_time
    if server_time is None:
        return
    ahead = now() - server_time
    if abs(ahead) > settings.clock_margin:
        word = "ahead of" if ahead > datetime.timedelta(0) else "behind"
        logger.warning(
            "This machine's clock is %s %s PowerOffice Go's: set it, or the times in logs and lists"
            " are wrong, and an edit that no stamp tells to be newer waits for the third reading",
            datetime.timedelta(seconds=round(abs(ahead).total_seconds())),
            word,
        )
    newest = store.settled.newest_reading()
    if newest is not None and newest - server_time > settings.clock_margin:
        logger.warning(
            "The link store has records that were read at %s, later than now: the tap's clock was"
            " wrong. No edit is lost by that; one that no stamp tells to be newer waits for the"
            " third reading",
            newest.isoformat(timespec="seconds"),
        )


def _has_our_references(settings: Settings, store: LinkStore, index: GoIndex, entity: str) -> bool:
    index.ensure_read(entity)
    return store.go_entries.has_key_with_prefix(entity, f"ref:{settings.shop_name}:")
