"""One run: opens the store and Go, checks that all is well before any write, and ends it."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any

from target_powerofficego.brakes import Brakes
from target_powerofficego.dataflow.table import Conversion
from target_powerofficego.dry_go import DryGo
from target_powerofficego.forward import ForwardSide, settings_fingerprint
from target_powerofficego.go_api import (
    ConfigurationError,
    GoClient,
    MissingPrivilege,
    Unreachable,
)
from target_powerofficego.go_index import GoIndex
from target_powerofficego.leftovers import settle_leftovers
from target_powerofficego.links import LinkStore, LinkStoreError
from target_powerofficego.plan import Plan
from target_powerofficego.settings_schema import ENTITIES
from target_powerofficego.settle.plan_listing import tell_plan, write_changes
from target_powerofficego.settle.settlement import Settlement
from target_powerofficego.settle.summary import tell_summary
from target_powerofficego.settle.tally import Tally
from target_powerofficego.store.connection import has_store
from target_powerofficego.store.location import StoreLocation
from target_powerofficego.walks.tools import Tools
from target_powerofficego.writing import Writer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_powerofficego.links import UnsettledKind
    from target_powerofficego.settings import Settings

logger = logging.getLogger("target-powerofficego")

_START_UP_SECONDS = 10.0
"""How long the first call is tried; a wrong address should be told while one is still looking."""

_PRIVILEGES = ("Customer_Full", "Product_Full", "SalesOrders_Full")
_READING = {"OutgoingInvoice": ("OutgoingInvoice", "OutgoingInvoice_Full")}
_READING_ACCOUNTS = {
    "GeneralLedgerAccount": ("GeneralLedgerAccount", "GeneralLedgerAccount_Full"),
    "CommonServices": ("CommonServices", "CommonServices_Full"),
}
_OPEN_KINDS: tuple[UnsettledKind, ...] = ("reject", "hold")


class CannotStart(Exception):  # noqa: N818 - reads as what it says
    """The run cannot start as things are; the text says why in one line."""


@dataclass
class Run:
    """What is open while a run lasts."""

    settings: Settings
    store: LinkStore
    go: GoClient
    settlement: Settlement
    plan: Plan
    brakes: Brakes
    tally: Tally
    number: int | None
    is_plan: bool
    opened: contextlib.ExitStack

    def finish(self) -> int:
        """Settle what is still open, tell the summary and return the exit status.

        0: all is well; 1: a first run's plan was printed; 3: rejects or holds are open.
        """
        self.settlement.finish()
        open_ones = self._open()
        status = 3 if self.settings.fails_on_unacknowledged and any(open_ones.values()) else 0
        if self.is_plan:
            tell_plan(self.plan.changes(), every_one=self.settings.dry_run)
            for line in self.brakes.told_by_a_plan():
                logger.warning(line)
        if self.settings.changes_file is not None:
            write_changes(self.plan.changes(), self.settings.changes_file)
        counts, calls = self.tally.counts(), _calls(self.go)
        tell_summary(counts, calls, open_ones, is_plan=self.is_plan)
        if self.is_plan and not self.settings.dry_run and counts:
            logger.error(
                "This is the first run against a Go that already has entries: the plan was printed"
                " and nothing was written. Set first_run: accept to carry it out."
            )
            status = 1
        if self.number is not None:
            self.store.finish_run(self.number, exit_status=status, outcomes=counts, calls=calls)
        return status

    def stop(self, failure: BaseException, *, exit_status: int) -> None:
        """End the run early: calls in flight finish, what is settled stays so."""
        self.go.cancel()
        self.settlement.stop(failure)
        if self.number is None:
            return
        with contextlib.suppress(LinkStoreError):  # it may be why the run ends
            self.store.finish_run(
                self.number,
                exit_status=exit_status,
                outcomes=self.tally.counts(),
                calls=_calls(self.go),
            )

    def close(self) -> None:
        """Let go of everything."""
        self.settlement.close()
        self.opened.close()

    def _open(self) -> dict[str, int]:
        found = self.store.unsettled(*_OPEN_KINDS, acknowledged=False)
        return {kind: sum(one.kind == kind for one in found) for kind in _OPEN_KINDS}


def start(settings: Settings, output: IO[str]) -> Run:
    """Open a run.

    Raises:
        CannotStart, LinkStoreError, StopRun, TryAgainLater: with one line that says why.
    """
    with contextlib.ExitStack() as opened:
        run = _start(settings, opened, output)
        run.opened = opened.pop_all()
    return run


def _start(settings: Settings, opened: contextlib.ExitStack, output: IO[str]) -> Run:
    store = opened.enter_context(contextlib.closing(_open_store(settings)))
    go = opened.enter_context(contextlib.closing(_open_go(settings, dry=settings.dry_run)))
    try:
        with go.giving_up_after(_START_UP_SECONDS):
            client = _check_privileges(go, settings)
    except Unreachable as error:
        msg = f"PowerOffice Go at {settings.connection.api_url} cannot be reached: {error}"
        raise CannotStart(msg) from None
    accounts = _sales_account_ids(go, settings.sales_accounts)
    is_plan = settings.dry_run
    if is_plan or _may_plan(settings, store, client):
        copy = opened.enter_context(contextlib.closing(store.copy_in_memory()))
        _enter(settings, copy, client)
        is_plan = is_plan or _has_entries(copy, _index(settings, copy, go))
        store = copy if is_plan else store
    if not is_plan:
        _enter(settings, store, client)
    elif not settings.dry_run:
        go = opened.enter_context(contextlib.closing(_open_go(settings, dry=True)))
    index = _index(settings, store, go)
    _tell_store(settings, store, index)
    brakes = Brakes(settings.max_creates, settings.max_changes, stops=not is_plan)
    tools = Tools(
        settings=settings,
        conversion=Conversion(
            shop_name=settings.shop_name,
            time_zone=settings.time_zone,
            stock=settings.stock,
            sales_account_ids=accounts,
        ),
        store=store,
        go=go,
        index=index,
        writer=Writer(store, go, brakes, tests_patches=settings.tests_patches),
        plan=Plan(
            settings.tables,
            is_dry=is_plan,
            is_kept=is_plan or settings.changes_file is not None,
        ),
        tally=Tally(),
        fingerprint=settings_fingerprint(settings),
        erased=store.erased_customers(),
    )
    if not is_plan:
        settle_leftovers(tools, store.intents())
    settlement = Settlement(
        ForwardSide(tools),
        store,
        tools.tally,
        workers=settings.workers,
        output=None if is_plan else output,
    )
    tools.on_linked = settlement.take_up_waiting
    number = None if is_plan else store.start_run()
    return Run(
        settings,
        store,
        go,
        settlement,
        tools.plan,
        brakes,
        tools.tally,
        number,
        is_plan,
        opened,
    )


def _open_store(settings: Settings) -> LinkStore:
    """Open the link store for the one run at a time that a shop may have; a dry run makes none."""
    if not settings.dry_run:
        return LinkStore(settings.link_store, locked_for=settings.shop_name, when_older="migrate")
    exists = has_store(settings.link_store)
    return LinkStore(
        settings.link_store if exists else StoreLocation.in_memory(), when_older="read"
    )


def _may_plan(settings: Settings, store: LinkStore, client: Mapping[str, Any]) -> bool:
    """Tell whether the plan comes first, provided that Go already has entries."""
    return settings.plans_first_run and not store.has_finished_run(
        str(client["ClientId"]), settings.shop_name
    )


def _enter(settings: Settings, store: LinkStore, client: Mapping[str, Any]) -> None:
    store.enter(
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


def _check_privileges(go: GoClient, settings: Settings) -> Mapping[str, Any]:
    """Ask Go who we are and what we may do.

    Raises:
        MissingPrivilege: naming every privilege that is needed and missing.
    """
    information: dict[str, Any] = go.read("/ClientIntegrationInformation") or {}
    if not information.get("ClientId"):
        msg = "PowerOffice Go does not say which client (ClientId) the keys are for"
        raise CannotStart(msg)
    held = set(information.get("ValidPrivileges") or ())
    reading = {**_READING, **(_READING_ACCOUNTS if settings.sales_accounts else {})}
    missing = [name for name in _PRIVILEGES if name not in held]
    missing += [name for name, any_of in reading.items() if not held.intersection(any_of)]
    if missing:
        msg = (
            f"the keys lack privileges in PowerOffice Go: {', '.join(missing)};"
            " ask PowerOffice to add them to the integration"
        )
        raise MissingPrivilege(msg)
    return information


def _sales_account_ids(go: GoClient, accounts: Mapping[str, int]) -> dict[str, int]:
    """Return the ids of the accounts in `sales_accounts`, after checking each one's VAT rate.

    Raises:
        ConfigurationError: an account is missing, not active, or carries another rate.
    """
    if not accounts:
        return {}
    numbers = ",".join(str(number) for number in sorted(set(accounts.values())))
    found = {
        int(entry["AccountNo"]): entry
        for entry in go.list_all("/GeneralLedgerAccounts", params={"accountNos": numbers})
    }
    rates = {entry["Code"]: entry.get("Rate") for entry in go.list_all("/VatCodes")}
    wrong: list[str] = []
    for rate, number in accounts.items():
        account = found.get(number)
        if account is None or account.get("IsActive") is False:
            wrong.append(f"sales_accounts: Go has no active account {number}")
            continue
        fraction = rates.get(account.get("VatCode"))
        go_rate = Decimal(str(fraction or 0)) * 100
        if go_rate != Decimal(rate):
            wrong.append(
                f"sales_accounts: account {number} carries {go_rate.normalize():f} % VAT in Go,"
                f" not {rate} %"
            )
    if wrong:
        raise ConfigurationError("; ".join(wrong))
    return {rate: int(found[number]["Id"]) for rate, number in accounts.items()}


def _calls(go: GoClient) -> dict[str, int]:
    return {"reads": go.calls.reads, "writes": go.calls.writes, "tokens": go.calls.tokens}


def _has_entries(store: LinkStore, index: GoIndex) -> bool:
    for entity in ENTITIES:
        index.ensure(entity)
        if store.count_go_entries(entity):
            return True
    return False


def _tell_store(settings: Settings, store: LinkStore, index: GoIndex) -> None:
    logger.info("Link store: %s", settings.link_store)
    if not settings.sales_accounts:
        logger.warning(
            "sales_accounts is not set: a product that is created gets Go's default sales account,"
            " and orders whose VAT then differs from the shop's are held"
        )
    if store.has_links():
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


def _has_our_references(settings: Settings, store: LinkStore, index: GoIndex, entity: str) -> bool:
    index.ensure(entity)
    return store.go_key_exists(entity, f"ref:{settings.shop_name}:")
