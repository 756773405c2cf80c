"""`powerofficego-links check` and `acknowledge`, on the link stores of real runs."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import time
from contextlib import ExitStack

import commands
import pytest
from click.testing import CliRunner
from clocks import machine_off_by
from ledger import A_PERSON
from prometheus_client.parser import text_string_to_metric_families
from target_powerofficego.links_command import main
from target_powerofficego.target import TargetPowerOfficeGo


@pytest.fixture
def numbers(rows):
    """Returns the numbers that `rejects` or `holds` lists, in the order of the shop's ids."""

    def of(listing, *words):
        return [row["id"] for row in sorted(rows(listing, *words), key=lambda row: row["shop_id"])]

    return of


def test_check_exits_0_after_a_run_in_which_everything_was_written(
    ledger, links, customer, product
):
    ledger.run(customer(), product())

    result = links("check")

    assert result.exit_code == 0
    assert result.output.splitlines()[1:] == ["nothing waits for a person"]


@pytest.mark.parametrize(("longest", "status"), [("3h", 1), ("190m", 0), ("1d", 0)])
def test_check_shows_the_age_of_the_newest_run_and_fails_if_it_is_too_old(
    ledger, links, customer, longest, status
):
    with machine_off_by(-datetime.timedelta(minutes=185)):
        ledger.run(customer())

    result = links("check", "--newer-than", longest)

    assert result.exit_code == status
    age = "the newest run for the shop testshop ended 3 hours ago (run 1, forward)"
    assert result.stdout.splitlines()[0] == age
    problem = f"{age}: check that runs are still being started, and see their log\n"
    assert result.stderr == (problem if status else "")


def test_runs_of_another_shop_do_not_hide_that_those_of_one_stopped(ledger, links, customer):
    with machine_off_by(-datetime.timedelta(days=2, hours=1)):
        ledger.run(customer())
    ledger.run(shop_name="another", new_namespace=True)

    result = links("check", "--newer-than", "3h")

    assert result.exit_code == 1
    assert "for the shop testshop ended 2 days ago (run 1, forward): check" in result.stderr
    assert "another" not in result.stderr
    assert links("check", "--newer-than", "3h", "--shop-name", "another").exit_code == 0
    unknown = links("check", "--shop-name", "anohter")
    assert unknown.exit_code == 1
    assert "has no shop anohter; it has another, testshop" in unknown.stderr


def test_a_run_under_way_is_new_enough_however_long_it_takes(ledger, links, under_way):
    ledger.run()
    with ExitStack() as stack:
        with machine_off_by(-datetime.timedelta(hours=5)):
            stack.enter_context(under_way())
        result = links("check", "--newer-than", "3h")

    assert result.exit_code == 0
    assert "has been under way for 5 hours (run 2, forward)" in result.output


def test_check_exits_1_after_a_run_whose_tap_sent_nothing(ledger, links, customer, product):
    ledger.run(product())
    assert ledger.command_on("").status == 0

    result = links("check", "--newer-than", "3h")
    report = json.loads(links("check", "--format", "json").stdout)

    assert result.exit_code == 1
    assert result.stderr == (
        "the last run for the shop testshop did not get everything (run 2, forward): its"
        " tap stopped before it had read all; see the log, and run it again\n"
    )
    assert [run["state"] for run in report["runs"]] == ["incomplete"]
    assert "no input" in links("runs").output
    ledger.run(customer())
    assert links("check").exit_code == 0


@pytest.mark.parametrize("last", ["a record", "a schema"])
def test_a_tap_without_a_last_state_because_none_changed_was_complete(
    ledger, links, lines_of, customer, product, last
):
    ledger.run(product())
    lines = lines_of(customer()).splitlines(keepends=True)
    schema = lines[0].replace("customers", "products")
    text = "".join(lines[:-1] if last == "a record" else [*lines, schema])
    assert ledger.command_on(text).status == 0

    assert links("check").exit_code == 0
    assert "cut off" not in links("runs").output


