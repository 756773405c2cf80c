"""A run that cannot work exits with status 1 and one clear line before anything is written."""

import json
import socket

import commands
import pytest


def errors(outcome):
    """Return the error messages of a run, without time and logger."""
    lines = [line for line in outcome.log.splitlines() if "| ERROR" in line]
    return [line.rsplit(" | ", 1)[-1] for line in lines]


@pytest.fixture
def fails(ledger, box, customer):
    """Runs the command line with settings that cannot work; returns its one error line."""

    def run(**settings):
        outcome = ledger.command_here(customer(), **settings)
        assert outcome.status == 1, outcome.log
        assert "Traceback" not in outcome.log
        assert outcome.states == []
        assert outcome.writes == []
        assert box.go.entries("Customers") == []
        assert len(errors(outcome)) == 1, outcome.log
        return errors(outcome)[0]

    return run


@pytest.mark.parametrize("name", ["application_key", "client_key"])
def test_a_wrong_key_is_reported(fails, name):
    line = fails(**{name: "wrong-key-77"})
    assert "keys" in line
    assert "wrong-key-77" not in line


def test_a_wrong_subscription_key_is_reported(fails):
    assert "key" in fails(subscription_key="wrong-key-77").lower()


@pytest.mark.parametrize("name", ["Customer_Full", "SalesOrders_Full", "OutgoingInvoice"])
def test_a_missing_privilege_is_named(fails, box, name):
    box.go.switches.privileges = box.go.switches.privileges - {name}
    assert name in fails()


@pytest.mark.parametrize("body", [[], ["x"], 3, {}])
def test_an_answer_without_a_client_is_reported(fails, box, body):
    box.faults.add(method="GET", path="/clientintegrationinformation$", status=200, body=body)
    assert "does not report which client (ClientId) the keys are for" in fails()


def test_all_missing_privileges_are_named_in_one_line(fails, box):
    box.go.switches.privileges = set()
    assert "Customer_Full, Product_Full, SalesOrders_Full, OutgoingInvoice" in fails()


def test_a_host_that_does_not_answer_is_reported(fails):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{silent.getsockname()[1]}"
        line = fails(api_url=f"{host}/v2", token_url=f"{host}/OAuth/Token")
    assert "127.0.0.1" in line


@pytest.mark.parametrize("name", ["api_url", "token_url"])
def test_plain_http_to_another_machine_is_refused(fails, name):
    assert "https" in fails(**{name: "http://go.example.com/v2"}).lower()


def test_a_misspelt_setting_is_reported_with_a_suggestion(fails):
    assert fails(shopname="x") == 'There is no setting "shopname"; did you mean "shop_name"?'


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"environment": "live"}, "environment must be one of: production, demo, custom"),
        ({"confirm_on": ["done"]}, "completed, refunded"),
        ({"workers": 0}, "workers must be at least 1"),
        ({"workers": "many"}, "workers must be a whole number"),
        ({"dry_run": "yes"}, "dry_run must be true or false"),
        ({"sales_accounts": [3000]}, "sales_accounts must be an object of names and values"),
        ({"owners": {"customers": 1}}, "owners"),
        ({"sales_accounts": {"25": 3000, "exempt": 3000}}, "account 3000 carries 25 %"),
        ({"properties": {"products": {"tax_rate": "to_shop"}}}, "cannot be written to the shop"),
        (
            {"properties": {"orders": {"x": {"go": "SalesOrderStatus", "constant": "Confirmed"}}}},
            "orders.x: writing SalesOrderStatus is not supported yet",
        ),
        ({"clock_margin": "NaN"}, "clock_margin"),
        ({"full_check_hours": "-1"}, "full_check_hours"),
        ({"environment": "demo"}, "api_url"),
        ({"time_zone": "Oslo"}, "there is no such zone"),
        ({"orders_from": "yesterday"}, "orders_from"),
        ({"shop_name": "my shop:1"}, "shop_name"),
        ({"link_store": " "}, "link_store is empty"),
        ({"client_key": ""}, "client_key is empty"),
        ({"sales_accounts": {"high": 3000}}, "sales_accounts"),
        ({"sales_accounts": {"25": 9999}}, "9999"),
        ({"sales_accounts": {"15": 3000}}, "account 3000 carries 25 %"),
    ],
)
def test_an_invalid_setting_is_reported(fails, settings, error):
    assert error in fails(**settings)


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_link_store_in_a_missing_folder_is_reported(fails, tmp_path, dry_run):
    link_store = str(tmp_path / "nowhere" / "links.db")
    assert "there is no folder" in fails(link_store=link_store, dry_run=dry_run)
    assert not (tmp_path / "nowhere").exists()


def test_a_damaged_link_store_is_reported_and_left_unchanged(fails, tmp_path):
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(b"this is no database" * 100)
    assert "link store" in fails(link_store=str(damaged))
    assert damaged.read_bytes() == b"this is no database" * 100


@pytest.mark.parametrize("name", ["application_key", "client_key", "subscription_key", "shop_name"])
def test_a_missing_required_setting_is_named(ledger, box, name):
    config = ledger.config()
    del config[name]
    path = ledger.folder / "incomplete.json"
    path.write_text(json.dumps(config), encoding="utf-8")

    ended = commands.run_here("target-powerofficego", "--config", path)

    assert ended.returncode == 1
    assert ended.stdout == ""
    assert f"{name} is missing" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert box.requests.all() == []


def test_a_link_store_damaged_in_the_middle_is_reported(ledger, customer, product):
    ledger.run(customer(), product())
    content = ledger.link_store.read_bytes()
    ledger.link_store.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))

    outcome = ledger.command(customer(phone="+4798765432"), ends_with=1)

    (error,) = errors(outcome)
    assert f"the link store {ledger.link_store} cannot be" in error
    assert "Traceback" not in outcome.log
    assert outcome.writes == []


def test_a_password_in_the_address_of_a_database_is_refused_and_not_logged(fails):
    line = fails(link_store="postgresql://sync:hemmelig@127.0.0.1/links")
    assert "PGPASSWORD" in line
    assert "hemmelig" not in line


@pytest.mark.parametrize("name", ["sslpassword", "oauth_client_secret"])
def test_another_secret_in_the_address_of_a_database_is_refused_and_not_logged(fails, name):
    line = fails(link_store=f"postgresql://sync@127.0.0.1/links?{name}=hemmelig")
    assert line.startswith(f"link_store must not hold {name}: ")
    assert "hemmelig" not in line


def test_a_database_that_is_not_postgresql_is_refused(fails):
    line = fails(link_store="mysql://sync@127.0.0.1/links")
    assert line.startswith("link_store must be the path of a file, or the address of a PostgreSQL")


PLANS = "This run only plans: nothing is written to PowerOffice Go"
WRITES = "This run writes to PowerOffice Go at "


@pytest.mark.parametrize(
    ("settings", "message"),
    [({}, WRITES), ({"dry_run": True}, PLANS), ({"first_run": "plan"}, PLANS)],
)
def test_a_run_first_logs_whether_it_writes(ledger, box, customer, settings, message):
    box.go.create("Customers", {"IsPerson": False, "Name": "Fjord AS"})

    outcome = ledger.run(customer(), **settings)

    assert outcome.log.splitlines()[1].startswith(message)
    assert bool(outcome.writes) == (message == WRITES)
