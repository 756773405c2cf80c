"""The declarations of the plugins match `--about`, and meltano.yml matches them."""

import io
import shutil
import subprocess

import declarations
import pytest
import yaml
from dotenv import dotenv_values

OPTIONAL = {
    f"TARGET_POWEROFFICEGO_{name}"
    for name in (
        *("OWNERS", "CLOCK_MARGIN", "PROPERTIES", "STOCK", "TIME_ZONE", "ANONYMISED_MARKS"),
        *("REQUESTS_PER_SECOND", "RATE_LIMIT_STORE"),
    )
}
"""Variables that both directions share, and that the example may leave out."""
SEPARATE = {
    *("api_url", "workers", "request_timeout", "retry_seconds", "changes_file", "max_changes"),
    *("stream_maps", "stream_map_config", "faker_config"),
}
"""Settings that both targets have, each with its own value."""


def shared_variable(value):
    """Return the variable of another plugin from which meltano.yml takes a setting."""
    return value[1:] if isinstance(value, str) and value.startswith("$") else None


def test_generated_declarations_are_current_by_uv_run_python_tests_declarations_py():
    for path, text in declarations.current().items():
        assert path.read_text(encoding="utf-8") == text, path


def test_no_outdated_definition_of_a_plugin_is_left(project):
    written = {path for path in declarations.current() if path.suffix == ".lock"}
    assert set((project / "plugins").rglob("*.lock")) == written


def test_meltano_yml_sets_only_settings_that_exist_and_takes_shared_ones_from_one_variable(
    plugin, meltano_yml
):
    """Keys, addresses and rules are in one place, so they cannot differ between the directions."""
    names = {
        f"{name}_{setting}".replace("-", "_").upper()
        for name in declarations.PLUGINS
        for setting in declarations.about(name)["settings"]["properties"]
    }
    for setting, value in plugin.declared.get("config", {}).items():
        assert setting in plugin.settings
        variable = shared_variable(value)
        assert variable is None or variable in names
        assert variable is None or variable.lower().endswith(f"_{setting}")


def test_a_setting_of_both_targets_is_shared_unless_it_is_declared_to_differ(meltano_yml):
    """Otherwise a new setting of both directions could differ between them by oversight."""
    forward, back = (
        declarations.about(name)["settings"]["properties"]
        for name in ("target-powerofficego", "target-customwebshop")
    )
    (config,) = (
        loader["config"]
        for loader in meltano_yml["plugins"]["loaders"]
        if loader["name"] == "target-customwebshop"
    )
    assert set(forward) & set(back) - SEPARATE <= set(config)


def test_every_setting_has_a_title_and_a_description(plugin):
    for name, schema in plugin.settings.items():
        assert schema.get("title"), name
        assert schema.get("description", "").endswith((".", ").")), name


def test_meltano_yml_installs_each_plugin_with_what_it_imports(plugin):
    installed = [*declarations.needed_by(plugin.name), plugin.name]
    assert plugin.declared["pip_url"].split() == [f"./{name}" for name in installed]
    assert plugin.declared["variant"] == plugin.hub["variant"]


def test_the_hub_installs_each_plugin_by_git_or_by_its_name_with_what_it_imports(plugin):
    repository = "https://git.example.com/anywhere"
    by_git = declarations.pip_url(plugin.name, repository=repository, by_git=True).split()
    installed = [*declarations.needed_by(plugin.name), plugin.name]
    assert by_git == [f"git+{repository}#subdirectory={name}" for name in installed]
    assert declarations.pip_url(plugin.name, repository=repository, by_git=False) == plugin.name


@pytest.fixture
def copied_project(project, committed_files, tmp_path, monkeypatch):
    """A copy of the repository, on which `tests/declarations.py` works."""
    for path in committed_files:
        copy = tmp_path / path.relative_to(project)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    monkeypatch.setattr(declarations, "PROJECT", tmp_path)
    return tmp_path


def definition(name):
    return yaml.safe_load((declarations.PROJECT / name / "hub.yml").read_text(encoding="utf-8"))


def test_a_new_address_of_the_repository_is_in_every_file(copied_project):
    old, new = definition("tap-customwebshop")["repo"], "https://code.example.org/sync"

    declarations.move(copied_project, new)
    declarations.write()

    files = [
        path for path in copied_project.rglob("*") if path.is_file() and ".git" not in path.parts
    ]
    assert [path for path in files if old in path.read_text(encoding="utf-8")] == []
    for name in declarations.PLUGINS:
        assert definition(name)["repo"] == new
        assert definition(name)["pip_url"].startswith(f"git+{new}#subdirectory=")
        assert f'"{new}"' in (copied_project / name / "pyproject.toml").read_text(encoding="utf-8")


def test_the_hub_installs_from_pypi_or_by_git_as_requested(copied_project):
    by_git = declarations.current()

    declarations.install_from("pypi")
    declarations.write()
    assert all(definition(name)["pip_url"] == name for name in declarations.PLUGINS)

    declarations.install_from("git")
    declarations.write()
    assert declarations.current() == by_git
    assert definition("tap-customwebshop")["pip_url"].startswith("git+https://")


def test_meltano_yml_contains_no_secret(plugin, meltano_yml):
    secrets = {name for name, schema in plugin.settings.items() if schema.get("secret")}
    configs = [plugin.declared.get("config", {})]
    for environment in meltano_yml["environments"]:
        for plugins in environment["config"]["plugins"].values():
            configs += [declared.get("config", {}) for declared in plugins]
    assert secrets
    for config in configs:
        for name in secrets & set(config):
            assert shared_variable(config[name]), name


def test_each_environment_of_meltano_sets_only_settings_that_exist(meltano_yml, plugin):
    for environment in meltano_yml["environments"]:
        for plugins in environment["config"]["plugins"].values():
            for declared in plugins:
                if declared["name"] == plugin.name:
                    assert set(declared["config"]) <= set(plugin.settings)


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
        assert loader["config"]["fail_on"] == "never"


def test_the_example_env_file_names_only_settings_that_exist_and_contains_no_secret(
    project, plugin
):
    prefix = plugin.name.replace("-", "_").upper() + "_"
    text = (project / ".env.example").read_text(encoding="utf-8")
    uncommented = text.replace("\n# T", "\nT")
    values = dotenv_values(stream=io.StringIO(uncommented))
    examples = {
        name.removeprefix(prefix).lower(): value
        for name, value in values.items()
        if name.startswith(prefix)
    }
    assert set(examples) <= set(plugin.settings)
    config = plugin.declared.get("config", {})
    shared = {name: shared_variable(value) for name, value in config.items()}
    shared = {name: variable for name, variable in shared.items() if variable}
    assert set(shared.values()) - set(values) <= OPTIONAL
    missing = set(plugin.about["settings"]["required"]) - set(examples) - set(shared)
    assert missing <= {"environment"}
    for name, schema in plugin.settings.items():
        if schema.get("secret"):
            assert not examples.get(name)
