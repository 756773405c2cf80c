"""Payments: noted while orders are settled, and posted as vouchers at the end of a run.

Imports `sync` and the rooms below it.
"""
