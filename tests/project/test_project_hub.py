"""Meltano Hub accepts each hub.yml, according to its schemas."""

import re

import declarations
import pytest

REQUIRED = {"name", "namespace", "variant", "quality"}
OPTIONAL = {
    *("label", "description", "repo", "domain_url", "logo_url", "pip_url", "executable"),
    *("usage", "settings_preamble", "keywords", "supported_python_versions", "capabilities"),
    *("settings", "settings_group_validation", "maintenance_status"),
}
"""Members that the Hub does not require, but all our definitions have."""
ACCEPTED = {
    *REQUIRED,
    *OPTIONAL,
    "commands",
    "docs",
    "prereq",
    "next_steps",
    "definition",
    "log_parser",
}
SETTING_MEMBERS = {
    *("name", "aliases", "label", "value", "placeholder", "kind", "description", "tooltip"),
    *("documentation", "env", "options", "hidden", "sensitive"),
}
KINDS = {
    *("string", "integer", "boolean", "options", "object", "array", "date_iso8601", "password"),
    *("decimal", "file", "email", "hidden", "oauth"),
}
CAPABILITIES = {
    "extractors": {
        *("properties", "catalog", "discover", "state", "about", "stream-maps", "test", "batch"),
        *("schema-flattening", "activate-version", "log-based", "structured-logging"),
    },
    "loaders": {
        *("about", "stream-maps", "activate-version", "batch", "soft-delete", "hard-delete"),
        *("datatype-failsafe", "schema-flattening", "target-schema", "validate-records"),
        "structured-logging",
    },
}


def test_a_definition_has_all_members_the_hub_requires_and_none_it_refuses(plugin):
    kind = declarations.PLUGINS[plugin.name]
    assert set(plugin.hub) <= ACCEPTED | ({"select"} if kind == "extractors" else set())
    assert set(plugin.hub) >= REQUIRED | OPTIONAL
    assert plugin.hub["name"] == plugin.hub["executable"] == plugin.name
    assert plugin.hub["quality"] in {"gold", "silver", "bronze", "unknown"}
    assert plugin.hub["maintenance_status"] in {"active", "beta", "development", "inactive"}
    assert set(plugin.hub["capabilities"]) <= CAPABILITIES[kind]
    for version in plugin.hub["supported_python_versions"]:
        assert re.fullmatch(r"3\.[0-9]+", version)
    assert plugin.hub["logo_url"].startswith(f"/assets/logos/{kind}/")


def test_its_settings_have_kinds_that_the_hub_accepts(plugin):
    names = [setting["name"] for setting in plugin.hub["settings"]]
    assert sorted(names) == sorted(set(names))
    for setting in plugin.hub["settings"]:
        assert set(setting) <= SETTING_MEMBERS
        assert setting["kind"] in KINDS
        assert all(isinstance(option["value"], str) for option in setting.get("options", ()))
    for group in plugin.hub["settings_group_validation"]:
        assert set(group) <= set(names)


def test_lines_are_read_only_if_selected():
    """The lines of an order or invoice cost a call of their own."""
    definition = declarations.current()[declarations.PROJECT / "tap-powerofficego" / "hub.yml"]
    for stream, lines in (("salesorders", "SalesOrderLines"), ("outgoing_invoices", "Lines")):
        assert f"- '!{stream}.{lines}'\n" in definition


@pytest.mark.parametrize("name", ["target-powerofficego", "target-customwebshop"])
def test_each_command_that_a_definition_names_is_one_of_powerofficego_links(name, run_command):
    text = declarations.current()[declarations.PROJECT / name / "hub.yml"]
    command_names = re.findall(rf"invoke {name}:([a-z]+)", text)
    assert command_names
    help_text = run_command("powerofficego-links", "--help").stdout
    assert all(f"\n  {command} " in help_text for command in command_names)
