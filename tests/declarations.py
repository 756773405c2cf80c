"""Writes what each plugin declares into the files that repeat it.

    uv run python tests/declarations.py

Only the schema of the settings in a plugin's code is written by hand; `--about` prints it. From it
come the end of each `hub.yml`, the tables in the READMEs, and the definitions under `plugins/`,
from which Meltano knows the plugins of `meltano.yml`. A test fails when they are out of date.

The address of the repository is in each `hub.yml`. This changes it in every file that names it:

    uv run python tests/declarations.py --repository https://git.example.com/new-place

This makes Meltano install the plugins from PyPI by name, or with git as they are today:

    uv run python tests/declarations.py --install-from pypi

The root README shows the end of what the demo prints. This runs the demo, which takes two minutes:

    uv run python tests/declarations.py --demo
"""

from __future__ import annotations

import argparse
import functools
import json
import re
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import yaml
from commands import run
from go_sandbox.demo.acts import WHAT_EACH_RUN_WROTE
from packaging.requirements import Requirement
from target_powerofficego.links_command import main
from target_powerofficego.links_command.reconciliation import reconciling

PROJECT = Path(__file__).resolve().parents[1]
PLUGINS = {
    "tap-customwebshop": "extractors",
    "tap-powerofficego": "extractors",
    "target-powerofficego": "loaders",
    "target-customwebshop": "loaders",
}
"""Each plugin, and Meltano's name for its kind."""
WRITTEN = "# From here on written by `uv run python tests/declarations.py`.\n"
_LINKS = "powerofficego-links"
_TABLE = re.compile(r"^\| Setting .*?\n(?=\n)", re.MULTILINE | re.DOTALL)
_LAST_ACT = re.compile(rf"^{WHAT_EACH_RUN_WROTE} ─+\n(.*?)\n\n", re.MULTILINE | re.DOTALL)
_SHOWN = re.compile(r"(?<=^```text\n)First run.*?(?=\n```$)", re.MULTILINE | re.DOTALL)


def write() -> None:
    """Bring every file up to date."""
    for path, text in current().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def current() -> dict[Path, str]:
    """Return the current content of each file."""
    files = {}
    for name, kind in PLUGINS.items():
        folder = PROJECT / name
        files[folder / "README.md"] = _with_table(folder / "README.md", name)
        files[folder / "hub.yml"] = text = _definition(folder / "hub.yml", name)
        definition = yaml.safe_load(text)
        files |= _known_to_meltano(kind, definition)
        if name == "target-powerofficego":
            files |= _known_to_meltano("utilities", _links_plugin(definition))
    return files


@functools.cache
def about(name: str) -> dict:
    """Return what a plugin prints about itself."""
    return json.loads(run(name, "--about", "--format=json").stdout)


def _with_table(readme: Path, name: str) -> str:
    markdown = run(name, "--about", "--format=markdown").stdout
    table = _TABLE.search(markdown)
    assert table, markdown
    return _TABLE.sub(lambda _: table[0], readme.read_text(encoding="utf-8"))


def with_demo(printed: str) -> str:
    """Return the root README with the end of what the demo printed."""
    (shown,) = _LAST_ACT.findall(printed)
    return _SHOWN.sub(lambda _: shown, (PROJECT / "README.md").read_text(encoding="utf-8"))


def play_demo() -> None:
    """Put the end of what the demo prints into the root README."""
    demo = [Path(sys.executable).with_name("demo")]
    played = subprocess.run(demo, capture_output=True, text=True, encoding="utf-8", check=True)
    (PROJECT / "README.md").write_text(with_demo(played.stdout), encoding="utf-8")


def _definition(path: Path, name: str) -> str:
    """Return a hub.yml whose end is current."""
    by_hand, _, end = path.read_text(encoding="utf-8").partition(WRITTEN)
    declaration = about(name)
    settings = declaration["settings"]
    described = {
        "pip_url": pip_url(
            name,
            repository=yaml.safe_load(by_hand)["repo"],
            by_git=(yaml.safe_load(end) or {}).get("pip_url", "git+").startswith("git+"),
        ),
        "supported_python_versions": declaration["supported_python_versions"],
        "capabilities": declaration["capabilities"],
        **({"commands": _commands(name)} if PLUGINS[name] == "loaders" else {}),
        "settings_group_validation": [settings["required"]],
        "settings": [
            declared(setting, schema) for setting, schema in settings["properties"].items()
        ],
    }
    return by_hand + WRITTEN + yaml.safe_dump(described, sort_keys=False, allow_unicode=True)


