"""A back-up of an hour ago, restored as the documents say: nothing comes twice, nothing is lost."""

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
    """What the verdict asks of a link store, wherever it is."""

    @property
    def link_store(self):
        return self.settings["link_store"]


def commands_under(heading):
    """Return the lines of shell that the document shows under a heading."""
    text = DOCUMENT.read_text(encoding="utf-8")
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    return "".join(re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE))


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def kept(request, box, tmp_path):
    """A shop's folder, what loses its link store, and the document's name for where that is."""
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


def as_shown(shop, heading):
    """Run the lines that the document shows under this heading, in the shop's folder."""
    lines = commands_under(heading)
    assert lines
    subprocess.run(
        ["bash", "-euc", lines], cwd=shop.folder, env=shop.environment, check=True, timeout=60
    )


def synced(box, shop):
    """Run a round that must end well, and return what it wrote to Go and to the shop."""
    seen = len(box.requests.all())
    status, log = shop.round()
    assert status == 0, log
    own = [one for one in box.requests.all()[seen:] if one.method != "GET"]
    return [(one.method, one.path) for one in own if "/oauth/" not in one.path.lower()]


def both_sides(box):
    """Return all that is in Go and in the shop."""
    in_go = {name: box.go.entries(name) for name in RESOURCES}
    return in_go, {name: box.shop.records(name) for name in ("customers", "products", "orders")}


def edit_in_go(box):
    """Let a bookkeeper edit what flows back to the shop."""
    customer = next(one for one in box.go.entries("Customers") if one["ExternalImportReference"])
    box.go.edit("Customers", customer["Id"], {"PhoneNumber": "+4793000930"})


def test_a_back_up_of_an_hour_ago_is_restored_and_nothing_comes_twice_or_is_lost(
    box, kept, tmp_path
):
    shop, lose, link_store, kind = kept
    load = Load(box, SEED, customers=12, products=8, orders=16)
    verdict = Verdict(box, tmp_path, {"link_store": link_store})
    synced(box, shop)
    as_shown(shop, f"Back up {kind}")
    load.edit(EDITS)
    edit_in_go(box)
    assert synced(box, shop) != []
    in_go, in_shop = both_sides(box)

    lose()
    as_shown(shop, f"Restore {kind}")

    # An order that was cancelled meanwhile is deleted in Go once more, where it is gone already.
    assert {method for method, _ in synced(box, shop)} <= {"DELETE"}
    assert both_sides(box) == (in_go, in_shop)
    assert synced(box, shop) == []
    load.edit(EDITS)
    assert synced(box, shop) != []
    assert [one for one in complaints(box, verdict) if CANCELLED_WHEN_PAID not in one] == []
    assert doubles(box) == []
    assert synced(box, shop) == []


def test_an_invoice_and_a_credit_note_made_since_the_back_up_are_not_made_again(
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
    there = both_sides(box)[0]
    assert len(there["OutgoingInvoices"]) == 1
    assert [one["TotalAmount"] for one in there["SalesOrders"] if one["TotalAmount"] < 0] == [-125]

    ledger.lose_link_store()
    copy.rename(ledger.link_store)

    assert ledger.run(customer(), product(), paid_back, ends_with=0).writes == []
    assert both_sides(box)[0] == there
    assert ledger.run(customer(), product(), paid_back, ends_with=0).writes == []