@pytest.mark.parametrize("age", ["3", "h", "-1h", "3 h", "3w"])
def test_an_age_without_a_number_or_a_known_unit_is_refused(links, age):
    result = links("check", "--newer-than", age)
    assert result.exit_code == 2
    assert "write for example 90m, 3h or 2d" in result.output


def test_check_counts_rejects_and_holds_by_entity_and_exits_3(
    ledger, box, links, customer, product
):
    for _ in range(2):
        box.go.create("Customers", {**A_PERSON, "EmailAddress": "kari@example.no"})
    ledger.run(customer(), product(sku=None), product(id="502", sku=None))

    result = links("check")

    assert result.exit_code == 3
    assert result.output.splitlines()[1:] == [
        "customers: 1 hold waits for a person; see powerofficego-links holds --entity customers",
        "products: 2 rejects wait for a person; see powerofficego-links rejects --entity products",
    ]


def test_check_exits_3_even_if_fail_on_is_never(ledger, links, product):
    outcome = ledger.run(product(sku=None), fail_on="never")

    assert outcome.status == 0
    assert links("check").exit_code == 3


def test_check_prints_json_with_stable_keys_for_a_health_check(ledger, links, product):
    ledger.run(product(sku=None), product(id="502", sku=None))
    (record, _) = ledger.unsettled("reject")
    links("acknowledge", record.id)
    while_waiting = links("--format", "json", "check", "--newer-than", "3h")
    ledger.run(product(), product(id="502", sku="ULL-2"))
    once_solved = links("check", "--format", "json")

    assert while_waiting.exit_code == 3
    report = json.loads(while_waiting.output)
    (run,) = report.pop("runs")
    assert run.pop("finished_at") >= run.pop("started_at")
    assert run == {"id": 1, "way": "forward", "exit_status": 3, "state": "ended"}
    (products,) = report.pop("open")
    assert products.pop("oldest").endswith("Z")
    assert products == {
        "way": "forward",
        "entity": "products",
        "kind": "reject",
        "number": 2,
        "acknowledged": 1,
    }
    assert report == {
        "shop_name": "testshop",
        "exit_status": 3,
        "waiting": 1,
        "is_newer": True,
        "problems": [],
    }
    report = json.loads(once_solved.output)
    assert (once_solved.exit_code, report["exit_status"], report["waiting"]) == (0, 0, 0)
    assert (report["open"], report["is_newer"]) == ([], None)


def test_check_prints_each_shop_as_json_with_its_own_status_and_problems(ledger, links, product):
    with machine_off_by(-datetime.timedelta(days=2, hours=1)):
        ledger.run(product())
    ledger.run(product(sku=None), shop_name="another", new_namespace=True)
    kill(ledger)

    result = links("check", "--format", "json", "--newer-than", "3h")

    another, testshop = (json.loads(line) for line in result.stdout.splitlines())
    assert (result.exit_code, another["exit_status"], testshop["exit_status"]) == (1, 3, 1)
    assert another["problems"] == []
    (problem,) = testshop["problems"]
    assert problem.startswith("the last run for the shop testshop did not finish (run 3, forward)")
    assert (testshop["runs"][0]["state"], testshop["is_newer"]) == ("did not end", True)


def test_parked_records_are_in_the_json_but_do_not_wait_for_a_person(ledger, links, product, order):
    ledger.run(product(sku=None), order())
    ledger.acknowledge_all()

    report = json.loads(links("check", "--format", "json").output)

    assert (report["exit_status"], report["waiting"]) == (0, 0)
    assert [(group["entity"], group["kind"], group["number"]) for group in report["open"]] == [
        ("orders", "parked", 1),
        ("products", "reject", 1),
    ]


