"""The shop's orders against Go's sales orders, invoices and credit notes; nothing is changed."""
