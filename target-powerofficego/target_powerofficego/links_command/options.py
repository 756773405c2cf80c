"""The options that the commands share."""

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
"""Meltano sets the variables of the target whose command it runs this one as."""
_DEFAULT_LINK_STORE = "powerofficego-links.db"


@dataclass
class Choices:
    """What was chosen for all commands, before or after the command's name."""

    given_link_store: str | None = None
    output_format: str = "table"

    @property
    def link_store(self) -> str:
        """Where the link store is: as chosen, else in the working directory."""
        return self.given_link_store or _DEFAULT_LINK_STORE


FORMATS: Mapping[str, str] = {"table": "A table to read", "json": "one JSON object a line"}
"""What each format is, in words."""


def with_choices(
    *, variables: Sequence[str] | None = None, formats: Mapping[str, str] = FORMATS
) -> Callable[[Decorated], Decorated]:
    """Add the options of `Choices`.

    Only the outermost command reads the variables, so that they never overrule an option.
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
    """One of these entities, in upper or lower case, singular or plural as with streams."""

    def __init__(self, entities: Iterable[str] = ENTITIES) -> None:
        super().__init__(list(entities), case_sensitive=False)

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return the entity's own name, which is plural."""
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
    help="Only this entity; payments are vouchers that are not posted.",
)

all_option = click.option(
    "--all",
    "with_acknowledged",
    is_flag=True,
    help="Also what somebody has acknowledged.",
)

show_values_option = click.option(
    "--show-values",
    is_flag=True,
    help="Also show the values themselves, personal data among them.",
)

shop_id_option = click.option(
    "--shop-id",
    metavar="ID",
    help="Only the record with this id in the shop.",
)

go_id_option = click.option(
    "--go-id",
    metavar="ID",
    help="Only records that are linked to the entry with this id in Go.",
)

reason_option = click.option(
    "--reason",
    metavar="TEXT",
    help="Only those whose reason contains this text, in upper or lower case.",
)


NUMBER = click.IntRange(min=1, max=LARGEST_NUMBER)
"""A number of a row in the link store."""


def newest_option(what: str) -> Callable[[Decorated], Decorated]:
    """Return the option that says how many to list."""
    return click.option(
        "--newest",
        type=NUMBER,
        default=20,
        show_default=True,
        help=f"How many {what} to list, the newest first.",
    )


entity_argument = click.argument("entity", metavar="ENTITY", type=EntityChoice())

shop_id_argument = click.argument("shop_id", metavar="SHOP_ID")

shop_name_option = click.option(
    "--shop-name",
    metavar="NAME",
    help="The shop_name of the shop that is meant; needed when the link store knows several.",
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
    help="Do not ask; needed where nobody can be asked.",
)
