"""How an order is converted, with VAT and rounding to the øre; pure.

A new order passes these files in this order:

- `state`: what the base of its link keeps, and what its status asks for
- `shop_order`: the order as the shop gives it, and its buyer
- `order`: the property table of its header, and the ids of records that are made for it
- `lines`: its lines, freight, fees and rounding as lines in Go
- `line_amounts`: the amounts of one line, and the price that gives them in Go
- `sums`: discounts on the whole order, and lines that add up to the shop's sums
- `refunds`: the lines less what was paid back; `refund_shares` for amounts that name no line
- `answer`: whether the order in Go equals the shop's

`lines_back` is for lines on the way back to the shop; `payments` for payments.
"""