def test_prometheus_can_read_the_metrics(ledger, links, customer, product, order):
    with machine_off_by(-datetime.timedelta(hours=5)):
        ledger.run(customer(), product(sku=None), product(id="502", sku=None), order())
    (record, _) = ledger.unsettled("reject")
    links("acknowledge", record.id)

    result = links("check", "--format", "prometheus")

    assert result.exit_code == 3
    families = {family.name: family for family in text_string_to_metric_families(result.stdout)}
    assert all(family.type == "gauge" and family.documentation for family in families.values())
    assert all(family.samples for family in families.values())
    shop, of_run = {"shop": "testshop"}, {"shop": "testshop", "way": "forward"}
    rejects = {**of_run, "entity": "products", "kind": "reject"}
    assert value_of(families, "open_records", rejects) == 2
    assert value_of(families, "unacknowledged_records", rejects) == 1
    parked = {**of_run, "entity": "orders", "kind": "parked"}
    assert value_of(families, "open_records", parked) == 1
    back = {**shop, "way": "back", "entity": "customers", "kind": "hold"}
    assert value_of(families, "unacknowledged_records", back) == 0
    assert value_of(families, "last_run_exit_status", of_run) == 3
    assert value_of(families, "run_under_way", of_run) == 0
    assert value_of(families, "run_cut_off", of_run) == 0
    created = {**of_run, "entity": "customers", "outcome": "created"}
    assert value_of(families, "last_run_records", created) == 1
    assert value_of(families, "last_run_calls", {**of_run, "kind": "writes"}) == 1
    ago = time.time() - value_of(families, "last_run_end_timestamp_seconds", of_run)
    assert 5 * 3600 <= ago < 5 * 3600 + 600


def test_metrics_after_a_run_was_cut_off_still_show_the_last_run_that_ended(
    ledger, links, customer
):
    ledger.run(customer())
    kill(ledger)

    result = links("check", "--format", "prometheus")

    families = {family.name: family for family in text_string_to_metric_families(result.stdout)}
    of_run = {"shop": "testshop", "way": "forward"}
    assert result.exit_code == 1
    assert value_of(families, "run_cut_off", of_run) == 1
    assert value_of(families, "last_run_exit_status", of_run) == 0
    assert value_of(families, "last_run_end_timestamp_seconds", of_run) > 0


def value_of(families, name, labels):
    """Return the value of the one sample with these labels."""
    samples = families[f"powerofficego_{name}"].samples
    (value,) = [sample.value for sample in samples if sample.labels == labels]
    return value


def test_acknowledged_records_fail_neither_check_nor_the_next_run(ledger, links, numbers, product):
    ledger.run(product(sku=None), product(id="502", sku=None))
    first, second = numbers("rejects")

    result = links("acknowledge", first)
    assert result.output == f"{first}: the reject of products 501 is acknowledged\n"
    assert links("check").exit_code == 3

    assert links("acknowledge", second).exit_code == 0
    assert links("check").exit_code == 0
    assert ledger.run().status == 0
    assert numbers("rejects") == []
    assert numbers("rejects", "--all") == [first, second]


def test_several_are_acknowledged_at_once_and_printed_as_json(ledger, rows, numbers, product):
    ledger.run(product(sku=None), product(id="502", sku=None))

    acknowledged = rows("acknowledge", *numbers("rejects"))

    assert {(row["entity"], row["shop_id"]) for row in acknowledged} == {
        ("products", "501"),
        ("products", "502"),
    }
    assert all(row["acknowledged_at"].endswith("Z") for row in acknowledged)


def test_all_records_or_all_of_an_entity_are_acknowledged_at_once(
    ledger, box, links, customer, product
):
    for _ in range(2):
        box.go.create("Customers", {**A_PERSON, "EmailAddress": "kari@example.no"})
    ledger.run(customer(), product(sku=None), product(id="502", sku=None))

    of_entity = links("acknowledge", "--all", "--entity", "products")
    assert len(of_entity.output.splitlines()) == 2
    assert "\ncustomers: 1 hold waits" in links("check").output

    of_all = links("acknowledge", "--all")
    assert "the hold of customers 1001 is acknowledged" in of_all.output
    assert links("check").exit_code == 0
    assert links("acknowledge", "--all").output == "nothing waits for a person\n"


