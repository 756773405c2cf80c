"""Committed files: nothing specific to a machine, and tested versions of every dependency."""

import re

import pytest
import yaml
from packaging.requirements import Requirement

try:
    import tomllib
except ModuleNotFoundError:
    import tomli as tomllib

# In parts, so that this file itself does not contain what it searches for
HOMES = ("ho" + "me/", "ro" + "ot/", "wo" + "rk/", "Us" + "ers/")
INDEXES = ("pypi" + ".org", "python" + "hosted", "--index" + "-url")
MACHINE_PATH = re.compile("|".join(rf"(?<![\w.$}}])/{home}\w" for home in HOMES))
PACKAGE_INDEX = re.compile("|".join(map(re.escape, INDEXES)))
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")


def test_no_file_names_a_path_of_a_machine_or_a_package_index(committed_files):
    for path in committed_files:
        text = path.read_text(encoding="utf-8")
        for pattern in (MACHINE_PATH, PACKAGE_INDEX):
            match = pattern.search(text)
            assert not match, f"{path.name}: {match and match[0]}"


def test_no_lock_file_link_store_or_env_file_is_committed(committed_files):
    # Meltano's lock files under plugins/ are definitions of plugins
    names = {path.name for path in committed_files if "plugins" not in path.parts}
    assert "uv.lock" not in names
    assert ".env" not in names
    assert not [name for name in names if name.endswith((".db", ".lock"))]


def pyprojects(project):
    for path in (project / "pyproject.toml", *sorted(project.glob("*/pyproject.toml"))):
        yield tomllib.loads(path.read_text(encoding="utf-8"))


def test_every_package_supports_the_same_pythons_and_future_ones(project):
    for pyproject in pyprojects(project):
        assert pyproject["project"]["requires-python"] == ">=3.10"


@pytest.mark.parametrize("python", PYTHONS)
def test_the_tested_set_has_one_version_of_every_dependency(project, python):
    root, *packages = pyprojects(project)
    ours = {pyproject["project"]["name"] for pyproject in (root, *packages)}
    requirements = [Requirement(text) for text in root["dependency-groups"]["dev"]]
    for package in packages:
        requirements += map(Requirement, package["project"]["dependencies"])
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    tested = {}
    for pin in map(Requirement, root["tool"]["uv"]["constraint-dependencies"]):
        if pin.marker is None or pin.marker.evaluate(environment):
            assert pin.name not in tested
            tested[pin.name] = str(pin.specifier).removeprefix("==")
    for requirement in requirements:
        if requirement.name not in ours:
            assert requirement.specifier.contains(tested[requirement.name]), requirement.name


def test_files_of_the_repository_host_and_of_the_hooks_are_yaml(project):
    files = [*(project / ".github").rglob("*.yml"), project / ".pre-commit-config.yaml"]
    assert len(files) > 4
    for path in files:
        assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict), path.name


def test_ci_ends_with_the_test_command_of_the_readme_and_then_the_slow_tests(project):
    *_, ordinary, slow = (project / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    readme = (project / "README.md").read_text(encoding="utf-8")
    assert (ordinary, slow) == ("uv run pytest", "uv run pytest -m slow -n 8")
    assert f" && .uv/bin/{ordinary}\n" in readme
    assert (project / ".ci" / "run").stat().st_mode & 0o100


def test_each_path_listed_as_slow_exists(project, pytestconfig):
    plugins = pytestconfig.pluginmanager.get_plugins()
    (conftest,) = [plugin for plugin in plugins if hasattr(plugin, "SLOW")]
    assert [path for path in conftest.SLOW if not (project / path).exists()] == []
    assert [path for path in conftest.OF_FEW_CASES if not list(project.glob(f"{path}*"))] == []
