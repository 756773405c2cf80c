"""How an order is converted, with VAT and rounding to the øre; pure.

In the order in which a new order passes them, from the top:

- `state`: what the base of its link keeps of it, and what its status asks for
- `shop_order`: the order as the shop gives it, and who buys it
- `order`: the table of its header, and the ids that are made for what it needs
- `lines`: its lines, freight, fees and rounding as lines in Go
- `line_amounts`: the amounts of one line, and the price that gives them in Go
- `sums`: discounts on the whole order, and lines that come to the shop's sums
- `refunds`, and `refund_shares` for what was paid back for no line: what is left of the lines
- `answer`: whether what Go made of it equals the shop's order

Beside that way are `lines_back`, for lines on the way to the shop, and `payments`.
"""
