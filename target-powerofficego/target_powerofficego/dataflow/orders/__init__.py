"""How an order crosses: its lines, charges and refunds, VAT and rounding to the øre; pure."""
