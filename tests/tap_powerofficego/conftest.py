"""A sandbox per test, books with entries, and fixtures that run the tap and read its output."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import taps
from go_sandbox import Sandbox
from tap_powerofficego.tap import TapPowerOfficeGo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

STREAMS = {
    "customers": "Customers",
    "products": "Products",
    "salesorders": "SalesOrders",
    "outgoing_invoices": "OutgoingInvoices",
    "contact_persons": "ContactPersons",
    "delivery_addresses": "ContactDeliveryAddresses",
    "product_groups": "ProductGroups",
    "vat_codes": "VatCodes",
}


@dataclass(frozen=True)
class Emitted(taps.Emitted):
    """What a run printed, logged, and read from Go."""

    reads: list[Any]

    def ids(self, stream: str) -> list[Any]:
        return [record["Id"] for record in self.records(stream)]

    def queries(self, path: str) -> list[dict[str, str]]:
        """Return the queries of the reads of exactly this path, without paging."""
        paging = {"PageNumber", "PageSize", "OrderBy"}
        return [
            {name: value for name, value in request.query.items() if name not in paging}
            for request in self.reads
            if request.path == f"/v2{path}"
        ]


@dataclass(frozen=True)
class Merchant:
    """Does in Go what a bookkeeper does."""

    box: Sandbox

    def customer(self, **members: Any) -> dict[str, Any]:
        return self.box.go.create("Customers", {"Name": "Fjell AS", "IsPerson": False, **members})

    def product(self, **members: Any) -> dict[str, Any]:
        return self.box.go.create("Products", {"Name": "Genser", "UnitPrice": 100, **members})

    def order(self, customer: dict[str, Any], product: dict[str, Any], **members: Any):
        line = {"ProductId": product["Id"], "Quantity": 2, **members.pop("line", {})}
        body = {"CustomerId": customer["Id"], "SalesOrderLines": [line], **members}
        return self.box.go.create("SalesOrders", body)

    def invoice(self, customer: dict[str, Any], product: dict[str, Any], **members: Any):
        order = self.order(customer, product, **members)
        return self.box.go.send_invoice(order["Id"])

    def stamp(self, resource: str, entry_id: Any, hour: int, *members: str) -> None:
        """Set these members of an entry to an hour of a fixed day."""
        register = self.box.go.register(resource)
        stamp = f"2026-03-01T{hour:02d}:00:00.1234567Z"
        entry = register.get(entry_id)
        assert entry
        register.put({**entry, **dict.fromkeys(members, stamp)})

    def fill(self) -> None:
        """Put at least one entry into every list."""
        address = {"AddressLine1": "Storgata 1", "ZipCode": "0155", "City": "Oslo"}
        customer = self.customer(
            MailAddress={**address, "CountryCode": "NO"},
            Allowance=10,
            BillableRate=950,
            CustomerSince="2025-01-31",
            DateOfBirth="1980-02-29",
        )
        person = {"FirstName": "Kari", "LastName": "Nordmann", "MailAddress": address}
        self.box.go.create("ContactPersons", person, customer["Id"])
        self.box.go.create("ContactDeliveryAddresses", address, customer["Id"])
        product = self.product(Code="ULL-1", IsStockItem=True, StockOnHand=7)
        self.order(customer, product, ImportedOrderNo=1001)
        self.invoice(customer, product)
        self.invoice(customer, product, line={"Quantity": -1})


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox.start() as sandbox:
        yield sandbox


@pytest.fixture
def merchant(box: Sandbox) -> Merchant:
    return Merchant(box)


@pytest.fixture
def filled(merchant: Merchant) -> Merchant:
    """The merchant of books that have at least one entry in every list."""
    merchant.fill()
    return merchant


@pytest.fixture(scope="session")
def merchant_of() -> type[Merchant]:
    """The class of merchants, for a sandbox other than the test's own."""
    return Merchant


@pytest.fixture(scope="session")
def config_for() -> Callable[..., dict[str, Any]]:
    """Makes the tap's config for a sandbox, with these settings."""

    def make(box: Sandbox, **settings: Any) -> dict[str, Any]:
        config = box.target_config(requests_per_second=100, **settings)
        del config["shop_name"]
        return config

    return make


@pytest.fixture
def config(box: Sandbox, config_for: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    return config_for(box)


@pytest.fixture
def catalog(config: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    """Makes a catalog that selects some streams, or all, with all fields but those in `without`.

    Fields are named as in `salesorders.SalesOrderLines`.
    """

    def make(*streams: str, without: tuple[str, ...] = ()) -> dict[str, Any]:
        catalog = TapPowerOfficeGo(config=dict(config)).catalog_dict
        for entry in catalog["streams"]:
            for metadata in entry["metadata"]:
                path = ".".join([entry["stream"], *metadata["breadcrumb"][1::2]])
                is_wanted = not streams or entry["stream"] in streams
                metadata["metadata"]["selected"] = is_wanted and path not in without
        return catalog

    return make


@pytest.fixture
def catalog_file(catalog: Callable[..., dict[str, Any]], tmp_path: Path) -> Path:
    """A catalog in which everything is selected, for `--catalog`."""
    file = tmp_path / "catalog.json"
    file.write_text(json.dumps(catalog()), encoding="utf-8")
    return file


@pytest.fixture
def read_go(
    box: Sandbox,
    config: dict[str, Any],
    catalog: Callable[..., dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Callable[..., Emitted]:
    """Run the tap to its end, or to an error of the given type, and return what it emitted."""

    def read(
        *streams: str,
        state: dict[str, Any] | None = None,
        fails_with: type[Exception] | None = None,
        without: tuple[str, ...] = (),
        chosen: dict[str, Any] | None = None,
        by_default: bool = False,
        **settings: Any,
    ) -> Emitted:
        capsys.readouterr()
        caplog.clear()
        caplog.set_level("INFO")
        earlier = len(box.requests.all())
        selected = None if by_default else chosen or catalog(*streams, without=without)
        tap = TapPowerOfficeGo(config={**config, **settings}, state=state, catalog=selected)
        error = ""
        try:
            if fails_with is None:
                tap.sync_all()
            else:
                with pytest.raises(fails_with) as failure:
                    tap.sync_all()
                error = str(failure.value)
        finally:
            tap.go.close()
        lines = capsys.readouterr().out.splitlines()
        messages = [json.loads(line, parse_float=str) for line in lines]
        reads = [request for request in box.requests.all()[earlier:] if request.method == "GET"]
        return Emitted(messages, f"{caplog.text}\n{error}", reads)

    return read


@pytest.fixture
def resources() -> dict[str, str]:
    """The resource of the sandbox that each stream reads, in the order of the streams."""
    return STREAMS
