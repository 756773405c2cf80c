"""What becomes of an order, from its parties and lines to its invoice and credit notes.

Imports `sync.payments`, `sync` and the rooms below them.
"""
