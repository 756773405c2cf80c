"""The command group `powerofficego-links`, which loads a command only when it is used."""

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
    """Stands for a command in the group's help, and loads it when the command is used.

    The modules that read the link store or print tables are slow to load, and the group's help
    needs neither.

    Args:
        reference: the command, as `module:name` within this package.
        help: the first sentence of the command's help.
    """

    def __init__(self, reference: str, help: str) -> None:  # noqa: A002 - click's name
        super().__init__(reference.partition(":")[2].rstrip("_"), help=help)
        self._reference = reference

    @functools.cached_property
    def loaded(self) -> click.Command:
        """The command that this one stands for."""
        with loading():
            command: click.Command = pkgutil.resolve_name(f"{__package__}.{self._reference}")
        return command

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401 - click's, passed on
    ) -> click.Context:
        """Return the context of the loaded command, which click then invokes."""
        return self.loaded.make_context(info_name, args, parent, **extra)


class _PlainGroup(click.Group):
    """Strips control characters from errors and logs, and prints UTF-8."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the chosen command."""
        keep_logs_plain()
        if standard_output.is_closed():
            raise click.ClickException(standard_output.CLOSED)
        standard_output.print_in_utf8()
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            error.message = plain(error.message)  # type: ignore[misc]
            raise
        except BrokenPipeError:  # as with `| head`; click exits quietly
            raise
        except OSError as error:
            standard_output.discard()
            raise click.ClickException(
                f"the output could not be written in full: {error.strerror}"
            ) from None


@click.group(cls=_PlainGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="target-powerofficego", prog_name="powerofficego-links")
@with_choices(variables=LINK_STORE_VARIABLES)
def main() -> None:
    """Inspect the link store of target-powerofficego, even while a run is under way.

    Each run retries the records that are rejected or held. Correct them in the shop or in
    PowerOffice Go, or acknowledge them so that `check` no longer counts them. Commands that change
    links, and `export` and `import`, stop with an error while a run is under way.
    """


for _reference, _help in {
    "waiting:acknowledge": "Acknowledge rejects or holds that a person knows of.",
    "check:check": "Exit 3 while rejects or holds wait for a person.",
    "lists:conflicts": "List properties that both sides changed.",
    "lists:differences": "List linked records whose properties differ.",
    "erasing:erase": "Erase a customer's personal data from the link store.",
    "transfer:export": "Export the link store as text, to move or restore it.",
    "waiting:holds": "List records that wait for a person to decide.",
    "transfer:import_": "Import an export into an empty link store.",
    "linking:link": "Link a record of the shop to an entry in Go.",
    "lists:links": "List which record of the shop is linked to which entry in Go.",
    "waiting:parked": "List records that wait, but not for a person.",
    "reconcile:reconcile": "Compare a period's orders with Go's books.",
    "waiting:rejects": "List records that cannot be written, with the reason.",
    "waiting:retry": "Make the next run retry postponed records.",
    "runs:runs": "List the newest runs and the outcome of each.",
    "linking:unlink": "Remove a record's link to its entry in Go.",
}.items():
    main.add_command(CommandToLoad(_reference, _help))
