"""`powerofficego-links export` and `import`: a link store is moved or restored in full."""

from __future__ import annotations

import functools
import json
import os
import sqlite3
import subprocess
from contextlib import closing

import commands
import pytest
from click.testing import CliRunner
from target_powerofficego.links_command import main

EXPORTED = (
    *("namespaces", "links", "settled", "unsettled", "waits", "conflicts", "erasures", "runs"),
    "payments",
)
WAITED_FOR = "1003"
"""A rejected customer whose order is parked."""


@pytest.fixture
def exported(listed):
    """Exports the link store and returns the text."""
    return functools.partial(listed, "export")


@pytest.fixture
def records(customer, product, order, guest_order, payment):
    """Records that will be linked, rejected, held, parked or erased."""
    return [
        customer(),
        customer(id="1002", email="per@example.no"),
        customer(id=WAITED_FOR, email="no e-mail"),
        product(price_excl="100.10", price_incl="125.13"),
        product(id="502", sku=None),
        order(payments=[payment]),
        order(id="9002", total_refunded="50.00"),
        order(id="9003", customer_id=WAITED_FOR),
        guest_order(id="9004"),
    ]


def rows_of(path):
    """Return the rows of the exported tables, without the ids of this database."""
    with closing(sqlite3.connect(path)) as store:
        store.row_factory = sqlite3.Row
        return {
            table: sorted(map(without_ids, store.execute(f"SELECT * FROM {table}")), key=str)
            for table in EXPORTED
        }


def without_ids(row):
    ids = ("id", "namespace", "run", "unsettled_id")
    return {column: value for column, value in dict(row).items() if column not in ids}


@pytest.fixture
def filled(ledger, links, box, records, customer):
    """The records that filled every table of the link store."""
    box.go.create("Customers", {"Name": "Per AS", "EmailAddress": "per@example.no"})
    ledger.settings["payment_accounts"] = {"vipps": 1901}
    ledger.run(*records)
    (entry,) = [
        entry for entry in box.go.entries("Customers") if entry["EmailAddress"] == "kari@example.no"
    ]
    box.go.edit("Customers", entry["Id"], {"PhoneNumber": "99887766"})
    edited = customer(phone="+4740000000")
    ledger.run(edited, owners={"customers": "go"})
    for record in ledger.unsettled("reject", "hold"):
        if record.shop_id != WAITED_FOR:
            links("acknowledge", record.id)
    assert links("erase", "customer", "1002", "--yes").exit_code == 0
    ledger.run()
    return [edited, *records[1:]]


_FULL_EXPORT: list[str] = []


@pytest.fixture
def full_export(request):
    """The export of a link store with rows in every table, made once per process."""
    if not _FULL_EXPORT:
        request.getfixturevalue("filled")
        _FULL_EXPORT.append(request.getfixturevalue("exported")())
        request.getfixturevalue("ledger").lose_link_store()
    return _FULL_EXPORT[0]


def test_an_import_restores_a_lost_store_and_the_same_input_writes_nothing(
    ledger, box, exported, listed, filled
):
    before = rows_of(ledger.link_store)
    text = exported()
    ledger.lose_link_store()

    printed = listed("import", text=text)

    assert printed.startswith("imported ")
    assert printed.endswith(" links of testshop\n")
    assert rows_of(ledger.link_store) == before
    assert all(before[table] for table in EXPORTED)

    in_go = {kind: box.go.entries(kind) for kind in ("Customers", "Products", "SalesOrders")}
    outcome = ledger.run(*filled, owners={"customers": "go"})
    assert outcome.writes == []
    waiting = [
        record.shop_id
        for record in ledger.unsettled("reject", "hold")
        if not record.acknowledged_at
    ]
    assert waiting == [WAITED_FOR]
    assert {kind: box.go.entries(kind) for kind in in_go} == in_go
    assert rows_of(ledger.link_store)["unsettled"]