def test_the_command_that_check_names_lists_a_waiting_payment(
    ledger, box, links, customer, product, order, payment
):
    ledger.settings["payment_accounts"] = {"vipps": 1901}
    body = {"title": "Bank voucher validation error(s)", "status": 400, "detail": "period closed"}
    box.faults.add(method="POST", path="/vouchers/bankjournals", status=400, body=body)
    ledger.run(customer(), product(), order(payments=[payment]))

    line = links("check").output.splitlines()[-1]
    assert line.startswith("payments: 1 reject waits for a person; see powerofficego-links ")
    listed = links(*line.split("see powerofficego-links ")[1].split()).output
    assert "testshop:payments:vipps:2026-01-05" in listed
    assert "no open rejects" in links("rejects", "--entity", "orders").output

    assert links("acknowledge", "--all", "--entity", "payment").exit_code == 0
    assert links("check").exit_code == 0


@pytest.mark.parametrize("words", [(), ("1", "--all"), ("1", "--entity", "orders")])
def test_acknowledge_takes_either_numbers_or_all(links, words):
    assert links("acknowledge", *words).exit_code == 2


def test_an_unknown_number_is_refused_and_nothing_is_acknowledged(ledger, links, numbers, product):
    ledger.run(product(sku=None))
    (number,) = numbers("rejects")

    result = links("acknowledge", number, "77")

    assert result.exit_code == 1
    assert (
        "there is no reject or hold with the number 77; nothing was acknowledged" in result.output
    )
    assert links("check").exit_code == 3


def test_an_acknowledged_reject_waits_again_when_its_reason_changes(
    ledger, links, numbers, product
):
    ledger.run(product(sku=None))
    links("acknowledge", *numbers("rejects"))

    ledger.run(product(name=None))

    assert links("check").exit_code == 3


def test_the_command_works_while_a_run_is_under_way(ledger, links, numbers, product, under_way):
    ledger.run(product(sku=None))
    with under_way() as run:
        with run.store.transaction():
            run.store.go_entries.put_watermark(
                "customers", None, run.store.runs.newest()[0].started_at
            )
            assert links("check").exit_code == 3
            listing = links("runs").output
            assert ("under way" in listing, "did not end" in listing) == (True, False)
        assert links("acknowledge", *numbers("rejects")).exit_code == 0
        assert links("check").exit_code == 0


def test_check_reports_a_run_that_was_killed_and_exits_1(ledger, links, product):
    ledger.run(product(sku=None))
    for _ in range(2):
        kill(ledger)

    result = links("check")

    assert result.exit_code == 1
    assert "the last run for the shop testshop did not finish" in result.output
    assert "products: 1 reject waits for a person" in result.output
    assert links("runs").output.count("did not end") == 2
    assert "under way" not in links("runs").output
    ledger.run()
    assert links("check").exit_code == 3
    assert links("runs").output.count("did not end") == 2


def test_check_reports_a_run_that_failed_and_exits_1(ledger, links, customer):
    ledger.run(customer())
    broken = ledger.run({"type": "RECORD", "stream": "invoices", "record": {"id": "1"}})

    result = links("check")

    assert (broken.status, result.exit_code) == (1, 1)
    assert result.stderr == (
        "the last run for the shop testshop failed (run 2, forward): see the end of its log, and"
        " run it again\n"
    )
    ledger.run(customer())
    assert links("check").exit_code == 0


@pytest.mark.parametrize("settings", [{"dry_run": True}, {"first_run": "plan"}])
def test_a_plan_does_not_count_as_a_failed_run(ledger, box, links, customer, settings):
    box.go.create("Customers", {"Name": "Fjell AS"})
    ledger.run(customer(id="1000", email="ola@example.no"), first_run="accept")
    ledger.run(customer(), **{"shop_name": "another", "new_namespace": True, **settings})

    result = links("check")

    assert result.exit_code == 0, result.output


def kill(ledger):
    """Leave a run as if it had been killed: no end on record, and its lock free."""
    TargetPowerOfficeGo(config=ledger.config()).begin().close()


