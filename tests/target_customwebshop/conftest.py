"""What is linked before the way back runs, the tap of Go, and `powerofficego-links`."""

import io
import json
import shutil
from contextlib import redirect_stdout

import pytest
from both_ways import Both, link_all
from click.testing import CliRunner
from go_sandbox import Sandbox
from ledger import Ledger
from tap_powerofficego.tap import TapPowerOfficeGo
from target_powerofficego.links_command import main

STATE = "sandbox.db"
STREAMS = ("customers", "products", "salesorders", "outgoing_invoices")


@pytest.fixture(scope="session")
def linked_before(tmp_path_factory):
    """A folder with the sandbox and the link store of `linked`, made once for all tests."""
    folder = tmp_path_factory.mktemp("linked")
    with Sandbox.start(folder / STATE) as box:
        link_all(Both(Ledger(box, folder)))
    return folder


@pytest.fixture
def box(request, tmp_path):
    """A fresh sandbox, or for `linked` a copy of `linked_before`."""
    callspec = getattr(request.node, "callspec", None)
    is_in_file = not callspec or callspec.params.get("ledger") != "postgresql"
    is_linked = is_in_file and "linked" in request.fixturenames
    if is_linked:
        shutil.copytree(request.getfixturevalue("linked_before"), tmp_path, dirs_exist_ok=True)
    with Sandbox.start(tmp_path / STATE if is_linked else None) as sandbox:
        yield sandbox


@pytest.fixture
def linked(both):
    """Both ways, with a person, a company, a product and an order that are already linked."""
    if not both.box.shop.records("orders"):  # not copied by `box`
        link_all(both)
    return both


@pytest.fixture
def links(both):
    """Runs `powerofficego-links` on the link store of the test's runs."""

    def run(*words):
        return CliRunner().invoke(main, ["--link-store", str(both.ledger.link_store), *words])

    return run


@pytest.fixture
def tap(both):
    """Reads Go with the tap itself, from a state; returns its messages.

    It selects what the way back needs, except some members (`salesorders.SalesOrderLines`).
    """

    def read(state=None, *, without=()):
        config = both.box.target_config(requests_per_second=100)
        config.pop("shop_name")
        catalog = TapPowerOfficeGo(config=dict(config)).catalog_dict
        for stream in catalog["streams"]:
            is_needed = stream["stream"] in STREAMS
            for entry in stream["metadata"]:
                path = ".".join([stream["stream"], *entry["breadcrumb"][1::2]])
                entry["metadata"]["selected"] = is_needed and path not in without
        tap = TapPowerOfficeGo(config=config, state=state or {}, catalog=catalog)
        output = io.StringIO()
        with redirect_stdout(output):
            tap.sync_all()
        return [json.loads(line) for line in output.getvalue().splitlines()]

    return read
