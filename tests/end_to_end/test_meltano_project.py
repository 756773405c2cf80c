"""The project's meltano.yml, run by Meltano itself against the sandbox."""

import json

import pytest
from go_sandbox import Sandbox
from go_sandbox.demo.meltano import Meltano, project_folder
from go_sandbox.shops import woocommerce

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
ORDER = {
    "id": "1",
    "number": "1001",
    "status": "processing",
    "currency": "NOK",
    "customer_id": "1",
    "placed_at": "2026-01-02T09:00:00Z",
    "lines": [
        {
            "id": "1-1",
            "type": "product",
            "product_id": "1",
            "sku": "KOPP",
            "name": "Kopp",
            "quantity": "2",
            "unit_price_excl": "80.00",
            "total_excl": "160.00",
            "total_tax": "40.00",
            "total_incl": "200.00",
            "tax_rate": "25",
        }
    ],
    "total_excl": "160.00",
    "total_tax": "40.00",
    "total_incl": "200.00",
}


@pytest.fixture(scope="module")
def box():
    with Sandbox.start() as started:
        started.shop.put("customers", CUSTOMER)
        started.shop.put("products", PRODUCT)
        started.shop.put("orders", ORDER)
        yield started


@pytest.fixture(scope="module")
def meltano(box, tmp_path_factory):
    project = Meltano(project_folder(), box, tmp_path_factory.mktemp("meltano"))
    project.install()
    return project


def printed_config(meltano, plugin, environment, **variables):
    # A variable overrides meltano.yml, and the sandbox sets it to custom.
    names = ("TAP_POWEROFFICEGO_ENVIRONMENT", "TARGET_POWEROFFICEGO_ENVIRONMENT")
    variables = {**dict.fromkeys(names, environment), **variables}
    ended = meltano.run("--environment", environment, "config", "print", plugin, **variables)
    assert ended.returncode == 0, ended.stdout
    return json.loads(ended.stdout[ended.stdout.index("{") : ended.stdout.rindex("}") + 1])


def test_the_job_sync_lands_everything_and_reports_what_waits(box, meltano):
    ended = meltano.run("run", "sync")
    assert ended.returncode == 0, ended.stdout
    assert [entry["LastName"] for entry in box.go.entries("Customers")] == ["Ødegård"]
    assert [entry["Code"] for entry in box.go.entries("Products")] == ["KOPP"]
    (order,) = box.go.entries("SalesOrders")
    assert order["TotalAmount"] == 200
    assert order["SalesOrderStatus"] == "Draft"

    box.shop.put("products", {**PRODUCT, "id": "2", "sku": None})
    box.shop.put("products", {**PRODUCT, "id": "3", "sku": "FAT", "name": "Fat"})
    ended = meltano.run("run", "sync")
    assert ended.returncode == 1
    assert "1 reject" in ended.stdout
    assert sorted(entry["Code"] for entry in box.go.entries("Products")) == ["FAT", "KOPP"]

    rejects = meltano.run("invoke", "powerofficego-links:rejects")
    assert "the product has no SKU" in rejects.stdout


def test_the_job_sync_runs_both_ways_with_a_preset_whose_settings_are_given_once(
    box, meltano, tmp_path
):
    with woocommerce.start() as served:
        shop = served.shop
        kari = shop.add_customer("kari@example.com", first_name="Kari", last_name="Nordmann")
        keys = {name: getattr(shop, name) for name in ("consumer_key", "consumer_secret")}
        store = str(tmp_path / "links.db")
        variables = {
            "TAP_CUSTOMWEBSHOP_API_URL": served.url,
            "TAP_CUSTOMWEBSHOP_AUTH_TOKEN": "",
            "TAP_CUSTOMWEBSHOP_SHOP": "woocommerce",
            "TAP_CUSTOMWEBSHOP_SHOP_SETTINGS": json.dumps(keys),
            "TARGET_CUSTOMWEBSHOP_API_URL": served.url,
            "TARGET_CUSTOMWEBSHOP_AUTH_TOKEN": "",
            **{f"TARGET_{side}_SHOP_NAME": "woo" for side in ("POWEROFFICEGO", "CUSTOMWEBSHOP")},
            **{f"TARGET_{side}_LINK_STORE": store for side in ("POWEROFFICEGO", "CUSTOMWEBSHOP")},
        }
        sync = ("run", "--state-id-suffix", "woo", "sync")
        ended = meltano.run(*sync, **variables)
        assert ended.returncode == 0, ended.stdout
        (entry,) = [
            entry for entry in box.go.entries("Customers") if entry["LastName"] == "Nordmann"
        ]
        box.go.edit("Customers", entry["Id"], {"PhoneNumber": "+4790000001"})

        ended = meltano.run(*sync, **variables)

        assert ended.returncode == 0, ended.stdout
        assert (shop.get("customers", kari) or {})["billing"]["phone"] == "+4790000001"
        assert keys["consumer_secret"] not in ended.stdout


