"""The packages as built for an index, and installed in an environment without others."""

import email
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile

import pytest
from go_sandbox import Sandbox
from go_sandbox.seed.store import seed_store
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

try:
    import tomllib
except ModuleNotFoundError:
    import tomli as tomllib

UV = os.environ.get("UV") or shutil.which("uv") or "uv"
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
MAX_SIZE = 60_000_000  # bytes; a quarter is SQLAlchemy, which the SDK needs


def pyproject_of(folder):
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def folders(project):
    """The packages' folders by their names."""
    paths = sorted(path.parent for path in project.glob("*/pyproject.toml"))
    return {pyproject_of(path)["project"]["name"]: path for path in paths}


@pytest.fixture(scope="module")
def dist(project, tmp_path_factory):
    """A folder with a source archive and a wheel of each package."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [UV, "build", "--all-packages", "--quiet", "--out-dir", folder], cwd=project, check=True
    )
    return folder


@pytest.fixture(scope="module")
def wheels(dist):
    """The wheel of each package, by the package's name."""
    opened = [zipfile.ZipFile(path) for path in sorted(dist.glob("*.whl"))]
    return {about(wheel)["Name"]: wheel for wheel in opened}


def about(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return email.message_from_bytes(wheel.read(name))


def test_each_package_is_built_as_an_index_requires(dist, folders):
    built = sorted(dist.glob("*-*"))

    checked = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *built],
        capture_output=True,
        text=True,
        check=False,
    )

    assert len(built) == 2 * len(folders)
    assert checked.returncode == 0, checked.stdout


def test_each_wheel_contains_its_code_its_types_and_the_licence(wheels, folders, project):
    licence = (project / "LICENSE").read_bytes()
    assert set(wheels) == set(folders)
    for name, wheel in wheels.items():
        package = name.replace("-", "_")
        code = {str(path.relative_to(folders[name])) for path in folders[name].rglob("*.py")}
        files = set(wheel.namelist())
        assert {*code, f"{package}/py.typed"} <= files
        assert {file.partition("/")[0] for file in files if "dist-info" not in file} == {package}
        (included,) = (file for file in files if file.endswith("/licenses/LICENSE"))
        assert wheel.read(included) == licence


def test_each_wheel_has_complete_metadata(wheels):
    for name, wheel in wheels.items():
        metadata = about(wheel)
        classifiers = metadata.get_all("Classifier")
        assert metadata["License-Expression"] == "Apache-2.0"
        assert metadata["Requires-Python"] == ">=3.10"
        assert metadata["Author"]
        assert metadata["Keywords"]
        assert metadata["Summary"]
        assert {f"Programming Language :: Python :: {python}" for python in PYTHONS} <= {
            *classifiers
        }
        assert "Typing :: Typed" in classifiers
        urls = dict(url.split(", ") for url in metadata.get_all("Project-URL"))
        assert {"Documentation", "Repository", "Issues", "Changelog"} <= set(urls)
        assert all(url.startswith(urls["Repository"]) for url in urls.values())
        links = re.findall(r"\]\(([^)\s]+)\)", metadata.get_payload(decode=True).decode())
        assert all(link.startswith(("https://", "#")) for link in links), name


def test_siblings_have_one_minor_version_and_others_only_lower_bounds(wheels):
    for wheel in wheels.values():
        version = about(wheel)["Version"]
        major, minor = map(int, version.split(".")[:2])
        for requirement in map(Requirement, about(wheel).get_all("Requires-Dist")):
            if requirement.name in wheels:
                assert requirement.specifier == SpecifierSet(
                    f">={major}.{minor},<{major}.{minor + 1}"
                )
                assert requirement.specifier.contains(version)
            elif requirement.name != "singer-sdk":
                assert {bound.operator for bound in requirement.specifier} == {">="}, requirement


