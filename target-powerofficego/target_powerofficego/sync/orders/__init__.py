"""Brings one order into Go, from its customer and lines to its invoice and credit notes.

Imports `sync.payments`, `sync` and the rooms below them.
"""
