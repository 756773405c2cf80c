"""The documents are correct."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import documents
import pytest
from tap_customwebshop.tap import TapCustomWebShop
from target_powerofficego.settings.forward import Settings
from target_powerofficego.settings.schema import CONFIG
from target_powerofficego.target import TargetPowerOfficeGo

ADDRESS = "https://git.example.com/customwebshop-powerofficego/blob/main/"
PROJECT = Path(__file__).resolve().parents[2]
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    *(str(path.relative_to(PROJECT)) for path in sorted((PROJECT / "docs").rglob("*.md"))),
    "sandbox/README.md",
    "tap-customwebshop/README.md",
    "target-powerofficego/README.md",
    "target-customwebshop/README.md",
    "tap-powerofficego/README.md",
)


def with_defaults(**settings):
    defaults = {
        name: schema["default"]
        for name, schema in CONFIG.to_dict()["properties"].items()
        if "default" in schema
    }
    keys = dict.fromkeys(("application_key", "client_key", "subscription_key"), "fake")
    return {**defaults, **keys, "environment": "demo", "shop_name": "myshop", **settings}


@pytest.mark.parametrize("name", documents.CURRENT)
def test_generated_documents_are_current_by_uv_run_python_tests_documents_py(name):
    assert (documents.DOCS / name).read_text(encoding="utf-8") == documents.CURRENT[name]()


@pytest.mark.parametrize(("sentence", "value"), documents.EXAMPLES)
def test_each_example_of_the_setting_properties_is_accepted(sentence, value):
    changed = Settings.from_config(with_defaults(properties=value)).tables
    unchanged = Settings.from_config(with_defaults()).tables
    assert [entity for entity in changed if changed[entity] != unchanged[entity]] == list(value)


def test_the_two_configs_of_the_readme_are_valid(project):
    readme = (project / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```json\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
    shop, go = map(json.loads, blocks)
    TapCustomWebShop(config=shop)
    TargetPowerOfficeGo(config=go)
    assert Settings.from_config(with_defaults(**go)).dry_run


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_link_between_the_documents_has_a_target(project, name):
    path = project / name
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        file, _, heading = link.partition("#")
        if file.startswith(ADDRESS):
            linked = project / file.removeprefix(ADDRESS)
        elif file.startswith("http"):
            continue
        else:
            is_package = (path.parent / "pyproject.toml").exists() and path.parent != project
            assert not file or not is_package, "a broken link in a package index"
            linked = path.parent / file if file else path
        assert linked.exists(), link
        if heading:
            assert heading in headings(linked), link


@pytest.mark.parametrize("name", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_each_file_named_in_documents_for_developers_exists(project, name):
    text = (project / name).read_text(encoding="utf-8")
    places = (project, project / "target-powerofficego" / "target_powerofficego")
    quoted = re.findall(r"`([\w/.-]+)`", text)
    paths = {path for path in quoted if "/" in path or path.endswith(".py")}
    assert len(paths) > 20
    assert [path for path in paths if not any((place / path).exists() for place in places)] == []


def headings(path):
    titles = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def test_the_changelog_begins_with_the_version_of_every_package(project):
    versions = {
        re.findall(r'^version = "(.+)"', path.read_text(encoding="utf-8"), re.MULTILINE)[0]
        for path in (project / "pyproject.toml", *project.glob("*/pyproject.toml"))
    }
    (version,) = versions
    changelog = (project / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+).*\n\n- .+", changelog, re.MULTILINE)
    assert newest
    assert newest[1] == version


def test_a_tag_is_the_version_of_the_tagged_commit(project):
    tags = subprocess.run(
        ["git", "tag", "--points-at", "HEAD", "v*"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    pyproject = (project / "pyproject.toml").read_text(encoding="utf-8")
    assert all(f'version = "{tag[1:]}"' in pyproject for tag in tags)


def test_one_command_writes_a_version_and_the_bounds_of_siblings(project, tmp_path):
    (tmp_path / ".ci").mkdir()
    shutil.copy(project / ".ci" / "version.py", tmp_path / ".ci")
    for path in (project / "pyproject.toml", *project.glob("*/pyproject.toml")):
        copied = tmp_path / path.relative_to(project)
        copied.parent.mkdir(exist_ok=True)
        shutil.copy(path, copied)

    def write(version):
        script = tmp_path / ".ci" / "version.py"
        subprocess.run([sys.executable, script, version], check=True)
        return [path.read_text(encoding="utf-8") for path in sorted(tmp_path.rglob("*.toml"))]

    before = [path.read_text(encoding="utf-8") for path in sorted(tmp_path.rglob("*.toml"))]
    current = re.findall(r'^version = "(.+)"', before[0], re.MULTILINE)[0]
    assert write(current) == before  # a release checks its tag in this way
    assert write("1.4.2") != before

    for path in tmp_path.rglob("pyproject.toml"):
        text = path.read_text(encoding="utf-8")
        assert '\nversion = "1.4.2"\n' in text
        assert "0.1,<0.2" not in text
    way_back = (tmp_path / "target-customwebshop" / "pyproject.toml").read_text(encoding="utf-8")
    assert '"tap-customwebshop>=1.4,<1.5"' in way_back


def test_the_licence_is_the_one_that_every_package_names(project):
    assert "Apache License" in (project / "LICENSE").read_text(encoding="utf-8")
    for path in (project / "pyproject.toml", *project.glob("*/pyproject.toml")):
        assert 'license = "Apache-2.0"' in path.read_text(encoding="utf-8")
