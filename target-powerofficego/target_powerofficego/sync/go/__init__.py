"""PowerOffice Go for the walks: its entries, read in bulk, and writes that leave an intent.

Imports `settle` and the rooms below it.
"""