def test_reconcile_compares_the_orders_of_a_period_with_the_keys_of_the_target(meltano):
    days = ("--from", "2026-01-01", "--to", "2026-01-31")
    ended = meltano.run("invoke", "powerofficego-links", "reconcile", *days)
    assert ended.returncode == 0, ended.stdout
    assert "the shop's orders and Go's books are the same" in ended.stdout


def test_production_plans_its_first_run_and_demo_does_not(meltano):
    config = printed_config(meltano, "target-powerofficego", "production")
    assert config["environment"] == "production"
    assert config["first_run"] == "plan"
    assert config["fail_on"] == "never"
    assert "first_run" not in printed_config(meltano, "target-powerofficego", "demo")


@pytest.mark.parametrize("environment", ["demo", "production"])
@pytest.mark.parametrize("plugin", ["tap-powerofficego", "powerofficego-links"])
def test_all_plugins_of_go_use_the_environment_of_the_target(meltano, plugin, environment):
    assert printed_config(meltano, plugin, environment)["environment"] == environment


def test_the_tap_of_go_reads_what_the_sync_wrote(box, meltano):
    written = {entry["Id"] for entry in box.go.entries("Customers")}
    ended = meltano.run("invoke", "tap-powerofficego")
    assert ended.returncode == 0, ended.stdout
    lines = [line for line in ended.stdout.splitlines() if line.startswith('{"type":"RECORD"')]
    records = [json.loads(line) for line in lines]
    assert {line["record"]["Id"] for line in records if line["stream"] == "customers"} == written
    assert written


@pytest.mark.parametrize(
    "plugin", ["tap-customwebshop", "tap-powerofficego", "target-powerofficego"]
)
def test_settings_of_the_sdk_can_be_set_by_environment_variable(meltano, plugin):
    prefix = plugin.replace("-", "_").upper()
    variables = {
        f"{prefix}_STREAM_MAPS": '{"orders": "__NULL__"}',
        f"{prefix}_STREAM_MAP_CONFIG": '{"suffix": "x"}',
        f"{prefix}_FAKER_CONFIG": '{"seed": 1}',
    }
    config = printed_config(meltano, plugin, "demo", **variables)
    assert config["stream_maps"] == {"orders": "__NULL__"}
    assert config["stream_map_config"] == {"suffix": "x"}
    assert config["faker_config"] == {"seed": 1}


def test_owners_and_decimal_numbers_pass_through_meltano_unchanged(meltano):
    owners = {"customers": "shop", "orders": {"*": "go", "reference": "shop"}}
    accounts = {"25": 3000, "11,11": 3002}
    config = printed_config(
        meltano,
        "target-powerofficego",
        "demo",
        TARGET_POWEROFFICEGO_OWNERS=json.dumps(owners),
        TARGET_POWEROFFICEGO_SALES_ACCOUNTS=json.dumps(accounts),
        TARGET_POWEROFFICEGO_CLOCK_MARGIN="2.5",
    )
    assert config["clock_margin"] == "2.5"
    assert config["owners"] == owners
    assert config["sales_accounts"] == accounts
