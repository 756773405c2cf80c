"""Runs Meltano in this project against a sandbox, with its state outside the project."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from go_sandbox.command import environment

if TYPE_CHECKING:
    from go_sandbox.server import Sandbox

EXTRACT_AND_LOAD = ("run", "tap-customwebshop", "target-powerofficego")
WAY_BACK = ("tap-powerofficego", "target-customwebshop")
_TOLD_ON_FAILURE = 25
_OWN_VARIABLES = (
    "TAP_CUSTOMWEBSHOP_",
    "TAP_POWEROFFICEGO_",
    "TARGET_POWEROFFICEGO_",
    "TARGET_CUSTOMWEBSHOP_",
    "MELTANO_",
)


class CannotRun(Exception):  # noqa: N818 - reads as what it says
    """Meltano is missing, or ended with an error; the text has its last lines."""


class Meltano:
    """Meltano as this project sets it up, with the addresses of a sandbox.

    Its state (its database and the link store) is in `folder`, so that each demo
    starts from scratch and the project stays clean; only the installed plugins stay, in `.meltano`.
    Settings in the shell and in `.env` are ignored: they may be those of a real Go.
    """

    def __init__(
        self, project: Path, box: Sandbox, folder: Path, *, is_verbose: bool = False
    ) -> None:
        self._project = project
        self._is_verbose = is_verbose
        self._no_settings = folder / "empty.env"
        self._no_settings.touch()
        self.link_store = folder / "powerofficego-links.db"
        self.variables = {
            **environment(box),
            "TARGET_POWEROFFICEGO_LINK_STORE": str(self.link_store),
            "TARGET_CUSTOMWEBSHOP_LINK_STORE": str(self.link_store),
            "TARGET_POWEROFFICEGO_ROUNDING_PRODUCT_CODE": "ORE",
            "MELTANO_DATABASE_URI": f"sqlite:///{folder / 'meltano.db'}",
            "MELTANO_ENVIRONMENT": "sandbox",
        }

    def install(self) -> None:
        """Install the plugins, each into a virtual environment of its own.

        Raises:
            CannotRun: when that fails, for instance without access to PyPI.
        """
        self._demand("install")

    def sync(self, *options: str, both_ways: bool = False) -> None:
        """Run tap and target once with these options of `meltano run`; on request the way back too.

        Raises:
            CannotRun: when the run fails.
        """
        command, *blocks = EXTRACT_AND_LOAD
        self._demand(command, *options, *blocks, *(WAY_BACK if both_ways else ()))

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run Meltano with these arguments, and with variables that only this run gets.

        Its output is in `stdout`, unless it was shown already because the demo is verbose.
        """
        running = self.start(*arguments, **variables)
        output, _ = running.communicate()
        return subprocess.CompletedProcess(running.args, running.returncode, output)

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Start Meltano as `run` does; the caller must wait for its end."""
        others = {
            name: value for name, value in os.environ.items() if not name.startswith(_OWN_VARIABLES)
        }
        return subprocess.Popen(  # noqa: S603 - our own program and arguments
            [_program(), "--env-file", str(self._no_settings), *arguments],
            cwd=self._project,
            env={
                **others,
                **self.variables,
                "MELTANO_CLI_DISABLE_VERSION_CHECK": "1",
                "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
                **variables,
            },
            stdout=None if self._is_verbose else subprocess.PIPE,
            stderr=None if self._is_verbose else subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )

    def _demand(self, *arguments: str) -> None:
        ended = self.run(*arguments)
        if ended.returncode:
            last = "\n".join((ended.stdout or "").splitlines()[-_TOLD_ON_FAILURE:])
            raise CannotRun(
                f"`meltano {' '.join(arguments)}` ended with status {ended.returncode}\n{last}"
            )


def project_folder() -> Path:
    """Return the folder with this project's meltano.yml.

    Raises:
        CannotRun: it is neither in this folder nor in one above, nor beside the installed sandbox.
    """
    here = Path.cwd()
    beside = Path(__file__).resolve().parents[3]
    for folder in (here, *here.parents, beside):
        if (folder / "meltano.yml").is_file() and (folder / "target-powerofficego").is_dir():
            return folder
    raise CannotRun("there is no meltano.yml here; run the demo in the project's folder")


def _program() -> str:
    beside = Path(sys.executable).with_name("meltano")
    found = str(beside) if beside.exists() else shutil.which("meltano")
    if found is None:
        raise CannotRun(
            "Meltano is not installed; start the demo with `uv run demo`, which installs it"
        )
    return found


def how_to_play(box: Sandbox, meltano: Meltano) -> list[str]:
    """Return lines to be pasted into a second shell, in the project's folder."""
    exports = [f"export {name}={shlex.quote(value)}" for name, value in meltano.variables.items()]
    admin = box.admin_url
    return [
        "",
        "# Both systems stay up until Ctrl-C. In another shell, in this folder:",
        *exports,
        "",
        "# Edit a customer and a product in the shop, as its owner would:",
        _edit(f"{admin}/shop/customers/1001", '{"phone": "41234567"}'),
        _edit(f"{admin}/shop/products/2001", '{"name": "Genser Fjord"}'),
        "# Edit Go as a bookkeeper would (take an Id from the list):",
        f"curl -s {admin}/go/Customers",
        _edit(f"{admin}/go/Customers/ID", '{"PhoneNumber": "+4791234567"}'),
        "# For ten minutes after the fourth run Go's stamps are up to ten minutes ahead:",
        "# where both sides edit the same property, Go's edit counts as the later one.",
        "# Sync again, both ways:",
        f"uv run meltano {' '.join((*EXTRACT_AND_LOAD, *WAY_BACK))}",
        "# What went over the wire to Go:",
        f"curl -s '{admin}/requests?system=go&method=PATCH'",
    ]


def _edit(url: str, body: str) -> str:
    return f"curl -s -X PATCH {url} -d '{body}'"
