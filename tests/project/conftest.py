"""What the tests of the project share: its files, and how each plugin describes itself."""

from __future__ import annotations

import functools
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import declarations
import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Plugin:
    """A plugin's folder, its description by `--about`, and its declaration in meltano.yml."""

    name: str
    folder: Path
    about: dict[str, Any]
    declared: dict[str, Any]

    @property
    def settings(self) -> dict[str, Any]:
        """The settings by name, as JSON schema."""
        return self.about["settings"]["properties"]

    @property
    def hub(self) -> dict[str, Any]:
        return yaml.safe_load((self.folder / "hub.yml").read_text(encoding="utf-8"))


@functools.lru_cache
def command(name, *arguments):
    """Run a console script of this environment."""
    program = Path(sys.executable).with_name(name)
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=True)


@pytest.fixture(scope="session")
def project():
    return PROJECT


@pytest.fixture(scope="session")
def run_command():
    return command


@pytest.fixture(scope="session")
def meltano_yml(project):
    return yaml.safe_load((project / "meltano.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session", params=declarations.PLUGINS)
def plugin(request, project, meltano_yml):
    name = request.param
    return Plugin(
        name=name,
        folder=project / name,
        about=declarations.about(name),
        declared=next(
            declared
            for declared in meltano_yml["plugins"][declarations.PLUGINS[name]]
            if declared["name"] == name
        ),
    )


@pytest.fixture(scope="session")
def committed_files(project):
    """The files that are or would be committed."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("this is not a git clone, so the committed files are unknown")
    return [project / name for name in listed.stdout.split("\0") if (project / name).is_file()]


@pytest.fixture(scope="session")
def configs():
    """A function that returns each plugin's settings for a sandbox and further settings."""

    def make(box, **settings):
        shop = box.tap_config()
        accounts = {"25": 3000, "15": 3001, "0": 3100}
        go = box.target_config(requests_per_second=100, sales_accounts=accounts, **settings)
        connection = ("environment", "api_url", "token_url", "application_key", "client_key")
        return {
            "tap-customwebshop": shop,
            "target-powerofficego": go,
            "tap-powerofficego": {name: go[name] for name in (*connection, "subscription_key")},
            "target-customwebshop": {name: shop[name] for name in ("api_url", "auth_token")}
            | {"shop_name": go["shop_name"], **settings},
        }

    return make
