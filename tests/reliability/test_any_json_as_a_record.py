"""Any JSON as a record: the run goes on, and nothing broken lands in Go."""

import contextlib
import copy
import io
import json
from decimal import Decimal

import pytest
from go_sandbox import Sandbox
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from target_powerofficego.target import TargetPowerOfficeGo

from .load import Load
from .runs import STREAMS, Sync, schema, state
from .verdict import OURS

RECORDS_AN_EXAMPLE = 30
TRICKY = ["", " ", "-", "0", "-1", "1e400", "NaN", "1,5", "0.005", "2026-01-31", "NO", "x" * 5000]
TRICKY += ["a@b", "=1+1", "\x00", "\ud800", "æøå", "testshop:1", "guest:1", "1001", "'; --", "🧶"]

texts = st.text(max_size=20) | st.sampled_from(TRICKY)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**30, -(10**19), 0])
    | st.floats()
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def box():
    """One sandbox for all examples, so that each finds in Go what those before it left."""
    with Sandbox.start() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def templates(box):
    """Complete records of every stream, to be spoilt."""
    load = Load(box, 7, customers=8, products=5, orders=12)
    return {stream: load.shop.records(stream) for stream in STREAMS}


@pytest.fixture
def sync(box, tmp_path):
    return Sync(box, tmp_path)


@pytest.fixture
def run(sync):
    """Runs the target in this process; returns its exit status."""

    def run(lines):
        text = "".join(json.dumps(line) + "\n" for line in lines)
        with contextlib.redirect_stdout(io.StringIO()) as output:
            status = TargetPowerOfficeGo(config=sync.config).run(io.StringIO(text))
        assert json.loads(output.getvalue().splitlines()[-1]) == {"bookmarks": {}}
        return status

    return run


def places(value, at=()):
    """Yield the path of every part of a record."""
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    for name, part in parts:
        yield (*at, name)
        if isinstance(part, (dict, list)):
            yield from places(part, (*at, name))


def spoilt(record, path, value):
    record = copy.deepcopy(record)
    part = record
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    return record


@st.composite
def messages(draw, templates):
    """Draw a RECORD: any JSON under any names, or a complete record with some parts replaced."""
    stream = draw(st.sampled_from(STREAMS))
    template = draw(
        st.sampled_from(
            templates[draw(st.sampled_from(STREAMS)) if draw(st.integers(0, 9)) == 0 else stream]
        )
    )
    if draw(st.booleans()):
        record = draw(st.dictionaries(st.sampled_from(sorted(template)) | texts, json_values))
    else:
        record = {**template, "id": draw(st.sampled_from([template["id"], "a", "b", "c"]))}
        for _ in range(draw(st.integers(1, 3))):
            path = draw(st.sampled_from(sorted(places(record), key=str)))
            record = spoilt(record, path, draw(json_values))
    return {"type": "RECORD", "stream": stream, "record": record}


def broken_entities(box):
    """Yield everything in Go that lacks a name, an own reference, or a valid value."""
    go = box.go
    customers, products = (
        {entry["Id"]: entry for entry in go.entries(kind)} for kind in ("Customers", "Products")
    )
    for entry in customers.values():
        names = ("FirstName", "LastName") if entry["IsPerson"] else ("Name",)
        has_names = all((entry[name] or "").strip() for name in names)
        if not (has_names and str(entry["ExternalImportReference"]).startswith(OURS)):
            yield entry
    for entry in products.values():
        price = entry["UnitPrice"]
        if not (entry["Code"].strip() and entry["Name"].strip() and is_number(price)):
            yield entry
    for entry in go.entries("SalesOrders"):
        lines = [line for line in entry["SalesOrderLines"] if line["LineType"] == "Normal"]
        has_lines = lines and all(
            line["ProductId"] in products and is_number(line["Quantity"]) for line in lines
        )
        is_ours = str(entry["ExternalImportReference"]).startswith(OURS)
        if not (has_lines and is_ours and entry["CustomerId"] in customers):
            yield entry
    for kind in ("SalesOrders", "Customers"):
        references = [entry["ExternalImportReference"] for entry in go.entries(kind)]
        yield from {key for key in references if references.count(key) > 1}


def is_number(value):
    return value is None or Decimal(value).is_finite()


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")  # about a large example
def test_any_json_as_a_record_breaks_neither_the_run_nor_go(
    box, sync, templates, run, seed, is_long
):
    runs = settings(
        max_examples=150 if is_long else 5,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )

    @seeded(seed)
    @runs
    @given(
        st.lists(messages(templates), min_size=RECORDS_AN_EXAMPLE // 2, max_size=RECORDS_AN_EXAMPLE)
    )
    def go_on(records):
        status = run([*map(schema, STREAMS), *records, state({})])
        assert status in (0, 3)
        assert list(broken_entities(box)) == []
        reasons = [record.reason for record in sync.unsettled()]
        assert not [reason for reason in reasons if "this program could not read it" in reason]

    good = [
        {"type": "RECORD", "stream": stream, "record": record}
        for stream in STREAMS
        for record in templates[stream]
    ]
    assert run([*map(schema, STREAMS), *good, state({})]) == 0
    go_on()
    in_go = {kind: len(box.go.entries(kind)) for kind in ("Customers", "Products", "SalesOrders")}
    print(f"{len(sync.unsettled())} records wait; in Go are {in_go}")
