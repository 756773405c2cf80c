"""How a run works, in either direction: the order of records, workers, counts and the end.

STATE is emitted as soon as it is true. Imports `settings`, `store` and the rooms below them.
"""
