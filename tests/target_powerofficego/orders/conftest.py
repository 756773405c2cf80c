"""The fixtures of the tests of orders: an order that has landed, edits in Go, killed runs."""

import pytest
from ledger import singer_lines, the_order


@pytest.fixture
def freight():
    """Makes freight of 99 kr with VAT, with changes."""

    def make(**changes):
        return {
            "id": "f1",
            "name": "Posten",
            "total_excl": "79.20",
            "total_tax": "19.80",
            "total_incl": "99.00",
            "tax_rate": "25",
            **changes,
        }

    return make


@pytest.fixture
def landed(ledger, customer, product, order):
    """An order of two at 125 kr that has landed as a Draft."""
    ledger.settings["sales_accounts"] = {"25": 3000, "15": 3001, "0": 3100}
    assert ledger.run(customer(), product(), order()).status == 0
    return order()


@pytest.fixture
def invoiced(box, landed):
    """The order that has landed, once a person has sent its invoice."""
    box.go.send_invoice(the_order(box)["Id"])
    return landed


@pytest.fixture
def odd_line(line):
    """Makes a line of 100 kr that comes to 99.99 in a Go whose prices have two decimals."""

    def make(**changes):
        price = {"quantity": "3", "unit_price_excl": None, "unit_price_incl": None}
        totals = {"total_excl": "100.00", "total_tax": "25.00", "total_incl": "125.00"}
        return line(**{**price, **totals, **changes})

    return make


@pytest.fixture
def edit_line(box):
    """Lets a bookkeeper edit the first line of the order in Go."""

    def edit(**changes):
        in_go = the_order(box)
        line_id = in_go["SalesOrderLines"][0]["Id"]
        box.go.edit("SalesOrders", in_go["Id"], {"lines": {line_id: changes}})

    return edit


@pytest.fixture
def cut_off(box, ledger):
    """Runs the target, kills it at a write to Go, and returns its exit status."""

    def run(method, when, *records, path=None, skip=0):
        running = ledger.start(workers=1)
        box.faults.on("go", method, path, lambda _: running.kill(), skip=skip, when=when)
        running.communicate(singer_lines(*records), timeout=150)
        box.faults.clear()
        return running.returncode

    return run
