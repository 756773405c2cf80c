"""The internals of the Singer SDK, click, requests and urllib3 in use here, which may change."""

from __future__ import annotations

import ast
import importlib
import inspect

import pytest

PACKAGES = {
    "tap_customwebshop": "tap-customwebshop",
    "target_powerofficego": "target-powerofficego",
    "tap_powerofficego": "tap-powerofficego",
    "target_customwebshop": "target-customwebshop",
}
LIBRARIES = ("singer_sdk", "click", "requests", "urllib3")
WITH_INTERNALS = ("tap_customwebshop", "target_powerofficego")
MEMBERS = {
    "singer_sdk.plugin_base.PluginBase": (
        *("_config", "_env_var_config", "_env_var_prefix", "_handle_termination"),
        *("_setup_signal_handlers", "_validate_config"),
    ),
    "singer_sdk.target_base.Target": (
        *("_assert_line_requires", "_assert_sink_exists", "_process_activate_version_message"),
        *("_process_batch_message", "_process_record_message", "_process_schema_message"),
        *("_process_state_message", "_sinks_active", "_sinks_to_clear"),
    ),
    "singer_sdk.io_base.SingerReader": ("_process_unknown_message",),
    "singer_sdk.streams.core.Stream": (
        *("_finalize_state", "_generate_record_messages", "_increment_stream_state"),
        *("_process_record", "_stream_version", "_sync_records", "_tap"),
        *("_write_record_message", "_write_starting_replication_value", "_write_state_message"),
    ),
}
"""The private members that classes of this project override or use, by the class of the SDK."""


@pytest.mark.parametrize("package", PACKAGES)
def test_only_one_module_of_a_package_imports_internals_of_others(project, package):
    importing = {
        path.name
        for path in (project / PACKAGES[package] / package).rglob("*.py")
        if any(map(_is_internal, _imported(path)))
    }

    assert importing == ({"sdk_internals.py"} if package in WITH_INTERNALS else set())


def _imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def _is_internal(name):
    first, *parts = name.split(".")
    return first in LIBRARIES and any(part.startswith("_") for part in parts)


@pytest.mark.parametrize("package", WITH_INTERNALS)
def test_the_installed_sdk_has_the_internals_that_are_imported(package):
    internals = importlib.import_module(f"{package}.plugin.sdk_internals")

    assert all(getattr(internals, name) for name in internals.__all__)


@pytest.mark.parametrize("path", MEMBERS)
def test_the_installed_sdk_has_the_private_members_in_use_here(path):
    module, _, name = path.rpartition(".")
    sdk_class = getattr(importlib.import_module(module), name)
    source = inspect.getsource(sdk_class)  # which sets some members in __init__

    missing = [member for member in MEMBERS[path] if not hasattr(sdk_class, member)]
    assert [member for member in missing if member not in source] == []


def test_every_private_member_of_the_sdk_that_is_overridden_here_is_named(project):
    named = {member for members in MEMBERS.values() for member in members}
    bases = [
        getattr(importlib.import_module(path.rpartition(".")[0]), path.rpartition(".")[2])
        for path in MEMBERS
    ]
    overridden = {
        name
        for package, folder in PACKAGES.items()
        for path in (project / folder / package).rglob("*.py")
        for name in _private_methods(path)
        if any(hasattr(base, name) for base in bases)
    }

    assert overridden - named == set()


def _private_methods(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for part in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(part, ast.FunctionDef) and part.name[:1] == "_" != part.name[1:2]:
                yield part.name
