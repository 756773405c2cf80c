"""What is remembered: the tables of the link store, and the SQL that reads and writes them.

Nowhere else is SQL. Imports `decisions` and `dataflow`.
"""