def test_the_console_script_reads_the_environment_and_returns_the_exit_status(ledger, product):
    ledger.run(product(sku=None))

    ended = subprocess.run(
        [commands.script("powerofficego-links"), "check"],
        env={**os.environ, "TARGET_POWEROFFICEGO_LINK_STORE": str(ledger.link_store)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (3, "")
    assert "\nproducts: 1 reject waits for a person" in ended.stdout


@pytest.mark.parametrize(
    ("variables", "command"),
    [
        ({}, "powerofficego-links"),
        ({"MELTANO_UTILITY_NAME": "powerofficego-links"}, "meltano invoke powerofficego-links:"),
        (
            {"MELTANO_LOADER_NAME": "target-powerofficego", "MELTANO_ENVIRONMENT": "production"},
            "meltano --environment production invoke target-powerofficego:",
        ),
    ],
)
def test_a_run_and_check_name_the_command_that_works_where_they_run(
    ledger, links, product, monkeypatch, variables, command
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    ran = ledger.run(product(sku=None))

    command += "" if variables else " "
    assert ran.log.splitlines()[-1].endswith(
        "nothing was written to PowerOffice Go; 1 reject waits for a person, so the exit status is"
        f" 3; see {command}rejects"
    )
    line = links("check").output.splitlines()[-1]
    assert line.endswith(f"; see {command}rejects --entity products")


def test_the_last_line_of_a_run_counts_what_waits_or_would_wait(ledger, customer, product):
    planned = ledger.run(customer(), product(sku=None), dry_run=True)
    assert planned.log.splitlines()[-1].endswith(
        "this is what a run would do: nothing was written to PowerOffice Go; 1 reject would wait"
        " for a person"
    )
    first = ledger.run(customer())
    assert first.log.splitlines()[-1].endswith(
        "1 write to PowerOffice Go; nothing waits for a person"
    )
    again = ledger.run(customer(), product(sku=None), fail_on="never")
    assert again.log.splitlines()[-1].endswith(
        "nothing was written to PowerOffice Go; 1 reject waits for a person; see"
        " powerofficego-links rejects"
    )


@pytest.mark.parametrize("place", ["before", "after"])
def test_an_option_before_or_after_the_command_overrides_the_environment(
    ledger, product, tmp_path, place
):
    ledger.run(product(sku=None))
    option = ["--link-store", str(ledger.link_store)]
    words = [*option, "check"] if place == "before" else ["check", *option]

    result = CliRunner().invoke(
        main, words, env={"TARGET_POWEROFFICEGO_LINK_STORE": str(tmp_path / "other.db")}
    )

    assert result.exit_code == 3


def test_a_run_that_could_not_start_does_not_count_as_successful(ledger, links):
    assert ledger.run(client_key="wrong").status == 1

    result = links("check")

    assert result.exit_code == 1
    assert "no run is on record" in result.stderr
    assert "nothing waits" not in result.output


class Exploding(str):
    """A text that cannot be read without an error."""

    def _explode(self, *_):
        msg = "Kari Nordmann"
        raise RuntimeError(msg)

    __str__ = _explode


def test_a_fault_of_this_program_is_reported_separately_with_its_place(
    ledger, links, rows, customer, caplog
):
    target = TargetPowerOfficeGo(config=ledger.config())
    run = target.begin()
    broken = {**customer(), "first_name": Exploding("Kari")}
    run.settlement.take("customers", broken, datetime.datetime.now(datetime.timezone.utc))
    run.settlement.take("customers", {"id": "2"}, datetime.datetime.now(datetime.timezone.utc))
    assert run.finish(has_input=True, has_whole_input=True) == 3
    run.close()

    assert "1 reject is a fault of this program; report" in caplog.text
    assert "customers 1001: a fault of this program" in caplog.text
    assert "RuntimeError at record_flow.py:" in caplog.text
    assert "Nordmann" not in caplog.text
    result = links("check")
    assert result.exit_code == 3
    assert "customers: 2 rejects wait for a person" in result.output
    assert "1 reject is a fault of this program; report" in result.output
    assert {row["shop_id"]: row["title"] for row in rows("rejects")} == {
        "1001": "a fault of this program",
        "2": None,
    }