def test_an_imported_export_is_exported_unchanged(ledger, exported, listed, filled):
    text = exported()
    ledger.lose_link_store()
    listed("import", text=text)

    assert without_head(exported()) == without_head(text)


def without_head(text):
    return [json.loads(line) for line in text.splitlines()[1:]]


def test_each_line_is_an_object_with_a_kind_and_exact_decimals(exported, filled):
    lines = exported().splitlines()
    kinds = [json.loads(line)["kind"] for line in lines]

    assert json.loads(lines[0])["format"] == 6
    assert kinds[0] == "powerofficego-links"
    assert kinds[-1] == "end"
    assert set(kinds) >= set(EXPORTED)
    assert not {"go_entries", "go_keys", "watermarks"} & set(kinds)
    assert any("100.10" in line for line in lines if '"kind":"links"' in line)


def test_an_export_from_before_payments_were_stored_is_imported(ledger, exported, listed, filled):
    text = exported()
    head, *lines, _ = text.splitlines()
    older = [without_settings(line) for line in lines if '"kind":"payments"' not in line]
    end = json.dumps({"kind": "end", "rows": len(older)})
    ledger.lose_link_store()

    listed("import", text="\n".join([with_value("format", 2)(head), *older, end]))

    assert rows_of(ledger.link_store)["links"]
    assert rows_of(ledger.link_store)["payments"] == []


def test_an_export_from_before_settings_were_stored_is_imported(ledger, exported, listed, filled):
    head, *lines = exported().splitlines()
    older = [without_settings(line) for line in lines]
    ledger.lose_link_store()

    listed("import", text="\n".join([with_value("format", 3)(head), *older]))

    assert {row["settings"] for row in rows_of(ledger.link_store)["runs"]} == {None}


def test_an_export_from_before_text_hashes_were_stored_is_imported(
    ledger, listed, exported, customer
):
    ledger.run(customer())
    head, *lines = exported().splitlines()
    older = [line.replace(f',"text_hash":{text_hash_in(line)}', "") for line in lines]
    ledger.lose_link_store()

    listed("import", text="\n".join([with_value("format", 5)(head), *older]))

    assert {row["text_hash"] for row in rows_of(ledger.link_store)["settled"]} == {None}
    assert ledger.run(customer()).count("customers", "unchanged") == 1


def test_an_export_has_every_character_in_any_locale(ledger, links, listed, customer):
    ledger.run(customer(email="no e-mail", name="Łukasz Grønvåg"))
    line = [commands.script("powerofficego-links"), "--link-store", ledger.link_store, "export"]
    latin_1 = {**os.environ, "PYTHONIOENCODING": "latin-1"}

    ended = subprocess.run(line, env=latin_1, capture_output=True, check=True)
    ledger.lose_link_store()
    listed("import", text=ended.stdout.decode())

    assert "Łukasz Grønvåg" in ended.stdout.decode()
    assert "Łukasz Grønvåg" in links("rejects", "--show-values").stdout


def text_hash_in(line):
    return json.dumps(json.loads(line).get("row", {}).get("text_hash"))


def without_settings(line):
    message = json.loads(line)
    if message["kind"] == "runs":
        del message["row"]["settings"]
    return json.dumps(message)


def test_an_unanswered_write_is_exported_and_imported(ledger, listed, exported, under_way):
    with under_way() as run:
        run.store.intents.begin("customers", "1001", "patch", {"path": "/Customers/1", "rows": {}})
    text = exported()
    ledger.lose_link_store()
    listed("import", text=text)

    with closing(sqlite3.connect(ledger.link_store)) as store:
        intents = store.execute("SELECT shop_id, kind, detail FROM intents").fetchall()
    assert intents == [("1001", "patch", '{"path":"/Customers/1","rows":{}}')]


