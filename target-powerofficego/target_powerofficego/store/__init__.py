"""What is remembered: the tables of the link store, and the SQL that reads and writes them.

The only other SQL is in `go_api/turn_stores.py`. Imports `decisions` and `dataflow`.
"""