def pip_url(name: str, *, repository: str, by_git: bool) -> str:
    """Return what pip installs for a plugin; with git also the siblings that it needs."""
    if not by_git:
        return name
    return " ".join(
        f"git+{repository}#subdirectory={plugin}" for plugin in (*needed_by(name), name)
    )


def needed_by(name: str) -> list[str]:
    """Return the plugins that a plugin needs, in an order in which they can be installed."""
    siblings = sorted(
        {required.name for required in map(Requirement, requires(name) or ())} & PLUGINS.keys()
    )
    further = {plugin for sibling in siblings for plugin in needed_by(sibling)}
    return [*sorted(further - set(siblings)), *siblings]


def declared(name: str, schema: dict) -> dict:
    """Return a setting as Meltano and its Hub declare it."""
    described = {
        "name": name,
        "label": schema["title"],
        "kind": _kind(schema),
        "description": schema["description"],
    }
    if schema.get("secret"):
        described["sensitive"] = True
    if "enum" in schema:
        described["options"] = [
            {"label": value.replace("_", " ").capitalize(), "value": value}
            for value in schema["enum"]
        ]
    if "examples" in schema:
        described["placeholder"] = schema["examples"][0]
    if "default" in schema:
        described["value"] = schema["default"]
    return described


def _kind(schema: dict) -> str:
    if schema.get("secret") and "object" not in schema["type"]:
        return "password"  # an object of secrets stays one, or Meltano would pass it on as text
    if "enum" in schema:
        return "options"
    if schema.get("format") in ("date", "date-time"):
        return "date_iso8601"
    # Not "decimal": Meltano 4 reads one from a variable, and then cannot write it for the plugin.
    return {"number": "string"}.get(schema["type"][0], schema["type"][0])


def _commands(name: str) -> dict:
    """Return the commands of `powerofficego-links` as those of a target, on its link store."""
    return {
        command: {
            "args": command,
            "executable": _LINKS,
            "description": main.commands[command].get_short_help_str(200),
        }
        for command in sorted(main.commands)
        if command != "reconcile" or name == "target-powerofficego"  # it needs the keys to Go
    }


def _links_plugin(target: dict) -> dict:
    """Return `powerofficego-links` as a plugin of its own, which Meltano can run in a job.

    It has those of the target's settings that its commands use, from the target's variables.
    """
    settings = []
    for setting in target["settings"]:
        if setting["name"] in (*reconciling.USED, "notify"):
            variable = f"TARGET_POWEROFFICEGO_{setting['name'].upper()}"
            settings.append({**setting, "value": f"${variable}", "env": variable})
    return {
        "name": _LINKS,
        "namespace": "powerofficego_links",
        "variant": target["variant"],
        "label": "What PowerOffice Go's link store knows",
        "pip_url": target["pip_url"],
        "executable": _LINKS,
        "commands": {
            name: {"args": command["args"], "description": command["description"]}
            for name, command in target["commands"].items()
        },
        "settings": settings,
    }


def _known_to_meltano(kind: str, definition: dict) -> dict[Path, str]:
    """Return the file from which Meltano knows a plugin, as `meltano add` would write it."""
    path = PROJECT / "plugins" / kind / f"{definition['name']}--{definition['variant']}.lock"
    content = {"plugin_type": kind, **definition}
    return {path: json.dumps(content, indent=2, ensure_ascii=False) + "\n"}


def move(project: Path, repository: str) -> None:
    """Replace the address of the repository in every file that names it."""
    old = yaml.safe_load((project / "target-powerofficego" / "hub.yml").read_text("utf-8"))["repo"]
    listed = subprocess.run(
        ["git", "grep", "--untracked", "--files-with-matches", "--fixed-strings", "-z", old],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        path = project / name
        path.write_text(path.read_text("utf-8").replace(old, repository), "utf-8")


def install_from(source: str) -> None:
    """Make each hub.yml install the plugin from `pypi` or with `git`."""
    for name in PLUGINS:
        path = PROJECT / name / "hub.yml"
        first = "git+" if source == "git" else name
        text = re.sub(r"^pip_url: .*\n(  .*\n)*", "", path.read_text("utf-8"), flags=re.MULTILINE)
        path.write_text(text.replace(WRITTEN, f"{WRITTEN}pip_url: {first}\n"), "utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Update what comes from `--about`.")
    parser.add_argument("--repository", metavar="ADDRESS", help="the repository's new address")
    parser.add_argument(
        "--install-from", choices=["git", "pypi"], help="where Meltano gets the plugins"
    )
    parser.add_argument(
        "--demo", action="store_true", help="update the demo's output in the README"
    )
    options = parser.parse_args()
    if options.repository:
        move(PROJECT, options.repository)
    if options.install_from:
        install_from(options.install_from)
    if options.demo:
        play_demo()
    write()
