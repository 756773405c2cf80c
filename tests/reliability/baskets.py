"""Random orders as shops calculate them, and what Go answers to them."""

from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal

from target_powerofficego.dataflow.orders.answer import ROUNDING

ORE = Decimal("0.01")
RATES = ("25", "25", "15", "12", "11.11", "0")


def rounded(amount, step=ORE):
    return amount.quantize(step, rounding=ROUND_HALF_UP)


def basket(chance):
    """Return an order of 1 to 40 lines, perhaps with freight, a fee, a discount and refunds."""
    prices = chance.choice(["excl", "incl"])
    lines = [_line(chance, number, prices) for number in range(chance.randint(1, 40))]
    order = {
        "lines": lines,
        "shipping": [_charge(chance, "f", "25")] if chance.random() < 0.7 else [],
        "fees": [_charge(chance, "g", chance.choice(RATES))] if chance.random() < 0.2 else [],
        "discounts": [],
    }
    goods = sum(Decimal(line["total_incl"]) for line in lines)
    if chance.random() < 0.4:
        discount = rounded(goods * chance.randint(1, 60) / 100)
        order["discounts"] = [{"name": "Rabatt", "amount_incl": str(discount)}]
    parts = [*lines, *order["shipping"], *order["fees"]]
    total = sum((Decimal(part["total_incl"]) for part in parts), Decimal(0))
    total -= sum(Decimal(part["amount_incl"]) for part in order["discounts"])
    refunds = _refunds(chance, lines) if chance.random() < 0.3 else []
    return {**order, "refunds": refunds, "total_incl": str(total)}


def _line(chance, number, prices):
    rate = Decimal(chance.choice(RATES))
    is_weighed = chance.random() < 0.2
    quantity = Decimal(chance.randint(1, 9999)) / 1000 if is_weighed else chance.randint(1, 12)
    unit = Decimal(chance.choice([chance.randint(1, 200_000), chance.randint(1, 2000) * 100])) / 100
    percent = Decimal(chance.choice([0, 0, 0, 10, 15, 25, 33, chance.randint(0, 10_000) / 100]))
    full = rounded(quantity * unit)
    left = rounded(full * (1 - percent / 100))
    if prices == "excl":
        excl, incl = left, left + rounded(left * rate / 100)
    else:
        incl, excl = left, rounded(left / (1 + rate / 100))
    return {
        "id": str(number),
        "product_id": f"p{rate}",
        "sku": f"S{rate}",
        "name": "Vare",
        "quantity": str(quantity),
        f"unit_price_{prices}": str(unit),
        f"discount_{prices}": str(full - left),
        "total_excl": str(excl),
        "total_tax": str(incl - excl),
        "total_incl": str(incl),
        "tax_rate": str(rate),
    }


def _charge(chance, shop_id, rate):
    incl = Decimal(chance.choice(["99.00", "49.00", "149.90", "79.95"]))
    excl = rounded(incl / (1 + Decimal(rate) / 100))
    return {
        "id": shop_id,
        "total_excl": str(excl),
        "total_tax": str(incl - excl),
        "total_incl": str(incl),
        "tax_rate": rate,
    }


def _refunds(chance, lines):
    refunds = []
    for number, line in enumerate(chance.sample(lines, min(len(lines), chance.randint(1, 3)))):
        amount = rounded(Decimal(line["total_incl"]) * chance.randint(0, 40) / 100)
        part = {"line_id": line["id"], "quantity": "0", "amount_incl": str(amount)}
        refunds.append({"id": f"r{number}", "amount_incl": str(amount), "lines": [part]})
    return refunds


def in_go(lines, prices, rounding, *, price_decimals, vat_rounding):
    """Return what Go answers to lines with these unit prices, and to a line for rounding."""
    nets: defaultdict[Decimal, Decimal] = defaultdict(Decimal)
    answered, total = [], Decimal(0)
    for line in lines:
        price = prices.get(line.reference, line.price.unit_price)
        if price_decimals is not None:
            price = rounded(price, Decimal(1).scaleb(-price_decimals))
        rate = (line.rate or Decimal(0)) / 100
        net = rounded(line.quantity * price * (1 - line.price.allowance / 100))
        tax = rounded(net * rate)
        nets[rate] += net
        total += net + tax
        answered.append(_answered_line(line.reference, price, net, rate, net + tax))
    if vat_rounding == "rate":
        total = sum((net + rounded(net * rate) for rate, net in nets.items()), Decimal(0))
    if rounding:
        answered.append(_answered_line(ROUNDING, abs(rounding), rounding, Decimal(0), rounding))
    return {"TotalAmount": total + rounding, "SalesOrderLines": answered}


def _answered_line(reference, price, net, rate, total):
    return {
        "ExternalImportReference": reference,
        "ProductUnitPrice": price,
        "NetAmount": net,
        "VatRate": rate,
        "TotalAmount": total,
    }
