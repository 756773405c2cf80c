"""A record with the bytes that were last settled is not read again, with the same result."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa
from go_sandbox import Sandbox
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger import Ledger
from target_powerofficego.dataflow.values import text_id
from target_powerofficego.settle.record_flow import record_hash
from target_powerofficego.settle.record_text import record_text
from target_powerofficego.settle.signals import BrokenInput, read_message
from target_powerofficego.store.values import SettledText
from target_powerofficego.target import TargetPowerOfficeGo

both_link_stores = pytest.mark.both_link_stores(if_slow=False)
PHONE = "+4740000000"


def settled_rows(ledger):
    """Return the rows of settled records, by id."""
    with ledger.store() as store:
        rows = store.connection.execute(sa.text("SELECT * FROM settled")).all()
        return {row.shop_id: row for row in rows}


def forget_what_records_say(ledger):
    """Leave only the bytes of settled records to recognise them by."""
    with ledger.store() as store, store.transaction():
        store.connection.execute(sa.text("UPDATE settled SET record_hash = 'other'"))


@both_link_stores
def test_a_record_is_recognised_by_its_bytes_alone(ledger, customer, product, order):
    records = [customer(), product(), order()]
    ledger.run(*records)
    forget_what_records_say(ledger)

    again = ledger.run(*records, ends_with=0)

    assert again.writes == []
    assert [again.count(entity, "unchanged") for entity in ("customers", "products", "orders")] == [
        *(1, 1, 1)
    ]
    assert {row.record_hash for row in settled_rows(ledger).values()} == {"other"}


@both_link_stores
def test_other_bytes_of_the_same_record_change_nothing_and_are_recognised_from_then_on(
    ledger, customer, product
):
    ledger.run(customer(), product())
    reordered = [dict(reversed(record.items())) for record in (customer(), product())]

    other = ledger.run(*reordered, ends_with=0)
    forget_what_records_say(ledger)
    again = ledger.run(*reordered, ends_with=0)

    for outcome in (other, again):
        assert outcome.writes == []
        assert outcome.count("customers", "unchanged") == 1
        assert outcome.count("products", "unchanged") == 1


def test_bytes_that_were_settled_before_the_last_edit_are_an_edit(ledger, box, customer):
    later = {"updated_at": "2026-01-06T10:00:00Z"}
    ledger.run(customer())
    ledger.run(customer(phone=PHONE, updated_at=None))

    again = ledger.run(customer(), customer(**later), ends_with=0)

    assert again.count("customers", "changed") == 1
    assert box.go.entries("Customers")[0]["PhoneNumber"] == customer()["phone"]


def test_bytes_that_a_stream_map_changes_are_an_edit(ledger, box, customer):
    maps = {"customers": {"phone": f"'{PHONE}'"}}
    ledger.run(customer())

    mapped = ledger.run(customer(), stream_maps=maps, ends_with=0)
    assert mapped.calls() == [f"PATCH /Customers/{box.go.entries('Customers')[0]['Id']}"]
    assert box.go.entries("Customers")[0]["PhoneNumber"] == PHONE

    assert ledger.run(customer(), stream_maps=maps, ends_with=0).writes == []
    assert settled_rows(ledger)["1001"].text_hash is None


def test_bytes_are_read_again_after_a_change_of_settings(ledger, product):
    ledger.run(product())
    forget_what_records_say(ledger)

    again = ledger.run(product(), owners={"products": "go"}, ends_with=0)

    assert settled_rows(ledger)["501"].record_hash != "other"
    assert again.writes == []


def test_an_open_record_is_read_even_if_its_bytes_are_known(ledger, product):
    ledger.run(product(updated_at=None))
    ledger.run(product(updated_at=None, sku=None), ends_with=3)

    ledger.run(product(updated_at=None), ends_with=0)

    assert ledger.unsettled() == []


@both_link_stores
def test_bytes_are_forgotten_together_with_their_record(ledger, customer):
    ledger.run(customer())
    row = settled_rows(ledger)["1001"]
    with ledger.store() as store:
        store.namespaces.enter_existing("testshop")
        settled = store.settled
        assert settled.text_hashes("customers", ["1001", "1002"]) == {"1001": row.text_hash}

        settled.reopen("customers", "1001")
        assert settled.text_hashes("customers", ["1001"]) == {"1001": None}

        settled.note_texts([SettledText("customers", "1001", row.record_hash, "late")])
        assert settled.text_hashes("customers", ["1001"]) == {"1001": None}

        store.forget_record("customers", "1001")
        assert settled.text_hashes("customers", ["1001"]) == {}


def test_writes_to_the_store_in_the_meantime_are_seen(ledger, customer, lines_of):
    people = [customer(id=str(n), email=f"k{n}@example.no") for n in (1, 2)]
    ledger.run(*people)
    texts = [record_text(line) for line in lines_of(*people).encode().splitlines()]
    target = TargetPowerOfficeGo(config=ledger.config())
    run = target.begin()

    unchanged = run.settlement.are_unchanged("customers", [text for text in texts if text])
    first = next(unchanged)
    run.store.settled.reopen("customers", "2")
    second = next(unchanged)
    target.process_endofpipe()

    assert (first, second) == (True, False)


@pytest.mark.slow
def test_lines_are_counted_and_numbered_even_if_they_are_not_read(ledger, customer, lines_of):
    people = [customer(id=str(n), email=f"k{n}@example.no") for n in (1, 2, 3)]
    ledger.run(*people)

    complete = ledger.command_on(lines_of(*people), ends_with=0)
    assert "(1 schemas, 3 records, 0 batch manifests, 1 state messages" in complete.log

    broken = ledger.command_on(lines_of(*people) + "Hemmelig\n", ends_with=1)
    assert "line 6 of the input is not a Singer message" in broken.log


@pytest.mark.slow
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_longer_than_a_pipe_buffer_are_read_completely(ledger, customer, lines_of, end):
    people = [
        customer(id=str(n), email=f"k{n}@example.no", note="æ" * 100_000) for n in range(1, 4)
    ]
    text = lines_of(*people).replace("\\u00e6", "æ").replace("\n", end).removesuffix(end)

    first = ledger.command_on(text, ends_with=0)
    forget_what_records_say(ledger)
    again = ledger.command_on(text, ends_with=0)

    assert first.count("customers", "created") == 3
    assert again.count("customers", "unchanged") == 3
    assert again.states == first.states


# Laws

ORDINARY = b'{"type":"RECORD","stream":"orders","record":{"id":"7"}}'
ODD = {
    "bytes that are not UTF-8, in a record that another replaces": ORDINARY.replace(
        b'"record"', b'"record":{"id":"7","name":"\xe5"},"record"'
    ),
    "bytes that are not UTF-8, in another member": ORDINARY[:-1] + b',"time_extracted":"\xe5"}',
    "half of a character": ORDINARY[:-1] + rb',"time_extracted":"\ud800"}',
    "an unknown member": ORDINARY[:-1] + b',"odd":{"id":"7"}}',
    "not a number": ORDINARY.replace(b"}}", b',"total_incl":NaN}}'),
    "another message": ORDINARY.replace(b"RECORD", b"STATE"),
    "no id": ORDINARY.replace(b'"7"', b"null"),
    "an empty id": ORDINARY.replace(b'"7"', b'" "'),
    "an id that no database holds": ORDINARY.replace(b'"7"', rb'"\u0000"'),
    "not an object": ORDINARY.replace(b'{"id":"7"}', b"[]"),
    "nested too deep": ORDINARY.replace(b'"7"', b"[" * 50_000 + b"]" * 50_000),
    "text after it": ORDINARY + b"5",
    "a byte order mark": b"\xef\xbb\xbf" + ORDINARY,
    "cut off": ORDINARY[:-1],
    "nothing": b"",
}


@pytest.mark.parametrize("line", ODD.values(), ids=ODD)
def test_a_line_that_is_not_entirely_ordinary_is_read(line):
    assert record_text(ORDINARY) is not None
    assert record_text(line) is None


spaces = st.sampled_from(["", " ", "\t", "  "])
odd_numbers = st.sampled_from(["1e400", "-0", "1" * 50, "1.0", "1.00", "1E2", "1e2", "100"])
odd_texts = st.sampled_from(['"\\ud800"', '"\\u0000"', '"\\u0041"', '"A"', '"æ"', '"\\u00e6"'])
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
scalars = plain.map(json.dumps) | odd_numbers | odd_texts
names = st.sampled_from(['"id"', '"\\u0069d"', '"name"', '"lines"', '"æ"'])
ids = st.sampled_from(['"7"', '"7"', '" 7 "', '"\\u0037"', "7", "7.0", "null"])


@st.composite
def objects(draw, values):
    """Draw the JSON of an object; a name may occur twice."""
    pairs = draw(st.lists(st.tuples(names, spaces, values), max_size=4))
    return "{" + ",".join(f"{name}:{space}{value}" for name, space, value in pairs) + "}"


def arrays(values):
    return st.lists(values, max_size=3).map(lambda parts: f"[{','.join(parts)}]")


deep = st.integers(95, 105).map(lambda depth: "[" * depth + "]" * depth)
json_texts = st.recursive(
    scalars | deep, lambda inner: objects(inner) | arrays(inner), max_leaves=6
)


@st.composite
def records(draw):
    """Draw the JSON of a record with an id, and perhaps another id before or after it."""
    others = draw(st.lists(objects(json_texts), max_size=2))
    members = [f'"id":{draw(ids)}', *(other[1:-1] for other in others if other != "{}")]
    return "{" + ",".join(draw(st.permutations(members))) + "}"


more = st.sampled_from(
    [
        *('"type":"RECORD"', '"stream":"orders"', '"time_extracted":"2026-01-02T00:00:00Z"'),
        *('"version":5', '"time_extracted":null', '"time_extracted":"\\u0000"', '"stream":"æ"'),
        *('"version":null', '"type":"STATE"', '"record":{"id":"8"}', '"odd":{"record":1}'),
    ]
)


@st.composite
def lines_around(draw, record):
    """Draw a line with this record; most are RECORD messages, and some are damaged."""
    members = ['"type":"RECORD"', '"stream":"orders"', f'"record":{record}']
    members = draw(st.permutations(members + draw(st.lists(more, max_size=2))))
    line = ("{" + f",{draw(spaces)}".join(members) + "}").encode()
    if draw(st.integers(0, 9)):
        return line
    at = draw(st.integers(0, len(line)))
    return line[:at] + draw(st.binary(max_size=2)) + line[at + draw(st.integers(0, 2)) :]


def read(line):
    """Return what a complete reading of a line gives; None if the run would end there."""
    try:
        message = read_message(line.decode(), 1)
    except (UnicodeDecodeError, BrokenInput):
        return None
    record = message.get("record")
    if message.get("type") != "RECORD" or not isinstance(record, dict):
        return None
    own_id = text_id(record.get("id"))
    return message.get("stream"), own_id, record_hash({**record, "id": own_id}, "f")


@pytest.mark.slow
@settings(max_examples=500)
@given(st.data())
def test_the_same_bytes_are_read_as_the_same_record_in_any_line(data):
    record = data.draw(records())
    line, other = data.draw(lines_around(record)), data.draw(lines_around(record))
    texts = [record_text(each) for each in (line, other)]
    complete_readings = [read(each) for each in (line, other)]

    for text, reading in zip(texts, complete_readings, strict=True):
        if text is not None and reading is not None:
            assert reading[:2] == (text.stream, text.shop_id)
    hashes = [text and text.hash("f") for text in texts]
    if None not in hashes and hashes[0] == hashes[1]:
        assert None not in complete_readings
        assert complete_readings[0][1:] == complete_readings[1][1:]


def test_an_ordinary_line_has_its_record_as_bytes(message, customer):
    line = json.dumps(message(customer()), ensure_ascii=False).encode()

    text = record_text(line)

    assert text is not None
    assert (text.stream, text.shop_id) == ("customers", "1001")
    assert json.loads(bytes(text.text)) == customer()
    assert text.hash("settings") != text.hash("other settings")


PHONES = ("+4791234567", PHONE)
UPDATES = (None, "2026-01-05T10:00:00Z", "2026-01-06T10:00:00Z")
arrivals = st.tuples(st.sampled_from(["1", "2"]), st.sampled_from(PHONES), st.sampled_from(UPDATES))
histories = st.lists(st.lists(arrivals, min_size=1, max_size=4), min_size=2, max_size=4)


@pytest.mark.slow
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories)
def test_repeated_input_has_the_same_result_as_if_each_record_were_read(
    tmp_path_factory, customer, message, history
):
    with Sandbox.start() as box, Sandbox.start() as other_box:
        by_bytes = Ledger(box, tmp_path_factory.mktemp("ledger"))
        by_reading = Ledger(other_box, tmp_path_factory.mktemp("ledger"))
        for day, arrived in enumerate(history, start=1):
            people = [
                customer(id=shop_id, email=f"k{shop_id}@example.no", phone=phone, updated_at=stamp)
                for shop_id, phone, stamp in arrived
            ]
            at = f"2026-02-{day:02}T00:00:00Z"
            messages = [{**message(record), "time_extracted": at} for record in people]
            ends = [
                by_bytes.run(*messages, fail_on="never", workers=1),
                by_reading.run(
                    *({**record, "odd": 1} for record in messages), fail_on="never", workers=1
                ),
            ]
            assert ends[0].summary["records"] == ends[1].summary["records"]
            assert len(ends[0].writes) == len(ends[1].writes)
        assert by_bytes.reasons() == by_reading.reasons()
