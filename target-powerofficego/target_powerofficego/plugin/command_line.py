"""A plugin's command line: its help, and one line for each file or variable that cannot be read.

Files and variables are checked before the SDK reads them: the SDK would end in a traceback, or take
any word that it does not know for "false".
"""

from __future__ import annotations

import contextlib
import difflib
import io
import os
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.plugin_base import PluginBase

from . import standard_output
from .environment import load_dotenv, settings_from_environment
from .open_files import OUT_OF_FILES, is_out_of_files
from .plain_text import NOT_SHOWN, keep_logs_plain, looks_like_a_name, may_be_a_key
from .sdk_internals import classproperty, load_json, read_json_file

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    import click

    from .sdk_internals import ConfigInput

_ENVIRONMENT = "ENV"
_BOOLEANS = ("true", "1", "yes", "on", "false", "0", "no", "off")


class CommandLine(PluginBase):
    """Comes before the SDK's class among the bases of a plugin."""

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Let `--help` say what the plugin does and where to read more; keep output readable."""
        keep_logs_plain()
        standard_output.print_in_utf8()
        command = super().get_singer_command()
        command.help = (
            f"{cls.__doc__} A Singer plugin: --about lists its settings, and README.md explains it."
        )
        return command

    @classmethod
    def invoke(cls, **arguments: Any) -> None:  # noqa: ANN401 - the SDK's, passed on
        """Run the plugin; unusable settings end it, with one line for each."""
        try:
            with cls.printing():
                super().invoke(**arguments)
        except ConfigValidationError as wrong:
            cls.exit_with(*wrong.errors)
        except OSError as error:
            if not is_out_of_files(error):
                raise
            cls.exit_with(f"{OUT_OF_FILES}.")

    @classmethod
    @contextlib.contextmanager
    def printing(cls) -> Iterator[None]:
        """End the program with one line if something printed inside cannot be written."""
        if standard_output.is_closed():
            cls.exit_with(standard_output.CLOSED)
        try:
            yield
            sys.stdout.flush()
        except BrokenPipeError:
            standard_output.discard()
            cls.exit_with("Whoever reads the records has stopped reading.")
        except OSError as error:
            if error.errno is None:  # raised by requests, not by the operating system
                raise
            standard_output.discard()
            cls.exit_with(f"What is printed cannot be written: {error.strerror}.")

    @classmethod
    def exit_with(cls, *lines: str) -> NoReturn:
        """Say what is wrong, and end the program."""
        for line in lines:
            cls.logger.error("%s", line)
        sys.exit(1)

    @classmethod
    def checked_json(
        cls, file: IO[str], wrong: str, read: Callable[[Any], object] = dict.copy
    ) -> IO[str]:
        """Return a file whose JSON can be read, by default as an object; else end with a line."""
        text = file.read()
        try:
            read(load_json(text))
        except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError):
            cls.exit_with(wrong)
        return io.StringIO(text)

    @classmethod
    def cb_config(
        cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]
    ) -> ConfigInput:
        """Read the config files; a file that cannot be read ends the program with one line."""
        for path in value:
            if path != _ENVIRONMENT and (wrong := config_file_fault(path)):
                cls.exit_with(f"--config: {wrong}")
        return super().cb_config(ctx, param, value)

    @classproperty
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805 - as the SDK has it
        schema = cls.config_jsonschema
        cls.append_builtin_config(schema)
        if wrong := variable_faults(cls._env_var_prefix, schema["properties"]):
            raise ConfigValidationError("The variables are not usable", errors=wrong, schema={})
        return settings_from_environment(schema, cls._env_var_prefix)


def read_bookmarks(state: Any) -> None:  # noqa: ANN401 - JSON
    """Go through the bookmarks of a state as the SDK does, to fail where the SDK would.

    Raises:
        TypeError, AttributeError: it is not a state, or what it holds are not bookmarks.
    """
    for held in dict.copy(state).get("bookmarks", {}).values():
        for part in (held, *held.get("partitions", ())):
            dict.copy(part).get("progress_markers", {}).items()


def config_file_fault(path: str) -> str | None:
    """Say why a file is not a config; None if it is one."""
    shown = "the file that is named" if not path or may_be_a_key(path) else path
    if Path(path).exists() and not Path(path).is_file():
        return f"{shown} is no file, such as a pipe, which can be read only once"
    try:
        told: object = read_json_file(path)
    except (OSError, RuntimeError):
        return f"{shown} cannot be read; see that it is there, and may be read"
    except ValueError as error:
        return f"{shown} holds no settings as JSON: {error}"
    if not isinstance(told, dict):
        return f'{shown} must hold an object of settings, such as {{"name": "value"}}'
    return None


def variable_faults(prefix: str, settings: Mapping[str, Any]) -> list[str]:
    """Say which variables with a plugin's prefix name no setting, or hold an impossible value.

    Args:
        prefix: what the plugin's variables begin with, such as `TAP_CUSTOMWEBSHOP_`.
        settings: the schema of each setting by its name.
    """
    load_dotenv()
    known = {prefix + name.upper(): schema for name, schema in settings.items()}
    lines: list[str] = []
    for variable, value in sorted(os.environ.items()):
        if variable in known:
            lines += _wrong_value(variable, value, known[variable].get("type", ()))
        elif _is_meant_as_setting(variable, prefix):
            name = variable.removeprefix(prefix).lower()
            near = difflib.get_close_matches(name, settings, n=1)
            meant = f"; did you mean {prefix}{near[0].upper()}?" if near else ""
            is_shown = near or looks_like_a_name(name)
            shown = variable if is_shown else f"that begins with {prefix} ({NOT_SHOWN})"
            lines.append(f"There is no setting for the variable {shown}{meant}")
    return lines


def _is_meant_as_setting(variable: str, prefix: str) -> bool:
    """Return whether a variable is meant as a setting, not for the SDK or Meltano (`…__SELECT`)."""
    name = variable.removeprefix(prefix)
    return name != variable and name != "LOGLEVEL" and not name.startswith("_")


def _wrong_value(variable: str, value: str, kinds: Collection[str]) -> list[str]:
    """Say what a value should be without showing it, for it may be a key in the wrong place."""
    if "boolean" in kinds and value.lower() not in _BOOLEANS:
        return [f"{variable} must be true or false"]
    if "integer" in kinds and _why_unreadable(int, value):
        return [f"{variable} must be a whole number"]
    if "object" in kinds and (why := _why_unreadable(load_json, value)):
        return [f"{variable} must be an object of names and values, as JSON: {why}"]
    return []


def _why_unreadable(read: Callable[[str], object], value: str) -> str | None:
    try:
        read(value)
    except ValueError as error:
        return str(error)
    return None
