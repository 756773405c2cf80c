"""meltano.yml, the Hub definitions, the READMEs and `--about` tell the same settings."""

from __future__ import annotations

import io
import re

import pytest
from dotenv import dotenv_values

OPTIONAL = {
    f"TARGET_POWEROFFICEGO_{name}"
    for name in (
        *("OWNERS", "CLOCK_MARGIN", "PROPERTIES", "STOCK", "TIME_ZONE", "ANONYMISED_MARKS"),
        "REQUESTS_PER_SECOND",
    )
}
"""Variables that both ways share and the example need not name."""
INSTALLED_WITH = {
    "tap-powerofficego": ["target-powerofficego"],
    "target-customwebshop": ["tap-customwebshop", "target-powerofficego"],
}
"""What has to be installed with a plugin, and before it, because it is imported."""


def kind_of(schema):
    if schema.get("secret"):
        return "password"
    if "enum" in schema:
        return "options"
    if schema.get("format") in ("date", "date-time"):
        return "date_iso8601"
    return {"number": "decimal"}.get(schema["type"][0], schema["type"][0])


def as_declared(name, schema):
    """Return a setting of `--about` in the form of meltano.yml and the Hub."""
    declared = {
        "name": name,
        "label": schema["title"],
        "kind": kind_of(schema),
        "description": schema["description"],
    }
    if schema.get("secret"):
        declared["sensitive"] = True
    if "enum" in schema:
        declared["options"] = schema["enum"]
    if "default" in schema:
        declared["value"] = schema["default"]
    return declared


def without_labels_of_options(setting):
    setting = {name: value for name, value in setting.items() if name not in ("placeholder", "env")}
    if "options" in setting:
        setting["options"] = [option["value"] for option in setting["options"]]
    return setting


def shared_variable(setting):
    """Return the variable of another plugin that a setting of meltano.yml is taken from."""
    value = setting.get("value")
    return value[1:] if isinstance(value, str) and value.startswith("$") else None


@pytest.mark.parametrize("where", ["hub", "declared"])
def test_every_setting_of_about_is_declared_to_the_hub_and_in_meltano_yml(plugin, where):
    told = [as_declared(name, schema) for name, schema in plugin.settings.items()]
    declared = [without_labels_of_options(one) for one in getattr(plugin, where)["settings"]]
    for one, other in zip(declared, told, strict=True):
        if where == "declared" and shared_variable(one):
            one.pop("value")
            other.pop("value", None)
    assert declared == told


def test_a_setting_that_another_plugin_has_too_is_taken_from_its_variable(plugin, meltano_yml):
    """So that keys, addresses and rules stand in one place, and cannot differ between the ways."""
    plugins = [*meltano_yml["plugins"]["extractors"], *meltano_yml["plugins"]["loaders"]]
    names = {
        f"{one['name'].replace('-', '_')}_{setting['name']}".upper()
        for one in plugins
        for setting in one["settings"]
    }
    for setting in plugin.declared["settings"]:
        variable = shared_variable(setting)
        assert variable is None or variable in names
        assert variable is None or variable.lower().endswith(f"_{setting['name']}")


def test_every_setting_has_a_title_and_a_description(plugin):
    for name, schema in plugin.settings.items():
        assert schema.get("title"), name
        assert schema.get("description", "").endswith((".", ").")), name


def test_the_settings_table_in_the_readme_is_the_one_of_about(plugin):
    assert plugin.readme_table in plugin.readme


def test_the_hub_and_meltano_yml_tell_the_same_capabilities_and_needed_settings(plugin):
    for declared in (plugin.hub, plugin.declared):
        assert declared["capabilities"] == plugin.about["capabilities"]
        assert declared["settings_group_validation"] == [plugin.about["settings"]["required"]]
        assert declared["executable"] == plugin.name
    assert plugin.declared["namespace"] == plugin.hub["namespace"]
    assert plugin.declared["label"] == plugin.hub["label"]
    installed = [*INSTALLED_WITH.get(plugin.name, []), plugin.name]
    assert plugin.declared["pip_url"].split() == [f"./{name}" for name in installed]
    assert plugin.hub["pip_url"].split() == installed
    assert plugin.hub["supported_python_versions"] == plugin.about["supported_python_versions"]


def test_meltano_yml_holds_no_secret(plugin, meltano_yml):
    secrets = {name for name, schema in plugin.settings.items() if schema.get("secret")}
    configs = [plugin.declared.get("config", {})]
    for environment in meltano_yml["environments"]:
        for declared in environment["config"]["plugins"].values():
            configs += [one.get("config", {}) for one in declared]
    assert secrets
    assert not secrets.intersection(name for config in configs for name in config)
    assert not [
        one
        for one in plugin.declared["settings"]
        if one["name"] in secrets and "value" in one and not shared_variable(one)
    ]


def test_each_environment_of_meltano_sets_only_settings_that_exist(meltano_yml, plugin):
    for environment in meltano_yml["environments"]:
        for declared in environment["config"]["plugins"].values():
            for one in declared:
                if one["name"] == plugin.name:
                    assert set(one["config"]) <= set(plugin.settings)


def test_production_plans_its_first_run(meltano_yml):
    configs = {
        environment["name"]: environment["config"]["plugins"]["loaders"][0]["config"]
        for environment in meltano_yml["environments"]
    }
    assert set(configs) == {"sandbox", "demo", "production"}
    assert configs["production"]["environment"] == "production"
    assert configs["production"]["first_run"] == "plan"
    assert configs["demo"]["environment"] == "demo"


def test_the_job_ends_with_the_check_and_no_usage_data_is_sent(meltano_yml):
    assert meltano_yml["send_anonymous_usage_stats"] is False
    jobs = {job["name"]: job["tasks"] for job in meltano_yml["jobs"]}
    assert jobs["sync"][-1] == "powerofficego-links:check"
    assert {schedule["job"] for schedule in meltano_yml["schedules"]} == {"sync"}
    for loader in meltano_yml["plugins"]["loaders"]:
        assert loader["config"] == {"fail_on": "never"}


def test_each_command_of_the_links_plugin_exists(meltano_yml, run_command):
    declared = meltano_yml["plugins"]["utilities"][0]
    assert declared["name"] == "powerofficego-links"
    told = run_command("powerofficego-links", "--help").stdout
    shown = re.findall(r"^  ([a-z]+)  ", told.partition("Commands:")[2], flags=re.MULTILINE)
    assert sorted(declared["commands"]) == sorted(shown)
    for name, command in declared["commands"].items():
        assert command["args"] == name


def test_the_example_env_file_names_only_settings_that_exist_and_holds_no_secret(project, plugin):
    prefix = plugin.name.replace("-", "_").upper() + "_"
    text = (project / ".env.example").read_text(encoding="utf-8")
    uncommented = text.replace("\n# T", "\nT")
    values = dotenv_values(stream=io.StringIO(uncommented))
    told = {
        name.removeprefix(prefix).lower(): value
        for name, value in values.items()
        if name.startswith(prefix)
    }
    assert set(told) <= set(plugin.settings)
    shared = {
        one["name"]: variable
        for one in plugin.declared["settings"]
        if (variable := shared_variable(one))
    }
    assert set(shared.values()) - set(values) <= OPTIONAL
    needed = set(plugin.about["settings"]["required"]) - set(told) - set(shared)
    assert needed <= {"environment"}
    for name, schema in plugin.settings.items():
        if schema.get("secret"):
            assert not told.get(name)
