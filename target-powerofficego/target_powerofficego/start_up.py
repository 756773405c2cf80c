"""Opens a run: locks and opens the link store, connects to Go, and decides whether to only plan."""

from __future__ import annotations

import contextlib
import datetime
import logging
import time
from typing import IO, TYPE_CHECKING, Any

from target_powerofficego.dataflow.table import Conversion, now
from target_powerofficego.errors import CannotStart
from target_powerofficego.forward_side import ForwardSide, settings_fingerprint
from target_powerofficego.go_api import (
    ConfigurationError,
    GoClient,
    MissingPrivilege,
    Unreachable,
)
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

_PRIVILEGES = ("Customer_Full", "Product_Full", "SalesOrders_Full")
_POSTING_PAYMENTS = ("BankVoucher_Full",)
_READING = {"OutgoingInvoice": ("OutgoingInvoice", "OutgoingInvoice_Full")}
_READING_ACCOUNTS = {
    "GeneralLedgerAccount": ("GeneralLedgerAccount", "GeneralLedgerAccount_Full"),
    "CommonServices": ("CommonServices", "CommonServices_Full"),
}

_START_UP_SECONDS = 10.0
"""How long to retry the first call, so that a wrong address is reported while a person watches."""


def start(
    config: Mapping[str, Any], output: IO[str], wait: Callable[[float], object] = time.sleep
) -> Run:
    """Open a run with a config that fits the schema; `wait` is as in `RunTools`.

    Raises:
        SettingsError: with a line for each setting that cannot be right.
        CannotStart, LinkStoreError, StopRun, TryAgainLater: with a line that says why.
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
    client = _check_client(go, settings)
    copy = _copy_for_plan(settings, opened, store, go, client)
    is_plan = copy is not None
    if copy is None:
        _enter(settings, store, client)
    elif not settings.dry_run:
        go = opened.enter_context(contextlib.closing(_open_go(settings, dry=True)))
    named = NamedInGo(go, settings)
    _check_named(settings, copy or store, named)
    tools = _tools(settings, copy or store, go, named, wait, is_plan=is_plan)
    _log_kind_of_run(settings, is_plan=is_plan)
    _log_store(settings, tools.store, tools.index)
    _log_clocks(settings, tools.store, go)
    return _begin(tools, opened, output, is_plan=is_plan)


def _copy_for_plan(
    settings: Settings,
    opened: contextlib.ExitStack,
    store: LinkStore,
    go: GoClient,
    client: Mapping[str, Any],
) -> LinkStore | None:
    """Return a copy of the store to work in if this run only plans, or None if it writes."""
    if not (settings.dry_run or _may_plan(settings, store, client)):
        return None
    copy = opened.enter_context(contextlib.closing(store.copy_in_memory()))
    _enter(settings, copy, client)
    is_plan = settings.dry_run or _has_entries(copy, _index(settings, copy, go))
    return copy if is_plan else None


def _begin(tools: Tools, opened: contextlib.ExitStack, output: IO[str], *, is_plan: bool) -> Run:
    """Settle the writes of earlier runs that got no answer, and return the run."""
    store = tools.store
    if not is_plan:
        intents = store.intents.all("forward")
        settle_at_start(tools, [intent for intent in intents if intent.entity != PAYMENTS])
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


def _check_client(go: GoClient, settings: Settings) -> Mapping[str, Any]:
    try:
        with go.giving_up_after(_START_UP_SECONDS):
            return _check_privileges(go, settings)
    except Unreachable as error:
        raise CannotStart(
            f"PowerOffice Go at {settings.connection.api_url} cannot be reached: {error}"
        ) from None


def _check_privileges(go: GoClient, settings: Settings) -> Mapping[str, Any]:
    """Check the privileges of the keys, and return what Go reports about the integration.

    Raises:
        MissingPrivilege: the message names every privilege that is missing.
        ConfigurationError: Go does not report which client the keys are for.
    """
    information = go.read("/ClientIntegrationInformation")
    if not isinstance(information, dict) or not information.get("ClientId"):
        raise ConfigurationError(
            "PowerOffice Go does not report which client (ClientId) the keys are for"
        )
    held = set(information.get("ValidPrivileges") or ())
    has_accounts = settings.sales_accounts or settings.payment_accounts
    reading = {**_READING, **(_READING_ACCOUNTS if has_accounts else {})}
    writing = (*_PRIVILEGES, *(_POSTING_PAYMENTS if settings.payment_accounts else ()))
    missing = [name for name in writing if name not in held]
    missing += [name for name, accepted in reading.items() if not held.intersection(accepted)]
    if missing:
        raise MissingPrivilege(
            f"the keys lack privileges in PowerOffice Go: {', '.join(missing)};"
            " ask PowerOffice to add them to the integration"
        )
    if settings.invoice_on and information.get("AllowSendInvoice") is False:
        raise MissingPrivilege(
            "invoice_on is set, but the keys are not allowed to send invoices in PowerOffice Go;"
            " allow that for the integration in Go's settings, or leave invoice_on out"
        )
    return information


def _check_named(settings: Settings, store: LinkStore, named: NamedInGo) -> None:
    """Check what the settings name in Go, unless a recent run did so with the same settings.

    In that case it is checked before the first record is settled.
    """
    if named.kept_as is None:
        return
    watermark = store.go_entries.watermark(named.kept_as)
    is_recent = watermark and datetime.timedelta(0) <= now() - watermark[1] < settings.full_check
    if not is_recent:
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
    writer_class = DryWriter if is_plan else Writer
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
        writer=writer_class(store, go, brakes, tests_patches=settings.tests_patches, wait=wait),
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
    """Open and lock the link store, as a shop has one run at a time; a dry run creates no store."""
    if not settings.dry_run:
        return LinkStore(settings.link_store, locked_for=settings.shop_name, when_older="migrate")
    if has_store(settings.link_store):
        return LinkStore(settings.link_store, when_older="read")
    require_folder(settings.link_store)
    return LinkStore(StoreLocation.in_memory(), when_older="read")


def _may_plan(settings: Settings, store: LinkStore, client: Mapping[str, Any]) -> bool:
    """Return whether this run only plans, provided that Go already has entries."""
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
    client_class = DryGo if dry else GoClient
    return client_class(
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


def _log_kind_of_run(settings: Settings, *, is_plan: bool) -> None:
    """Log whether the run writes: Meltano takes a dry_run that it cannot read as false."""
    if is_plan:
        logger.info("This run only plans: nothing is written to PowerOffice Go")
    else:
        logger.info("This run writes to PowerOffice Go at %s", settings.connection.api_url)


def _log_store(settings: Settings, store: LinkStore, index: GoIndex) -> None:
    logger.info("Link store: %s", settings.link_store)
    if not settings.sales_accounts:
        logger.warning(
            "sales_accounts is not set: new products get Go's default sales account, and orders"
            " whose VAT then differs from the shop's are held"
        )
    if store.links.has_any():
        return
    entities = ("customers", "orders")
    if any(_has_our_references(settings, store, index, entity) for entity in entities):
        logger.warning(
            "The link store %s has no links yet, but Go has entries with references of %s:"
            " everything is linked again, and nothing is created twice. Let the tap read everything"
            " (without --state, or with --full-refresh): what it does not send is not linked",
            settings.link_store,
            settings.shop_name,
        )


def _log_clocks(settings: Settings, store: LinkStore, go: GoClient) -> None:
    """Warn if this machine's clock differs from Go's, or the tap's did when it read records."""
    server_time = go.server_time
    if server_time is None:
        return
    ahead = now() - server_time
    if abs(ahead) > settings.clock_margin:
        word = "ahead of" if ahead > datetime.timedelta(0) else "behind"
        logger.warning(
            "This machine's clock is %s %s PowerOffice Go's. Set it: otherwise the times in logs"
            " and lists are wrong, and an edit without a newer stamp waits until it is read a third"
            " time",
            datetime.timedelta(seconds=round(abs(ahead).total_seconds())),
            word,
        )
    newest = store.settled.newest_reading()
    if newest is not None and newest - server_time > settings.clock_margin:
        logger.warning(
            "The link store has records that were read at %s, which is in the future: the tap's"
            " clock was wrong. No edit is lost, but an edit without a newer stamp waits until it is"
            " read a third time",
            newest.isoformat(timespec="seconds"),
        )


def _has_our_references(settings: Settings, store: LinkStore, index: GoIndex, entity: str) -> bool:
    index.ensure_read(entity)
    return store.go_entries.has_key_with_prefix(entity, f"ref:{settings.shop_name}:")
