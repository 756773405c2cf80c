"""The commands for records that wait: list them, acknowledge them, or have them tried at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from target_powerofficego.dataflow.table import now
from target_powerofficego.links_command.opening import open_store
from target_powerofficego.links_command.options import (
    NUMBER,
    Choices,
    all_option,
    reason_option,
    shop_id_option,
    show_values_option,
    waiting_entity_option,
    with_choices,
)
from target_powerofficego.links_command.output import (
    Column,
    Listing,
    fail,
    members,
    print_json,
    print_listing,
    say,
    with_shop,
)
from target_powerofficego.settle.summary import links_command_for
from target_powerofficego.store.values import entity_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from target_powerofficego.store.link_store import LinkStore, Unsettled, UnsettledKind

PLURALS: dict[UnsettledKind, str] = {"reject": "rejects", "hold": "holds", "parked": "parked"}

_NUMBERS = {"orders": "number", "products": "sku"}
"""By entity, the member by which people know a record of the shop."""
_LONGEST_NUMBER = 40
_HEAD = (
    *(Column("ID", "id"), Column("entity", "entity"), Column("shop id", "shop_id")),
    Column("number or SKU", "number"),
)
_REASON = Column("reason", "reason", wraps=True)
_TITLE = Column("title of the refusal", "title", wraps=True)
_SEEN = (Column("first seen (UTC)", "first_seen"), Column("last seen (UTC)", "last_seen"))
_ATTEMPTS = Column("attempts", "attempts")
_NEXT = Column("next attempt (UTC)", "next_attempt_at")
_ACKNOWLEDGED = Column("acknowledged (UTC)", "acknowledged_at")
_VALUES = (Column("detail", "detail", wraps=True), Column("record", "payload", wraps=True))
_COLUMNS: dict[UnsettledKind, tuple[Column, ...]] = {
    "reject": (*_HEAD, _REASON, _TITLE, *_SEEN, _ATTEMPTS, _NEXT, _ACKNOWLEDGED),
    "hold": (*_HEAD, _REASON, *_SEEN, _ATTEMPTS, _ACKNOWLEDGED),
    "parked": (*_HEAD, _REASON, *_SEEN),
}


def _list_command(kind: UnsettledKind, text: str, *more: Callable[..., Any]) -> click.Command:
    """Return the command that lists the records of one kind, with this help and more options."""

    def list_waiting(
        choices: Choices,
        *,
        entity: str | None,
        shop_id: str | None,
        reason: str | None,
        show_values: bool,
        with_acknowledged: bool = True,
    ) -> None:
        with open_store(choices.link_store) as store:
            waiting = store.unsettled.all(
                kind, every_namespace=True, acknowledged=with_acknowledged
            )
        rows = [
            unsettled_row(one, show_values=show_values)
            for one in waiting
            if entity in (None, entity_of(one.entity))
            and shop_id in (None, one.shop_id)
            and (reason is None or reason.casefold() in one.reason.casefold())
        ]
        print_listing(_listing(kind, rows, show_values=show_values), choices.output_format)

    command = click.pass_obj(list_waiting)
    filters = (waiting_entity_option, shop_id_option, reason_option)
    for option in reversed((*filters, *more, show_values_option, with_choices())):
        command = option(command)
    return click.command(PLURALS[kind], help=text)(command)


def _listing(kind: UnsettledKind, rows: Sequence[dict[str, Any]], *, show_values: bool) -> Listing:
    """Return rows with those columns of their kind in which at least one row has a value."""
    columns = (*with_shop(rows, *_COLUMNS[kind]), *(_VALUES if show_values else ()))
    used = [one for one in columns if any(row[one.key] not in (None, "") for row in rows)]
    which = "records are" if kind == "parked" else "open"
    return Listing(used, rows, f"no {which} {PLURALS[kind]}")


def unsettled_row(one: Unsettled, *, show_values: bool) -> dict[str, Any]:
    """Return a record under stable keys; `read_at`, `detail` and `payload` only with its values."""
    return {
        **members(one, "id", "kind", "entity", "shop_id", "shop_name", "reason", "title"),
        "number": _number(one),
        **members(one, "first_seen", "last_seen", "attempts", "next_attempt_at"),
        **members(one, "acknowledged_at"),
        **(members(one, "read_at", "detail", "payload") if show_values else {}),
    }


def _number(one: Unsettled) -> str | None:
    """Return an order's number or a product's SKU; a customer's number may say who it is."""
    number = one.payload.get(_NUMBERS.get(one.entity, ""))
    return number if isinstance(number, str) and len(number) <= _LONGEST_NUMBER else None


