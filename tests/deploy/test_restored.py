"""An hour-old backup, restored as documented: nothing is written twice, nothing is lost."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from reliability.load import Load
from reliability.runs import Sync
from reliability.verdict import complaints, doubles
from shop_folders import Shop

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "running" / "backup.md"
SEED = 18
EDITS = 25
SETTINGS = {
    "link_store": "powerofficego-links.db",
    "payment_accounts": {"vipps": 1901, "card": 1920, "klarna": 1920},
    "confirm_on": ["completed"],
    "max_archives": 1000,
    "fail_on": "never",
}


CANCELLED_WHEN_PAID = "but the order is no longer in Go: settle it by hand"
"""Why such an order waits for a person, whatever was lost."""
RESOURCES = (
    *("Customers", "ContactPersons", "ContactDeliveryAddresses", "Products"),
    *("SalesOrders", "OutgoingInvoices", "BankVouchers"),
)


class Verdict(Sync):
    """The verdict's view of a sync whose link store may be anywhere."""

    @property
    def link_store(self):
        return self.settings["link_store"]


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def backed_up(request, box, tmp_path):
    """A shop's folder, a function that loses its link store, its address, and its kind."""
    folder = tmp_path / "myshop"
    if request.param == "SQLite":
        shop = Shop(folder).write_configs(box, **SETTINGS)

        def lose():
            for path in folder.glob("powerofficego-links.db*"):
                path.unlink()

        return shop, lose, str(folder / SETTINGS["link_store"]), request.param
    database = request.getfixturevalue("database")
    shop = Shop(folder, {"SINGER_STATE": database.address})
    shop.write_configs(box, **{**SETTINGS, "link_store": database.address})
    return shop, database.clear, database.address, request.param


def run_documented(shop, heading):
    """Run the lines under this heading of the document in the shop's folder."""
    text = DOCUMENT.read_text(encoding="utf-8")
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    lines = "".join(re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE))
    assert lines
    subprocess.run(
        ["bash", "-euc", lines], cwd=shop.folder, env=shop.environment, check=True, timeout=60
    )


def sync(box, shop):
    """Run a round, which must succeed, and return its writes to Go and to the shop."""
    start = len(box.requests.all())
    status, log = shop.round()
    assert status == 0, log
    writes = [request for request in box.requests.all()[start:] if request.method != "GET"]
    return [(sent.method, sent.path) for sent in writes if "/oauth/" not in sent.path.lower()]


def both_sides(box):
    """Return everything in Go and in the shop."""
    in_go = {name: box.go.entries(name) for name in RESOURCES}
    return in_go, {name: box.shop.records(name) for name in ("customers", "products", "orders")}


def test_an_hour_old_backup_is_restored_and_nothing_is_lost_or_written_twice(
    box, backed_up, tmp_path
):
    shop, lose, link_store, kind = backed_up
    load = Load(box, SEED, customers=12, products=8, orders=16)
    verdict = Verdict(box, tmp_path, {"link_store": link_store})
    sync(box, shop)
    run_documented(shop, f"Back up {kind}")
    load.edit(EDITS)
    customer = next(row for row in box.go.entries("Customers") if row["ExternalImportReference"])
    box.go.edit("Customers", customer["Id"], {"PhoneNumber": "+4793000930"})
    assert sync(box, shop) != []
    in_go, in_shop = both_sides(box)

    lose()
    run_documented(shop, f"Restore {kind}")

    # an order cancelled meanwhile is deleted again in Go, where it no longer exists
    assert {method for method, _ in sync(box, shop)} <= {"DELETE"}
    assert both_sides(box) == (in_go, in_shop)
    assert sync(box, shop) == []
    load.edit(EDITS)
    assert sync(box, shop) != []
    assert [fault for fault in complaints(box, verdict) if CANCELLED_WHEN_PAID not in fault] == []
    assert doubles(box) == []
    assert sync(box, shop) == []


def test_an_invoice_and_a_credit_note_created_since_the_backup_are_not_created_again(
    ledger, box, customer, product, order
):
    box.go.switches.allow_send_invoice = True
    ledger.settings |= {
        "sales_accounts": {"25": 3000, "15": 3001, "0": 3100},
        "invoice_on": ["completed"],
    }
    ledger.run(customer(), product(), order(), ends_with=0)
    copy = ledger.folder / "backup.db"
    shutil.copy(ledger.link_store, copy)
    completed = order(status="completed", updated_at="2026-01-06T10:00:00Z")
    ledger.run(completed, ends_with=0)
    refund = {
        "id": "r1",
        "amount_incl": "125.00",
        "created_at": "2026-01-07T09:00:00Z",
        "lines": [{"line_id": "1", "quantity": "1", "amount_incl": "125.00"}],
    }
    paid_back = {
        **completed,
        "refunds": [refund],
        "total_refunded": "125.00",
        "payment_status": "partially_refunded",
        "updated_at": "2026-01-07T10:00:00Z",
    }
    ledger.run(paid_back, ends_with=0)
    in_go = both_sides(box)[0]
    assert len(in_go["OutgoingInvoices"]) == 1
    totals = [row["TotalAmount"] for row in in_go["SalesOrders"]]
    assert [total for total in totals if total < 0] == [-125]

    ledger.lose_link_store()
    copy.rename(ledger.link_store)

    assert ledger.run(customer(), product(), paid_back, ends_with=0).writes == []
    assert both_sides(box)[0] == in_go
    assert ledger.run(customer(), product(), paid_back, ends_with=0).writes == []
