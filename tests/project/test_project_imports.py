"""Packages import only their own and declared modules, and commands load only what they need."""

import ast
import importlib.metadata
import itertools
import re
import subprocess
import sys

import commands
import declarations
import pytest

try:
    import tomllib
except ModuleNotFoundError:
    import tomli as tomllib

PACKAGES = {
    "tap-customwebshop": "tap_customwebshop",
    "target-powerofficego": "target_powerofficego",
    "target-customwebshop": "target_customwebshop",
    "tap-powerofficego": "tap_powerofficego",
    "sandbox": "go_sandbox",
}
BUILT_ON = {
    "tap_powerofficego": (
        "target_powerofficego.go_api",
        "target_powerofficego.plugin",
        "target_powerofficego.settings.schema",
    ),
    "target_customwebshop": ("tap_customwebshop", "target_powerofficego"),
}
"""The way back is built on the way forward; the main pair depends on no other."""


def modules_of(folder, *, when_running=False):
    """Return (file, module) of the absolute imports; `when_running` excludes types."""
    modules = set()
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if when_running:
            tree = WithoutTypes().visit(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                modules |= {(path.name, alias.name) for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add((path.name, node.module))
    return modules


class WithoutTypes(ast.NodeTransformer):
    def visit_If(self, node):
        is_for_types = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return None if is_for_types else self.generic_visit(node)


@pytest.mark.parametrize("folder", PACKAGES)
def test_a_package_imports_only_the_siblings_it_is_built_on(project, folder):
    package = PACKAGES[folder]
    others = set(PACKAGES.values()) - {package}
    imported = modules_of(project / folder / package)
    built_on = BUILT_ON.get(package, ())
    assert not [
        (name, module)
        for name, module in imported
        if module.partition(".")[0] in others and not module.startswith(built_on)
    ]


def test_the_main_pair_has_identical_copies_of_shared_code(project):
    """Each has a copy, because the pair does not depend on another package."""
    tap, target = (
        {file.name: file.read_bytes() for file in (project / folder).glob("*/plugin/*.py")}
        for folder in ("tap-customwebshop", "target-powerofficego")
    )
    assert "command_line.py" in tap
    assert tap == target


@pytest.mark.parametrize("folder", PACKAGES)
def test_the_imports_of_a_package_are_in_its_dependencies(project, folder):
    package = PACKAGES[folder]
    pyproject = tomllib.loads((project / folder / "pyproject.toml").read_text(encoding="utf-8"))
    extras = pyproject["project"].get("optional-dependencies", {}).values()
    requirements = itertools.chain(pyproject["project"]["dependencies"], *extras)
    declared = [re.split(r"[^\w.-]", requirement)[0] for requirement in requirements]
    provided = {module for name in declared for module in modules_in(name)}
    available = {package, *provided, *sys.stdlib_module_names}
    assert not [
        (name, module)
        for name, module in sorted(modules_of(project / folder / package, when_running=True))
        if module.partition(".")[0] not in available
    ]


def modules_in(distribution):
    """Return the modules of an installed distribution; none if it is not for this Python."""
    if distribution in PACKAGES:
        return {PACKAGES[distribution]}
    try:
        files = importlib.metadata.files(distribution) or ()
    except importlib.metadata.PackageNotFoundError:
        return set()
    return {file.parts[0].removesuffix(".py") for file in files}


NEEDS_WORK = {"sqlalchemy", "rich", "phonenumbers"}
"""Modules that are slow to load, and that only a run or a list needs."""


def loaded_by(*python):
    """Return the top-level modules that Python loads in a program that succeeds."""
    program = [sys.executable, "-X", "importtime", *python]
    times = subprocess.run(program, capture_output=True, text=True, check=True).stderr
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in times.splitlines()}


@pytest.mark.slow
@pytest.mark.parametrize("words", ["--help", "--version", "--about"])
@pytest.mark.parametrize("name", declarations.PLUGINS)
def test_a_plugin_that_only_describes_itself_loads_no_code_that_does_the_work(name, words):
    loaded = loaded_by(commands.script(name), words)

    assert PACKAGES[name] in loaded
    assert not loaded & NEEDS_WORK


@pytest.mark.slow
def test_a_run_without_a_terminal_does_not_load_rich():
    loaded = loaded_by("-c", "import target_powerofficego.start_up, target_customwebshop.start_up")

    assert "sqlalchemy" in loaded
    assert "rich" not in loaded


@pytest.mark.slow
@pytest.mark.parametrize("words", ["--help", "--version"])
def test_the_links_command_describes_itself_without_the_sdk_and_the_code_that_does_the_work(words):
    loaded = loaded_by(commands.script("powerofficego-links"), words)

    assert "click" in loaded
    assert not loaded & {*NEEDS_WORK, "singer_sdk", "requests", "urllib3", "stdnum"}


@pytest.mark.slow
def test_no_command_of_the_link_store_needs_the_sdk():
    """Except for what `reconcile` reads: Go's settings are declared with the SDK."""
    loaded = loaded_by(
        "-c",
        "from target_powerofficego.links_command import main\n"
        "assert all(command.loaded for command in main.commands.values())",
    )

    assert "sqlalchemy" in loaded
    assert "singer_sdk" not in loaded


@pytest.mark.slow
def test_a_link_store_in_a_file_loads_nothing_of_postgresql(tmp_path):
    program = (
        "import sys; from target_powerofficego.store.link_store import LinkStore\n"
        "store = LinkStore(sys.argv[1])\n"
        "store.namespaces.enter('1', None, 'testshop', new_namespace=False)\n"
        "store.runs.start('forward', {})\n"
        "assert not [name for name in sys.modules if 'postgresql' in name], sys.modules\n"
    )

    assert "sqlalchemy" in loaded_by("-c", program, str(tmp_path / "links.db"))