rejects = _list_command(
    "reject", "List records that cannot be written, with the reason.", all_option
)
holds = _list_command(
    "hold", "List records that could be written but need a person first.", all_option
)
parked = _list_command(
    "parked",
    "List records that wait for another record, for Go or for a shop file, or to be read again.\n\n"
    "They need no person: each run takes them up again. Edits that a shop file does not take wait"
    " until the file or the entry in Go changes, or for `retry`.",
)


@click.command()
@click.argument("numbers", metavar="[ID...]", nargs=-1, type=NUMBER)
@click.option("--all", "every_one", is_flag=True, help="Every reject and hold.")
@waiting_entity_option
@with_choices()
@click.pass_obj
def acknowledge(
    choices: Choices, *, numbers: tuple[int, ...], every_one: bool, entity: str | None
) -> None:
    """Note that a person knows of these rejects or holds.

    ID is the number that `rejects` or `holds` shows. It stands until the reason of the record
    changes. If a number does not exist, none is acknowledged.
    """
    _check_which(numbers, entity, every_one=every_one)
    with open_store(choices.link_store) as store:
        if every_one:
            waiting = store.unsettled.all(
                "reject", "hold", every_namespace=True, acknowledged=False
            )
            numbers = tuple(one.id for one in waiting if entity in (None, entity_of(one.entity)))
        _do_for_all(store, store.unsettled.acknowledge, numbers, "reject or hold", "acknowledged")
        waiting = store.unsettled.all("reject", "hold", every_namespace=True)
    changed = [one for one in waiting if one.id in numbers]
    _print_each(choices, changed, "is acknowledged", none="nothing waits for a person")


@click.command()
@click.argument("numbers", metavar="[ID...]", nargs=-1, type=NUMBER)
@click.option("--all", "every_one", is_flag=True, help="Every record that rests.")
@waiting_entity_option
@with_choices()
@click.pass_obj
def retry(
    choices: Choices, *, numbers: tuple[int, ...], every_one: bool, entity: str | None
) -> None:
    """Make the next run try resting records at once.

    What Go refused rests 1, 2, 4 … 24 hours before it is tried again; an edit that a shop does not
    take rests until its shop file or the entry in Go changes. ID is the number that `rejects` or
    `parked` shows. If a number does not exist, nothing is changed.
    """
    _check_which(numbers, entity, every_one=every_one)
    with open_store(choices.link_store) as store:
        if every_one:
            resting = [
                one for one in store.unsettled.all(every_namespace=True) if one.is_resting(now())
            ]
            numbers = tuple(one.id for one in resting if entity in (None, entity_of(one.entity)))
        _do_for_all(store, store.unsettled.retry, numbers, "record that waits", "changed")
        changed = [one for one in store.unsettled.all(every_namespace=True) if one.id in numbers]
    none = "no record rests; what waits is tried by each run"
    _print_each(choices, changed, "is tried by the next run", none=none)


def _check_which(numbers: tuple[int, ...], entity: str | None, *, every_one: bool) -> None:
    if bool(numbers) == every_one or (numbers and entity):
        raise click.UsageError(
            "name the numbers, or say --all (with --entity, if only one is meant)"
        )


def _do_for_all(
    store: LinkStore,
    change: Callable[[int], bool],
    numbers: tuple[int, ...],
    what: str,
    changed: str,
) -> None:
    """Change all of them, or none.

    Raises:
        click.ClickException: with one line that names the numbers that do not exist.
    """
    with store.transaction():
        missing = [str(number) for number in numbers if not change(number)]
        if missing:
            fail(
                f"there is no {what} with the number {', '.join(missing)}; nothing was {changed}"
                f" ({links_command_for('rejects')} and {links_command_for('holds')} show the numbers)"
            )


def _print_each(choices: Choices, changed: Sequence[Unsettled], outcome: str, *, none: str) -> None:
    """Print each record that was changed; for a person, one sentence if there is none."""
    if choices.output_format == "json":
        for one in changed:
            print_json(unsettled_row(one, show_values=False))
        return
    for one in changed:
        kind = f"the {one.kind} of" if one.kind != "parked" else "the parked"
        say(f"{one.id}: {kind} {one.entity} {one.shop_id} {outcome}")
    if not changed:
        say(none)
