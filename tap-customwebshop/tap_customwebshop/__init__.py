"""Reads customers, products and orders from a web shop, as a Singer tap."""
