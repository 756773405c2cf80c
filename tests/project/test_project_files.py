"""What is committed: nothing of one machine, and a tested set that covers every package."""

import re

import pytest
import yaml
from packaging.requirements import Requirement

try:
    import tomllib
except ModuleNotFoundError:
    import tomli as tomllib

# Written so that this file itself does not hold what it looks for.
HOMES = ("ho" + "me/", "ro" + "ot/", "wo" + "rk/", "Us" + "ers/")
INDEXES = ("pypi" + ".org", "python" + "hosted", "--index" + "-url")
OF_A_MACHINE = re.compile("|".join(rf"(?<![\w.$}}])/{home}\w" for home in HOMES))
OF_AN_INDEX = re.compile("|".join(map(re.escape, INDEXES)))
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")


def test_no_file_names_a_place_on_a_machine_or_a_package_index(committed_files):
    for path in committed_files:
        text = path.read_text(encoding="utf-8")
        for pattern in (OF_A_MACHINE, OF_AN_INDEX):
            found = pattern.search(text)
            assert not found, f"{path.name}: {found and found[0]}"


def test_no_lock_file_link_store_or_env_file_is_committed(committed_files):
    # What Meltano calls a lock file under plugins/ is the definition of a plugin.
    names = {path.name for path in committed_files if "plugins" not in path.parts}
    assert "uv.lock" not in names
    assert ".env" not in names
    assert not [name for name in names if name.endswith((".db", ".lock"))]


def pyprojects(project):
    for path in (project / "pyproject.toml", *sorted(project.glob("*/pyproject.toml"))):
        yield tomllib.loads(path.read_text(encoding="utf-8"))


def test_every_package_is_for_the_same_pythons_and_for_those_to_come(project):
    for pyproject in pyprojects(project):
        assert pyproject["project"]["requires-python"] == ">=3.10"


@pytest.mark.parametrize("python", PYTHONS)
def test_the_tested_set_has_one_version_of_every_dependency(project, python):
    root, *packages = pyprojects(project)
    own = {one["project"]["name"] for one in (root, *packages)}
    wanted = [Requirement(text) for text in root["dependency-groups"]["dev"]]
    wanted += [Requirement(text) for one in packages for text in one["project"]["dependencies"]]
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    tested = {}
    for one in map(Requirement, root["tool"]["uv"]["constraint-dependencies"]):
        if one.marker is None or one.marker.evaluate(environment):
            assert one.name not in tested
            tested[one.name] = str(one.specifier).removeprefix("==")
    for one in wanted:
        if one.name not in own:
            assert one.specifier.contains(tested[one.name]), one.name


def test_what_the_repository_host_and_the_hooks_read_is_yaml(project):
    files = [*(project / ".github").rglob("*.yml"), project / ".pre-commit-config.yaml"]
    assert len(files) > 4
    for path in files:
        assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict), path.name


def test_ci_ends_with_the_test_command_of_the_readme_and_then_takes_what_that_leaves_out(project):
    *_, told, rest = (project / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    readme = (project / "README.md").read_text(encoding="utf-8")
    assert (told, rest) == ("uv run pytest", "uv run pytest -m slow -n 8")
    assert f" && .uv/bin/{told}\n" in readme
    assert (project / ".ci" / "run").stat().st_mode & 0o100


def test_what_is_listed_as_slow_is_there(project, pytestconfig):
    (lists,) = [one for one in pytestconfig.pluginmanager.get_plugins() if hasattr(one, "SLOW")]
    assert [one for one in lists.SLOW if not (project / one).exists()] == []
    assert [one for one in lists.OF_FEW_CASES if not list(project.glob(f"{one}*"))] == []