def test_one_of_several_shops_is_exported_and_imported_into_another_store(
    ledger, exported, tmp_path, customer
):
    ledger.run(customer(id="8"), shop_name="othershop")
    ledger.run(customer(), shop_name="testshop", new_namespace=True)
    text = exported("--shop-name", "testshop")
    other = tmp_path / "other.db"

    result = CliRunner().invoke(main, ["--link-store", str(other), "import"], input=text)

    assert result.exit_code == 0, result.output
    assert [row["shop_name"] for row in rows_of(other)["namespaces"]] == ["testshop"]
    assert [row["shop_id"] for row in rows_of(other)["links"]] == ["1001"]


def test_a_store_with_nothing_but_an_order_to_compare_counts_as_empty(
    ledger, links, exported, customer, under_way
):
    ledger.run(customer())
    text = exported()
    ledger.lose_link_store()
    with under_way() as run:
        run.store.intents.note_comparison("orders", "9001")

    result = links("import", text=text)

    assert (result.exit_code, result.output) == (0, "imported 1 links of testshop\n")


def test_a_store_that_is_not_empty_is_changed_only_with_replace(
    ledger, exported, links, customer, product
):
    ledger.run(customer(id="8", email="ola@example.no"), shop_name="othershop")
    ledger.run(customer(), new_namespace=True)
    text = exported("--shop-name", "testshop")
    ledger.run(product())
    before = rows_of(ledger.link_store)

    refused = links("import", text=text)
    assert refused.exit_code == 1
    assert "the link store is not empty; nothing was imported" in refused.output
    assert rows_of(ledger.link_store) == before

    assert links("import", "--replace", text=text).exit_code == 0
    assert {row["shop_id"] for row in rows_of(ledger.link_store)["links"]} == {"8", "1001"}
    assert ledger.run(customer(), product()).writes == []


def changed(text, number, change):
    """Return an export with the line of this number changed."""
    lines = text.splitlines()
    lines[number - 1] = change(lines[number - 1])
    return "\n".join(lines) + "\n"


def line_of(text, kind):
    return next(
        number
        for number, line in enumerate(text.splitlines(), start=1)
        if f'"kind":"{kind}"' in line
    )


def with_value(name, value):
    return lambda line: json.dumps({**json.loads(line), name: value})


def in_row(name, value):
    def change(line):
        message = json.loads(line)
        return json.dumps({**message, "row": {**message["row"], name: value}})

    return change


LAST_STAMP = "9999-12-31T23:59:59.999999-14:00"
"""A time that cannot be converted to UTC."""

WITHOUT_ZONE = "2026-01-31T12:00:00.000000"
"""A time that differs between machines."""


