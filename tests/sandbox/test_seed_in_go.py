from decimal import Decimal

from go_sandbox import Sandbox
from go_sandbox.seed.store import seed_store

ACCOUNTS = {"25": 3000, "15": 3001, "0": 3100}


def test_go_calculates_the_same_totals_for_every_seeded_order():
    with Sandbox.start() as box:
        seed_store(box.shop, habits=False)
        customer = box.go.create("Customers", {"IsPerson": False, "Name": "Fjord AS"})
        products = {
            rate: box.go.create(
                "Products",
                {"Code": f"VARE-{rate}", "Name": "Vare", "StandardSalesAccount": account},
            )["Id"]
            for rate, account in ACCOUNTS.items()
        }
        for order in box.shop.records("orders"):
            lines = [line_in_go(line, products) for line in order["lines"]]
            lines += [
                {
                    "ProductId": products[freight["tax_rate"]],
                    "Quantity": 1,
                    "ProductUnitPrice": Decimal(freight["total_excl"]),
                }
                for freight in order["shipping"]
            ]
            body = {"CustomerId": customer["Id"], "SalesOrderLines": lines}
            entry = box.go.create("SalesOrders", body)
            assert Decimal(str(entry["NetAmount"])) == Decimal(order["total_excl"])
            assert Decimal(str(entry["TotalAmount"])) == Decimal(order["total_incl"])


def line_in_go(line, products):
    price, quantity = Decimal(line["unit_price_excl"]), Decimal(line["quantity"])
    return {
        "ProductId": products[line["tax_rate"]],
        "Quantity": quantity,
        "ProductUnitPrice": price,
        "Allowance": Decimal(line["discount_excl"]) * 100 / (price * quantity),
    }
