"""Who set `notify` is told when something new waits, when runs stop, and when all is well again.

After each run, and by `check`, how a shop stands is compared with how it stood when a message last
went out. Imports `settle`, `settings` and the rooms below them.
"""