@pytest.mark.parametrize(
    ("kind", "change", "reason"),
    [
        ("links", lambda line: line[:-1], "it is not JSON"),
        ("links", lambda _: "[1]", "it is not a JSON object"),
        ("links", with_value("kind", "song"), "its kind is unknown"),
        ("links", with_value("row", None), "it has no row"),
        ("links", in_row("song", 1), "these columns are missing or unknown: song"),
        ("links", in_row("go_id", None), "go_id is not valid"),
        ("links", in_row("is_follower", "no"), "is_follower is not valid"),
        ("links", in_row("base", {"phone": [1]}), "base is not valid"),
        ("links", in_row("namespace", 77), "namespace refers to a row that does not come before"),
        ("unsettled", in_row("payload", "text"), "payload is not valid"),
        ("unsettled", in_row("first_seen", "yesterday"), "first_seen is not valid"),
        ("links", in_row("shop_id", "\ud800"), "it contains half of a character"),
        ("links", in_row("base", {"\ud800": 1}), "it contains half of a character"),
        ("links", lambda _: "[" * 100_000, "it is nested too deeply"),
        ("payments", in_row("posted_at", "yesterday"), "posted_at is not valid"),
        ("payments", in_row("amount", "much"), "amount is not valid"),
        ("runs", in_row("exit_status", 2**70), "exit_status is not valid"),
        ("unsettled", in_row("kind", ["hold"]), "kind is not valid"),
        ("waits", in_row("unsettled_id", 77), "unsettled_id refers to a row that does not come"),
        ("end", with_value("rows", 1), "its count of rows is not the"),
        ("end", with_value("rows", 10**400), "its count of rows is not the"),
        ("links", with_value("kind", ["links"]), "its kind is unknown"),
        ("links", in_row("entity", "songs"), "entity is not valid"),
        ("links", in_row("entity", 10**40), "entity is not valid"),
        ("links", in_row("shop_id", "1\0"), "shop_id is not valid"),
        ("unsettled", in_row("entity", "songs"), "entity is not valid"),
        ("runs", in_row("way", "up"), "way is not valid"),
        ("runs", in_row("started_at", LAST_STAMP), "started_at is not valid"),
        ("runs", in_row("started_at", WITHOUT_ZONE), "started_at is not valid"),
        ("runs", in_row("id", 2**70), "id is not valid"),
        ("namespaces", in_row("shop_name", "../../etc/x"), "shop_name is not valid"),
        ("namespaces", in_row("shop_name", ""), "shop_name is not valid"),
        ("powerofficego-links", with_value("format", 0), "this is not an export of"),
        ("powerofficego-links", with_value("format", True), "this is not an export of"),
        ("powerofficego-links", with_value("format", "4"), "this is not an export of"),
        ("powerofficego-links", lambda _: '{"kind":"links"}', "this is not an export of"),
        (
            "powerofficego-links",
            with_value("format", 99),
            "a newer version wrote this export: upgrade target-powerofficego",
        ),
    ],
)
def test_an_invalid_line_is_named_by_its_number_and_nothing_is_imported(
    ledger, links, full_export, kind, change, reason
):
    number = line_of(full_export, kind)

    result = links("import", text=changed(full_export, number, change))

    assert result.exit_code == 1
    assert result.output.startswith(f"Error: line {number} cannot be read: {reason}")
    assert result.output.endswith("; nothing was imported\n")
    assert result.output.count("\n") == 1
    assert not ledger.link_store.exists()


def test_an_unanswered_write_of_an_unknown_kind_is_named(ledger, exported, links, under_way):
    with under_way() as run:
        run.store.intents.begin("customers", "1001", "patch", {"path": "/Customers/1", "rows": {}})
    text = exported()
    number = line_of(text, "intents")
    ledger.lose_link_store()

    result = links("import", text=changed(text, number, in_row("kind", "song")))

    assert result.exit_code == 1
    assert f"line {number} cannot be read: kind is not valid" in result.output


def test_a_repeated_line_is_named(links, full_export):
    number = line_of(full_export, "links")

    result = links("import", text=changed(full_export, number, lambda line: f"{line}\n{line}"))

    assert result.exit_code == 1
    assert f"line {number + 1} cannot be read: another line has the same" in result.output


@pytest.mark.parametrize("length", [0, 1, 5])
def test_an_export_that_is_cut_off_is_not_imported(ledger, links, full_export, length):
    result = links("import", text="".join(full_export.splitlines(keepends=True)[:length]))

    assert result.exit_code == 1
    assert f"line {length + 1} cannot be read: the export is cut off" in result.output
    assert not ledger.link_store.exists()


@pytest.mark.parametrize("words", [("export",), ("import", "--replace")])
def test_nothing_is_exported_or_imported_while_a_run_is_under_way(
    ledger, exported, links, customer, under_way, words
):
    ledger.run(customer())
    text = exported()
    with under_way():
        result = links(*words, text=text)

    assert result.exit_code == 1
    assert "a run for the shop testshop is under way" in result.output


def test_an_unknown_shop_cannot_be_exported(ledger, links, customer):
    ledger.run(customer())

    result = links("export", "--shop-name", "nosuch")

    assert result.exit_code == 1
    assert result.output == "Error: the link store has no shop nosuch\n"
