"""Messages for the setting `notify`: something new waits, a run failed, or all is well again.

After each run, and by `check`, the status of a shop is compared with its status when the last
message was sent. Imports `settle`, `settings` and the rooms below them.
"""
