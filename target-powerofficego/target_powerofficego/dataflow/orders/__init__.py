"""How an order is converted: its lines, charges and refunds, VAT and rounding to the øre; pure."""