@pytest.fixture(scope="module")
def install(dist, project, tmp_path_factory):
    """A function that installs wheels in a new environment; it returns the commands' folder."""

    def install(*names):
        folder = tmp_path_factory.mktemp("installed")
        tested = folder / "tested.txt"
        tested.write_text("\n".join(pyproject_of(project)["tool"]["uv"]["constraint-dependencies"]))
        uv = [UV, "--quiet"]
        venv = [*uv, "venv", "--python", sys.executable, folder / "venv"]
        subprocess.run(venv, cwd=folder, check=True)
        wheels = [path for path in dist.glob("*.whl") if path.name.split("-")[0] in names]
        into = ["--python", folder / "venv", "--constraint", tested]
        subprocess.run([*uv, "pip", "install", *into, *wheels], cwd=folder, check=True)
        return folder / "venv" / "bin"

    return install


@pytest.fixture(scope="module")
def installed(install, folders):
    """The folder of the commands of an environment that has all four plugins."""
    return install(*(name.replace("-", "_") for name in folders if name != "go-sandbox"))


def packages_of(commands):
    (packages,) = (commands.parent / "lib").glob("python*/site-packages")
    return packages


def size_of(commands):
    """Return the size of an environment in bytes, without what Python compiles by itself."""
    files = packages_of(commands).rglob("*")
    return sum(path.stat().st_size for path in files if path.suffix != ".pyc")


def test_an_installation_is_small(installed):
    assert size_of(installed) < MAX_SIZE


def test_the_tap_of_go_works_alone_with_the_packages_that_its_readme_names(
    install, folders, configs, tmp_path
):
    alone = install("tap_powerofficego", "target_powerofficego")
    installed = {path.name for path in packages_of(alone).iterdir()}
    ours = {name.replace("-", "_") for name in folders}
    assert installed & ours == {"tap_powerofficego", "target_powerofficego"}
    readme = (folders["tap-powerofficego"] / "README.md").read_text(encoding="utf-8")
    (megabytes,) = re.findall(r"(\d+) MB in all", readme)
    assert size_of(alone) < int(megabytes) * 1_000_000, size_of(alone)

    with Sandbox.start() as box:
        customer = box.go.create("Customers", {"IsPerson": False, "Name": "Fjord AS"})
        config = configs(box)["tap-powerofficego"]
        (tmp_path / "go.json").write_text(json.dumps(config), encoding="utf-8")
        ended = subprocess.run(
            [alone / "tap-powerofficego", "--config", "go.json"],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )

    messages = [json.loads(line) for line in ended.stdout.splitlines()]
    read = [(m["stream"], m["record"]["Id"]) for m in messages if m["type"] == "RECORD"]
    assert ("customers", customer["Id"]) in read
    assert messages[-1]["value"]["bookmarks"]["customers"]


def test_the_wheels_sync_a_shop_both_ways(installed, configs, tmp_path):
    def pipe(tap, target):
        line = f"{tap} --config {tap}.json | {target} --config {target}.json"
        subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            cwd=tmp_path,
            env={"PATH": f"{installed}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)},
            check=True,
        )

    with Sandbox.start() as box:
        seed_store(box.shop, customers=2, products=2, orders=2)
        for name, config in configs(box, link_store=str(tmp_path / "links.db")).items():
            (tmp_path / f"{name}.json").write_text(json.dumps(config), encoding="utf-8")

        pipe("tap-customwebshop", "target-powerofficego")
        posted = {order["ExternalImportReference"] for order in box.go.entries("SalesOrders")}
        assert posted == {f"testshop:{order['id']}" for order in box.shop.records("orders")}

        box.requests.clear()
        pipe("tap-customwebshop", "target-powerofficego")
        assert box.requests.writes() == []

        customer = next(
            entry for entry in box.go.entries("Customers") if entry["ExternalImportReference"]
        )
        box.go.edit("Customers", customer["Id"], {"PhoneNumber": "+4793000930"})
        pipe("tap-powerofficego", "target-customwebshop")
        shop_id = customer["ExternalImportReference"].removeprefix("testshop:")
        assert (box.shop.record("customers", shop_id) or {})["phone"] == "+4793000930"
