"""Reads customers, products, sales orders and invoices from PowerOffice Go, as a Singer tap."""
