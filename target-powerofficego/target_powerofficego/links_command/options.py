"""The options and arguments that the commands share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from target_powerofficego.store.values import ENTITIES, LARGEST_NUMBER, PAYMENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Decorated = TypeVar("Decorated", bound="Callable[..., Any]")

LINK_STORE_VARIABLE = "TARGET_POWEROFFICEGO_LINK_STORE"
LINK_STORE_VARIABLES = (LINK_STORE_VARIABLE, "TARGET_CUSTOMWEBSHOP_LINK_STORE")
"""Meltano sets the variables of the target as whose command it runs this one."""
_DEFAULT_LINK_STORE = "powerofficego-links.db"


@dataclass
class Choices:
    """The options of all commands; they may stand before or after the command's name."""

    given_link_store: str | None = None
    output_format: str = "table"

    @property
    def link_store(self) -> str:
        """The path or URL of the link store; by default, a file in the working directory."""
        return self.given_link_store or _DEFAULT_LINK_STORE


FORMATS: Mapping[str, str] = {"table": "A table to read", "json": "one JSON object per line"}
"""The help text of each format."""


def with_choices(
    *, variables: Sequence[str] | None = None, formats: Mapping[str, str] = FORMATS
) -> Callable[[Decorated], Decorated]:
    """Add the options of `Choices`.

    Only the outermost command reads the variables, so that they never override an option.
    """
    *others, last = formats.values()

    def decorate(command: Decorated) -> Decorated:
        command = click.option(
            "--format",
            "output_format",
            type=click.Choice(list(formats)),
            callback=_choose,
            expose_value=False,
            help=f"{', '.join(others)}, or {last}.  [default: table]",
        )(command)
        return click.option(
            "--link-store",
            "given_link_store",
            metavar="PATH",
            envvar=variables,
            callback=_choose,
            expose_value=False,
            help="The link store of target-powerofficego: a path, or a database URL.  [env var:"
            f" {LINK_STORE_VARIABLE}; default: {_DEFAULT_LINK_STORE}]",
        )(command)

    return decorate


def _choose(context: click.Context, option: click.Parameter, value: str | None) -> None:
    choices = context.ensure_object(Choices)
    if value is not None and option.name is not None:
        setattr(choices, option.name, value)


class EntityChoice(click.Choice):  # type: ignore[type-arg]
    """One of these entities, in upper or lower case, singular or plural."""

    def __init__(self, entities: Iterable[str] = ENTITIES) -> None:
        super().__init__(list(entities), case_sensitive=False)

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return the entity's name in the plural."""
        plural = f"{value}s"
        entity = plural if plural.lower() in self.choices else value
        return str(super().convert(entity, param, ctx))


entity_option = click.option(
    "--entity",
    type=EntityChoice(),
    help="Only this entity.",
)

waiting_entity_option = click.option(
    "--entity",
    type=EntityChoice((*ENTITIES, PAYMENTS)),
    help="Only this entity; `payments` are vouchers that have not been posted.",
)

all_option = click.option(
    "--all",
    "with_acknowledged",
    is_flag=True,
    help="Also list what has been acknowledged.",
)

show_values_option = click.option(
    "--show-values",
    is_flag=True,
    help="Also show the values, which include personal data.",
)

shop_id_option = click.option(
    "--shop-id",
    metavar="ID",
    help="Only the record with this id in the shop.",
)

go_id_option = click.option(
    "--go-id",
    metavar="ID",
    help="Only records linked to the entry with this id in Go.",
)

reason_option = click.option(
    "--reason",
    metavar="TEXT",
    help="Only records whose reason contains this text, in upper or lower case.",
)


NUMBER = click.IntRange(min=1, max=LARGEST_NUMBER)
"""The number of a row in the link store, or a number of rows."""


def newest_option(plural: str) -> Callable[[Decorated], Decorated]:
    """Return the option for how many rows to list; `plural` names them in its help."""
    return click.option(
        "--newest",
        type=NUMBER,
        default=20,
        show_default=True,
        help=f"How many {plural} to list, newest first.",
    )


entity_argument = click.argument("entity", metavar="ENTITY", type=EntityChoice())

shop_id_argument = click.argument("shop_id", metavar="SHOP_ID")

shop_name_option = click.option(
    "--shop-name",
    metavar="NAME",
    help="The shop_name of the shop; required if the link store has several.",
)

only_shop_option = click.option(
    "--shop-name",
    metavar="NAME",
    help="Only the shop with this shop_name.",
)

yes_option = click.option(
    "--yes",
    "is_confirmed",
    is_flag=True,
    help="Do not ask for confirmation; required where nobody can answer.",
)
