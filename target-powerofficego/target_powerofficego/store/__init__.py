"""What is remembered: the tables of the link store, and the SQL that reads and writes them.

Only `go_api/turn_stores.py` has SQL of its own besides. Imports `decisions` and `dataflow`.
"""
