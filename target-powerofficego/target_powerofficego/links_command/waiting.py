"""The commands for records that wait: list them, acknowledge them, or have them retried."""

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
    print_text,
    with_shop,
)
from target_powerofficego.settle.summary import links_command_for
from target_powerofficego.store.values import entity_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from target_powerofficego.store.link_store import LinkStore, Unsettled, UnsettledKind

PLURALS: dict[UnsettledKind, str] = {"reject": "rejects", "hold": "holds", "parked": "parked"}

_NUMBERS = {"orders": "number", "products": "sku"}
"""The member of a shop record that holds the number people know it by, by entity."""
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


def _list_command(kind: UnsettledKind, text: str, *options: Callable[..., Any]) -> click.Command:
    """Return the command that lists the records of a kind; `text` is its help."""

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
            unsettled_row(record, show_values=show_values)
            for record in waiting
            if entity in (None, entity_of(record.entity))
            and shop_id in (None, record.shop_id)
            and (reason is None or reason.casefold() in record.reason.casefold())
        ]
        print_listing(_listing(kind, rows, show_values=show_values), choices.output_format)

    command = click.pass_obj(list_waiting)
    filters = (waiting_entity_option, shop_id_option, reason_option)
    for option in reversed((*filters, *options, show_values_option, with_choices())):
        command = option(command)
    return click.command(PLURALS[kind], help=text)(command)


def _listing(kind: UnsettledKind, rows: Sequence[dict[str, Any]], *, show_values: bool) -> Listing:
    """Return the rows, with the columns of their kind that are not empty."""
    columns = (*with_shop(rows, *_COLUMNS[kind]), *(_VALUES if show_values else ()))
    used = [column for column in columns if any(row[column.key] not in (None, "") for row in rows)]
    empty_text = "no records are parked" if kind == "parked" else f"no open {PLURALS[kind]}"
    return Listing(used, rows, empty_text)


def unsettled_row(record: Unsettled, *, show_values: bool) -> dict[str, Any]:
    """Return a row with stable keys; `read_at`, `detail` and `payload` only with its values."""
    return {
        **members(record, "id", "kind", "entity", "shop_id", "shop_name", "reason", "title"),
        "number": _number(record),
        **members(record, "first_seen", "last_seen", "attempts", "next_attempt_at"),
        **members(record, "acknowledged_at"),
        **(members(record, "read_at", "detail", "payload") if show_values else {}),
    }


def _number(record: Unsettled) -> str | None:
    """Return an order's number or a product's SKU; a customer's number may identify a person."""
    number = record.payload.get(_NUMBERS.get(record.entity, ""))
    return number if isinstance(number, str) and len(number) <= _LONGEST_NUMBER else None


rejects = _list_command(
    "reject", "List records that cannot be written, with the reason.", all_option
)
holds = _list_command("hold", "List records that wait for a person to decide.", all_option)
parked = _list_command(
    "parked",
    "List records that wait, but not for a person.\n\n"
    "They wait for another record, for Go or for a shop file, or to be read again. Each run retries"
    " them. Edits that a shop file does not support wait until the file or the entry in Go changes,"
    " or until `retry`.",
)


@click.command()
@click.argument("numbers", metavar="[ID...]", nargs=-1, type=NUMBER)
@click.option("--all", "is_all", is_flag=True, help="All rejects and holds.")
@waiting_entity_option
@with_choices()
@click.pass_obj
def acknowledge(
    choices: Choices, *, numbers: tuple[int, ...], is_all: bool, entity: str | None
) -> None:
    """Acknowledge rejects or holds that a person knows of.

    `check` no longer counts them. ID is the number that `rejects` or `holds` shows. An
    acknowledgement lasts until the record's reason changes. If one of the numbers does not exist,
    nothing is acknowledged.
    """
    _require_selection(numbers, entity, is_all=is_all)
    with open_store(choices.link_store) as store:
        if is_all:
            waiting = store.unsettled.all(
                "reject", "hold", every_namespace=True, acknowledged=False
            )
            numbers = _numbers_of(waiting, entity)
        _change_all(store, store.unsettled.acknowledge, numbers, "reject or hold", "acknowledged")
        waiting = store.unsettled.all("reject", "hold", every_namespace=True)
    changed = [record for record in waiting if record.id in numbers]
    _print_each(choices, changed, "is acknowledged", empty_text="nothing waits for a person")


@click.command()
@click.argument("numbers", metavar="[ID...]", nargs=-1, type=NUMBER)
@click.option("--all", "is_all", is_flag=True, help="All postponed records.")
@waiting_entity_option
@with_choices()
@click.pass_obj
def retry(choices: Choices, *, numbers: tuple[int, ...], is_all: bool, entity: str | None) -> None:
    """Make the next run retry postponed records.

    A record that Go or the shop refused is retried after 1, 2, 4 … 24 hours. An edit that the shop
    does not support is retried when its shop file or the entry in Go changes. ID is the number that
    `rejects` or `parked` shows. If one of the numbers does not exist, nothing is changed.
    """
    _require_selection(numbers, entity, is_all=is_all)
    with open_store(choices.link_store) as store:
        if is_all:
            waiting = store.unsettled.all(every_namespace=True)
            numbers = _numbers_of(filter(lambda record: record.is_resting(now()), waiting), entity)
        _change_all(store, store.unsettled.retry, numbers, "waiting record", "changed")
        waiting = store.unsettled.all(every_namespace=True)
    changed = [record for record in waiting if record.id in numbers]
    empty_text = "no record is postponed; each run retries what waits"
    _print_each(choices, changed, "will be retried by the next run", empty_text=empty_text)


def _require_selection(numbers: tuple[int, ...], entity: str | None, *, is_all: bool) -> None:
    if bool(numbers) == is_all or (numbers and entity):
        raise click.UsageError("give either numbers, or --all with or without --entity")


def _numbers_of(records: Iterable[Unsettled], entity: str | None) -> tuple[int, ...]:
    return tuple(record.id for record in records if entity in (None, entity_of(record.entity)))


def _change_all(
    store: LinkStore,
    change: Callable[[int], bool],
    numbers: tuple[int, ...],
    label: str,
    outcome: str,
) -> None:
    """Change all of these rows, or none.

    Raises:
        click.ClickException: some of the numbers do not exist.
    """
    with store.transaction():
        missing = [str(number) for number in numbers if not change(number)]
        if missing:
            fail(
                f"there is no {label} with the number {', '.join(missing)}; nothing was {outcome}"
                f" ({links_command_for('rejects')} and {links_command_for('holds')} list the"
                " numbers)"
            )


def _print_each(
    choices: Choices, changed: Sequence[Unsettled], outcome: str, *, empty_text: str
) -> None:
    """Print each record that was changed; for a person, print `empty_text` if there is none."""
    if choices.output_format == "json":
        for record in changed:
            print_json(unsettled_row(record, show_values=False))
        return
    for record in changed:
        kind = f"the {record.kind} of" if record.kind != "parked" else "the parked"
        print_text(f"{record.id}: {kind} {record.entity} {record.shop_id} {outcome}")
    if not changed:
        print_text(empty_text)
