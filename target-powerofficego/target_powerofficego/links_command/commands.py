"""The command group `powerofficego-links`: its commands, each loaded only when it is asked for."""

from __future__ import annotations

import functools
import pkgutil
from typing import Any

import click

from target_powerofficego.links_command.options import LINK_STORE_VARIABLES, with_choices
from target_powerofficego.plugin import standard_output
from target_powerofficego.plugin.loading import loading
from target_powerofficego.plugin.plain_text import keep_logs_plain, plain


class CommandToLoad(click.Command):
    """Stands for a command in the group's help, and loads it when the command is asked for.

    The modules that read the link store or print tables take long to load; the group's help needs
    neither.

    Args:
        place: the command's module in this package, and its name there.
        help: the first sentence of the command's help.
    """

    def __init__(self, place: str, help: str) -> None:  # noqa: A002 - as click has it
        super().__init__(place.partition(":")[2].rstrip("_"), help=help)
        self._place = place

    @functools.cached_property
    def loaded(self) -> click.Command:
        """The command itself."""
        with loading():
            command: click.Command = pkgutil.resolve_name(f"{__package__}.{self._place}")
        return command

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401 - click's, passed on
    ) -> click.Context:
        """Return the context of the command itself, which click then invokes."""
        return self.loaded.make_context(info_name, args, parent, **extra)


class _PlainGroup(click.Group):
    """Keeps error messages, and what is logged while Go is read, plain text; prints UTF-8."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command that was asked for."""
        keep_logs_plain()
        if standard_output.is_closed():
            raise click.ClickException(standard_output.CLOSED)
        standard_output.print_in_utf8()
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            error.message = plain(error.message)  # type: ignore[misc]
            raise
        except BrokenPipeError:  # as with `| head`, which click ends without a word
            raise
        except OSError as error:
            standard_output.discard()
            raise click.ClickException(
                f"what was asked for cannot be told in full: {error.strerror}"
            ) from None


@click.group(cls=_PlainGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="target-powerofficego", prog_name="powerofficego-links")
@with_choices(variables=LINK_STORE_VARIABLES)
def main() -> None:
    """Look into the link store of target-powerofficego, also while a run is under way.

    What is rejected or held is tried again by each run. Solve it in the shop or in PowerOffice Go,
    or acknowledge it, so that `check` no longer counts it. The commands that change links, or that
    need the store at rest, stop with one line while a run is under way.
    """


for _place, _help in {
    "waiting:acknowledge": "Note that a person knows of these rejects or holds.",
    "check:check": "Exit 3 while rejects or holds wait for a person.",
    "lists:conflicts": "List properties that both sides changed.",
    "lists:differences": "List linked records whose properties differ.",
    "erasing:erase": "Erase a customer's personal data from the link store.",
    "transfer:export": "Write the link store as text, to move it or to restore it.",
    "waiting:holds": "List records that could be written but need a person first.",
    "transfer:import_": "Read an export into an empty link store.",
    "linking:link": "Say which entry in Go a record of the shop is.",
    "lists:links": "List which record of the shop is which entry in Go.",
    "waiting:parked": "List records that wait for another record, for Go or for a shop file, or to"
    " be read again.",
    "reconcile:reconcile": "Compare a period's orders with Go's books.",
    "waiting:rejects": "List records that cannot be written, with the reason.",
    "waiting:retry": "Make the next run try resting records at once.",
    "runs:runs": "List the newest runs and what came of each.",
    "linking:unlink": "Forget which entry in Go a record of the shop is.",
}.items():
    main.add_command(CommandToLoad(_place, _help))
