"""Brings one shop record into PowerOffice Go: matches or merges it, writes the result, settles it.

Imports `sync.go`, `settle` and the rooms below them; orders and payments have rooms of their own.
"""
