"""Another's Meltano project, to which our plugins are added by their definitions for the Hub."""

import json
import re
import shutil
import subprocess

import declarations
import pytest
import sqlalchemy as sa
import yaml
from go_sandbox import Sandbox
from go_sandbox.demo.meltano import Meltano

MELTANO_YML = """\
project_id: a-stranger
default_environment: dev
environments:
- name: dev
plugins:
  loaders:
  - name: target-jsonl
    namespace: target_jsonl
    pip_url: target-jsonl
    config: {destination_path: output, do_timestamp_file: false}
    settings: [{name: destination_path}, {name: do_timestamp_file, kind: boolean}]
"""
CUSTOMER = {
    "id": "1",
    "type": "person",
    "first_name": "Åse",
    "last_name": "Ødegård",
    "email": "ase@example.com",
}
PRODUCT = {
    "id": "1",
    "sku": "KOPP",
    "name": "Kopp",
    "type": "goods",
    "status": "active",
    "currency": "NOK",
    "price_excl": "80.00",
    "tax_rate": "25",
}
FORWARD = ("tap-customwebshop", "target-powerofficego")
BACK = ("tap-powerofficego", "target-customwebshop")


def git(folder, *arguments):
    by = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    command = ["git", *by, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def repository(tmp_path_factory, request):
    """This repository with its uncommitted changes, under another address."""
    if not request.config.getoption("--long"):
        pytest.skip("installing everything takes minutes: --long")
    if not (declarations.PROJECT / ".git").exists():
        pytest.skip("this is not a git clone, so it is unknown what is committed")
    folder = tmp_path_factory.mktemp("repository")
    listed = ("ls-files", "--cached", "--others", "--exclude-standard", "-z")
    for name in filter(None, git(declarations.PROJECT, *listed).split("\0")):
        if (declarations.PROJECT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(declarations.PROJECT / name, folder / name)
    git(folder, "init", "--quiet")
    declarations.move(folder, folder.as_uri())
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Moved")
    return folder


@pytest.fixture(scope="module")
def box():
    with Sandbox.start() as started:
        started.shop.put("customers", CUSTOMER)
        started.shop.put("products", PRODUCT)
        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stranger")
    (folder / "meltano.yml").write_text(MELTANO_YML, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def stranger(repository, box, folder, tmp_path_factory):
    """A project with our four plugins as the Hub would add them, with only the needed settings."""
    project = Meltano(folder, box, tmp_path_factory.mktemp("kept"))
    for name in list(project.variables):
        if name.endswith(("_LINK_STORE", "_ROUNDING_PRODUCT_CODE")):
            del project.variables[name]
    project.variables["MELTANO_ENVIRONMENT"] = "dev"
    for name, kind in declarations.PLUGINS.items():
        add = ("add", "--plugin-type", kind.removesuffix("s"), "--no-install", name)
        ended = project.run(*add, "--from-ref", str(repository / name / "hub.yml"))
        assert ended.returncode == 0, ended.stdout
    return project


@pytest.fixture(scope="module")
def forward(stranger, box):
    """The result of a run of the shop's records into a file, and into Go."""
    return stranger.run("run", "tap-customwebshop", "target-jsonl", *FORWARD)


@pytest.fixture(scope="module")
def both_ways(forward, stranger, box):
    """The result of a run back and forward, after an edit in Go and a mistake in the shop."""
    (customer,) = box.go.entries("Customers")
    box.go.edit("Customers", customer["Id"], {"LastName": "Aas"})
    box.shop.put("products", {**PRODUCT, "id": "2", "sku": None})
    box.requests.clear()
    return stranger.run("run", *BACK, *FORWARD)


def test_all_four_plugins_are_installed_by_git_when_they_run(both_ways, folder):
    for name, kind in declarations.PLUGINS.items():
        assert (folder / ".meltano" / kind / name / "venv" / "bin" / name).exists()


def test_a_target_of_others_takes_the_records_of_the_shop(forward, folder):
    (path,) = folder.glob("output/customers*.jsonl")
    (record,) = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    assert record["last_name"] == "Ødegård"


def test_the_shop_lands_in_go_with_the_defaults_of_the_hub(forward, box):
    assert forward.returncode == 0, forward.stdout
    assert "2 writes to PowerOffice Go; nothing waits for a person" in forward.stdout
    assert [entry["Code"] for entry in box.go.entries("Products")] == ["KOPP"]


def test_an_edit_in_go_comes_back_without_reading_lines_of_orders(both_ways, box):
    assert box.shop.record("customers", "1")["last_name"] == "Aas"
    assert "1 write to the shop; nothing waits for a person" in both_ways.stdout
    assert not [
        request for request in box.requests.reads("go") if request.path.endswith("/Complete")
    ]


def test_a_run_with_open_rejects_explains_how_to_show_them(both_ways, stranger):
    assert both_ways.returncode == 1
    shown_by = re.search(
        r"nothing was written to PowerOffice Go; 1 reject waits for a person, so the exit status is"
        r" 3; see meltano (.*:rejects)",
        both_ways.stdout,
    )
    assert shown_by, both_ways.stdout
    assert "the product has no SKU" in stranger.run(*shown_by[1].split()).stdout

    check = stranger.run("invoke", "target-customwebshop:check", "--newer-than", "3h")
    assert check.returncode == 3, check.stdout
    assert "products: 1 reject waits for a person" in check.stdout


@pytest.fixture
def add_other(request, stranger, folder):
    """Adds a plugin of others that the Hub has no definition of."""
    if not request.config.getoption("--long"):
        pytest.skip("it installs a plugin of others; run with --long")

    def add(name, kind, pip_url, settings):
        path = folder / "meltano.yml"
        project = yaml.safe_load(path.read_text(encoding="utf-8"))
        plugin = {
            "name": name,
            "namespace": name.replace("-", "_"),
            "pip_url": pip_url,
            "settings": [{"name": setting} for setting in settings],
            "config": settings,
        }
        if kind == "extractors":
            plugin["capabilities"] = ["catalog", "discover"]
        project["plugins"][kind].append(plugin)
        path.write_text(yaml.safe_dump(project), encoding="utf-8")

    return add


def test_the_records_of_the_shop_land_in_duckdb(add_other, stranger, folder, box):
    settings = {"path": str(folder / "kept.duckdb"), "default_target_schema": "shop"}
    add_other("target-duckdb", "loaders", "target-duckdb", settings)
    ended = stranger.run("run", "--full-refresh", "tap-customwebshop", "target-duckdb")
    assert ended.returncode == 0, ended.stdout
    python = folder / ".meltano" / "loaders" / "target-duckdb" / "venv" / "bin" / "python"
    query = "select last_name from shop.customers"
    program = (
        f"import duckdb; print(duckdb.connect({settings['path']!r}).sql({query!r}).fetchall())"
    )
    rows = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True)
    assert rows.stdout.strip() in {"[('Ødegård',)]", "[('Aas',)]"}


def test_the_entries_of_go_land_in_postgresql(add_other, stranger, forward, box, request):
    postgresql = request.getfixturevalue("postgresql")
    address = f"postgresql+psycopg://postgres@/postgres?host={postgresql}"
    settings = {"sqlalchemy_url": address, "default_target_schema": "go"}
    add_other("target-postgres", "loaders", "meltanolabs-target-postgres", settings)
    ended = stranger.run("run", "--full-refresh", "tap-powerofficego", "target-postgres")
    assert ended.returncode == 0, ended.stdout
    with sa.create_engine(address, poolclass=sa.NullPool).connect() as database:
        query = sa.text('select "LastName" from go.customers')
        assert [row[0] for row in database.execute(query)] == [
            entry["LastName"] for entry in box.go.entries("Customers")
        ]


def test_customers_of_a_csv_file_reach_go_by_stream_maps(add_other, stranger, folder, box):
    path = folder / "kunder.csv"
    path.write_text("nr,navn,epost\n900,Fjord AS,post@fjord.example\n", encoding="utf-8")
    files = [{"path": str(path), "format": "csv", "table_name": "kunder", "primary_keys": ["nr"]}]
    add_other("tap-spreadsheets", "extractors", "tap-spreadsheets", {"files": files})
    readme = (declarations.PROJECT / "target-powerofficego" / "README.md").read_text("utf-8")
    (maps,) = re.findall(r'^  "stream_maps": (.*?)^}$', readme, re.DOTALL | re.MULTILINE)
    variables = {"TARGET_POWEROFFICEGO_STREAM_MAPS": maps}
    ended = stranger.run("run", "tap-spreadsheets", "target-powerofficego", **variables)
    assert "1 write to PowerOffice Go" in ended.stdout, ended.stdout
    assert "Fjord AS" in [entry.get("Name") for entry in box.go.entries("Customers")]
