"""How a run of either way goes: records in order through a pool of workers, counted, and ended.

STATE leaves as soon as it is true. Imports `settings`, `store` and the rooms below them.
"""
