"""What is remembered: the tables of the link store, and the SQL that reads and writes them.

There is no SQL anywhere else. Imports `decisions` and `dataflow`.
"""
