"""How a run of either way works: records in order through a pool of workers, counts, the end.

STATE is emitted as soon as it is true. Imports `settings`, `store` and the rooms below them.
"""
